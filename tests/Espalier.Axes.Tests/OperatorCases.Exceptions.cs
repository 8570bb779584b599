using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;

namespace Espalier.Axes.Tests;

// What a rule says only of some attributes, operands or operator sets.
internal static partial class OperatorCases
{
    private static void Exceptions(List<OperatorCase> cases)
    {
        PartsAndOrders(cases);
        WrittenPositions(cases);
        NotZeroByAttribute(cases);
        ComputedBiases(cases);
    }

    private static void PartsAndOrders(List<OperatorCase> cases)
    {
        // Before operator set 13 the sizes of parts can only be written into an attribute.
        foreach (int opset in (int[])[7, 11, 12, 13])
            cases.Of("Split", opset, g =>
            {
                var parts = g.Nodes("Split", 2, [g.Rows(2 * Width)], ("axis", 1));
                g.EndRows(parts[0], zero: true);
                g.Output(g.Linear(parts[1], "c", Width, 3));
            }, "in equal parts that go separate ways")
                .Group("a.weight", 1, Width, ("b.weight", 0)).Group("a.weight", 1, Width, ("c.weight", 0));
        foreach (int opset in (int[])[10, 13])
            cases.Of("Slice", opset, g => g.EndRows(g.Slice(g.Rows(2 * Width), 1, 1, long.MaxValue, 2), zero: true), "of every second unit")
                .Passes();
        foreach (string mode in (string[])["edge", "reflect"])
            cases.Of("Pad", 18, g => g.EndRows(g.Node("Pad", [g.Rows(8), g.Longs(0, 1, 0, 3)], ("mode", mode))), "of units by " + mode)
                .Frozen("a.weight", 1, "padded along this axis");
        cases.Of("Pad", 18, g => g.EndRows(g.Node("Pad", [g.Rows(8), g.Longs(0, 1, 0, 3), g.Scalar("one", 1)])), "of units with ones")
            .Frozen("a.weight", 1, "padded along this axis");
        foreach (var (op, opset) in InEveryVersion("Transpose"))
            cases.Of(op, opset,
                g => g.EndRows(g.Node(op, g.MatMul(g.Weight("w", Width, 6), g.Input("x", 6, 2))), zero: true), "without an order")
                .Group("w", 0, Width, ("b.weight", 0));
        foreach (var (op, opset) in InEveryVersion("Flatten"))
            cases.Of(op, opset, g => g.EndRows(g.Node(op, g.Tokens(), ("axis", 2)), zero: true), "of the axes in front").Passes();
        foreach (var (op, opset) in InEveryVersion("Concat"))
            cases.Of(op, opset, g => g.EndRows(g.Concat(1, g.Tokens(), g.Linear("x", "c", 6, Width)), zero: true), "of positions")
                .Passes().Group("a.weight", 1, Width, ("c.weight", 1));
    }

    /// <summary>Positions that weights have, so that nothing but the rule keeps them.</summary>
    private static void WrittenPositions(List<OperatorCase> cases)
    {
        foreach (var (op, opset) in InEveryVersion("ScatterElements").Append(("Scatter", 9)))
            cases.Of(op, opset, g =>
            {
                var index = g.Longs("index", [.. Enumerable.Range(0, 2 * 4 * Width).Select(k => (long)(k / Width % 4))], [2, 4, Width]);
                g.EndRows(g.Node(op, [g.Tokens(), index, g.Weight("updates", 2, 4, Width)], ("axis", 1)), zero: true);
            }, "from weights").Passes().Frozen("updates", 1, "chosen positions").Frozen("index", 1, "chosen positions");
        cases.Of("TensorScatter", 24, g =>
        {
            string[] operands = [g.Weight("cache", 2, 4, Width), g.Weight("update", 2, 4, Width), g.Longs(1, 3)];
            g.EndRows(g.Add(g.Unsqueeze(g.Rows(), 1), g.Node("TensorScatter", operands, ("axis", 1), ("mode", "circular"))), zero: true);
        }, "into weights").Passes().Frozen("cache", 1, "positions of a cache").Frozen("update", 1, "positions of a cache");
        cases.Of("ReverseSequence", 10,
            g => g.EndRows(g.Node("ReverseSequence", [g.Rows(), g.Longs(7, Width)], ("batch_axis", 0), ("time_axis", 1))), "along units")
            .Frozen("a.weight", 1, "the order along this axis");
    }

