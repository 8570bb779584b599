using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Payloads;

/// <summary>
/// The 8 and 4 bit floats of the format. Values follow the ONNX documentation of float8 and float4 (Micikevicius et al. 2022
/// for E4M3FN and E5M2, Noune et al. 2022 for the FNUZ forms, OCP Microscaling 1.0 for E8M0 and E2M1). Writing rounds to
/// nearest, ties to even, and saturates.
/// </summary>
internal static class SmallFloats
{
    private static readonly Dictionary<DataType, (float[] Values, byte[] Codes, float[] Sorted)> Tables = new[]
    {
        DataType.Float8E4M3Fn, DataType.Float8E4M3Fnuz, DataType.Float8E5M2, DataType.Float8E5M2Fnuz, DataType.Float8E8M0,
        DataType.Float4E2M1,
    }.ToDictionary(type => type, Build);

    public static float Decode(DataType type, int code) => Tables[type].Values[code];

    public static byte Encode(DataType type, float value)
    {
        var (values, codes, sorted) = Tables[type];
        var signed = type != DataType.Float8E8M0;
        if (float.IsNaN(value) || (!signed && value < 0))
        {
            var nan = Array.FindIndex(values, float.IsNaN);
            return (byte)Math.Max(0, nan);
        }
        var magnitude = Math.Abs(value);
        var at = Array.BinarySearch(sorted, magnitude);
        if (at < 0)
        {
            var above = ~at;
            if (above == sorted.Length)
            {
                at = above - 1;
            }
            else if (above == 0)
            {
                at = 0;
            }
            else
            {
                var (down, up) = ((double)magnitude - sorted[above - 1], (double)sorted[above] - magnitude);
                at = down < up || (down == up && codes[above - 1] % 2 == 0) ? above - 1 : above;
            }
        }
        var code = codes[at];
        var sign = type == DataType.Float4E2M1 ? 0x8 : 0x80;
        var negative = signed && float.IsNegative(value)
            // The FNUZ forms have no negative zero: its code is their NaN.
            && !(code == 0 && type is DataType.Float8E4M3Fnuz or DataType.Float8E5M2Fnuz);
        return (byte)(negative ? code | sign : code);
    }

    private static (float[] Values, byte[] Codes, float[] Sorted) Build(DataType type)
    {
        var values = new float[type == DataType.Float4E2M1 ? 16 : 256];
        for (var code = 0; code < values.Length; code++)
        {
            values[code] = type switch
            {
                DataType.Float8E4M3Fn => (code & 0x7F) == 0x7F ? float.NaN : Value(code, 4, 3, 7),
                DataType.Float8E4M3Fnuz => code == 0x80 ? float.NaN : Value(code, 4, 3, 8),
                DataType.Float8E5M2 => (code & 0x7F) > 0x7C ? float.NaN
                    : (code & 0x7F) == 0x7C ? (code < 0x80 ? float.PositiveInfinity : float.NegativeInfinity) : Value(code, 5, 2, 15),
                DataType.Float8E5M2Fnuz => code == 0x80 ? float.NaN : Value(code, 5, 2, 16),
                DataType.Float8E8M0 => code == 0xFF ? float.NaN : (float)Math.ScaleB(1.0, code - 127),
                _ => Value(code, 2, 1, 1),
            };
        }
        var half = type == DataType.Float8E8M0 ? 256 : values.Length / 2;
        var positive = Enumerable.Range(0, half).Where(c => float.IsFinite(values[c])).OrderBy(c => values[c]).ToArray();
        return (values, [.. positive.Select(c => (byte)c)], [.. positive.Select(c => values[c])]);
    }

    private static float Value(int code, int exponentBits, int mantissaBits, int bias)
    {
        var mantissa = code & ((1 << mantissaBits) - 1);
        var exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
        var magnitude = exponent == 0
            ? Math.ScaleB(mantissa, 1 - bias - mantissaBits)
            : Math.ScaleB(mantissa + (1 << mantissaBits), exponent - bias - mantissaBits);
        return (float)((code >> (exponentBits + mantissaBits)) == 0 ? magnitude : -magnitude);
    }
}
