using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>
/// Decoders since Llama: packed projections, norms of queries and keys, latent attention, retention, state-space duality.
/// </summary>
internal static class Modern
{
    private const int Vocabulary = 20;

    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("Phi-3", Phi3)
        {
            Exact = "Neurons 2, Heads 2, KeyValueGroups 2, HeadDims 2, ValueDims 2, Width 1", Share = 0.99,
            Stays = ["Gather: its positions are chosen by data", "graph output: its shape is the model's interface",
                "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.qkv.weight", 1, 2, Axis.KeyValueGroups, ("l0.o.weight", 0))
                .Group("l0.gate_up.weight", 1, 22, Axis.Neurons, ("l0.down.weight", 0)),
        },
        new("Qwen 3", Qwen3)
        {
            Exact = "Neurons 2, Heads 2, KeyValueGroups 2, HeadDims 2, ValueDims 2, Width 1", Share = 0.98,
            Stays = ["Gather: its positions are chosen by data", "graph output: its shape is the model's interface",
                "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.k.weight", 1, 2, Axis.KeyValueGroups, ("l0.q.weight", 1), ("l0.o.weight", 0))
                .Group("l0.up.weight", 1, 22, Axis.Neurons, ("l0.down.weight", 0)),
        },
        new("Falcon", Falcon)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2", Share = 0.87,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.qkv.weight", 1, 4, Axis.Heads, ("l0.o.weight", 0))
                .Group("l0.mlp.fc1.weight", 1, 30, Axis.Neurons, ("l0.mlp.fc2.weight", 0)),
        },
        new("GPT-J", GptJ)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 4, ValueDims 2", Share = 0.85,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "graph output: its shape is the model's interface", "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.q.weight", 1, 3, Axis.Heads, ("l0.k.weight", 1), ("l0.o.weight", 0))
                .Group("l0.v.weight", 1, 8, Axis.ValueDims, ("l0.o.weight", 0)),
        },
        new("DeepSeek latent attention", Latent)
        {
            Exact = "Neurons 6, Heads 2, HeadDims 4, ValueDims 2, Width 1", Share = 0.98,
            Stays = ["Gather: its positions are chosen by data", "graph output: its shape is the model's interface",
                "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.kv_b.weight", 1, 3, Axis.Heads, ("l0.q_b.weight", 1), ("l0.o.weight", 0))
                .Group("l0.kv_b.weight", 1, 6, null, ("l0.o.weight", 0)),
        },
        new("RetNet", RetNet)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2, ValueDims 2, Width 1", Share = 0.98,
            Stays = ["Gather: its positions are chosen by data", "graph output: its shape is the model's interface"],
            Groups = c => c.Group("l0.q.weight", 1, 3, Axis.Heads, ("l0.k.weight", 1), ("l0.o.weight", 0)),
        },
        new("Mamba 2", Mamba2)
        {
            Exact = "Heads 1, HeadDims 1, ValueDims 1, Width 1", Share = 0.98,
            Stays = ["Conv: the positions along 'k' have a meaning each", "Gather: its positions are chosen by data",
                "graph output: its shape is the model's interface"],
            Groups = c => c.Group("in.weight", 1, 3, null, ("a_log", 0), ("out.weight", 0)),
        },
        new("CLIP", Clip)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 3, ValueDims 2", Share = 0.73,
            Stays = ["Conv: the positions along 'k' have a meaning each", "Gather: its positions are chosen by data",
                "LayerNormalization: a statistic runs over this axis",
                "all of its units hang together, or each is taken by a constant index", "graph input: its shape is the model's interface"],
            Groups = c => c.Group("text.q.weight", 1, 3, Axis.Heads, ("text.o.weight", 0))
                .Group("image.proj", 1, 14, null, ("text.proj", 1)),
        },
    ];

    private sealed record Stream(GraphBuilder G, string Batch, string Length, string X);

    private static Stream Start(int seed, int width)
    {
        var g = new GraphBuilder(seed);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        return new(g, g.Dim(ids, 0), g.Dim(ids, 1), g.Embed("embed", ids, Vocabulary, width));
    }

    private static GraphBuilder Finish(GraphBuilder g, string x, int width)
        => g.Output(g.Linear(g.RmsNorm(x, "norm", width), "lm_head", width, Vocabulary, bias: false), "batch", "sequence", Vocabulary);

    private static (string Cos, string Sin) Rotary(Stream s, int dim)
        => s.G.Rotary(s.G.Unsqueeze(s.G.Node("Range", [s.G.Int(0), s.Length, s.G.Int(1)]), 0), dim);

    private static string Merge(Stream s, string x, int width) => s.G.View(s.G.Transpose(x, 0, 2, 1, 3), s.Batch, s.Length, width);

    /// <summary>One packed projection [q|k|v], one packed [gate|up].</summary>
    private static GraphBuilder Phi3()
    {
        const int kv = 2, r = 2, dim = 4, width = 16;
        var s = Start(211, width);
        var (g, x) = (s.G, s.X);
        var (cos, sin) = Rotary(s, dim);
        var mask = g.Causal(s.Batch, s.Length);
        for (int l = 0; l < 2; l++)
        {
            var packed = g.Linear(g.RmsNorm(x, $"l{l}.norm1", width), $"l{l}.qkv", width, (kv * r * dim) + (2 * kv * dim), bias: false);
            string Part(long from, long to) => g.Transpose(g.View(g.Slice(packed, 2, from, to), s.Batch, s.Length, -1, dim), 0, 2, 1, 3);
            var q = g.Rotate(Part(0, 16), cos, sin);
            var k = g.RepeatKv(g.Rotate(Part(16, 24), cos, sin), r);
            var v = g.RepeatKv(Part(24, long.MaxValue), r);
            var a = g.MatMul(g.Softmax(g.Add(g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Number(0.5f)), mask)), v);
            x = g.Add(x, g.Linear(Merge(s, a, 16), $"l{l}.o", 16, width, bias: false));
            var halves = g.Split(g.Linear(g.RmsNorm(x, $"l{l}.norm2", width), $"l{l}.gate_up", width, 44, bias: false), -1, 22, 22);
            x = g.Add(x, g.Linear(g.Mul(halves[1], g.Silu(halves[0])), $"l{l}.down", 22, width, bias: false));
        }
        return Finish(g, x, width);
    }

    /// <summary>Queries and keys are normalised over the dimensions of their head.</summary>
    private static GraphBuilder Qwen3()
    {
        const int kv = 2, r = 2, dim = 8, width = 16;
        var s = Start(223, width);
        var (g, x) = (s.G, s.X);
        var (cos, sin) = Rotary(s, dim);
        var mask = g.Causal(s.Batch, s.Length);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", width);
            string Project(string part, int heads, bool norm)
            {
                var y = g.View(g.Linear(n, $"l{l}.{part}", width, heads * dim, bias: false), s.Batch, s.Length, -1, dim);
                return g.Transpose(norm ? g.RmsNorm(y, $"l{l}.{part}_norm", dim) : y, 0, 2, 1, 3);
            }
            var q = g.Rotate(Project("q", kv * r, true), cos, sin);
            var k = g.RepeatKv(g.Rotate(Project("k", kv, true), cos, sin), r);
            var v = g.RepeatKv(Project("v", kv, false), r);
            var a = g.MatMul(g.Softmax(g.Add(g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Number(0.35f)), mask)), v);
            x = g.Add(x, g.Linear(Merge(s, a, kv * r * dim), $"l{l}.o", kv * r * dim, width, bias: false));
            n = g.RmsNorm(x, $"l{l}.norm2", width);
            x = g.Add(x,
                g.Linear(g.Mul(g.Silu(g.Linear(n, $"l{l}.gate", width, 22, bias: false)), g.Linear(n, $"l{l}.up", width, 22, bias: false)),
                    $"l{l}.down", 22, width, bias: false));
        }
        return Finish(g, x, width);
    }

    /// <summary>Multi-query: [h query heads, one key, one value] packed as h + 2 heads; attention and feed-forward side by side.</summary>
    private static GraphBuilder Falcon()
    {
        const int heads = 4, dim = 4, width = 16;
        var s = Start(227, width);
        var (g, x) = (s.G, s.X);
        var (cos, sin) = Rotary(s, dim);
        var mask = g.Causal(s.Batch, s.Length);
        for (int l = 0; l < 2; l++)
        {
            var n = g.LayerNorm(x, $"l{l}.ln", width);
            var packed = g.View(g.Linear(n, $"l{l}.qkv", width, (heads + 2) * dim, bias: false), s.Batch, s.Length, heads + 2, dim);
            var q = g.Transpose(g.Slice(packed, 2, 0, -2), 0, 2, 1, 3);
            var k = g.Transpose(g.Slice(packed, 2, -2, -1), 0, 2, 1, 3);
            var v = g.Transpose(g.Slice(packed, 2, -1, long.MaxValue), 0, 2, 1, 3);
            var scores = g.Mul(g.MatMul(g.Rotate(q, cos, sin), g.Transpose(g.Rotate(k, cos, sin), 0, 1, 3, 2)), g.Number(0.5f));
            var a = Merge(s, g.MatMul(g.Softmax(g.Add(scores, mask)), v), heads * dim);
            x = g.Add(g.Add(g.Linear(a, $"l{l}.o", heads * dim, width, bias: false), g.FeedForward(n, $"l{l}.mlp", width, 30)), x);
        }
        return g.Output(g.MatMul(g.LayerNorm(x, "ln_f", width), g.Transpose("embed", 1, 0)), "batch", "sequence", Vocabulary);
    }

    /// <summary>
    /// Rotary pairs side by side: strided slices, stacked and flattened; a table of sines read by position; half of each head.
    /// </summary>
    private static GraphBuilder GptJ()
    {
        const int heads = 3, dim = 8, rotated = 4, width = heads * dim;
        var s = Start(229, width);
        var (g, x) = (s.G, s.X);
        var table = g.Weight("sincos", 16, rotated);
        var line = g.Unsqueeze(g.Node("Range", [g.Int(0), s.Length, g.Int(1)]), 0);
        var both = g.Split(g.Node("Gather", [table, line], ("axis", 0)), 2, rotated / 2, rotated / 2);
        // repeat_interleave: unsqueeze, expand, flatten.
        string Twice(string t) => g.Unsqueeze(g.View(g.ExpandTo(g.Unsqueeze(t, 3), -1, -1, -1, 2), 1, g.Dim(t, 1), rotated), 2);
        var (sin, cos) = (Twice(both[0]), Twice(both[1]));
        string Every(string t)
        {
            var (a, b) = (g.Slice(t, 3, 0, long.MaxValue, 2), g.Slice(t, 3, 1, long.MaxValue, 2));
            var stacked = g.Concat(-1, g.Unsqueeze(g.Node("Neg", b), 4), g.Unsqueeze(a, 4));
            var turned = g.View(stacked, g.Dim(t, 0), g.Dim(t, 1), g.Dim(t, 2), rotated);
            return g.Add(g.Mul(t, cos), g.Mul(turned, sin));
        }
        var mask = g.Causal(s.Batch, s.Length);
        for (int l = 0; l < 2; l++)
        {
            var n = g.LayerNorm(x, $"l{l}.ln", width);
            string Project(string part) => g.View(g.Linear(n, $"l{l}.{part}", width, width, bias: false), s.Batch, s.Length, heads, dim);
            string Partly(string t)
                => g.Transpose(g.Concat(-1, Every(g.Slice(t, 3, 0, rotated)), g.Slice(t, 3, rotated, long.MaxValue)), 0, 2, 1, 3);
            var scores = g.Node("Div", [g.MatMul(Partly(Project("q")), g.Transpose(Partly(Project("k")), 0, 1, 3, 2)), g.Number(2.83f)]);
            var a = g.MatMul(g.Softmax(g.Add(scores, mask)), g.Transpose(Project("v"), 0, 2, 1, 3));
            x = g.Add(g.Add(g.Linear(Merge(s, a, width), $"l{l}.o", width, width, bias: false),
                g.FeedForward(n, $"l{l}.mlp", width, 30, g.NewGelu)), x);
        }
        return g.Output(g.Linear(g.LayerNorm(x, "ln_f", width), "lm_head", width, Vocabulary), "batch", "sequence", Vocabulary);
    }

    /// <summary>Keys and values come from one latent vector; a part of every head is rotated, with one key for all heads.</summary>
    private static GraphBuilder Latent()
    {
        const int heads = 3, plain = 4, rotated = 4, value = 6, qRank = 10, kvRank = 8, width = 16;
        var s = Start(233, width);
        var (g, x) = (s.G, s.X);
        var (cos, sin) = Rotary(s, rotated);
        var mask = g.Causal(s.Batch, s.Length);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", width);
            var q = g.Linear(g.RmsNorm(g.Linear(n, $"l{l}.q_a", width, qRank, bias: false), $"l{l}.q_norm", qRank), $"l{l}.q_b", qRank,
                heads * (plain + rotated), bias: false);
            var qs = g.Split(g.Transpose(g.View(q, s.Batch, s.Length, heads, plain + rotated), 0, 2, 1, 3), 3, plain, rotated);
            var latent = g.Split(g.Linear(n, $"l{l}.kv_a", width, kvRank + rotated, bias: false), 2, kvRank, rotated);
            var kv = g.Linear(g.RmsNorm(latent[0], $"l{l}.kv_norm", kvRank), $"l{l}.kv_b", kvRank, heads * (plain + value), bias: false);
            var kvs = g.Split(g.Transpose(g.View(kv, s.Batch, s.Length, heads, plain + value), 0, 2, 1, 3), 3, plain, value);
            var shared = g.Rotate(g.Transpose(g.View(latent[1], s.Batch, s.Length, 1, rotated), 0, 2, 1, 3), cos, sin);
            var query = g.Concat(3, qs[0], g.Rotate(qs[1], cos, sin));
            var key = g.Concat(3, kvs[0], g.ExpandTo(shared, s.Batch, heads, s.Length, rotated));
            var a = g.MatMul(g.Softmax(g.Add(g.Mul(g.MatMul(query, g.Transpose(key, 0, 1, 3, 2)), g.Number(0.35f)), mask)), kvs[1]);
            x = g.Add(x, g.Linear(Merge(s, a, heads * value), $"l{l}.o", heads * value, width, bias: false));
            n = g.RmsNorm(x, $"l{l}.norm2", width);
            x = g.Add(x,
                g.Linear(g.Mul(g.Silu(g.Linear(n, $"l{l}.gate", width, 22, bias: false)), g.Linear(n, $"l{l}.up", width, 22, bias: false)),
                    $"l{l}.down", 22, width, bias: false));
        }
        return Finish(g, x, width);
    }

    /// <summary>Decay instead of softmax, a norm per head without parameters, a gate.</summary>
    private static GraphBuilder RetNet()
    {
        const int heads = 3, dim = 4, width = 12;
        var s = Start(239, width);
        var (g, x) = (s.G, s.X);
        var line = g.Node("Cast", g.Node("Range", [g.Int(0), s.Length, g.Int(1)]), ("to", DataType.Float));
        var distance = g.Node("Sub", [g.Unsqueeze(line, 1), g.Unsqueeze(line, 0)]);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", width);
            string Project(string part)
                => g.Transpose(g.View(g.Linear(n, $"l{l}.{part}", width, heads * dim, bias: false), s.Batch, s.Length, heads,
                    dim), 0, 2, 1, 3);
            // γ^(i−j) below the diagonal.
            var decay = g.Node("Exp",
                g.Mul(g.Unsqueeze(g.Node("Relu", distance), 0), g.Floats($"l{l}.log_gamma", [-0.1f, -0.2f, -0.3f], heads, 1, 1)));
            decay = g.Node("Where", [g.Node("Less", [distance, g.Number(0)]), g.Number(0), decay]);
            var a = g.MatMul(g.Mul(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), decay), Project("v"));
            a = g.Transpose(a, 0, 2, 1, 3);
            var rate = g.Node("Reciprocal",
                g.Node("Sqrt", g.Add(g.Node("ReduceMean", g.Mul(a, a), ("axes", new[] { -1 })), g.Number(1e-6f))));
            a = g.View(g.Mul(a, rate), s.Batch, s.Length, heads * dim);
            x = g.Add(x,
                g.Linear(g.Mul(a, g.Silu(g.Linear(n, $"l{l}.g", width, heads * dim, bias: false))), $"l{l}.o", heads * dim,
                    width, bias: false));
            x = g.Add(x, g.FeedForward(g.RmsNorm(x, $"l{l}.norm2", width), $"l{l}.mlp", width, 20));
        }
        return Finish(g, x, width);
    }

    /// <summary>
    /// One packed projection [z | x | B | C | dt], a convolution over x, B and C, heads with a decay each, one chunk as a
    /// matrix product, a gated norm.
    /// </summary>
    private static GraphBuilder Mamba2()
    {
        const int heads = 3, dim = 4, inner = heads * dim, state = 5, width = 10;
        var s = Start(241, width);
        var (g, x) = (s.G, s.X);
        var parts = g.Split(g.Linear(g.RmsNorm(x, "norm1", width), "in", width, (2 * inner) + (2 * state) + heads, bias: false), 2, inner,
            inner + (2 * state), heads);
        var mixed = g.Transpose(parts[1], 0, 2, 1);
        mixed = g.Node("Conv", [mixed, g.Weight("conv.weight", inner + (2 * state), 1, 4), g.Weight("conv.bias", inner + (2 * state))],
            ("group", inner + (2 * state)), ("kernel_shape", new[] { 4 }), ("pads", new[] { 3, 3 }));
        mixed = g.Silu(g.Transpose(g.Slice(mixed, 2, 0, -3), 0, 2, 1));
        var xbc = g.Split(mixed, 2, inner, state, state);
        var dt = g.Node("Softplus", g.Add(parts[2], g.Weight("dt_bias", heads)));
        var a = g.Node("Neg", g.Node("Exp", g.Weight("a_log", heads)));
        // Decay between any two positions: exp of differences of cumulative sums, below the diagonal.
        var sums = g.Node("CumSum", [g.Transpose(g.Mul(dt, a), 0, 2, 1), g.Int(-1)]);
        var between = g.Node("Sub", [g.Unsqueeze(sums, 3), g.Unsqueeze(sums, 2)]);
        var lower = g.Node("Trilu", [g.Node("Exp", g.Node("Min", [between, g.Number(0)]))], ("upper", 0));
        var scores = g.Mul(g.Unsqueeze(g.MatMul(xbc[2], g.Transpose(xbc[1], 0, 2, 1)), 1), lower);
        var values = g.View(xbc[0], s.Batch, s.Length, heads, dim);
        var scaled = g.Transpose(g.Mul(values, g.Unsqueeze(dt, 3)), 0, 2, 1, 3);
        var y = g.Transpose(g.MatMul(scores, scaled), 0, 2, 1, 3);
        y = g.View(g.Add(y, g.Mul(values, g.Weight("d", heads, 1))), s.Batch, s.Length, inner);
        y = g.RmsNorm(g.Mul(y, g.Silu(parts[0])), "norm2", inner);
        return Finish(g, g.Add(x, g.Linear(y, "out", inner, width, bias: false)), width);
    }

    /// <summary>Two towers, both projected to one space and normalised; the logits are all pairs.</summary>
    private static GraphBuilder Clip()
    {
        const int heads = 3, dim = 4, width = 12, space = 14;
        var s = Start(251, width);
        var g = s.G;
        var pixels = g.Input("pixels", "images", 3, 8, 8);
        string Layer(string x, string name, string? mask)
        {
            var n = g.LayerNorm(x, $"{name}.ln1", width);
            var (b, t) = (g.Dim(x, 0), g.Dim(x, 1));
            string Project(string part) => g.Transpose(g.View(g.Linear(n, $"{name}.{part}", width, width), b, t, heads, dim), 0, 2, 1, 3);
            var scores = g.MatMul(g.Mul(Project("q"), g.Number(0.5f)), g.Transpose(Project("k"), 0, 1, 3, 2));
            var a = g.MatMul(g.Softmax(mask is null ? scores : g.Add(scores, mask)), Project("v"));
            x = g.Add(x, g.Linear(g.View(g.Transpose(a, 0, 2, 1, 3), b, t, width), $"{name}.o", width, width));
            return g.Add(x,
                g.FeedForward(g.LayerNorm(x, $"{name}.ln2", width), $"{name}.mlp", width, 30,
                    y => g.Mul(y, g.Sigmoid(g.Mul(y, g.Number(1.702f))))));
        }
        string Unit(string x) => g.Node("Div", [x, g.Node("ReduceL2", x, ("axes", new[] { -1 }), ("keepdims", 1))]);
        var text = g.LayerNorm(Layer(s.X, "text", g.Causal(s.Batch, s.Length)), "text.norm", width);
        // The end of each text is where its id is largest.
        var ends = g.Node("ArgMax", "input_ids", ("axis", 1), ("keepdims", 0));
        var rows = g.Node("Range", [g.Int(0), s.Batch, g.Int(1)]);
        text = g.Node("GatherND", [text, g.Concat(1, g.Unsqueeze(rows, 1), g.Unsqueeze(ends, 1))]);
        var image = g.Transpose(g.Reshape(g.Convolution(pixels, "patch", 3, width, [4, 4], [4, 4], [0, 0]), 0, width, -1), 0, 2, 1);
        image = g.Select(g.LayerNorm(Layer(g.Add(image, g.Weight("position", 4, width)), "image", null), "image.norm", width), 1, 0);
        var (a, b) = (Unit(g.MatMul(image, g.Weight("image.proj", width, space))),
            Unit(g.MatMul(text, g.Weight("text.proj", width, space))));
        return g.Output(g.Mul(g.MatMul(a, g.Transpose(b, 1, 0)), g.Node("Exp", g.Number(2.6f))), "images", "batch");
    }
}
