using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// Whole layers in one quantised operator of com.microsoft.
internal static partial class OperatorCases
{
    private static void QuantizedFused(List<OperatorCase> cases)
    {
        const int heads = 4, width = 32;
        foreach (bool perColumn in (bool[])[false, true])
        {
            var added = cases.Of(Ms + "QAttention", 17, g =>
            {
                var x = g.Linear(g.Input("x", "batch", 5, 6), "in", 6, width);
                var q = Quantize(g, x, Middle);
                g.RandomIntegers("w", DataType.Int8, 60, perColumn ? 0 : 3, width, 3 * width);
                var y = g.Node(Ms + "QAttention",
                    [q, "w", g.Weight("b", 3 * width), g.Scalar("xs", Middle.Scale), perColumn
                        ? g.Scales("ws", 1 / 512f, 3 * width)
                        : g.Scalar("ws", 1 / 256f), "", Zero(g, Middle.Zero),
                        perColumn
                            ? g.Integers("wz", DataType.Int8, new long[3 * width], 3 * width)
                            : Zero(g, 3, DataType.Int8)], ("num_heads", heads));
                g.Output(g.Linear(y, "out", width, 4), "batch", 5, 4);
            }, perColumn
                ? "per column"
                : "").Kind(Axis.Heads, "w", 1, heads, ("b", 0), ("out.weight", 0)).Group("in.weight", 1, width,
                    ("in.bias", 0), ("w", 0));
            if (perColumn) added.Group("ws", 0, heads, ("wz", 0));
        }
        DynamicLstm(cases);
        cases.Of(Ms + "QEmbedLayerNormalization", 17, g =>
        {
            g.Input("ids", DataType.Int32, "batch", 5);
            string Table(string name, params long[] dims) => g.RandomIntegers(name, DataType.Uint8, 60, 128, dims);
            string[] scales = [.. Enumerable.Range(0, 5).Select(k => g.Scalar($"s{k}", 1 / 64f))],
                zeros = [.. Enumerable.Range(0, 5).Select(_ => Zero(g, 128))];
            var y = g.Nodes(Ms + "QEmbedLayerNormalization", 2,
                ["ids", "", Table("word", 20, 12), Table("position", 8, 12), "", Table("gamma", 12), Table("beta", 12), "", scales[0],
                    scales[1], "", scales[3], scales[4], zeros[0], zeros[1], "", zeros[3], zeros[4]]);
            g.Output(g.Linear(y[0], "out", 12, 4), "batch", 5, 4);
        }).Inexact("word", 1, 12, "statistic").Inexact("out.weight", 0, 12, "statistic");
        Experts(cases);
    }

