using Espalier.Onnx;

namespace Espalier.Calibration.Data;

/// <summary>
/// A folder of images (PNG, JPEG, BMP; subfolders too) for a model with one input of images: the largest centred part that has
/// the input's aspect ratio, resized to the input's size, as grey or red, green, blue, from 0 to 1, then (value − mean) /
/// deviation. Alpha is ignored.
/// </summary>
internal static class ImageFolder
{
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
}
