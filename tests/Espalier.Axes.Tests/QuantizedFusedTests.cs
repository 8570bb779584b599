using Espalier.Onnx;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Whole layers in one quantised operator of com.microsoft.</summary>
public sealed class QuantizedFusedTests
{
    private static string Zero(GraphBuilder g, long value, DataType type = DataType.Uint8) => g.Integers(g.Fresh("zero"), type, [value]);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void QAttention_loses_heads(bool perColumn)
    {
        const int heads = 4, width = 32;
        var g = new GraphBuilder(3);
        var x = g.Linear(g.Input("x", "batch", 5, 6), "in", 6, width);
        var q = g.Node("QuantizeLinear", [x, g.Scalar("xs", 1 / 32f), Zero(g, 120)]);
        g.RandomIntegers("w", DataType.Int8, 60, perColumn ? 0 : 3, width, 3 * width);
        var y = g.Node("com.microsoft::QAttention",
            [q, "w", g.Weight("b", 3 * width), g.Scalar("xs2", 1 / 32f), perColumn ? g.Scales("ws", 1 / 512f, 3 * width) : g.Scalar("ws", 1 / 256f), "", Zero(g, 120),
                perColumn ? g.Integers("wz", DataType.Int8, new long[3 * width], 3 * width) : Zero(g, 3, DataType.Int8)], ("num_heads", heads));
        g.Output(g.Linear(y, "out", width, 4), "batch", 5, 4);
        var check = RuleCheck.On(g).Group("w", 1, heads, GroupKind.Heads, ("b", 0), ("out.weight", 0)).Group("in.weight", 1, width, null, ("in.bias", 0), ("w", 0));
        if (perColumn) check.Group("ws", 0, heads, null, ("wz", 0));
        check.IsExact();
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public void DynamicQuantizeLSTM_loses_inputs_and_hidden_units(bool perChannel, int directions)
    {
        const int inputs = 8, hidden = 10;
        var g = new GraphBuilder(3);
        var x = g.Relu(g.Linear(g.Input("x", 7, "batch", 6), "in", 6, inputs));
        string Scales(string name) => perChannel ? g.Scales(name, 1 / 512f, directions, 4 * hidden) : g.Scales(name, 1 / 256f, directions);
        string Zeros(string name) => perChannel ? g.Integers(name, DataType.Int8, new long[directions * 4 * hidden], directions, 4 * hidden)
            : g.Integers(name, DataType.Int8, [.. Enumerable.Repeat(3L, directions)], directions);
        long centre = perChannel ? 0 : 3;
        var y = g.Nodes("com.microsoft::DynamicQuantizeLSTM", 3,
            [x, g.RandomIntegers("w", DataType.Int8, 60, centre, directions, inputs, 4 * hidden), g.RandomIntegers("r", DataType.Int8, 60, centre, directions, hidden, 4 * hidden),
                g.Weight("b", directions, 8 * hidden), "", "", "", "", Scales("ws"), Zeros("wz"), Scales("rs"), Zeros("rz")],
            ("hidden_size", hidden), ("direction", directions == 2 ? "bidirectional" : "forward"));
        g.Output(g.Linear(g.Transpose(y[0], 0, 2, 1, 3), "out", hidden, 4), 7, "batch", directions, 4);
        var check = RuleCheck.On(g)
            .Group("w", 2, hidden, GroupKind.HiddenState, ("r", 1), ("r", 2), ("b", 1), ("out.weight", 0))
            .Group("in.weight", 1, inputs, null, ("w", 1));
        if (perChannel) check.Group("ws", 1, hidden, null, ("wz", 1), ("rs", 1), ("rz", 1));
        check.IsExact();
    }

    [Fact]
    public void DynamicQuantizeLSTM_takes_a_range_over_its_inputs()
    {
        var g = new GraphBuilder(3);
        var x = g.Sigmoid(g.Linear(g.Input("x", 7, "batch", 6), "in", 6, 8));
        var y = g.Nodes("com.microsoft::DynamicQuantizeLSTM", 3,
            [x, g.RandomIntegers("w", DataType.Int8, 60, 0, 1, 8, 40), g.RandomIntegers("r", DataType.Int8, 60, 0, 1, 10, 40), g.Weight("b", 1, 80), "", "", "", "",
                g.Scales("ws", 1 / 256f, 1), g.Integers("wz", DataType.Int8, [0], 1), g.Scales("rs", 1 / 256f, 1), g.Integers("rz", DataType.Int8, [0], 1)], ("hidden_size", 10));
        g.Output(y[0], 7, 1, "batch", 10);
        RuleCheck.On(g).Inexact("in.weight", 1, 8, "DynamicQuantizeLSTM");
    }

    [Fact]
    public void DynamicQuantizeLSTM_takes_a_range_over_a_state_that_is_computed()
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", 7, "batch", 6);
        var state = g.Unsqueeze(g.Sigmoid(g.Linear(g.Input("s", "batch", 6), "state", 6, 10)), 0);
        var y = g.Nodes("com.microsoft::DynamicQuantizeLSTM", 3,
            [x, g.RandomIntegers("w", DataType.Int8, 60, 0, 1, 6, 40), g.RandomIntegers("r", DataType.Int8, 60, 0, 1, 10, 40), g.Weight("b", 1, 80), "", state, "", "",
                g.Scales("ws", 1 / 256f, 1), g.Integers("wz", DataType.Int8, [0], 1), g.Scales("rs", 1 / 256f, 1), g.Integers("rz", DataType.Int8, [0], 1)], ("hidden_size", 10));
        g.Output(g.Linear(g.Transpose(y[0], 0, 2, 1, 3), "out", 10, 4), 7, "batch", 1, 4);
        RuleCheck.On(g).Frozen("state.weight", 1, "range").Frozen("out.weight", 0, "range");
    }

