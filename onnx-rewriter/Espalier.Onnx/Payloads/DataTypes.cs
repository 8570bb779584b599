using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Payloads;

/// <summary>The field of a tensor that holds its elements.</summary>
internal enum DataField { None, Raw, Float, Int32, String, Int64, Double, UInt64 }

/// <summary>What the format says of each element type: its width, and the typed field that may hold it.</summary>
internal static class DataTypes
{
    /// <summary>
    /// Width of one element in bits: 8 · bytes for most, 4 and 2 for the packed types (first element in the low bits,
    /// two or four to a byte); 0 for strings and for types that this version does not know.
    /// </summary>
    public static int Bits(DataType type) => type switch
    {
        DataType.Uint2 or DataType.Int2 => 2,
        DataType.Uint4 or DataType.Int4 or DataType.Float4E2M1 => 4,
        DataType.Uint8 or DataType.Int8 or DataType.Bool or DataType.Float8E4M3Fn or DataType.Float8E4M3Fnuz
            or DataType.Float8E5M2 or DataType.Float8E5M2Fnuz or DataType.Float8E8M0 => 8,
        DataType.Uint16 or DataType.Int16 or DataType.Float16 or DataType.Bfloat16 => 16,
        DataType.Float or DataType.Int32 or DataType.Uint32 => 32,
        DataType.Int64 or DataType.Double or DataType.Uint64 or DataType.Complex64 => 64,
        DataType.Complex128 => 128,
        _ => 0,
    };

    /// <summary>Bytes that <paramref name="count"/> elements take in <c>raw_data</c>.</summary>
    /// <exception cref="OverflowException">The number does not fit 63 bits.</exception>
    public static long Bytes(DataType type, long count)
    {
        var bits = Bits(type);
        return bits >= 8 ? checked(count * (bits / 8)) : (count / (8 / bits)) + (count % (8 / bits) > 0 ? 1 : 0);
    }

    /// <summary>Whether the type has elements that stand for real numbers (IEEE, bfloat16 and the 8 and 4 bit floats).</summary>
    public static bool IsFloat(DataType type) => type is DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16
        or DataType.Float8E4M3Fn or DataType.Float8E4M3Fnuz or DataType.Float8E5M2 or DataType.Float8E5M2Fnuz
        or DataType.Float8E8M0 or DataType.Float4E2M1;

    /// <summary>Whether the type is an integer or bool.</summary>
    public static bool IsInteger(DataType type)
        => type is DataType.Bool or DataType.Int8 or DataType.Int16 or DataType.Int32 or DataType.Int64
        or DataType.Uint8 or DataType.Uint16 or DataType.Uint32 or DataType.Uint64
        or DataType.Int4 or DataType.Uint4 or DataType.Int2 or DataType.Uint2;

    /// <summary>The typed field for elements of this type, beside <c>raw_data</c>.</summary>
    internal static DataField Field(DataType type) => type switch
    {
        DataType.Float or DataType.Complex64 => DataField.Float,
        DataType.Double or DataType.Complex128 => DataField.Double,
        DataType.Int64 => DataField.Int64,
        DataType.Uint32 or DataType.Uint64 => DataField.UInt64,
        DataType.String => DataField.String,
        _ => Bits(type) > 0 ? DataField.Int32 : DataField.None,
    };

    /// <summary>
    /// Bytes of <c>raw_data</c> that one entry of the typed field stands for: a packed byte for the 2 and 4 bit types, half of
    /// a complex number.
    /// </summary>
    internal static int EntryBytes(DataType type) => type switch
    {
        DataType.Complex64 => 4,
        DataType.Complex128 => 8,
        _ => Math.Max(1, Bits(type) / 8),
    };
}
