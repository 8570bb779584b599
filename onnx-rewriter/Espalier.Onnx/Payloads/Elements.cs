using System.Buffers.Binary;
using System.Runtime.InteropServices;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Payloads;

/// <summary>Between the bytes of <c>raw_data</c> (little endian, packed) and numbers.</summary>
internal static class Elements
{
    /// <summary>Elements decoded at a time: a multiple of 8, so that packed elements begin at a byte.</summary>
    private const int Block = 8 * 1024;

    public static float[] ToFloats(ByteSource source, DataType type, long count)
    {
        var values = Allocate<float>(count);
        ReadFloats(source, type, 0, values);
        return values;
    }

    /// <param name="first">The first that is wanted.</param>
    public static void ReadFloats(ByteSource source, DataType type, long first, Span<float> destination)
    {
        if (type == DataType.Float && BitConverter.IsLittleEndian && destination.Length <= int.MaxValue / sizeof(float))
        {
            source.Read(checked(first * sizeof(float)), MemoryMarshal.AsBytes(destination));
            return;
        }
        Decode(source, type, first, destination, type switch
        {
            DataType.Float => (bytes, values) => Copy(bytes, values),
            DataType.Double => (bytes, values) => Each<double, float>(bytes, values, v => (float)v),
            DataType.Float16 => (bytes, values) => Each<Half, float>(bytes, values, v => (float)v),
            DataType.Bfloat16 => (bytes, values) => Each<ushort, float>(bytes, values, v => BitConverter.UInt32BitsToSingle((uint)v << 16)),
            DataType.Uint64 => (bytes, values) => Each<ulong, float>(bytes, values, v => v),
            DataType.Float4E2M1 => (bytes, values) => Packed(bytes, values, 4, code => SmallFloats.Decode(type, code)),
            _ when DataTypes.IsFloat(type) => (bytes, values) => Each<byte, float>(bytes, values, code => SmallFloats.Decode(type, code)),
            _ => Integers<float>(type, v => v),
        });
    }

    public static long[] ToLongs(ByteSource source, DataType type, long count)
    {
        var values = Allocate<long>(count);
        Decode(source, type, 0, values, Integers<long>(type, v => v));
        return values;
    }

    private static T[] Allocate<T>(long count) => count <= Array.MaxLength ? new T[count]
        : throw new NotSupportedException($"A tensor of {count} elements does not fit one array; read it in parts.");

    private delegate void Decoder<T>(ReadOnlySpan<byte> bytes, Span<T> values);

    private static Decoder<T> Integers<T>(DataType type, Func<long, T> convert) where T : unmanaged => type switch
    {
        DataType.Bool => (bytes, values) => Each<byte, T>(bytes, values, v => convert(v == 0 ? 0 : 1)),
        DataType.Int8 => (bytes, values) => Each<sbyte, T>(bytes, values, v => convert(v)),
        DataType.Uint8 => (bytes, values) => Each<byte, T>(bytes, values, v => convert(v)),
        DataType.Int16 => (bytes, values) => Each<short, T>(bytes, values, v => convert(v)),
        DataType.Uint16 => (bytes, values) => Each<ushort, T>(bytes, values, v => convert(v)),
        DataType.Int32 => (bytes, values) => Each<int, T>(bytes, values, v => convert(v)),
        DataType.Uint32 => (bytes, values) => Each<uint, T>(bytes, values, v => convert(v)),
        DataType.Int64 => (bytes, values) => Each<long, T>(bytes, values, convert),
        DataType.Uint64 => (bytes, values) => Each<ulong, T>(bytes, values, v => convert(checked((long)v))),
        DataType.Uint4 => (bytes, values) => Packed(bytes, values, 4, v => convert(v)),
        DataType.Int4 => (bytes, values) => Packed(bytes, values, 4, v => convert(v > 7 ? v - 16 : v)),
        DataType.Uint2 => (bytes, values) => Packed(bytes, values, 2, v => convert(v)),
        DataType.Int2 => (bytes, values) => Packed(bytes, values, 2, v => convert(v > 1 ? v - 4 : v)),
        _ => throw new NotSupportedException($"Elements of type {type} are not numbers of this kind."),
    };

