using System.Globalization;
using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Data;

/// <summary>
/// Reads the right answers to calibration samples, for <see cref="Metric.TaskLoss"/>: from the file that
/// <see cref="DataOptions.Labels"/> names (<c>.npy</c>, MNIST's idx, or text with an integer at the start of every line), else
/// from the data themselves: an array <c>labels</c> in an <c>.npz</c> or a folder of <c>.npy</c> files that is no input of the
/// model, or the first of several columns of a <c>.tsv</c>.
/// </summary>
public static class CalibrationLabels
{
    private const string Name = "labels";

    /// <param name="path">The data; null for samples that a method gave.</param>
    /// <param name="model">The model: what it calls an input is no label.</param>
    /// <returns>One array per sample: a class, or one for each of its rows; null where there are none.</returns>
    /// <exception cref="EspalierException">The file is missing or malformed, or has too few.</exception>
    public static IReadOnlyList<long[]>? Read(string? path, OnnxModel model, int samples, DataOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        string? file = options?.Labels;
        try
        {
            var labels = file is not null
                ? Of(file)
                : path is null || GraphFacts.Inputs(model).Any(i => i.Name == Name) ? null : Within(path);
            if (labels is null) return null;
            var chosen = Images(path) is { } images
                ? Spread(labels, images, (samples, ImageFolder.Each(GraphFacts.Inputs(model)[0])), file!)
                : labels;
            return chosen.Count >= samples ? [.. chosen.Take(samples)]
                : throw new EspalierException(
                    $"'{file ?? path}' has {chosen.Count} labels for {samples} samples. Give a label for every sample, in their order.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new EspalierException($"'{file ?? path}' cannot be read: {e.Message}", e);
        }
    }

    private static IReadOnlyList<long[]> Of(string file)
    {
        if (!File.Exists(file)) throw new EspalierException($"There are no labels at '{file}' (looked for {Path.GetFullPath(file)}).");
        string name = file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)
            ? file[..^3]
            : file, extension = Path.GetExtension(name).ToLowerInvariant();
        if (extension == ".npy") return Rows(Npy.Read(file));
        if (extension == ".npz") return Within(file) ?? throw new EspalierException($"'{file}' has no array '{Name}'.");
        if (extension == ".idx" || name.EndsWith("ubyte", StringComparison.Ordinal)) return Rows(Idx.Read(file));
        if (extension is not (".txt" or ".tsv" or ".csv"))
            throw new EspalierException($"'{file}' is of no kind that labels are read from: .npy, .npz, idx labels (*-ubyte, .gz), or "
                + "text with a number at the start of every line.");
        return [.. File.ReadLines(file).Where(l => !string.IsNullOrWhiteSpace(l))
            .Select((line, i) =>
                new[] { First(line)
                    ?? throw new EspalierException(
                        $"'{file}' has no number at the start of line {i + 1}: '{line[..Math.Min(line.Length, 40)]}'.") })];
    }

    private static IReadOnlyList<long[]>? Within(string path)
    {
        if (path.EndsWith(".npz", StringComparison.OrdinalIgnoreCase))
            return Npy.ReadArchive(path).TryGetValue(Name, out var array) ? Rows(array) : null;
        if (Directory.Exists(path))
            return Path.Combine(path, Name + ".npy") is var own && File.Exists(own) && Images(path) is null ? Rows(Npy.Read(own)) : null;
        if (!path.EndsWith(".tsv", StringComparison.OrdinalIgnoreCase)) return null;
        // Lines without text are no samples.
        var lines = File.ReadLines(path).Where(l => !string.IsNullOrWhiteSpace(l[(l.LastIndexOf('\t') + 1)..])).ToList();
        var labels = lines.Where(l => l.Contains('\t', StringComparison.Ordinal)).Select(First).OfType<long>()
            .Select(l => new[] { l }).ToList();
        return labels.Count == lines.Count ? labels : null;
    }

    /// <summary>Cuts an array along axis 0.</summary>
    private static IReadOnlyList<long[]> Rows(ArrayFile array)
    {
        if (array.Shape.Length == 0) throw new EspalierException($"'{array.Path}' is one number, not one label per sample.");
        long size = array.Shape.Skip(1).Aggregate(1L, (a, b) => a * b);
        return [.. Enumerable.Range(0, (int)array.Shape[0])
            .Select(i => (long[])array.Slice(Name, new ArrayPart(i * size, size, 0, size), [size], "int64").Values)];
    }

    private static long? First(string line)
        => long.TryParse(line.AsSpan(0, line.AsSpan().IndexOfAny('\t', ',', ' ') is >= 0 and var end ? end : line.Length),
            NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long label) ? label : null;

    private static int? Images(string? path)
        => path is not null && Directory.Exists(path) && !Directory.EnumerateFiles(path, "*.npy").Any()
            && ImageFolder.Files(path) is { Count: > 0 } files ? files.Count : null;

    /// <summary>Of a folder of images every n-th is read, and so is every n-th label; a sample of several images has as many.</summary>
    private static IReadOnlyList<long[]> Spread(IReadOnlyList<long[]> labels, int images, (int Samples, int Each) read, string file)
        => labels.Count == images
        ? [.. Enumerable.Range(0, read.Samples * read.Each).Select(i => labels[ImageFolder.Place(i, read.Samples * read.Each, images)])
            .Chunk(read.Each).Select(own => own.SelectMany(l => l).ToArray())]
        : throw new EspalierException(
            $"'{file}' has {labels.Count} labels for {images} images. Give a label for every image, in the order of their paths.");
}
