namespace Espalier.Onnx.Payloads;

/// <summary>The numbers of the protobuf wire format.</summary>
internal static class WireNumber
{
    public const int Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;

    /// <summary>Bytes of a number of the wire format at most.</summary>
    public const int MaxVarint = 10;

    /// <summary>Reads a number and moves on; false when the bytes end inside it, or when it goes on for more than ten.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, ref int at, int end, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 70 && at < end; shift += 7)
        {
            var b = bytes[at++];
            value |= shift == 63 ? (ulong)(b & 1) << 63 : (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return true;
            }
        }
        return false;
    }

    public static int Size(ulong value) => ((63 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 7) + 1;

    public static int Write(Span<byte> destination, ulong value)
    {
        var at = 0;
        for (; value >= 0x80; value >>= 7)
        {
            destination[at++] = (byte)(value | 0x80);
        }
        destination[at++] = (byte)value;
        return at;
    }
}