    [Fact]
    public void MatMulInteger16_loses_columns()
    {
        var g = new GraphBuilder(3, opset: 21);
        string Layer(string x, string name, int k, int n)
        {
            var q = g.Node("QuantizeLinear", [x, g.Scalar(g.Fresh("s"), 1 / 64f), Zero(g, 0, DataType.Int16)]);
            return g.Mul(g.Node("Cast", g.Node("com.microsoft::MatMulInteger16", [q, g.RandomIntegers(name, DataType.Int16, 300, 0, k, n)]), ("to", DataType.Float)), g.Scalar(g.Fresh("s"), 1 / 8192f));
        }
        g.Output(Layer(g.Relu(Layer(g.Input("x", "batch", 6), "a", 6, 10)), "b", 10, 4));
        RuleCheck.On(g).Group("a", 1, 10, GroupKind.Neurons, ("b", 0)).IsExact();
    }

    [Fact]
    public void QEmbedLayerNormalization_is_inexact_over_its_width()
    {
        var g = new GraphBuilder(3);
        g.Input("ids", DataType.Int32, "batch", 5);
        string Table(string name, params long[] dims) => g.RandomIntegers(name, DataType.Uint8, 60, 128, dims);
        string[] scales = [.. Enumerable.Range(0, 5).Select(k => g.Scalar($"s{k}", 1 / 64f))], zeros = [.. Enumerable.Range(0, 5).Select(_ => Zero(g, 128))];
        var y = g.Nodes("com.microsoft::QEmbedLayerNormalization", 2,
            ["ids", "", Table("word", 20, 12), Table("position", 8, 12), "", Table("gamma", 12), Table("beta", 12), "", scales[0], scales[1], "", scales[3], scales[4], zeros[0], zeros[1], "", zeros[3], zeros[4]]);
        g.Output(g.Linear(y[0], "out", 12, 4), "batch", 5, 4);
        RuleCheck.On(g).Inexact("word", 1, 12, "statistic").Inexact("out.weight", 0, 12, "statistic");
    }
}
