using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
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
    public required bool ChannelsLast { get; init; }
    public required int Channels { get; init; }
    public required int Height { get; init; }
    public required int Width { get; init; }
    public required double[] Mean { get; init; }
    public required double[] Deviation { get; init; }

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
        double[] deviation = PerChannel(options.Deviation, 1, "deviation");
        if (deviation.Any(d => !(d > 0) || !double.IsFinite(d)))
            throw new EspalierException("Deviations of images are numbers above 0.");
        return new()
        {
            Name = input.Name,
            Type = type,
            ChannelsLast = last,
            Channels = channels,
            Height = Side(input, last ? 1 : 2, options),
            Width = Side(input, last ? 2 : 3, options),
            Mean = PerChannel(options.Mean, 0, "mean"),
            Deviation = deviation,
        };

        double[] PerChannel(IReadOnlyList<double>? given, double otherwise, string what) => given switch
        {
            null => [.. Enumerable.Repeat(otherwise, channels)],
            { Count: 1 } => [.. Enumerable.Repeat(given[0], channels)],
            _ when given.Count == channels => [.. given],
            _ => throw new EspalierException($"The {what} of images has {given.Count} numbers; the input '{input.Name}' has "
                + $"{channels} channel{(channels == 1 ? "" : "s")}. Give one number, or one per channel."),
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
    {
        byte[] pixels = Resampling.Cover(ImageFolder.Decode(path, Channels, out int width, out int height), width, height, Channels,
            Width, Height);
        int area = Width * Height;
        var values = new double[pixels.Length];
        for (int at = 0; at < values.Length; at++)
        {
            int c = at % Channels;
            double value = Type == "uint8" ? pixels[at] : ((pixels[at] / 255.0) - Mean[c]) / Deviation[c];
            values[ChannelsLast ? at : (c * area) + (at / Channels)] = value;
        }
        return values;
    }
}
