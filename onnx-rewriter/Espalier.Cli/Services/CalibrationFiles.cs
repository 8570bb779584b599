using System.IO.Compression;
using Espalier.Onnx;
using Google.Protobuf;

namespace Espalier.Cli.Services;

/// <summary>
/// Reads calibration data: arrays (<c>.npy</c>, <c>.npz</c>) named after the inputs, with samples along the first axis, or folders
/// with one tensor message per input, as the ONNX model zoo ships them (<c>test_data_set_0/input_0.pb</c>).
/// </summary>
internal static class CalibrationFiles
{
    /// <summary>The samples in file order, each with a batch axis of size 1.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="model">The model whose inputs they are.</param>
    /// <param name="most">Most samples.</param>
    /// <exception cref="UsageException">There is nothing there, or something for no input.</exception>
    /// <exception cref="MalformedFileException">A file cannot be read.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Read(string path, OnnxModel model, int most)
    {
        var weights = model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = model.Proto.Graph.Input.Where(i => !weights.Contains(i.Name)).Select(i => i.Name).ToList();
        if (Directory.Exists(path))
        {
            var sets = Directory.GetDirectories(path, "test_data_set_*").OrderBy(Number).ThenBy(s => s, StringComparer.Ordinal).ToList();
            if (sets.Count > 0 || Directory.EnumerateFiles(path, "input_*.pb").Any()) return [.. (sets.Count > 0 ? sets : [path]).Take(most).Select(s => Messages(s, inputs, model))];
            return Split(Directory.GetFiles(path, "*.npy").Order(StringComparer.Ordinal)
                .Select(f => Npy.Read(Path.GetFileNameWithoutExtension(f), File.ReadAllBytes(f), f)), inputs, most, path);
        }
        if (!File.Exists(path)) throw new UsageException($"--calibrate: there is no file or folder '{path}'.");
        if (path.EndsWith(".npz", StringComparison.OrdinalIgnoreCase)) return Split(Archive(path), inputs, most, path);
        if (inputs.Count != 1) throw new UsageException($"--calibrate: the model has {inputs.Count} inputs ({string.Join(", ", inputs)}), so '{path}' alone does not do. Give a folder with one .npy per input, or an .npz.");
        return Split([Npy.Read(inputs[0], File.ReadAllBytes(path), path)], inputs, most, path);
    }

    private static IEnumerable<NamedTensor> Archive(string path)
    {
        using var archive = OpenArchive(path);
        foreach (var entry in archive.Entries.OrderBy(e => e.FullName, StringComparer.Ordinal))
        {
            using var stream = entry.Open();
            using var memory = new MemoryStream();
            stream.CopyTo(memory);
            yield return Npy.Read(Path.GetFileNameWithoutExtension(entry.Name), memory.ToArray(), $"{path}({entry.FullName})");
        }
    }

    private static ZipArchive OpenArchive(string path)
    {
        try
        {
            return ZipFile.OpenRead(path);
        }
        catch (InvalidDataException e)
        {
            throw new MalformedFileException($"{path}: it is no .npz file: {e.Message} Write it with numpy.savez.");
        }
    }

    /// <summary>Cuts arrays along their first axis into samples.</summary>
    private static List<IReadOnlyDictionary<string, NamedTensor>> Split(IEnumerable<NamedTensor> arrays, List<string> inputs, int most, string path)
    {
        var byName = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
        foreach (var array in arrays)
        {
            var name = inputs.FirstOrDefault(i => i == array.Name) ?? inputs.FirstOrDefault(i => FileName(i) == array.Name)
                ?? throw new UsageException($"--calibrate: '{array.Name}' in '{path}' is no input of the model; those are {string.Join(", ", inputs)}.");
            if (array.Shape.Count == 0 || array.Shape[0] == 0) throw new MalformedFileException($"{path}: '{array.Name}' has no samples along its first axis.");
            byName[name] = array with { Name = name };
        }
        if (byName.Count == 0) throw new UsageException($"--calibrate: '{path}' holds no .npy, .npz or test_data_set_* with input_*.pb.");
        var counts = byName.Values.Select(a => a.Shape[0]).Distinct().ToList();
        if (counts.Count > 1) throw new MalformedFileException($"{path}: the inputs have different numbers of samples: {string.Join(", ", byName.Values.Select(a => FormattableString.Invariant($"{a.Name} {a.Shape[0]}")))}.");

        var samples = new List<IReadOnlyDictionary<string, NamedTensor>>();
        for (var i = 0; i < Math.Min(counts[0], most); i++)
        {
            samples.Add(byName.ToDictionary(a => a.Key, a =>
            {
                var size = a.Value.Values.Length / (int)a.Value.Shape[0];
                var part = Array.CreateInstance(a.Value.Values.GetType().GetElementType()!, size);
                Array.Copy(a.Value.Values, i * size, part, 0, size);
                return a.Value with { Shape = [1, .. a.Value.Shape.Skip(1)], Values = part };
            }, StringComparer.Ordinal));
        }
        return samples;
    }

    private static Dictionary<string, NamedTensor> Messages(string folder, List<string> inputs, OnnxModel model)
    {
        var sample = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(folder, "input_*.pb").OrderBy(Number))
        {
            TensorProto tensor;
            try
            {
                tensor = TensorProto.Parser.ParseFrom(File.ReadAllBytes(file));
            }
            catch (InvalidProtocolBufferException e)
            {
                throw new MalformedFileException($"{file}: it is no tensor message: {e.Message}");
            }
            var number = Number(file);
            var name = inputs.Contains(tensor.Name) ? tensor.Name
                : number < inputs.Count ? inputs[(int)number]
                : throw new UsageException($"--calibrate: '{file}' is for no input of the model; those are {string.Join(", ", inputs)}.");
            sample[name] = Tensors.ToNamed(name, model.Content(tensor));
        }
        return sample.Count > 0 ? sample : throw new UsageException($"--calibrate: '{folder}' has no input_*.pb.");
    }

    /// <summary>input_10.pb comes after input_9.pb.</summary>
    private static long Number(string path)
    {
        var digits = string.Concat(Path.GetFileNameWithoutExtension(path).Reverse().TakeWhile(char.IsAsciiDigit).Reverse());
        return long.TryParse(digits, out var number) ? number : long.MaxValue;
    }

    private static string FileName(string input) => string.Concat(input.Select(c => Path.GetInvalidFileNameChars().Contains(c) || c == ':' ? '_' : c));
}
