using System.Runtime.InteropServices;
using Espalier.Onnx.Files;

namespace Espalier.Calibration.Arrays;

/// <summary>Tensors of one batch, or sample, after the other. Beyond a bound on memory they are in a temporary file that goes with the
/// store.</summary>
/// <param name="most">Most bytes in memory.</param>
internal sealed class TensorStore(long most) : IDisposable
{
    private readonly List<IReadOnlyList<Kept>> _batches = [];
    private FileStream? _file;
    private long _held;

    /// <summary>A tensor, or where the file has its elements.</summary>
    private sealed record Kept(NamedTensor Tensor, long Offset, int Length);

    /// <summary>Batches that were added.</summary>
    public int Count => _batches.Count;

    /// <summary>Adds what the next batch has.</summary>
    public void Add(IEnumerable<NamedTensor> tensors) => _batches.Add([.. tensors.Select(Keep)]);

    /// <summary>What a batch has.</summary>
    public IEnumerable<NamedTensor> Get(int batch) => _batches[batch].Select(k => k.Offset < 0 ? k.Tensor : Read(k));

    public void Dispose() => _file?.Dispose();

    private Kept Keep(NamedTensor tensor)
    {
        if (tensor.Values is not float[] values) return new(tensor, -1, 0);
        long bytes = sizeof(float) * values.LongLength;
        if (_held + bytes <= most)
        {
            _held += bytes;
            return new(tensor, -1, 0);
        }
        _file ??= new(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Options = FileOptions.DeleteOnClose,
            BufferSize = 0,
        });
        long offset = _file.Length;
        RandomAccess.Write(_file.SafeFileHandle, MemoryMarshal.AsBytes(values.AsSpan()), offset);
        return new(tensor with { Values = Array.Empty<float>() }, offset, values.Length);
    }

    private NamedTensor Read(Kept kept)
    {
        var values = new float[kept.Length];
        new SourceFile(_file!).Read(kept.Offset, MemoryMarshal.AsBytes(values.AsSpan()));
        return kept.Tensor with { Values = values };
    }
}
