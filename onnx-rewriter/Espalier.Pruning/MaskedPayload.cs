using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>The bytes of a tensor with the elements of removed slices set to zero while they stream by; nothing is held.</summary>
internal sealed class MaskedPayload(IPayload inner, long[] dims, bool[]?[] removed, int elementBits) : IPayload
{
    /// <inheritdoc/>
    public long Length => inner.Length;

    /// <inheritdoc/>
    public void CopyTo(Stream destination)
    {
        using var filter = new ZeroingStream(destination, Runs(), elementBits / 8);
        inner.CopyTo(filter);
    }

    /// <summary>Alternating lengths in elements, first of what stays, then of what becomes zero, in row-major order.</summary>
    private IEnumerable<(long Count, bool Zero)> Runs()
    {
        int last = Array.FindLastIndex(removed, r => r is not null);
        if (last < 0) yield break;
        long inside = 1;
        for (int a = last + 1; a < dims.Length; a++) inside *= dims[a];
        var index = new long[last + 1];
        while (true)
        {
            bool zero = false;
            for (int a = 0; a <= last && !zero; a++) zero = removed[a]?[index[a]] == true;
            yield return (inside, zero);
            int axis = last;
            while (axis >= 0 && ++index[axis] == dims[axis]) index[axis--] = 0;
            if (axis < 0) yield break;
        }
    }

    private sealed class ZeroingStream(Stream destination, IEnumerable<(long Count, bool Zero)> runs, int elementSize) : Stream
    {
        private readonly byte[] _scratch = new byte[65536];
        private readonly IEnumerator<(long Count, bool Zero)> _runs = runs.GetEnumerator();
        private long _left;
        private bool _zero;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                var chunk = _scratch.AsSpan(0, Math.Min(_scratch.Length, buffer.Length));
                buffer[..chunk.Length].CopyTo(chunk);
                buffer = buffer[chunk.Length..];
                for (var rest = chunk; rest.Length > 0;)
                {
                    while (_left == 0)
                    {
                        // Past the last run everything stays.
                        (_left, _zero) = _runs.MoveNext() ? (_runs.Current.Count * elementSize, _runs.Current.Zero) : (long.MaxValue, false);
                    }
                    int n = (int)Math.Min(_left, rest.Length);
                    if (_zero) rest[..n].Clear();
                    rest = rest[n..];
                    _left -= n;
                }
                destination.Write(chunk);
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => destination.Flush();
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) _runs.Dispose();
            base.Dispose(disposing);
        }
    }
}
