using System.Buffers;
using System.Buffers.Binary;

namespace Espalier.Onnx.Payloads;

/// <summary>
/// The elements of a packed integer field as <c>raw_data</c> would hold them. They have no fixed width on the wire; so the place of every
/// 4096th is noted at the first use, and reading begins at the one before what is asked for.
/// </summary>
internal sealed class VarintSource : ByteSource
{
    private const int Stride = 4096;
    private const int Window = 32 * 1024;

    private readonly ByteSource _wire;
    private readonly int _width;
    private readonly Lazy<long[]> _places;

    /// <param name="wire">The content of the field.</param>
    /// <param name="width">Bytes of one in the result.</param>
    public VarintSource(ByteSource wire, long entries, int width)
    {
        (_wire, _width, Length) = (wire, width, checked(entries * width));
        _places = new(() => FindPlaces(entries));
    }

    public override long Length { get; }

    private long[] FindPlaces(long entries)
    {
        var places = new long[(entries + Stride - 1) / Stride];
        using var reader = new Reader(_wire, 0);
        for (long entry = 0; entry < entries; entry++)
        {
            if (entry % Stride == 0)
            {
                places[entry / Stride] = reader.Position;
            }
            reader.Next();
        }
        return places;
    }

    public override void Read(long offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
        {
            return;
        }
        var (entry, skip) = Math.DivRem(offset, _width);
        using var reader = new Reader(_wire, _places.Value[entry / Stride]);
        for (var before = entry % Stride; before > 0; before--)
        {
            reader.Next();
        }
        Span<byte> element = stackalloc byte[8];
        while (!destination.IsEmpty)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(element, reader.Next());
            var part = element[(int)skip..Math.Min(_width, (int)skip + destination.Length)];
            part.CopyTo(destination);
            destination = destination[part.Length..];
            skip = 0;
        }
    }

    private sealed class Reader(ByteSource wire, long start) : IDisposable
    {
        private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(Window);
        private long _start = start;
        private int _at, _end;

        public long Position => _start + _at;

        public ulong Next()
        {
            if (_end - _at < WireNumber.MaxVarint && _start + _end < wire.Length)
            {
                _start += _at;
                _end = (int)Math.Min(_buffer.Length, wire.Length - _start);
                _at = 0;
                wire.Read(_start, _buffer.AsSpan(0, _end));
            }
            return WireNumber.TryRead(_buffer, ref _at, _end, out var value)
                ? value
                : throw new InvalidOperationException("A field has fewer numbers than were counted in it.");
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
    }
}
