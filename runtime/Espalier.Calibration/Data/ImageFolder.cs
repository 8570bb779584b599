using Espalier.Calibration.Graph;
using Espalier.Onnx;
using StbImageSharp;

namespace Espalier.Calibration.Data;

/// <summary>
/// A folder of images (PNG, JPEG, BMP; subfolders too) for a model with one input of images: the largest centred part that has
/// the input's aspect ratio, resized to the input's size, as grey or red, green, blue, from 0 to 1, then (value − mean) /
/// deviation. Alpha is ignored.
/// </summary>
internal static class ImageFolder
{
    /// <summary>Height and width where the model leaves them open and nobody says: what costs assume, too.</summary>
    private const long DefaultSide = 224;

    private const long MostSide = 1 << 14;

    /// <summary>Most pixels of a file: what decoding takes four times the bytes of.</summary>
    private const long MostPixels = 1L << 27;

    private static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".bmp"];

    /// <summary>Images below a folder, by their path; a model's folder may hold a few thousand, no more are wanted.</summary>
    public static IReadOnlyList<string> Files(string folder)
        => [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Where(f => Extensions.Contains(Path.GetExtension(f).ToLowerInvariant(), StringComparer.Ordinal))
            .Order(StringComparer.Ordinal)];

    /// <summary>Reads at most so many of them, at a regular spacing: subfolders are often classes.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Read(string folder, IReadOnlyList<string> files,
        ValueInfoProto input, DataOptions options)
    {
        var form = Form.Read(input, folder, options);
        int each = Each(input), count = Math.Min(files.Count / each, options.Samples);
        if (count == 0)
            throw new EspalierException(
                $"'{folder}' has {files.Count} image{(files.Count == 1 ? "" : "s")}; the input '{input.Name}' takes {each} at once.");
        return [.. Enumerable.Range(0, count)
            .Select(i => form.Sample([.. Enumerable.Range(i * each, each).Select(k => files[Place(k, count * each, files.Count)])]))];
    }

    /// <summary>Images in a sample: as many as a model takes whose batch axis is fixed, else one.</summary>
    public static int Each(ValueInfoProto input)
        => input.Type?.TensorType?.Shape is { Dim: [{ HasDimValue: true, DimValue: > 1 and < 1 << 14 } batch, ..] }
            ? (int)batch.DimValue
            : 1;

    /// <summary>Which of the images is the i-th of <paramref name="count"/> that are read.</summary>
    public static int Place(int i, int count, int images) => (int)((long)i * images / count);

    /// <summary>What the input wants.</summary>
    private sealed record Form(string Name, string Type, bool ChannelsLast, int Channels, int Height, int Width, double[] Mean,
        double[] Deviation)
    {
        public static Form Read(ValueInfoProto input, string folder, DataOptions options)
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
            double[] PerChannel(IReadOnlyList<double>? given, double otherwise, string what) => given switch
            {
                null => [.. Enumerable.Repeat(otherwise, channels)],
                { Count: 1 } => [.. Enumerable.Repeat(given[0], channels)],
                _ when given.Count == channels => [.. given],
                _ => throw new EspalierException($"The {what} of images has {given.Count} numbers; the input '{input.Name}' has "
                    + $"{channels} channel{(channels == 1 ? "" : "s")}. Give one number, or one per channel."),
            };
            if (type == "uint8" && (options.Mean is not null || options.Deviation is not null))
                throw new EspalierException(
                    $"The input '{input.Name}' takes bytes from 0 to 255; a mean or deviation of images does not go with it.");
            double[] deviation = PerChannel(options.Deviation, 1, "deviation");
            if (deviation.Any(d => !(d > 0) || !double.IsFinite(d)))
                throw new EspalierException("Deviations of images are numbers above 0.");
            return new(input.Name, type, last, channels, Side(last ? 1 : 2), Side(last ? 2 : 3),
                PerChannel(options.Mean, 0, "mean"), deviation);

            int Side(int axis)
            {
                long side = dims[axis] is { HasDimValue: true, DimValue: > 0 } known ? known.DimValue
                    : options.Dimensions?.TryGetValue(dims[axis].HasDimParam ? dims[axis].DimParam : "", out long named) == true ? named
                    : options.Dimensions?.TryGetValue($"{input.Name}:{axis}", out long placed) == true ? placed : DefaultSide;
                return side <= MostSide
                    ? (int)side
                    : throw new EspalierException(
                        $"The input '{input.Name}' wants images {side} pixels wide or high; at most {MostSide} are made.");
            }
        }

        public IReadOnlyDictionary<string, NamedTensor> Sample(IReadOnlyList<string> paths)
        {
            double[] values = [.. paths.SelectMany(Values)];
            long[] shape = ChannelsLast ? [paths.Count, Height, Width, Channels] : [paths.Count, Channels, Height, Width];
            return new Dictionary<string, NamedTensor>(StringComparer.Ordinal) { [Name] = new ArrayFile(paths[0], shape, values).Slice(Name,
                new ArrayPart(0, values.Length, 0, values.Length), shape, Type) };
        }

        private double[] Values(string path)
        {
            byte[] pixels = Resampling.Cover(Decode(path, Channels, out int width, out int height), width, height, Channels, Width, Height);
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

    private static byte[] Decode(string path, int channels, out int width, out int height)
    {
        using var stream = File.OpenRead(path);
        try
        {
            // Before anything is decoded: a few bytes may claim any size.
            var info = ImageInfo.FromStream(stream) ?? throw new InvalidDataException("it is no PNG, JPEG or BMP");
            if (info.Width < 1 || info.Height < 1 || (long)info.Width * info.Height > MostPixels)
                throw new InvalidDataException($"{info.Width} × {info.Height} pixels are too many");
            stream.Position = 0;
            var image = ImageResult.FromStream(stream, channels == 1 ? ColorComponents.Grey : ColorComponents.RedGreenBlue);
            (width, height) = (image.Width, image.Height);
            return image.Data.Length == (long)width * height * channels
                ? image.Data
                : throw new InvalidDataException("its pixels are not all there");
        }
        // Whatever the decoder throws at a damaged file.
        catch (Exception e) when (e is not (OutOfMemoryException or EspalierException))
        {
            throw new EspalierException($"The image '{path}' cannot be read: {e.Message}.", e);
        }
    }
}
