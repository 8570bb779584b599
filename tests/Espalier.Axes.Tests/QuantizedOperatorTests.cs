using Espalier.Onnx;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Operators that compute on integers: QLinear*, *Integer and dynamic quantisation.</summary>
public sealed class QuantizedOperatorTests
{
    private static string Scale(GraphBuilder g, float value) => g.Scalar(g.Fresh("scale"), value);

    private static string Zero(GraphBuilder g, long value, DataType type = DataType.Uint8) => g.Integers(g.Fresh("zero"), type, [value]);

    private static string Weight(GraphBuilder g, string name, DataType type, bool zeros, params long[] dims)
        => g.RandomIntegers($"{name}.weight", type, 60, type == DataType.Uint8 ? 125 : zeros ? 3 : 0, dims);

    /// <summary>Zero points of a weight: <c>name.zero</c>, one for all or one per output.</summary>
    private static string Zeros(GraphBuilder g, string name, DataType type, bool perChannel, bool zeros, int n)
    {
        long centre = type == DataType.Uint8 ? 125 : 0;
        return perChannel ? g.Integers($"{name}.zero", type, [.. Enumerable.Range(0, n).Select(k => centre + (zeros ? k % 5 : 0))], n)
            : g.Integers($"{name}.zero", type, [centre + (zeros ? 3 : 0)]);
    }

    private static string QLinearConv(GraphBuilder g, string x, (float Scale, long Zero) of, string name, int inputs, int outputs, (float Scale, long Zero) to,
        bool perChannel = true, bool zeros = false, DataType type = DataType.Int8, int k = 3, int group = 1)
    {
        int p = k / 2;
        return g.Node("QLinearConv",
            [x, Scale(g, of.Scale), Zero(g, of.Zero), Weight(g, name, type, zeros, outputs, inputs / group, k, k),
                perChannel ? g.Scales($"{name}.scale", 1 / 256f, outputs) : g.Scalar($"{name}.scale", 1 / 200f), Zeros(g, name, type, perChannel, zeros, outputs),
                Scale(g, to.Scale), Zero(g, to.Zero), g.RandomIntegers($"{name}.bias", DataType.Int32, 3000, 0, outputs)],
            ("kernel_shape", new[] { k, k }), ("pads", new[] { p, p, p, p }), ("group", group));
    }

    private static string QLinearMatMul(GraphBuilder g, string x, (float Scale, long Zero) of, string name, int inputs, int outputs, (float Scale, long Zero) to, bool perColumn = false)
        => g.Node("QLinearMatMul", [x, Scale(g, of.Scale), Zero(g, of.Zero), Weight(g, name, DataType.Int8, true, inputs, outputs),
            perColumn ? g.Scales($"{name}.scale", 1 / 256f, outputs) : g.Scalar($"{name}.scale", 1 / 256f), Zeros(g, name, DataType.Int8, perColumn, true, outputs),
            Scale(g, to.Scale), Zero(g, to.Zero)]);

    private static string Quantized(GraphBuilder g, string x, (float Scale, long Zero) to) => g.Node("QuantizeLinear", [x, Scale(g, to.Scale), Zero(g, to.Zero)]);

    private static string Dequantized(GraphBuilder g, string x, (float Scale, long Zero) of) => g.Node("DequantizeLinear", [x, Scale(g, of.Scale), Zero(g, of.Zero)]);

    private static readonly (float Scale, long Zero) Image = (1 / 128f, 100), Middle = (1 / 32f, 120), Other = (1 / 24f, 117);

