using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Onnx;

namespace Espalier.Calibration.Data;

/// <summary>
/// Reads calibration samples for a model: <c>.npy</c> (one input), <c>.npz</c> or a folder of <c>.npy</c> files (named as the inputs),
/// images as <c>.idx</c> or <c>*-ubyte</c>, packed by gzip or not (0..255 becomes 0..1), a folder of PNG, JPEG and BMP images,
/// and text as <c>.txt</c> or
/// <c>.tsv</c> with an alphabet, a WordPiece vocabulary or a BPE tokenizer.
/// </summary>
public static class CalibrationData
{
    /// <summary>Reads samples, each as the model takes it; a dynamic batch axis is 1.</summary>
    /// <param name="model">The model that the samples are for: it says names, types and shapes.</param>
    /// <exception cref="EspalierException">The file is missing, malformed, of an unknown kind, or does not fit the model; the
    /// message names it.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Read(string path, OnnxModel model, DataOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new DataOptions();
        if (options.Samples < 1) throw new EspalierException("At least one calibration sample is needed.");
        var inputs = GraphFacts.Inputs(model);
        try
        {
            if (Directory.Exists(path))
            {
                if (ImageFolder.Files(path) is { Count: > 0 } images && !Directory.EnumerateFiles(path, "*.npy").Any())
                    return ImageFolder.Read(path, images, Only(inputs, path), options);
                return SampleArrays.Cut(path, inputs, Folder(path, inputs), options.Samples);
            }
            if (options.Mean is not null || options.Deviation is not null)
                throw new EspalierException($"A mean and a deviation go with a folder of images; '{path}' is none.");
            if (!File.Exists(path))
                throw new EspalierException($"There are no calibration data at '{path}' (looked for {Path.GetFullPath(path)}).");
            string name = Path.GetFileName(path);
            if (name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase)) name = name[..^3];
            string extension = Path.GetExtension(name).ToLowerInvariant();
            if (extension == ".npy")
                return SampleArrays.Cut(path, inputs, new Dictionary<string, ArrayFile> { [Only(inputs, path).Name] = Npy.Read(path) },
                    options.Samples);
            if (extension == ".npz") return SampleArrays.Cut(path, inputs, Npy.ReadArchive(path), options.Samples);
            if (extension is ".idx" || name.EndsWith("ubyte", StringComparison.Ordinal))
                return SampleArrays.Cut(path, inputs,
                    new Dictionary<string, ArrayFile> { [Only(inputs, path).Name] = Idx.Read(path).Scaled(1 / 255.0) }, options.Samples);
            if (extension is ".txt" or ".tsv") return Text.Read(path, model, inputs, options);
            throw new EspalierException($"'{path}' is of no kind that calibration reads: .npy, .npz, a folder of .npy files or of images "
                + "(.png, .jpg, .bmp), idx images (*-ubyte, .gz), .txt or .tsv.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or OverflowException)
        {
            throw new EspalierException($"'{path}' cannot be read: {e.Message}", e);
        }
    }

    private static ValueInfoProto Only(IReadOnlyList<ValueInfoProto> inputs, string path) => inputs.Count == 1
        ? inputs[0]
        : throw new EspalierException($"'{path}' holds one array or image a sample, but the model has {inputs.Count} inputs: "
            + $"{Names(inputs)}. Give an .npz or a folder with one array for each.");

    private static Dictionary<string, ArrayFile> Folder(string path, IReadOnlyList<ValueInfoProto> inputs)
    {
        var files = new Dictionary<string, ArrayFile>(StringComparer.Ordinal);
        foreach (var input in inputs)
        {
            // Names such as "gpu_0/data_0" or "input:0" are no file names everywhere.
            string file = Path.Combine(path, string.Concat(input.Name.Select(c => c is '/' or '\\' or ':' ? '_' : c)) + ".npy");
            if (!File.Exists(file))
                throw new EspalierException($"The folder '{path}' has no '{Path.GetFileName(file)}' for the input '{input.Name}', and no "
                    + $"images (.png, .jpg, .bmp); the model's inputs are {Names(inputs)}.");
            files[input.Name] = Npy.Read(file);
        }
        return files;
    }

    private static string Names(IReadOnlyList<ValueInfoProto> inputs) => string.Join(", ", inputs.Select(i => $"'{i.Name}'"));
}