    private static void Decode<T>(ByteSource source, DataType type, long first, Span<T> values, Decoder<T> decoder) where T : unmanaged
    {
        // Packed elements may begin inside a byte: then those before them in it are decoded too, and left out.
        var lead = DataTypes.Bits(type) < 8 ? (int)(first % (8 / DataTypes.Bits(type))) : 0;
        var buffer = new byte[DataTypes.Bytes(type, Math.Min((long)values.Length + lead, Block))];
        Span<T> decoded = lead > 0 ? new T[Math.Min(values.Length + lead, Block)] : default;
        for (var at = 0; at < values.Length;)
        {
            var part = Math.Min(Block - lead, values.Length - at);
            var bytes = buffer.AsSpan(0, (int)DataTypes.Bytes(type, part + lead));
            source.Read(DataTypes.Bytes(type, first + at - lead), bytes);
            if (lead > 0)
            {
                decoder(bytes, decoded[..(part + lead)]);
                decoded.Slice(lead, part).CopyTo(values[at..]);
            }
            else
            {
                decoder(bytes, values.Slice(at, part));
            }
            at += part;
            lead = 0;
        }
    }

    private static void Copy(ReadOnlySpan<byte> bytes, Span<float> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(i * sizeof(float))..]);
        }
    }

    private static void Each<TFrom, TTo>(ReadOnlySpan<byte> bytes, Span<TTo> values, Func<TFrom, TTo> convert) where TFrom : unmanaged
    {
        // The buffer is ours and aligned; the host is little endian wherever .NET and ONNX Runtime run together.
        var from = MemoryMarshal.Cast<byte, TFrom>(bytes);
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = convert(from[i]);
        }
    }

    private static void Packed<T>(ReadOnlySpan<byte> bytes, Span<T> values, int bits, Func<int, T> convert)
    {
        var perByte = 8 / bits;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = convert((bytes[i / perByte] >> (i % perByte * bits)) & ((1 << bits) - 1));
        }
    }

    public static byte[] FromFloats(DataType type, ReadOnlySpan<float> values)
    {
        var bytes = new byte[DataTypes.Bytes(type, values.Length)];
        switch (type)
        {
            case DataType.Float:
                MemoryMarshal.AsBytes(values).CopyTo(bytes);
                break;
            case DataType.Double:
                var doubles = MemoryMarshal.Cast<byte, double>(bytes.AsSpan());
                for (var i = 0; i < values.Length; i++)
                {
                    doubles[i] = values[i];
                }
                break;
            case DataType.Float16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes.AsSpan());
                for (var i = 0; i < values.Length; i++)
                {
                    halves[i] = (Half)values[i];
                }
                break;
            case DataType.Bfloat16:
                var shorts = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
                for (var i = 0; i < values.Length; i++)
                {
                    shorts[i] = ToBfloat16(values[i]);
                }
                break;
            case DataType.Float4E2M1:
                for (var i = 0; i < values.Length; i++)
                {
                    bytes[i / 2] |= (byte)(SmallFloats.Encode(type, values[i]) << (i % 2 * 4));
                }
                break;
            case var _ when DataTypes.IsFloat(type):
                for (var i = 0; i < values.Length; i++)
                {
                    bytes[i] = SmallFloats.Encode(type, values[i]);
                }
                break;
            default:
                throw new NotSupportedException($"{type} is not a type of floating point numbers.");
        }
        return bytes;
    }

    /// <summary>Rounds to nearest, ties to even; a NaN stays one.</summary>
    private static ushort ToBfloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <exception cref="OverflowException">A value does not fit the type.</exception>
    public static byte[] FromLongs(DataType type, ReadOnlySpan<long> values)
    {
        var bits = DataTypes.Bits(type);
        if (!DataTypes.IsInteger(type))
        {
            throw new NotSupportedException($"{type} is not a type of integers.");
        }
        var bytes = new byte[DataTypes.Bytes(type, values.Length)];
        var signed = type is DataType.Int2 or DataType.Int4 or DataType.Int8 or DataType.Int16 or DataType.Int32 or DataType.Int64;
        var (low, high) = (type, signed) switch
        {
            (DataType.Bool, _) => (0, 1),
            (_, true) => (-1L << (bits - 1), ~(-1L << (bits - 1))),
            _ => (0, bits == 64 ? long.MaxValue : (1L << bits) - 1),
        };
        Span<byte> buffer = stackalloc byte[8];
        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] < low || values[i] > high)
            {
                throw new OverflowException($"{values[i]} does not fit an element of type {type}.");
            }
            if (bits < 8)
            {
                bytes[i * bits / 8] |= (byte)((values[i] & ((1 << bits) - 1)) << (i * bits % 8));
                continue;
            }
            BinaryPrimitives.WriteInt64LittleEndian(buffer, values[i]);
            buffer[..(bits / 8)].CopyTo(bytes.AsSpan(i * (bits / 8)));
        }
        return bytes;
    }
}