    private static void DynamicLstm(List<OperatorCase> cases)
    {
        const int inputs = 8, hidden = 10;
        foreach (var (perChannel, directions) in ((bool, int)[])[(false, 1), (true, 1), (true, 2)])
        {
            var added = cases.Of(Ms + "DynamicQuantizeLSTM", 17, g =>
            {
                var x = g.Relu(g.Linear(g.Input("x", 7, "batch", 6), "in", 6, inputs));
                string Scales(string name)
                    => perChannel ? g.Scales(name, 1 / 512f, directions, 4 * hidden) : g.Scales(name, 1 / 256f, directions);
                string Zeros(string name)
                    => perChannel ? g.Integers(name, DataType.Int8, new long[directions * 4 * hidden], directions, 4 * hidden)
                    : g.Integers(name, DataType.Int8, [.. Enumerable.Repeat(3L, directions)], directions);
                long centre = perChannel ? 0 : 3;
                var y = g.Nodes(Ms + "DynamicQuantizeLSTM", 3,
                    [x, g.RandomIntegers("w", DataType.Int8, 60, centre, directions, inputs, 4 * hidden),
                        g.RandomIntegers("r", DataType.Int8, 60, centre, directions, hidden, 4 * hidden),
                        g.Weight("b", directions, 8 * hidden), "", "", "", "", Scales("ws"), Zeros("wz"), Scales("rs"), Zeros("rz")],
                    ("hidden_size", hidden), ("direction", directions == 2 ? "bidirectional" : "forward"));
                g.Output(g.Linear(g.Transpose(y[0], 0, 2, 1, 3), "out", hidden, 4), 7, "batch", directions, 4);
            }, $"{(perChannel ? "per channel" : "per tensor")} directions {directions}")
                .Kind(Axis.HiddenState, "w", 2, hidden, ("r", 1), ("r", 2), ("b", 1), ("out.weight", 0))
                .Group("in.weight", 1, inputs, ("w", 1));
            if (perChannel) added.Group("ws", 1, hidden, ("wz", 1), ("rs", 1), ("rz", 1));
        }
        string[] Cell(GraphBuilder g, string x, int width, string state) => g.Nodes(Ms + "DynamicQuantizeLSTM", 3,
            [x, g.RandomIntegers("w", DataType.Int8, 60, 0, 1, width, 4 * hidden),
                g.RandomIntegers("r", DataType.Int8, 60, 0, 1, hidden, 4 * hidden), g.Weight("b", 1, 8 * hidden), "", state, "", "",
                g.Scales("ws", 1 / 256f, 1), g.Integers("wz", DataType.Int8, [0], 1), g.Scales("rs", 1 / 256f, 1),
                g.Integers("rz", DataType.Int8, [0], 1)], ("hidden_size", hidden));
        cases.Of(Ms + "DynamicQuantizeLSTM", 17,
            g => g.Output(Cell(g, g.Sigmoid(g.Linear(g.Input("x", 7, "batch", 6), "in", 6, inputs)), inputs, "")[0], 7, 1, "batch", hidden),
            "takes a range over its inputs").Inexact("in.weight", 1, inputs, "DynamicQuantizeLSTM");
        cases.Of(Ms + "DynamicQuantizeLSTM", 17, g =>
        {
            var x = g.Input("x", 7, "batch", 6);
            var state = g.Unsqueeze(g.Sigmoid(g.Linear(g.Input("s", "batch", 6), "state", 6, hidden)), 0);
            g.Output(g.Linear(g.Transpose(Cell(g, x, 6, state)[0], 0, 2, 1, 3), "out", hidden, 4), 7, "batch", 1, 4);
        }, "takes a range over a state that is computed").Frozen("state.weight", 1, "range").Frozen("out.weight", 0, "range");
    }

    private static void Experts(List<OperatorCase> cases)
    {
        const int experts = 4, hidden = 32, width = 32;
        foreach (var (bits, activation, bias) in ((int, string, bool)[])[(8, "relu", true), (8, "silu", false), (8, "gelu", true),
            (8, "identity", false), (8, "swiglu", true),
            (4, "relu", false), (4, "silu", true), (4, "swiglu", false), (4, "swiglu", true)])
        {
            int fusion = activation == "swiglu" ? 2 : 1, pack = 8 / bits;
            cases.Of(Ms + "QMoE", 17, g =>
            {
                var x = g.Linear(g.Input("x", 5, 6), "a", 6, width);
                string[] operands =
                [
                    x, g.Linear(x, "router", width, experts, bias: false),
                    g.RandomIntegers("fc1", DataType.Uint8, 127, 128, experts, fusion * hidden, width / pack),
                    g.Positive("s1", experts, fusion * hidden), bias ? g.Weight("b1", experts, fusion * hidden) : "",
                    g.RandomIntegers("fc2", DataType.Uint8, 127, 128, experts, width, hidden / pack), g.Positive("s2", experts, width), bias
                        ? g.Weight("b2", experts, width)
                        : "",
                ];
                var y = g.Node(Ms + "QMoE", operands, ("k", 2), ("expert_weight_bits", bits), ("activation_type", activation),
                    ("swiglu_fusion", fusion == 2 ? 1 : 0));
                g.Output(g.Linear(y, "out", width, 5));
            }, $"{bits} bits {activation}{(bias ? " with bias" : "")}").Group("fc1", 1, hidden / pack, ("s1", 1), ("fc2", 2))
                .Inexact("router.weight", 1, experts, "largest");
        }
    }
}