    [Theory]
    [InlineData(false, false, DataType.Int8)]
    [InlineData(true, false, DataType.Int8)]
    [InlineData(true, true, DataType.Int8)]
    [InlineData(false, true, DataType.Uint8)]
    public void QLinearConv_chain_with_residual_pools_and_concatenation(bool perChannel, bool zeros, DataType type)
    {
        var g = new GraphBuilder(3);
        string Conv(string x, (float, long) of, string name, int inputs, int outputs, (float, long) to, int k = 3, int group = 1)
            => QLinearConv(g, x, of, name, inputs, outputs, to, perChannel, zeros, type, k, group);
        var x = Quantized(g, g.Input("x", "batch", 3, 8, 8), Image);
        var y = Conv(x, Image, "stem", 3, 8, Middle);
        var z = Conv(y, Middle, "expand", 8, 12, Other, k: 1);
        z = g.Node("com.microsoft::QLinearLeakyRelu", [z, Scale(g, Other.Scale), Zero(g, Other.Zero), Scale(g, Middle.Scale), Zero(g, Middle.Zero)], ("alpha", 0.125f));
        z = Conv(z, Middle, "depth", 12, 12, Middle, group: 12);
        z = Conv(z, Middle, "project", 12, 8, Other, k: 1);
        y = g.Node("com.microsoft::QLinearAdd", [y, Scale(g, Middle.Scale), Zero(g, Middle.Zero), z, Scale(g, Other.Scale), Zero(g, Other.Zero), Scale(g, 1 / 16f), Zero(g, 110)]);
        var pooled = g.Node("com.microsoft::QLinearAveragePool", [y, Scale(g, 1 / 16f), Zero(g, 110), Scale(g, Middle.Scale), Zero(g, Middle.Zero)],
            ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }));
        var side = Conv(g.Node("MaxPool", y, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 })), (1 / 16f, 110), "side", 8, 6, Other);
        var both = g.Node("com.microsoft::QLinearConcat", [Scale(g, 1 / 20f), Zero(g, 90), pooled, Scale(g, Middle.Scale), Zero(g, Middle.Zero), side, Scale(g, Other.Scale), Zero(g, Other.Zero)], ("axis", 1));
        both = g.Node("com.microsoft::QLinearGlobalAveragePool", [both, Scale(g, 1 / 20f), Zero(g, 90), Scale(g, 1 / 64f), Zero(g, 128)]);
        var flat = g.Reshape(both, 0, 14);
        g.Output(Dequantized(g, QLinearMatMul(g, flat, (1 / 64f, 128), "head", 14, 5, Middle), Middle));
        RuleCheck.On(g)
            .Group("stem.weight", 0, 8, GroupKind.Channels, ("stem.bias", 0), ("expand.weight", 1), ("project.weight", 0), ("side.weight", 1), ("head.weight", 0))
            .Group("expand.weight", 0, 12, GroupKind.Channels, ("depth.weight", 0), ("depth.bias", 0), ("project.weight", 1))
            .Group("side.weight", 0, 6, GroupKind.Channels, ("head.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void QLinearMatMul_per_tensor_and_per_column(bool perColumn)
    {
        var g = new GraphBuilder(3, opset: 21);
        var x = Quantized(g, g.Input("x", "batch", 6), Middle);
        var y = QLinearMatMul(g, x, Middle, "a", 6, 10, Other, perColumn);
        g.Output(Dequantized(g, QLinearMatMul(g, y, Other, "b", 10, 4, Middle, perColumn), Middle));
        var check = RuleCheck.On(g);
        if (perColumn) check.Group("a.weight", 1, 10, GroupKind.Neurons, ("a.scale", 0), ("a.zero", 0), ("b.weight", 0)).IsExact();
        else check.Group("a.weight", 1, 10, GroupKind.Neurons, ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void QLinearMul_gates_channels()
    {
        var g = new GraphBuilder(3);
        var x = Quantized(g, g.Input("x", "batch", 3, 8, 8), Image);
        var y = QLinearConv(g, x, Image, "a", 3, 8, Middle);
        var gate = g.Node("com.microsoft::QLinearGlobalAveragePool", [y, Scale(g, Middle.Scale), Zero(g, Middle.Zero), Scale(g, 1 / 128f), Zero(g, 128)]);
        gate = QLinearConv(g, gate, (1 / 128f, 128), "gate", 8, 8, Other, k: 1);
        gate = g.Node("com.microsoft::QLinearSigmoid", [gate, Scale(g, Other.Scale), Zero(g, Other.Zero), Scale(g, 1 / 256f), Zero(g, 0)]);
        y = g.Node("com.microsoft::QLinearMul", [y, Scale(g, Middle.Scale), Zero(g, Middle.Zero), gate, Scale(g, 1 / 256f), Zero(g, 0), Scale(g, Other.Scale), Zero(g, Other.Zero)]);
        g.Output(Dequantized(g, QLinearConv(g, y, Other, "b", 8, 4, Middle), Middle));
        RuleCheck.On(g).Group("a.weight", 0, 8, GroupKind.Channels, ("gate.weight", 0), ("gate.weight", 1), ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void QLinearSigmoid_is_not_zero_at_zero()
    {
        var g = new GraphBuilder(3);
        var x = Quantized(g, g.Input("x", "batch", 6), Middle);
        var y = QLinearMatMul(g, x, Middle, "a", 6, 10, Other);
        y = g.Node("com.microsoft::QLinearSigmoid", [y, Scale(g, Other.Scale), Zero(g, Other.Zero), Scale(g, 1 / 256f), Zero(g, 0)]);
        g.Output(g.Node("ReduceSum", [Dequantized(g, y, (1 / 256f, 0)), g.Longs(1)]));
        RuleCheck.On(g).Inexact("a.weight", 1, 10, "ReduceSum");
    }

    [Fact]
    public void QLinearWhere_and_QLinearSoftmax()
    {
        var g = new GraphBuilder(3);
        g.Input("mask", DataType.Bool, "batch", 1, 1);
        var x = Quantized(g, g.Input("x", "batch", 5, 6), Middle);
        var (a, b) = (QLinearMatMul(g, x, Middle, "a", 6, 10, Other), QLinearMatMul(g, x, Middle, "b", 6, 10, Middle));
        var y = g.Node("com.microsoft::QLinearWhere", ["mask", a, Scale(g, Other.Scale), Zero(g, Other.Zero), b, Scale(g, Middle.Scale), Zero(g, Middle.Zero), Scale(g, 1 / 16f), Zero(g, 111)]);
        g.Output(Dequantized(g, QLinearMatMul(g, y, (1 / 16f, 111), "out", 10, 4, Middle), Middle));
        var s = g.Node("com.microsoft::QLinearSoftmax", [QLinearMatMul(g, x, Middle, "s", 6, 7, Middle), Scale(g, Middle.Scale), Zero(g, Middle.Zero), Scale(g, 1 / 256f), Zero(g, 0)], ("axis", -1), ("opset", 13));
        g.Output(Dequantized(g, QLinearMatMul(g, s, (1 / 256f, 0), "t", 7, 4, Middle), Middle));
        RuleCheck.On(g)
            .Group("a.weight", 1, 10, GroupKind.Neurons, ("b.weight", 1), ("out.weight", 0))
            .Inexact("s.weight", 1, 7, "exp(0)").IsExact();
    }

    [Fact]
    public void QLinearReduceMean_has_axes_but_no_kernel()
    {
        var g = new GraphBuilder(3);
        var y = QLinearMatMul(g, Quantized(g, g.Input("x", "batch", 5, 6), Middle), Middle, "a", 6, 10, Other);
        y = g.Node("com.microsoft::QLinearReduceMean", [y, Scale(g, Other.Scale), Zero(g, Other.Zero), Scale(g, 1 / 64f), Zero(g, 122)], ("axes", new[] { 1 }), ("keepdims", 0));
        g.Output(Dequantized(g, QLinearMatMul(g, y, (1 / 64f, 122), "out", 10, 4, Middle), Middle));
        RuleCheck.On(g).Group("a.weight", 1, 10, GroupKind.Neurons, ("out.weight", 0));
        IsRefused(g);
    }

    /// <summary>ONNX Runtime's CPU provider has no kernel for some operator of the graph.</summary>
    private static void IsRefused(GraphBuilder g)
    {
        using var model = g.Build();
        Assert.Contains("NOT_IMPLEMENTED", Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(model.ToBytes())).Message.Replace("NotImplemented", "NOT_IMPLEMENTED", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    /// <summary>The activation's range is taken while it runs: a product in integers, then scaled.</summary>
    private static string Dynamic(GraphBuilder g, string x, string name, int inputs, int outputs, DataType type, bool perColumn)
    {
        var q = g.Nodes("DynamicQuantizeLinear", 3, [x]);
        var y = g.Node("Cast", g.Node("MatMulInteger", [q[0], Weight(g, name, type, true, inputs, outputs), q[2], Zeros(g, name, type, perColumn, true, outputs)]), ("to", DataType.Float));
        string scale = perColumn ? g.Scales($"{name}.scale", 1 / 256f, outputs) : g.Scalar($"{name}.scale", 1 / 256f);
        return g.Add(g.Mul(y, g.Mul(q[1], scale)), g.Weight($"{name}.bias", outputs));
    }

    [Theory]
    [InlineData(DataType.Int8, false)]
    [InlineData(DataType.Int8, true)]
    [InlineData(DataType.Uint8, true)]
    public void Dynamic_quantisation_of_a_feed_forward_network(DataType type, bool perColumn)
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 5, 6);
        var y = g.Relu(Dynamic(g, x, "up", 6, 16, type, perColumn));
        g.Output(Dynamic(g, y, "down", 16, 6, type, perColumn), "batch", 5, 6);
        RuleCheck.On(g).Group("up.weight", 1, 16, GroupKind.Neurons, ("up.bias", 0), ("down.weight", 0)).IsExact();
    }

    [Fact]
    public void The_range_of_a_dynamic_quantisation_counts_units_that_are_not_zero()
    {
        var g = new GraphBuilder(3);
        var y = g.Sigmoid(Dynamic(g, g.Input("x", "batch", 6), "up", 6, 16, DataType.Int8, false));
        g.Output(Dynamic(g, y, "down", 16, 6, DataType.Int8, false));
        RuleCheck.On(g).Inexact("up.weight", 1, 16, "DynamicQuantizeLinear");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(12)]
    public void ConvInteger(int group)
    {
        var g = new GraphBuilder(3);
        var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 3, 8, 8)]);
        var y = g.Node("Cast", g.Node("ConvInteger", [q[0], Weight(g, "a", DataType.Uint8, true, 12, 3, 3, 3), q[2], g.Integers("za", DataType.Uint8, [123])]), ("to", DataType.Float));
        y = g.Relu(g.Mul(y, g.Mul(q[1], g.Scalar("sa", 1 / 256f))));
        q = g.Nodes("DynamicQuantizeLinear", 3, [y]);
        y = g.Node("ConvInteger", [q[0], Weight(g, "b", DataType.Uint8, true, 12, 12 / group, 3, 3), q[2], g.Integers("zb", DataType.Uint8, [122])], ("group", group));
        y = g.Mul(g.Node("Cast", y, ("to", DataType.Float)), g.Mul(q[1], g.Scalar("sb", 1 / 256f)));
        g.Output(g.Conv(y, "c", 12, 4));
        var check = RuleCheck.On(g);
        if (group == 1) check.Group("a.weight", 0, 12, GroupKind.Channels, ("b.weight", 1)).Group("b.weight", 0, 12, GroupKind.Channels, ("c.weight", 1)).IsExact();
        else check.Group("a.weight", 0, 12, GroupKind.Channels, ("b.weight", 0), ("c.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MatMulIntegerToFloat_and_DynamicQuantizeMatMul(bool perColumn)
    {
        var g = new GraphBuilder(3);
        string Scales(string name, int n) => perColumn ? g.Scales($"{name}.scale", 1 / 256f, n) : g.Scalar($"{name}.scale", 1 / 256f);
        var q = g.Nodes("DynamicQuantizeLinear", 3, [g.Input("x", "batch", 6)]);
        var y = g.Node("com.microsoft::MatMulIntegerToFloat",
            [q[0], Weight(g, "a", DataType.Int8, true, 6, 10), q[1], Scales("a", 10), q[2], Zeros(g, "a", DataType.Int8, perColumn, true, 10), g.Weight("a.bias", 10)]);
        y = g.Node("com.microsoft::DynamicQuantizeMatMul",
            [g.Relu(y), Weight(g, "b", DataType.Int8, true, 10, 8), Scales("b", 8), Zeros(g, "b", DataType.Int8, perColumn, true, 8), g.Weight("b.bias", 8)]);
        g.Output(g.Linear(g.Relu(y), "c", 8, 4));
        RuleCheck.On(g)
            .Group("a.weight", 1, 10, GroupKind.Neurons, ("a.bias", 0), ("b.weight", 0))
            .Group("b.weight", 1, 8, GroupKind.Neurons, ("b.bias", 0), ("c.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void QGemm(int transA, int transB)
    {
        var g = new GraphBuilder(3);
        var x = Quantized(g, transA == 1 ? g.Input("x", 6, "batch") : g.Input("x", "batch", 6), Middle);
        string Layer(string x, (float Scale, long Zero) of, string name, int inputs, int outputs, (float Scale, long Zero)? to, int transA) => g.Node("com.microsoft::QGemm",
            [x, Scale(g, of.Scale), Zero(g, of.Zero), transB == 1 ? Weight(g, name, DataType.Int8, true, outputs, inputs) : Weight(g, name, DataType.Int8, true, inputs, outputs),
                g.Scales($"{name}.scale", 1 / 256f, outputs), Zeros(g, name, DataType.Int8, true, true, outputs), g.RandomIntegers($"{name}.bias", DataType.Int32, 2000, 0, outputs),
                .. to is { } t ? (string[])[Scale(g, t.Scale), Zero(g, t.Zero)] : []],
            ("transA", transA), ("transB", transB), ("alpha", 1f));
        var y = Layer(x, Middle, "a", 6, 10, Other, transA);
        g.Output(Layer(y, Other, "b", 10, 4, null, 0));
        RuleCheck.On(g).Group("a.weight", transB == 1 ? 0 : 1, 10, GroupKind.Neurons, ("a.scale", 0), ("a.zero", 0), ("a.bias", 0), ("b.weight", transB)).IsExact();
    }
}