    private static void NotZeroByAttribute(List<OperatorCase> cases)
    {
        const string Reason = "ReduceSum";
        cases.Of("Pow", 15, g => g.EndRows(g.Node("Pow", [g.Rows(), g.Scalar("none", 0)]), zero: true), "of power 0")
            .Inexact("a.weight", 1, Width, Reason);
        foreach (var (op, gates, activations) in ((string, int, string[])[])[("RNN", 1, ["Sigmoid"]), ("GRU", 3, ["Sigmoid", "Sigmoid"]),
            ("LSTM", 4, ["Sigmoid", "Sigmoid", "Tanh"])])
            cases.Of(op, 22, g => g.EndRows(g.Squeeze(g.Nodes(op, 2,
                [g.Tokens(), g.Weight("w", 1, gates * Width, Width), g.Weight("r", 1, gates * Width, Width)],
                ("hidden_size", Width), ("activations", activations))[0], 1), zero: true), "with a state that is never zero")
                .Inexact("w", 1, Width, Reason);
        float[] boxes = [0, 0, 1.5f, 0.8f, -0.4f, 0.2f, 1, 1];
        foreach (float outside in (float[])[0, 2])
        {
            var added = cases.Of("com.microsoft::CropAndResize", 17, g => g.End(g.Node("com.microsoft::CropAndResize",
                [g.Image(), g.Floats("rois", boxes, 2, 4), g.Ints([0, 1], 2), g.Ints([3, 4], 2)],
                ("extrapolation_value", outside)), zero: true), outside == 0 ? "with zeros outside" : "with other values outside");
            _ = outside == 0 ? added.PassesChannels() : added.Inexact("a.weight", 0, Channels, Reason);
        }
        cases.Of("BatchNormalization", 15, g => g.EndRows(g.Nodes("BatchNormalization", 3, [g.Tokens(), g.Positive("s", Length),
            g.Weight("t", Length), g.Weight("m", Length), g.Positive("v", Length)], ("training_mode", 1))[0]), "in training")
            .Inexact("a.weight", 1, Width, "statistic");
    }

    private static void ComputedBiases(List<OperatorCase> cases)
    {
        const int heads = 3, width = heads * 8;
        foreach (bool computed in (bool[])[false, true])
        {
            var added = cases.Of("LayerNormalization", 17, g =>
            {
                string shift = g.Weight("t", Width, Length);
                shift = computed ? g.Sigmoid(shift) : shift;
                string[] operands = [g.Transpose(g.Tokens(), 0, 2, 1), g.Positive("s", Width, Length), shift];
                g.EndRows(g.Transpose(g.Node("LayerNormalization", operands, ("axis", -1)), 0, 2, 1), zero: true);
            }, computed ? "of rows with a part that is never zero" : "of rows");
            _ = computed ? added.Inexact("a.weight", 1, Width, "ReduceSum")
                : added.Passes().Group("a.weight", 1, Width, ("s", 0), ("t", 0));
        }
        static string Bias(GraphBuilder g) => g.Reshape(g.Linear(g.Input("z", 1, 6), "bias", 6, 3 * width), -1);
        cases.Of(Ms + "Attention", 17, g => g.Output(g.Linear(g.Node(Ms + "Attention",
            [g.Tokens(), g.Weight("qkv", Width, 3 * width), Bias(g)], ("num_heads", heads)), "o", width, 3)), "with a computed bias")
            .Group("a.weight", 1, Width, ("qkv", 0)).Frozen("bias.weight", 1, "Attention");
        cases.Of(Ms + "MultiHeadAttention", 17, g =>
        {
            var x = g.Input("x", 2, Length, 6);
            string[] operands = [.. ((string[])["q", "k", "v"]).Select(n => g.Linear(x, n, 6, width, bias: false)), Bias(g)];
            g.Output(g.Linear(g.Node(Ms + "MultiHeadAttention", operands, ("num_heads", heads)), "o", width, 3));
        }, "with a computed bias").Frozen("bias.weight", 1, "a bias that is computed");
    }
}
