using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Extensions.Images;
using Espalier.Onnx;

namespace Espalier.Calibration.Data;

/// <summary>What an input wants of images.</summary>
internal sealed class ImageForm
{
    /// <summary>Height and width where the model leaves them open and nobody says: what costs assume, too.</summary>
    private const long DefaultSide = 224;

    private const long MostSide = 1 << 14;

    public required string Name { get; init; }
    public required string Type { get; init; }
    public required ImageInput Form { get; init; }

    public int Height => Form.Height;
    public int Width => Form.Width;
    public int Channels => Form.Channels;
    public bool ChannelsLast => Form.ChannelsLast;

    public static ImageForm Read(ValueInfoProto input, string folder, DataOptions options)
    {
        var dims = input.Type?.TensorType?.Shape?.Dim;
        string type = GraphFacts.ElementName(input.Type?.TensorType?.ElemType ?? 0);
        bool Colours(int axis) => dims![axis].HasDimValue && dims[axis].DimValue is 1 or 3;
        if (dims is not { Count: 4 } || !(Colours(1) || Colours(3)) || type is not ("float32" or "float64" or "float16" or "uint8"))
            throw new EspalierException($"'{folder}' has images, for which the input '{input.Name}' has not the form: [batch, "
                + "channels, height, width] or [batch, height, width, channels] "
                + "with 1 or 3 channels, of floating-point numbers or uint8. Give arrays (.npy) instead.");
        bool last = !Colours(1);
        int channels = (int)dims[last ? 3 : 1].DimValue;
        if (type == "uint8" && (options.Mean is not null || options.Deviation is not null))
            throw new EspalierException(
                $"The input '{input.Name}' takes bytes from 0 to 255; a mean or deviation of images does not go with it.");
        return new()
        {
            Name = input.Name,
            Type = type,
            Form = new(Side(input, last ? 2 : 3, options), Side(input, last ? 1 : 2, options), channels)
            {
                ChannelsLast = last,
                IsRaw = type == "uint8",
                Mean = options.Mean ?? [],
                Deviation = options.Deviation ?? [],
            },
        };
    }

    private static int Side(ValueInfoProto input, int axis, DataOptions options)
    {
        var dim = input.Type.TensorType.Shape.Dim[axis];
        long side = dim is { HasDimValue: true, DimValue: > 0 } known ? known.DimValue
            : options.Dimensions?.TryGetValue(dim.HasDimParam ? dim.DimParam : "", out long named) == true ? named
            : options.Dimensions?.TryGetValue($"{input.Name}:{axis}", out long placed) == true ? placed : DefaultSide;
        return side <= MostSide
            ? (int)side
            : throw new EspalierException(
                $"The input '{input.Name}' wants images {side} pixels wide or high; at most {MostSide} are made.");
    }

    public IReadOnlyDictionary<string, NamedTensor> Sample(IReadOnlyList<string> paths)
    {
        double[] values = [.. paths.SelectMany(Values)];
        long[] shape = ChannelsLast ? [paths.Count, Height, Width, Channels] : [paths.Count, Channels, Height, Width];
        return new Dictionary<string, NamedTensor>(StringComparer.Ordinal)
        {
            [Name] = new ArrayFile(paths[0], shape, values).Slice(Name,
            new ArrayPart(0, values.Length, 0, values.Length), shape, Type)
        };
    }

    private double[] Values(string path)
        => Form.Values(ImageDecoder.Decode(path, Channels, out int width, out int height), width, height);
}
