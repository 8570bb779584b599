namespace Espalier.Onnx.Payloads;

/// <summary>Gather for 4 and 2 bit elements whose rows do not end at bytes: every element is unpacked and packed again.</summary>
internal sealed class PackedGatherSource : ByteSource
{
    private const int Window = 4 * 1024;

    private readonly ByteSource _source;
    private readonly int[]?[] _kept;
    private readonly long[] _extents, _strides, _result;
    private readonly int _bits;
    private readonly long _count;

    public PackedGatherSource(ByteSource source, long[] extents, int bits, int[]?[] kept)
    {
        (_source, _extents, _bits, _kept) = (source, extents, bits, kept);
        _result = [.. extents.Select((extent, axis) => kept[axis]?.Length ?? extent)];
        _strides = [.. extents.Select((_, axis) => GatherSource.Product(extents, axis + 1))];
        _count = GatherSource.Product(_result, 0);
        var perByte = 8 / bits;
        Length = (_count / perByte) + (_count % perByte > 0 ? 1 : 0);
    }

    public override long Length { get; }

    public override void Read(long offset, Span<byte> destination)
    {
        if (_count == 0)
        {
            return;
        }
        var perByte = 8 / _bits;
        var mask = (1 << _bits) - 1;
        Span<byte> window = stackalloc byte[Window];
        var (windowStart, windowEnd) = (0L, 0L);
        // Index of the element along every axis of the result, kept up like an odometer.
        var index = new long[_extents.Length];
        var element = offset * perByte;
        for (var (axis, rest) = (index.Length - 1, element); axis >= 0; axis--)
        {
            (rest, index[axis]) = Math.DivRem(rest, _result[axis]);
        }
        for (var i = 0; i < destination.Length; i++)
        {
            var packed = 0;
            for (var slot = 0; slot < perByte && element < _count; slot++, element++)
            {
                long at = 0;
                for (var axis = 0; axis < index.Length; axis++)
                {
                    at += (_kept[axis] is { } kept ? kept[index[axis]] : index[axis]) * _strides[axis];
                }
                var (position, part) = Math.DivRem(at, perByte);
                if (position < windowStart || position >= windowEnd)
                {
                    (windowStart, windowEnd) = (position, Math.Min(_source.Length, position + Window));
                    _source.Read(windowStart, window[..(int)(windowEnd - windowStart)]);
                }
                packed |= ((window[(int)(position - windowStart)] >> ((int)part * _bits)) & mask) << (slot * _bits);
                for (var axis = index.Length - 1; axis >= 0 && ++index[axis] == _result[axis]; axis--)
                {
                    index[axis] = 0;
                }
            }
            destination[i] = (byte)packed;
        }
    }
}
