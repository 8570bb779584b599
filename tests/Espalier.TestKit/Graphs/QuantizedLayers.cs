using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Graphs;

/// <summary>
/// Quantised layers as ONNX Runtime's quantiser writes them. Weights keep to 7 bits, so that no 16 bit sum of two products saturates
/// on processors without VNNI (ONNX Runtime, quantization.md, "reduce_range"); scales are powers of two or far from ties.
/// </summary>
internal static class QuantizedLayers
{
    /// <summary>An integer constant of any width; 4 and 2 bit elements are packed from the low bits.</summary>
    public static string Integers(this GraphBuilder g, string name, DataType type, long[] values, params long[] dims)
        => g.Initializer(GraphBuilder.Tensor(name, type, dims, Raw(type, values)));

    public static byte[] Raw(DataType type, long[] values)
    {
        int bits = DataTypes.Bits(type);
        var raw = new byte[DataTypes.Bytes(type, values.Length)];
        for (int i = 0; i < values.Length; i++)
        {
            if (bits < 8) raw[i * bits / 8] |= (byte)((values[i] & ((1 << bits) - 1)) << (i * bits % 8));
            else BitConverter.GetBytes(values[i]).AsSpan(0, bits / 8).CopyTo(raw.AsSpan(i * bits / 8));
        }
        return raw;
    }

    /// <summary>Random integers within a range round a centre.</summary>
    public static string RandomIntegers(this GraphBuilder g, string name, DataType type, int range, long centre, params long[] dims)
    {
        var values = new long[dims.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++) values[i] = centre + Math.Clamp((long)Math.Round(g.Normal() * range / 2.5), -range, range);
        return g.Integers(name, type, values, dims);
    }

    /// <summary>A vector of scales between one and two times the base.</summary>
    public static string Scales(this GraphBuilder g, string name, float unit, params long[] dims)
    {
        var values = new float[dims.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < values.Length; i++) values[i] = unit * (1 + (i * 7 % 16 / 16f));
        return g.Floats(name, values, dims);
    }

    /// <summary>QuantizeLinear then DequantizeLinear with one scale and zero point for all.</summary>
    public static string Qdq(this GraphBuilder g, string x, float scale, long zero = 128, DataType type = DataType.Uint8)
    {
        string s = g.Scalar(g.Fresh("scale"), scale), z = g.Integers(g.Fresh("zero"), type, [zero]);
        return g.Node("DequantizeLinear", [g.Node("QuantizeLinear", [x, s, z]), s, z]);
    }

    /// <summary>
    /// An int8 weight <c>name.weight</c> behind DequantizeLinear: with one scale, or one per index of
    /// <paramref name="channels"/> (<c>name.scale</c>, <c>name.zero</c>).
    /// </summary>
    public static string Dequantized(this GraphBuilder g, string name, int channels, bool perChannel, bool zeros, params long[] dims)
    {
        var w = g.RandomIntegers($"{name}.weight", DataType.Int8, 60, zeros ? 3 : 0, dims);
        long n = dims[channels];
        string scale = perChannel ? g.Scales($"{name}.scale", 1 / 256f, n) : g.Scalar($"{name}.scale", 1 / 256f);
        string zero = perChannel
            ? g.Integers($"{name}.zero", DataType.Int8, [.. Enumerable.Range(0, (int)n).Select(k => zeros ? (long)(k % 5) + 1 : 0)], n)
            : g.Integers($"{name}.zero", DataType.Int8, [zeros ? 3 : 0]);
        return g.Node("DequantizeLinear", [w, scale, zero], ("axis", channels));
    }

    /// <summary>An int32 bias <c>name.bias</c> behind DequantizeLinear without a zero point.</summary>
    public static string DequantizedBias(this GraphBuilder g, string name, int n, bool perChannel)
    {
        var b = g.RandomIntegers($"{name}.bias", DataType.Int32, 3000, 0, n);
        return perChannel ? g.Node("DequantizeLinear", [b, g.Scales($"{name}.biasScale", 1 / 8192f, n)], ("axis", 0))
            : g.Node("DequantizeLinear", [b, g.Scalar($"{name}.biasScale", 1 / 8192f)]);
    }

    /// <summary>Conv with a quantised weight and bias, its result quantised.</summary>
    public static string QdqConv(this GraphBuilder g, string x, string name, (int Inputs, int Outputs) channels, Quantization how,
        Kernel? k = null)
    {
        var kernel = k ?? new();
        long[] dims = [channels.Outputs, channels.Inputs / kernel.Group, kernel.Size, kernel.Size];
        string weight = g.Dequantized(name, 0, how.PerChannel, how.Zeros, dims);
        var y = g.Node("Conv", [x, weight, g.DequantizedBias(name, channels.Outputs, how.PerChannel)], kernel.Attributes);
        return how.Requantizes ? g.Qdq(y, 1 / 32f) : y;
    }

    /// <summary>MatMul with a quantised weight and a float bias, its result quantised.</summary>
    public static string QdqLinear(this GraphBuilder g, string x, string name, int inputs, int outputs, Quantization how)
    {
        var y = g.Add(g.MatMul(x, g.Dequantized(name, 1, how.PerChannel, how.Zeros, inputs, outputs)), g.Weight($"{name}.bias", outputs));
        return how.Requantizes ? g.Qdq(y, 1 / 32f) : y;
    }
}
