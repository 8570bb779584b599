using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>Transformers for text, without caches.</summary>
internal static class Language
{
    private const int Width = 12, Heads = 3, Dim = 4, Vocabulary = 20;

    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("BERT, literal sizes", () => Bert(literal: true)) { Exact = "Neurons 3, Heads 2, HeadDims 2, ValueDims 2", Share = 0.79,
            Stays = ["Gather: its positions are chosen by data", "ReduceMean: it sums values that a removed unit does not leave zero",
                "Slice: sliced at bounds that are not known", "graph output: its shape is the model's interface"], Groups = OfBert },
        new("BERT, sizes from Shape", () => Bert(literal: false)) { Exact = "Neurons 3, Heads 2, HeadDims 2, ValueDims 2", Share = 0.79,
            Stays = ["Gather: its positions are chosen by data", "ReduceMean: it sums values that a removed unit does not leave zero",
                "Slice: sliced at bounds that are not known", "graph output: its shape is the model's interface"], Groups = OfBert },
        new("GPT-2", Gpt2)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2, ValueDims 2", Share = 0.76,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "Slice: sliced at bounds that are not known"],
            Groups = c => c.Group("h0.c_attn.weight", 1, Heads, Axis.Heads, ("h0.c_proj.weight", 0))
                .Group("h0.fc.weight", 1, 40, Axis.Neurons, ("h0.out.weight", 0)),
        },
        new("Llama", Llama)
        {
            Exact = "Neurons 2, Heads 2, KeyValueGroups 2, HeadDims 2, ValueDims 2, Width 1", Share = 0.99,
            Stays = ["Gather: its positions are chosen by data", "graph output: its shape is the model's interface",
                "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.k.weight", 1, 2, Axis.KeyValueGroups, ("l0.v.weight", 1), ("l0.q.weight", 1), ("l0.o.weight", 0))
                .Group("l0.q.weight", 1, 2, Axis.Heads, ("l0.o.weight", 0))
                .Group("l0.gate.weight", 1, 30, Axis.Neurons, ("l0.up.weight", 1), ("l0.down.weight", 0)),
        },
        new("T5", T5)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2, ValueDims 2, Width 1", Share = 0.96,
            Stays = ["Gather: its positions are chosen by data", "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.q.weight", 1, Heads, Axis.Heads, ("l0.o.weight", 0))
                .Group("l0.wi0.weight", 1, 20, Axis.Neurons, ("l0.wi1.weight", 1), ("l0.wo.weight", 0)),
        },
        new("BLOOM", Bloom)
        {
            Exact = "Neurons 2, Heads 1, HeadDims 2", Share = 0.87,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("l0.qkv.weight", 1, Heads, Axis.Heads, ("l0.o.weight", 0)),
        },
        new("GPT-NeoX", NeoX)
        {
            Exact = "Neurons 2, Heads 2, HeadDims 4, ValueDims 2", Share = 0.86,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "graph output: its shape is the model's interface", "is shared by several operators, each of which takes its own part"],
            Groups = c => c.Group("l0.qkv.weight", 1, Heads, Axis.Heads, ("l0.o.weight", 0)),
        },
    ];

    private static void OfBert(RuleCheck check) => check
        .Group("l0.q.weight", 1, Heads, Axis.Heads, ("l0.k.weight", 1), ("l0.v.weight", 1), ("l0.o.weight", 0))
        .Group("l1.ffn.fc1.weight", 1, 40, Axis.Neurons, ("l1.ffn.fc2.weight", 0));

    /// <summary>Rows of a table, by ids.</summary>
    internal static string Embed(this GraphBuilder g, string name, string ids, int rows, int width)
        => g.Node("Gather", [g.Weight(name, rows, width), ids], ("axis", 0));

    private static GraphBuilder Bert(bool literal)
    {
        var g = new GraphBuilder(111);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var mask = g.Input("attention_mask", DataType.Int64, "batch", "sequence");
        var types = g.Input("token_type_ids", DataType.Int64, "batch", "sequence");
        // [b, s] to [b, 1, 1, s], 0 where shown and a large negative number where hidden.
        var hidden = g.Mul(g.Node("Sub", [g.Number(1), g.Node("Cast", g.Unsqueeze(g.Unsqueeze(mask, 1), 2), ("to", DataType.Float))]),
            g.Number(-1e4f));
        var positions = g.Node("Slice",
            [g.Longs("position_ids", [.. Enumerable.Range(0, 32).Select(i => (long)i)], [1, 32]), g.Longs(0),
                g.Unsqueeze(g.Dim(ids, 1), 0), g.Longs(1)]);
        var x = g.Add(g.Embed("word", ids, Vocabulary, Width), g.Embed("type", types, 2, Width));
        x = g.PlainLayerNorm(g.Add(x, g.Embed("position", positions, 32, Width)), "embed.norm", Width);
        for (int l = 0; l < 2; l++)
        {
            string Split(string part)
            {
                var y = g.Linear(x, $"l{l}.{part}", Width, Width);
                return literal ? g.SplitHeads(y, Heads, Dim) : g.Transpose(g.View(y, g.Dim(y, 0), g.Dim(y, 1), Heads, Dim), 0, 2, 1, 3);
            }
            var scores = g.Node("Div", [g.MatMul(Split("q"), g.Transpose(Split("k"), 0, 1, 3, 2)), g.Number(2)]);
            var a = g.Transpose(g.MatMul(g.Softmax(g.Add(scores, hidden)), Split("v")), 0, 2, 1, 3);
            a = literal ? g.Reshape(a, 0, 0, Width) : g.View(a, g.Dim(a, 0), g.Dim(a, 1), Width);
            x = g.PlainLayerNorm(g.Add(g.Linear(a, $"l{l}.o", Width, Width), x), $"l{l}.norm1", Width);
            x = g.PlainLayerNorm(g.Add(g.FeedForward(x, $"l{l}.ffn", Width, 40), x), $"l{l}.norm2", Width);
        }
        var pooled = g.Node("Tanh", g.Gemm(g.Select(x, 1, 0), "pooler", Width, 14));
        return g.Output(g.Gemm(pooled, "classifier", 14, 3), "batch", 3);
    }

    private static GraphBuilder Gpt2()
    {
        var g = new GraphBuilder(113);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var positions = g.Unsqueeze(g.Node("Range", [g.Int(0), s, g.Int(1)]), 0);
        var x = g.Add(g.Embed("wte", ids, Vocabulary, Width), g.Embed("wpe", positions, 32, Width));
        // The causal mask is a buffer of the longest sequence, cut by sizes.
        var causal = g.Floats("causal", [.. Enumerable.Range(0, 12 * 12).Select(i => i % 12 <= i / 12 ? 1f : 0f)], 1, 1, 12, 12);
        string Conv1d(string y, string name, int inputs, int outputs)
            => g.View(g.Gemm(g.Reshape(y, -1, inputs), name, inputs, outputs, transposed: false), b, s, outputs);
        for (int l = 0; l < 2; l++)
        {
            var parts = g.Split(Conv1d(g.LayerNorm(x, $"h{l}.ln1", Width), $"h{l}.c_attn", Width, 3 * Width), 2, Width, Width, Width);
            string Split(string y) => g.Transpose(g.View(y, g.Dim(y, 0), g.Dim(y, 1), Heads, Dim), 0, 2, 1, 3);
            var (q, k, v) = (Split(parts[0]), Split(parts[1]), Split(parts[2]));
            var scores = g.Node("Div", [g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Number(2)]);
            var length = g.Unsqueeze(g.Dim(k, 2), 0);
            var shown = g.Node("Slice", [g.Node("Slice", [causal, g.Longs(0), length, g.Longs(2)]), g.Longs(0), length, g.Longs(3)]);
            scores = g.Node("Where", [g.Node("Cast", shown, ("to", DataType.Bool)), scores, g.Number(-1e4f)]);
            var a = g.Transpose(g.MatMul(g.Softmax(scores), v), 0, 2, 1, 3);
            a = g.View(a, g.Dim(a, 0), g.Dim(a, 1), Width);
            x = g.Add(Conv1d(a, $"h{l}.c_proj", Width, Width), x);
            x = g.Add(x, Conv1d(g.NewGelu(Conv1d(g.LayerNorm(x, $"h{l}.ln2", Width), $"h{l}.fc", Width, 40)), $"h{l}.out", 40, Width));
        }
        return g.Output(g.MatMul(g.LayerNorm(x, "ln_f", Width), g.Transpose("wte", 1, 0)), "batch", "sequence", Vocabulary);
    }

    /// <summary>
    /// Cosine and sine of the positions, once for all layers: MatMul of inverse frequencies and positions, Concat of both halves.
    /// </summary>
    internal static (string Cos, string Sin) Rotary(this GraphBuilder g, string positions, int dim)
    {
        var frequencies =
            g.Floats(g.Fresh("inv_freq"), [.. Enumerable.Range(0, dim / 2).Select(i => MathF.Pow(100, -2f * i / dim))], 1, dim / 2, 1);
        var expanded = g.ExpandTo(frequencies, g.Dim(positions, 0), -1, 1);
        var angles = g.Transpose(g.MatMul(expanded, g.Node("Cast", g.Unsqueeze(positions, 1), ("to", DataType.Float))), 0, 2, 1);
        angles = g.Concat(-1, angles, angles);
        return (g.Unsqueeze(g.Node("Cos", angles), 1), g.Unsqueeze(g.Node("Sin", angles), 1));
    }

    /// <summary><c>x·cos + rotate_half(x)·sin</c>, with the half computed from Shape.</summary>
    internal static string Rotate(this GraphBuilder g, string x, string cos, string sin)
    {
        var half = g.Unsqueeze(g.Node("Div", [g.Dim(x, 3), g.Int(2)]), 0);
        var first = g.Node("Slice", [x, g.Longs(0), half, g.Longs(3), g.Longs(1)]);
        var second = g.Node("Slice", [x, half, g.Longs(long.MaxValue), g.Longs(3), g.Longs(1)]);
        return g.Add(g.Mul(x, cos), g.Mul(g.Concat(-1, g.Node("Neg", second), first), sin));
    }

    /// <summary>repeat_kv: Unsqueeze, Expand with the test for −1, Reshape.</summary>
    internal static string RepeatKv(this GraphBuilder g, string x, int times)
    {
        var (b, kv, s, d) = (g.Dim(x, 0), g.Dim(x, 1), g.Dim(x, 2), g.Dim(x, 3));
        return g.View(g.ExpandTo(g.Unsqueeze(x, 2), b, kv, times, s, d), b, g.Mul(kv, g.Int(times)), s, d);
    }

    /// <summary>A causal mask made from sizes: full, Trilu, expanded to [b, 1, s, s].</summary>
    internal static string Causal(this GraphBuilder g, string batch, string length)
    {
        var full = g.Node("ConstantOfShape", g.SizeList(length, length),
            ("value", GraphBuilder.Tensor("", DataType.Float, [1], BitConverter.GetBytes(-1e4f))));
        var upper = g.Node("Trilu", [full, g.Int(1)], ("upper", 1));
        return g.ExpandTo(g.Unsqueeze(g.Unsqueeze(upper, 0), 1), batch, 1, length, length);
    }

    private static GraphBuilder Llama()
    {
        const int kv = 2, r = 2, width = 16;
        var g = new GraphBuilder(127);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var x = g.Embed("embed", ids, Vocabulary, width);
        var (cos, sin) = g.Rotary(g.Unsqueeze(g.Node("Range", [g.Int(0), s, g.Int(1)]), 0), Dim);
        var mask = g.Causal(b, s);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", width);
            string Project(string part, int heads)
                => g.Transpose(g.View(g.Linear(n, $"l{l}.{part}", width, heads * Dim, bias: false), b, s, -1, Dim), 0, 2, 1, 3);
            var q = g.Rotate(Project("q", kv * r), cos, sin);
            var k = g.RepeatKv(g.Rotate(Project("k", kv), cos, sin), r);
            var v = g.RepeatKv(Project("v", kv), r);
            // Scaled dot product: both sides by the root of 1/√d, with d from the shape of q.
            var d = g.Node("Cast", g.Slice(g.Node("Shape", q), 0, -1, long.MaxValue), ("to", DataType.Float));
            var scale = g.Node("Sqrt", g.Node("Div", [g.Floats(g.Fresh("one"), [1], 1), g.Node("Sqrt", d)]));
            var scores = g.Add(g.MatMul(g.Mul(q, scale), g.Mul(g.Transpose(k, 0, 1, 3, 2), scale)), mask);
            var a = g.View(g.Transpose(g.MatMul(g.Softmax(scores), v), 0, 2, 1, 3), b, s, -1);
            x = g.Add(x, g.Linear(a, $"l{l}.o", kv * r * Dim, width, bias: false));
            n = g.RmsNorm(x, $"l{l}.norm2", width);
            x = g.Add(x,
                g.Linear(g.Mul(g.Silu(g.Linear(n, $"l{l}.gate", width, 30, bias: false)), g.Linear(n, $"l{l}.up", width, 30, bias: false)),
                    $"l{l}.down", 30, width, bias: false));
        }
        return g.Output(g.Linear(g.RmsNorm(x, "norm", width), "lm_head", width, Vocabulary, bias: false), "batch", "sequence", Vocabulary);
    }

    /// <summary>Buckets of relative positions as T5 computes them: exact up to 4, logarithmic beyond.</summary>
    internal static string Buckets(this GraphBuilder g, string length)
    {
        var line = g.Node("Range", [g.Int(0), length, g.Int(1)]);
        var distance = g.Node("Sub", [g.Unsqueeze(line, 0), g.Unsqueeze(line, 1)]);
        var side = g.Mul(g.Node("Cast", g.Node("Greater", [distance, g.Int(0)]), ("to", DataType.Int64)), g.Int(8));
        var size = g.Node("Abs", distance);
        var far = g.Mul(g.Node("Div",
            [g.Node("Log",
                g.Node("Div",
                    [g.Node("Cast", g.Node("Max", [size, g.Longs(g.Fresh("one"), [1], [1])]), ("to", DataType.Float)), g.Number(4)])),
                    g.Number(2)]), g.Number(4));
        var near = g.Node("Cast", g.Add(far, g.Number(4)), ("to", DataType.Int64));
        var capped = g.Node("Min", [near, g.Longs(g.Fresh("most"), [7], [1])]);
        return g.Add(side, g.Node("Where", [g.Node("Less", [size, g.Int(4)]), size, capped]));
    }

    private static GraphBuilder T5()
    {
        var g = new GraphBuilder(131);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var x = g.Embed("shared", ids, Vocabulary, Width);
        // One table of relative positions for all layers.
        var bias = g.Unsqueeze(g.Transpose(g.Embed("relative", g.Buckets(s), 16, Heads), 2, 0, 1), 0);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", Width);
            string Project(string part)
                => g.Transpose(g.View(g.Linear(n, $"l{l}.{part}", Width, Width, bias: false), b, -1, Heads, Dim), 0, 2, 1, 3);
            var scores = g.Add(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), bias);
            var a = g.View(g.Transpose(g.MatMul(g.Softmax(scores), Project("v")), 0, 2, 1, 3), b, -1, Width);
            x = g.Add(x, g.Linear(a, $"l{l}.o", Width, Width, bias: false));
            n = g.RmsNorm(x, $"l{l}.norm2", Width);
            x = g.Add(x,
                g.Linear(g.Mul(g.NewGelu(g.Linear(n, $"l{l}.wi0", Width, 20, bias: false)),
                    g.Linear(n, $"l{l}.wi1", Width, 20, bias: false)), $"l{l}.wo", 20, Width, bias: false));
        }
        x = g.Mul(g.RmsNorm(x, "norm", Width), g.Number(0.29f));
        return g.Output(g.MatMul(x, g.Transpose("shared", 1, 0)), "batch", "sequence", Vocabulary);
    }

    private static GraphBuilder Bloom()
    {
        var g = new GraphBuilder(137);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var attention = g.Input("attention_mask", DataType.Int64, "batch", "sequence");
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var x = g.LayerNorm(g.Embed("word", ids, Vocabulary, Width), "embed.norm", Width);
        // Slopes of the heads times positions counted in the mask, as [b·h, 1, s], for all layers.
        var counted = g.Node("CumSum", [g.Node("Cast", attention, ("to", DataType.Float)), g.Int(-1)]);
        var positions = g.Unsqueeze(g.Mul(g.Node("Sub", [counted, g.Number(1)]), g.Node("Cast", attention, ("to", DataType.Float))), 1);
        var alibi = g.View(g.Mul(g.Floats("slopes", [0.5f, 0.25f, 0.125f], Heads, 1), positions), g.Mul(b, g.Int(Heads)), 1, s);
        var mask = g.Causal(b, s);
        for (int l = 0; l < 2; l++)
        {
            var qkv = g.View(g.Linear(g.LayerNorm(x, $"l{l}.ln1", Width), $"l{l}.qkv", Width, 3 * Width), b, s, Heads, 3, Dim);
            var rows = g.Mul(b, g.Int(Heads));
            var q = g.View(g.Transpose(g.Select(qkv, 3, 0), 0, 2, 1, 3), rows, s, Dim);
            var k = g.View(g.Transpose(g.Select(qkv, 3, 1), 0, 2, 3, 1), rows, Dim, s);
            var v = g.View(g.Transpose(g.Select(qkv, 3, 2), 0, 2, 1, 3), rows, s, Dim);
            var scores = g.Add(alibi, g.Mul(g.MatMul(q, k), g.Number(0.5f)));
            scores = g.Softmax(g.Add(g.View(scores, b, Heads, s, s), mask));
            var a = g.MatMul(g.View(scores, rows, s, s), v);
            a = g.View(g.Transpose(g.View(a, b, Heads, s, Dim), 0, 2, 1, 3), b, s, Width);
            x = g.Add(g.Linear(a, $"l{l}.o", Width, Width), x);
            x = g.Add(g.FeedForward(g.LayerNorm(x, $"l{l}.ln2", Width), $"l{l}.mlp", Width, 40, g.NewGelu), x);
        }
        return g.Output(g.MatMul(g.LayerNorm(x, "ln_f", Width), g.Transpose("word", 1, 0)), "batch", "sequence", Vocabulary);
    }

    private static GraphBuilder NeoX()
    {
        const int dim = 8, width = Heads * dim;
        var g = new GraphBuilder(139);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var x = g.Embed("embed", ids, Vocabulary, width);
        // A quarter of every head is rotated.
        const int rotated = 4;
        var (cos, sin) = g.Rotary(g.Unsqueeze(g.Node("Range", [g.Int(0), s, g.Int(1)]), 0), rotated);
        var mask = g.Causal(b, s);
        for (int l = 0; l < 2; l++)
        {
            var qkv = g.Transpose(g.View(g.Linear(g.LayerNorm(x, $"l{l}.ln1", width), $"l{l}.qkv", width, 3 * width), b, s, Heads,
                3 * dim), 0, 2, 1, 3);
            var parts = g.Split(qkv, 3, dim, dim, dim);
            string Partly(string y) => g.Concat(-1, g.Rotate(g.Slice(y, 3, 0, rotated), cos, sin), g.Slice(y, 3, rotated, long.MaxValue));
            var scores = g.Mul(g.MatMul(Partly(parts[0]), g.Transpose(Partly(parts[1]), 0, 1, 3, 2)), g.Number(0.35f));
            var a = g.View(g.Transpose(g.MatMul(g.Softmax(g.Add(scores, mask)), parts[2]), 0, 2, 1, 3), b, s, width);
            // Attention and feed-forward side by side.
            x = g.Add(g.Add(g.Linear(a, $"l{l}.o", width, width),
                g.FeedForward(g.LayerNorm(x, $"l{l}.ln2", width), $"l{l}.mlp", width, 40)), x);
        }
        return g.Output(g.Linear(g.LayerNorm(x, "norm", width), "embed_out", width, Vocabulary, bias: false), "batch",
            "sequence", Vocabulary);
    }
}
