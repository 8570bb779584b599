using System.Runtime.InteropServices;
using Espalier.Onnx.Files;

namespace Espalier.Calibration.Arrays;

/// <summary>Tensors of one batch, or sample, after the other. Beyond a bound on memory they are in a temporary file that goes with the
/// store.</summary>
/// <param name="most">Most bytes in memory.</param>
internal sealed class TensorStore(long most) : IDisposable
{
    private readonly List<IReadOnlyList<Kept>> _batches = [];
    private readonly Dictionary<string, float[]> _borrowed = new(StringComparer.Ordinal);
    private FileStream? _file;
    private long _held;

    /// <summary>A tensor, or where the file has its elements.</summary>
    private sealed record Kept(NamedTensor Tensor, long Offset, int Length);

    /// <summary>Batches that were added.</summary>
    public int Count => _batches.Count;

    /// <summary>Adds what the next batch has.</summary>
    public void Add(IEnumerable<NamedTensor> tensors) => _batches.Add([.. tensors.Select(Keep)]);

    /// <summary>What a batch has.</summary>
    public IEnumerable<NamedTensor> Get(int batch) => _batches[batch].Select(k => k.Offset < 0 ? k.Tensor : Read(k, new float[k.Length]));

    /// <summary>The same in arrays that are written over by the next call.</summary>
    public IEnumerable<NamedTensor> Borrow(int batch) => _batches[batch].Select(k =>
    {
        if (k.Offset < 0) return k.Tensor;
        if (!_borrowed.TryGetValue(k.Tensor.Name, out float[]? array) || array.Length != k.Length)
            _borrowed[k.Tensor.Name] = array = GC.AllocateUninitializedArray<float>(k.Length);
        return Read(k, array);
    });

    /// <summary>Adds the one tensor that the next batch has.</summary>
    /// <param name="tensor">What it is, without elements.</param>
    /// <param name="values">Its elements, which are copied.</param>
    public void Add(NamedTensor tensor, ReadOnlySpan<float> values)
        => _batches.Add([Fits(values.Length) ? new(tensor with { Values = values.ToArray() }, -1, 0) : Write(tensor, values)]);

    public void Dispose() => _file?.Dispose();

    private Kept Keep(NamedTensor tensor)
        => tensor.Values is not float[] values || Fits(values.Length) ? new(tensor, -1, 0) : Write(tensor, values);

    private bool Fits(int elements)
    {
        long bytes = sizeof(float) * (long)elements;
        if (_held + bytes > most) return false;
        _held += bytes;
        return true;
    }

    private Kept Write(NamedTensor tensor, ReadOnlySpan<float> values)
    {
        _file ??= Open(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()));
        long offset = _file.Length;
        RandomAccess.Write(_file.SafeFileHandle, MemoryMarshal.AsBytes(values), offset);
        return new(tensor with { Values = Array.Empty<float>() }, offset, values.Length);
    }

    private static FileStream Open(string path)
    {
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None,
            BufferSize = 0,
        });
        // Unix keeps an open file without a name, however the process ends; Windows closes it, and so deletes it.
        if (!OperatingSystem.IsWindows()) File.Delete(path);
        return file;
    }

    private NamedTensor Read(Kept kept, float[] values)
    {
        new SourceFile(_file!).Read(kept.Offset, MemoryMarshal.AsBytes(values.AsSpan()));
        return kept.Tensor with { Values = values };
    }
}
