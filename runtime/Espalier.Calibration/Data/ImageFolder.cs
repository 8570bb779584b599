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
        var form = ImageForm.Read(input, folder, options);
        int each = Each(input), count = Math.Min(files.Count / each, options.Samples);
        if (count == 0)
            throw new EspalierException(
                $"'{folder}' has {files.Count} image{(files.Count == 1 ? "" : "s")}; the input '{input.Name}' takes {each} at once.");
        return SampleStore.Create(Enumerable.Range(0, count)
            .Select(i => form.Sample([.. Enumerable.Range(i * each, each).Select(k => files[Place(k, count * each, files.Count)])])),
            leftOut: files.Count / each > count
                ? FormattableString.Invariant($"Of {files.Count} images {count * each} are used, at a regular spacing.")
                : null);
    }

    /// <summary>Images in a sample: as many as a model takes whose batch axis is fixed, else one.</summary>
    public static int Each(ValueInfoProto input)
        => input.Type?.TensorType?.Shape is { Dim: [{ HasDimValue: true, DimValue: > 1 and < 1 << 14 } batch, ..] }
            ? (int)batch.DimValue
            : 1;

    /// <summary>Which of the images is the i-th of <paramref name="count"/> that are read.</summary>
    public static int Place(int i, int count, int images) => (int)((long)i * images / count);

    /// <summary>Interleaved channels of 8 bits.</summary>
    public static byte[] Decode(string path, int channels, out int width, out int height)
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
