using Espalier.Onnx.Payloads;

namespace Espalier.Oracle;

/// <summary>
/// The bytes of a tensor with the elements of removed slices set to zero, or to their zero point, while they stream by; nothing is held.
/// </summary>
internal sealed class MaskedPayload(IPayload inner, long[] dims, bool[]?[] removed, int elementBits, MaskFill? fill = null) : IPayload
{
    /// <inheritdoc/>
    public long Length => inner.Length;

    /// <inheritdoc/>
    public void CopyTo(Stream destination)
    {
        using Stream filter = fill is null && elementBits >= 8 ? new ZeroingStream(destination, Runs(), elementBits / 8)
            : new FillingStream(destination, dims, removed, elementBits, fill ?? MaskFill.From(0, dims.Length));
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

    /// <summary>Changes bytes on their way.</summary>
    private abstract class Filter(Stream destination) : Stream
    {
        private readonly byte[] _scratch = new byte[65536];

        protected abstract void Edit(Span<byte> chunk);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                var chunk = _scratch.AsSpan(0, Math.Min(_scratch.Length, buffer.Length));
                buffer[..chunk.Length].CopyTo(chunk);
                buffer = buffer[chunk.Length..];
                Edit(chunk);
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
    }

    private sealed class ZeroingStream(Stream destination, IEnumerable<(long Count, bool Zero)> runs, int elementSize) : Filter(destination)
    {
        private readonly IEnumerator<(long Count, bool Zero)> _runs = runs.GetEnumerator();
        private long _left;
        private bool _zero;

        protected override void Edit(Span<byte> chunk)
        {
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
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _runs.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>Element by element: several to a byte, or several bytes, each with a value of its own.</summary>
    private sealed class FillingStream(Stream destination, long[] dims, bool[]?[] removed, int bits, MaskFill fill) : Filter(destination)
    {
        private readonly long[] _index = new long[dims.Length];
        private readonly int _size = Math.Max(1, bits / 8), _perByte = Math.Max(1, 8 / bits);
        private int _byte;
        private long _value;
        private bool _masked, _ended;

        protected override void Edit(Span<byte> chunk)
        {
            for (int i = 0; i < chunk.Length; i++)
            {
                if (bits >= 8)
                {
                    if (_byte == 0) Next();
                    // Beyond eight bytes an element has no integer zero point: all of it is zero.
                    if (_masked) chunk[i] = _byte < 8 ? (byte)(_value >> (8 * _byte)) : (byte)0;
                    _byte = (_byte + 1) % _size;
                    continue;
                }
                for (int slot = 0; slot < _perByte; slot++)
                {
                    Next();
                    int mask = ((1 << bits) - 1) << (slot * bits);
                    if (_masked) chunk[i] = (byte)((chunk[i] & ~mask) | ((int)(_value << (slot * bits)) & mask));
                }
            }
        }

        /// <summary>Whether the next element is masked, and with what. After the last one come the unused bits of the last byte.</summary>
        private void Next()
        {
            _masked = false;
            if (_ended) return;
            long at = 0;
            for (int axis = 0; axis < _index.Length; axis++)
            {
                _masked |= removed[axis]?[_index[axis]] == true;
                at += _index[axis] / fill.Blocks[axis] * fill.Strides[axis];
            }
            _value = fill.Values[at];
            int last = _index.Length - 1;
            while (last >= 0 && ++_index[last] == dims[last]) _index[last--] = 0;
            _ended = last < 0;
        }
    }
}
