using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>State-space models, mixtures of experts and recurrences.</summary>
internal static class Sequences
{
    private const int Vocabulary = 20;

    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("Mamba, unrolled", () => Mamba(ScanBy.Steps)) { Exact = "Neurons 1, HeadDims 1, ValueDims 1, Width 1", Share = 0.99,
            Stays = ["Conv: the positions along 'k' have a meaning each", "Gather: its positions are chosen by data"], Groups = OfMamba },
        new("Mamba, Loop", () => Mamba(ScanBy.Loop)) { Exact = "Neurons 1, HeadDims 1, ValueDims 1, Width 1", Share = 0.99,
            Stays = ["Conv: the positions along 'k' have a meaning each", "Gather: its positions are chosen by data"], Groups = OfMamba },
        new("Mamba, Scan", () => Mamba(ScanBy.Scan)) { Exact = "Neurons 1, HeadDims 1, ValueDims 1, Width 1", Share = 0.99,
            Stays = ["Conv: the positions along 'k' have a meaning each", "Gather: its positions are chosen by data"], Groups = OfMamba },
        new("Mixture of experts, traced", TracedExperts)
        {
            Exact = "Neurons 3, Width 1", Share = 0.98, Stays = [.. ZooModel.Interface, "TopK: its positions become data"],
            Groups = c => c.Group("e0.w1.weight", 1, 14, Axis.Neurons, ("e0.w3.weight", 1), ("e0.w2.weight", 0)),
        },
        new("Mixture of experts, stacked", StackedExperts)
        {
            Exact = "Neurons 1", Share = 0.78,
            Stays = [.. ZooModel.Interface, "LayerNormalization: a statistic runs over this axis",
                "Softmax: it is normalised over this axis, and a zeroed unit still carries exp(0)"],
            Groups = c => c.Group("w1", 2, 14, Axis.Neurons, ("w2", 1)),
        },
        new("Bidirectional LSTM tagger", () => Recurrent("LSTM"))
        {
            Exact = "Neurons 1, HiddenState 1, Other 1", Share = 0.99,
            Stays = ["Gather: its positions are chosen by data", "LSTM: the positions along 'd' have a meaning each",
                "graph output: its shape is the model's interface"],
            Groups = c => c.Group("r0.R", 2, 10, Axis.HiddenState, ("r0.W", 1), ("r0.B", 1), ("r1.W", 2))
                .Group("embed", 1, 12, null, ("r0.W", 2)),
        },
        new("Bidirectional GRU tagger", () => Recurrent("GRU"))
        {
            Exact = "Neurons 1, HiddenState 1, Other 1", Share = 0.99,
            Stays = ["GRU: the positions along 'd' have a meaning each", "Gather: its positions are chosen by data",
                "graph output: its shape is the model's interface"],
            Groups = c => c.Group("r0.R", 2, 10, Axis.HiddenState, ("r0.W", 1), ("r0.B", 1), ("r1.W", 2))
                .Group("embed", 1, 12, null, ("r0.W", 2)),
        },
    ];

    private enum ScanBy { Steps, Scan, Loop }

    private static void OfMamba(RuleCheck check) => check
        .Group("in.weight", 1, 16, null, ("conv.weight", 0), ("x_proj.weight", 0), ("dt_proj.weight", 1), ("a_log", 0), ("d", 0),
            ("out.weight", 0))
        .Group("x_proj.weight", 1, 6, null, ("a_log", 1)).Group("x_proj.weight", 1, 3, null, ("dt_proj.weight", 0));

    private static GraphBuilder Mamba(ScanBy how)
    {
        const int width = 10, inner = 16, state = 6, rank = 3, length = 4;
        var g = new GraphBuilder(173);
        var ids = g.Input("ids", DataType.Int64, 1, length);
        var x = g.Embed("embed", ids, Vocabulary, width);
        var n = g.RmsNorm(x, "norm", width);
        // in_proj, halves; a causal depthwise convolution whose surplus on the right is cut off.
        var halves = g.Split(g.Transpose(g.Linear(n, "in", width, 2 * inner, bias: false), 0, 2, 1), 1, inner, inner);
        var u = g.Node("Conv", [halves[0], g.Weight("conv.weight", inner, 1, 4), g.Weight("conv.bias", inner)], ("group", inner),
            ("kernel_shape", new[] { 4 }), ("pads", new[] { 3, 3 }));
        u = g.Silu(g.Slice(u, 2, 0, length));
        var parts = g.Split(g.Linear(g.Transpose(u, 0, 2, 1), "x_proj", inner, rank + (2 * state), bias: false), 2, rank, state, state);
        var dt = g.Node("Softplus", g.Transpose(g.Linear(parts[0], "dt_proj", rank, inner), 0, 2, 1));
        var a = g.Node("Neg", g.Node("Exp", g.Weight("a_log", inner, state)));
        // [b, inner, length, state]: decay and input of every step.
        var decay = g.Node("Exp", g.Mul(g.Unsqueeze(g.Unsqueeze(a, 0), 2), g.Unsqueeze(dt, 3)));
        var input = g.Mul(g.Mul(g.Unsqueeze(dt, 3), g.Unsqueeze(parts[1], 1)), g.Unsqueeze(u, 3));
        string y = how switch
        {
            ScanBy.Steps => Unrolled(),
            ScanBy.Scan => Scanned(),
            _ => Looped(),
        };
        y = g.Add(y, g.Mul(u, g.Unsqueeze(g.Weight("d", inner), 1)));
        y = g.Transpose(g.Mul(y, g.Silu(halves[1])), 0, 2, 1);
        x = g.Add(x, g.Linear(y, "out", inner, width, bias: false));
        return g.Output(g.MatMul(g.RmsNorm(x, "norm_f", width), g.Transpose("embed", 1, 0)), 1, length, Vocabulary);

        string Zeros() => g.Node("ConstantOfShape", g.Longs(1, inner, state));

        string Unrolled()
        {
            var h = Zeros();
            var steps = new List<string>();
            for (int t = 0; t < length; t++)
            {
                h = g.Add(g.Mul(g.Select(decay, 2, t), h), g.Select(input, 2, t));
                steps.Add(g.Unsqueeze(g.Squeeze(g.MatMul(h, g.Unsqueeze(g.Select(parts[2], 1, t), 2)), 2), 2));
            }
            return g.Concat(2, [.. steps]);
        }

        string Scanned()
        {
            var body = g.Subgraph(i =>
            {
                i.Input("h_in", 1, inner, state);
                i.Input("decay_t", 1, inner, state);
                i.Input("input_t", 1, inner, state);
                i.Input("c_t", 1, state);
                var h = i.Add(i.Mul("decay_t", "h_in"), "input_t");
                i.Output(i.Rename(h, "h_out"), 1, inner, state);
                i.Output(i.Rename(i.Squeeze(i.MatMul("h_out", i.Unsqueeze("c_t", 2)), 2), "y_t"), 1, inner);
            });
            var out2 = g.Nodes("Scan", 2, [Zeros(), decay, input, parts[2]], ("body", body), ("num_scan_inputs", 3),
                ("scan_input_axes", new[] { 2, 2, 1 }), ("scan_output_axes", new[] { 2 }));
            return out2[1];
        }

        string Looped()
        {
            var body = g.Subgraph(i =>
            {
                i.Input("t", DataType.Int64, Array.Empty<object>());
                i.Input("go", DataType.Bool, Array.Empty<object>());
                i.Input("h_in", 1, inner, state);
                string At(string tensor, int axis) => i.Node("Gather", [tensor, "t"], ("axis", axis));
                i.Output(i.Rename(i.Node("Identity", "go"), "again"), DataType.Bool);
                i.Output(i.Rename(i.Add(i.Mul(At(decay, 2), "h_in"), At(input, 2)), "h_out"), 1, inner, state);
                i.Output(i.Rename(i.Squeeze(i.MatMul("h_out", i.Unsqueeze(At(parts[2], 1), 2)), 2), "y_t"), 1, inner);
            });
            var y2 = g.Nodes("Loop", 2, [g.Int(length), "", Zeros()], ("body", body));
            return g.Transpose(y2[1], 1, 2, 0);
        }
    }

    /// <summary>As a traced Mixtral: every expert takes its tokens by NonZero and Gather and adds them back by ScatterND.</summary>
    private static GraphBuilder TracedExperts()
    {
        const int width = 10, experts = 3, hidden = 14;
        var g = new GraphBuilder(179);
        var x = g.Input("x", "batch", 5, 8);
        x = g.Linear(x, "in", 8, width);
        var n = g.Reshape(g.RmsNorm(x, "norm", width), -1, width);
        var probability = g.Softmax(g.Linear(n, "router", width, experts, bias: false));
        var top = g.Nodes("TopK", 2, [probability, g.Longs(2)], ("axis", -1));
        var weights = g.Node("Div", [top[0], g.Node("ReduceSum", [top[0], g.Longs(-1)], ("keepdims", 1))]);
        // [tokens, k, experts] to [experts, k, tokens].
        var chosen = g.Transpose(g.Node("OneHot", [top[1], g.Longs(g.Fresh("depth"), experts), g.Longs(0, 1)]), 2, 1, 0);
        var sum = g.Node("ConstantOfShape", g.Node("Shape", n));
        for (int e = 0; e < experts; e++)
        {
            var places = g.Split(g.Node("NonZero", g.Select(chosen, 0, e)), 0, 1, 1);
            var (rank, token) = (g.Squeeze(places[0], 0), g.Squeeze(places[1], 0));
            var tokens = g.Node("Gather", [n, token], ("axis", 0));
            var y = g.Mul(g.Silu(g.Linear(tokens, $"e{e}.w1", width, hidden, bias: false)),
                g.Linear(tokens, $"e{e}.w3", width, hidden, bias: false));
            y = g.Linear(y, $"e{e}.w2", hidden, width, bias: false);
            var share = g.Node("GatherND", [weights, g.Concat(1, g.Unsqueeze(token, 1), g.Unsqueeze(rank, 1))]);
            y = g.Mul(y, g.Unsqueeze(share, 1));
            sum = g.Node("ScatterND", [sum, g.Unsqueeze(token, 1), y], ("reduction", "add"));
        }
        x = g.Add(x, g.Node("Reshape", [sum, g.Node("Shape", x)]));
        return g.Output(g.Linear(g.RmsNorm(x, "norm_f", width), "out", width, 4), "batch", 5, 4);
    }

    private static GraphBuilder StackedExperts()
    {
        const int width = 10, experts = 3, hidden = 14;
        var g = new GraphBuilder(181);
        var x = g.Linear(g.Input("x", "batch", 5, 8), "in", 8, width);
        var n = g.Reshape(g.LayerNorm(x, "norm", width), -1, width);
        var weights = g.Softmax(g.Linear(n, "router", width, experts, bias: false));
        var all = g.ExpandTo(g.Unsqueeze(n, 0), experts, -1, -1);
        var y = g.Add(g.MatMul(g.Gelu(g.Add(g.MatMul(all, g.Weight("w1", experts, width, hidden)), g.Weight("b1", experts, 1, hidden))),
            g.Weight("w2", experts, hidden, width)), g.Weight("b2", experts, 1, width));
        y = g.Node("ReduceSum", [g.Mul(y, g.Unsqueeze(g.Transpose(weights, 1, 0), 2)), g.Longs(0)], ("keepdims", 0));
        x = g.Add(x, g.Node("Reshape", [y, g.Node("Shape", x)]));
        return g.Output(g.Linear(g.LayerNorm(x, "norm_f", width), "out", width, 4), "batch", 5, 4);
    }

    private static GraphBuilder Recurrent(string op)
    {
        const int hidden = 10, embedding = 12;
        int gates = op == "LSTM" ? 4 : 3;
        var g = new GraphBuilder(191);
        var ids = g.Input("ids", DataType.Int64, "batch", "sequence");
        var x = g.Transpose(g.Embed("embed", ids, Vocabulary, embedding), 1, 0, 2);
        // Zero states for both layers and directions, as one tensor that is cut per layer.
        var states = g.Node("ConstantOfShape", g.SizeList(4, g.Dim(ids, 0), hidden));
        int inputs = embedding;
        for (int l = 0; l < 2; l++)
        {
            var state = g.Slice(states, 0, 2 * l, 2 * l + 2);
            string[] operands = [x, g.Weight($"r{l}.W", 2, gates * hidden, inputs), g.Weight($"r{l}.R", 2, gates * hidden, hidden),
                g.Weight($"r{l}.B", 2, 2 * gates * hidden), "", state];
            if (op == "LSTM") operands = [.. operands, state];
            (string, object)[] attributes = [("direction", "bidirectional"), ("hidden_size", hidden), .. op == "GRU"
                ? [("linear_before_reset", (object)1)]
                : Array.Empty<(string, object)>()];
            x = g.Reshape(g.Transpose(g.Nodes(op, op == "LSTM" ? 3 : 2, operands, attributes)[0], 0, 2, 1, 3), 0, 0, -1);
            inputs = 2 * hidden;
        }
        x = g.Transpose(x, 1, 0, 2);
        // Attention over the positions: one score each, softmax over the sequence, weighted sum.
        var score = g.Softmax(g.Linear(g.Node("Tanh", g.Linear(x, "att1", inputs, 9)), "att2", 9, 1, bias: false), 1);
        var pooled = g.Squeeze(g.MatMul(g.Transpose(x, 0, 2, 1), score), 2);
        return g.Output(g.Gemm(pooled, "tags", inputs, 5), "batch", 5);
    }
}
