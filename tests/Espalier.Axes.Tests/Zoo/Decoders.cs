using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>Decoders with caches, and models of sound.</summary>
internal static class Decoders
{
    private const int Vocabulary = 20;

    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("Whisper encoder", WhisperEncoder)
        {
            Exact = "Channels 1, Neurons 2, Heads 2, HeadDims 2, ValueDims 2", Share = 0.92,
            Stays = [.. ZooModel.Image, "Add: meets the dynamic axis f[?], which may be 1 or 8"], Sizes = [("frames", 16)],
            Groups = c => c.Group("conv1.weight", 0, 10, Axis.Channels, ("conv2.weight", 1))
                .Group("l0.q.weight", 1, 3, Axis.Heads, ("l0.v.weight", 1), ("l0.o.weight", 0)),
        },
        new("Whisper decoder", () => WhisperDecoder(cached: false))
        {
            Exact = "Neurons 2, Heads 4, HeadDims 4, ValueDims 4", Share = 0.81,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "Slice: sliced at bounds that are not known", "graph input: its shape is the model's interface"],
            Groups = c => c.Group("l0.self.q.weight", 1, 3, Axis.Heads, ("l0.self.o.weight", 0))
                .Group("l0.cross.q.weight", 1, 3, Axis.Heads, ("l0.cross.k.weight", 1), ("l0.cross.o.weight", 0)),
        },
        new("Whisper decoder with caches", () => WhisperDecoder(cached: true))
        {
            Exact = "Neurons 1, Heads 1, HeadDims 1, ValueDims 1", Share = 0.51,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "Slice: sliced at bounds that are not known", "graph input: its shape is the model's interface"], Sizes = [("past", 3)],
            Groups = c => c.Frozen("l0.self.q.weight", 1, "graph input 'past_key'")
                .Group("l0.cross.q.weight", 1, 3, Axis.Heads, ("l0.cross.k.weight", 1), ("l0.cross.o.weight", 0))
                .Group("l0.mlp.fc1.weight", 1, 40, Axis.Neurons, ("l0.mlp.fc2.weight", 0)),
        },
        new("Llama with caches", LlamaCached)
        {
            Exact = "Neurons 2, Heads 2, Width 1", Share = 0.99,
            Stays = [.. ZooModel.Interface, "Gather: its positions are chosen by data",
                "is shared by several operators, each of which takes its own part"], Sizes = [("past", 3), ("total", 15)],
            Groups = c => c.Group("l0.q.weight", 1, 2, Axis.Heads, ("l0.o.weight", 0)).Frozen("l0.k.weight", 1, "past")
                .Group("l0.gate.weight", 1, 30, Axis.Neurons, ("l0.up.weight", 1), ("l0.down.weight", 0)),
        },
        new("Merged decoder", Merged)
        {
            Exact = "Neurons 1", Share = 0.46,
            Stays = ["Gather: its positions are chosen by data", "LayerNormalization: a statistic runs over this axis",
                "graph input: its shape is the model's interface"], Sizes = [("past", 3)], Claims = 0,
            Groups = c => c.Group("fc1.weight", 1, 30, Axis.Neurons, ("fc2.weight", 0)),
        },
    ];

    private static string Attention(GraphBuilder g, string q, string k, string v, string name, int width, int heads, string? mask)
    {
        // As transformers wrote it: heads go to the batch, [b·h, s, d].
        int dim = width / heads;
        var (b, length) = (g.Dim(q, 0), g.Dim(q, 1));
        var rows = g.Mul(b, g.Int(heads));
        q = g.View(g.Transpose(g.View(q, b, length, heads, dim), 0, 2, 1, 3), rows, -1, dim);
        k = g.View(k, rows, -1, dim);
        v = g.View(v, rows, -1, dim);
        var scores = g.MatMul(q, g.Transpose(k, 0, 2, 1));
        if (mask is not null)
        {
            var source = g.Dim(k, 1);
            scores = g.View(g.Add(g.View(scores, b, heads, length, source), mask), rows, length, source);
        }
        var a = g.View(g.MatMul(g.Softmax(scores), v), b, heads, length, dim);
        return g.Linear(g.View(g.Transpose(a, 0, 2, 1, 3), b, length, width), $"{name}.o", width, width);
    }

    private static string HeadsFirst(GraphBuilder g, string x, int heads, int dim)
        => g.Transpose(g.View(x, g.Dim(x, 0), -1, heads, dim), 0, 2, 1, 3);

    private static GraphBuilder WhisperEncoder()
    {
        const int width = 12, heads = 3;
        var g = new GraphBuilder(151);
        var x = g.Input("features", "batch", 6, "frames");
        x = g.Gelu(g.Convolution(x, "conv1", 6, 10, [3]));
        x = g.Transpose(g.Gelu(g.Convolution(x, "conv2", 10, width, [3], [2])), 0, 2, 1);
        x = g.Add(x, g.Weight("positions", 8, width));
        for (int l = 0; l < 2; l++)
        {
            var n = g.LayerNorm(x, $"l{l}.ln1", width);
            var q = g.Mul(g.Linear(n, $"l{l}.q", width, width), g.Number(0.5f));
            var k = HeadsFirst(g, g.Linear(n, $"l{l}.k", width, width, bias: false), heads, width / heads);
            var v = HeadsFirst(g, g.Linear(n, $"l{l}.v", width, width), heads, width / heads);
            x = g.Add(x, Attention(g, q, k, v, $"l{l}", width, heads, null));
            x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"l{l}.ln2", width), $"l{l}.mlp", width, 40));
        }
        return g.Output(g.LayerNorm(x, "norm", width), "batch", 8, width);
    }

    private static GraphBuilder WhisperDecoder(bool cached)
    {
        const int width = 12, heads = 3, dim = 4;
        var g = new GraphBuilder(157);
        var ids = g.Input("ids", DataType.Int64, "batch", "sequence");
        var encoded = g.Input("encoder_hidden_states", "batch", 8, width);
        string? pastKey = cached
            ? g.Input("past_key", "batch", heads, "past", dim)
            : null, pastValue = cached ? g.Input("past_value", "batch", heads, "past", dim) : null;
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var past = cached ? g.Dim(pastKey!, 2) : g.Int(0);
        var positions =
            g.Node("Slice", [g.Weight("positions", 40, width), g.Unsqueeze(past, 0), g.Unsqueeze(g.Add(past, s), 0), g.Longs(0)]);
        var x = g.Add(g.Embed("embed", ids, Vocabulary, width), positions);
        var mask = cached ? null : g.Causal(b, s);
        for (int l = 0; l < (cached ? 1 : 2); l++)
        {
            var n = g.LayerNorm(x, $"l{l}.ln1", width);
            var k = HeadsFirst(g, g.Linear(n, $"l{l}.self.k", width, width, bias: false), heads, dim);
            var v = HeadsFirst(g, g.Linear(n, $"l{l}.self.v", width, width), heads, dim);
            if (cached)
            {
                (k, v) = (g.Rename(g.Concat(2, pastKey!, k), "present_key"), g.Rename(g.Concat(2, pastValue!, v), "present_value"));
                g.Output(k).Output(v);
            }
            x = g.Add(x,
                Attention(g, g.Mul(g.Linear(n, $"l{l}.self.q", width, width), g.Number(0.5f)), k, v, $"l{l}.self", width, heads, mask));
            n = g.LayerNorm(x, $"l{l}.ln2", width);
            k = HeadsFirst(g, g.Linear(encoded, $"l{l}.cross.k", width, width, bias: false), heads, dim);
            v = HeadsFirst(g, g.Linear(encoded, $"l{l}.cross.v", width, width), heads, dim);
            x = g.Add(x,
                Attention(g, g.Mul(g.Linear(n, $"l{l}.cross.q", width, width), g.Number(0.5f)), k, v, $"l{l}.cross", width, heads, null));
            x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"l{l}.ln3", width), $"l{l}.mlp", width, 40));
        }
        return g.Output(g.MatMul(g.LayerNorm(x, "norm", width), g.Transpose("embed", 1, 0)), "batch", "sequence", Vocabulary);
    }

    private static GraphBuilder LlamaCached()
    {
        const int kv = 2, r = 2, width = 16, dim = 4;
        var g = new GraphBuilder(163);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var shown = g.Input("attention_mask", DataType.Int64, "batch", "total");
        var pasts = Enumerable.Range(0, 2)
            .Select(l =>
                (g.Input($"past_key_values.{l}.key", "batch", kv, "past", dim),
                    g.Input($"past_key_values.{l}.value", "batch", kv, "past", dim))).ToArray();
        var (b, s) = (g.Dim(ids, 0), g.Dim(ids, 1));
        var past = g.Dim(pasts[0].Item1, 2);
        var total = g.Add(past, s);
        // Positions start behind the cache; a row sees what is not later than itself and not padding.
        var here = g.Node("Range", [past, total, g.Int(1)]);
        var (cos, sin) = g.Rotary(g.Unsqueeze(here, 0), dim);
        var causal = g.Node("Greater", [g.Unsqueeze(g.Node("Range", [g.Int(0), total, g.Int(1)]), 0), g.Unsqueeze(here, 1)]);
        var mask = g.Mul(g.Node("Cast", causal, ("to", DataType.Float)), g.Number(-1e4f));
        mask = g.ExpandTo(g.Unsqueeze(g.Unsqueeze(mask, 0), 1), b, 1, -1, -1);
        var padding = g.Node("Equal", [g.Unsqueeze(g.Unsqueeze(shown, 1), 2), g.Int(0)]);
        mask = g.Node("Where", [padding, g.Number(-1e4f), mask]);
        var x = g.Embed("embed", ids, Vocabulary, width);
        for (int l = 0; l < 2; l++)
        {
            var n = g.RmsNorm(x, $"l{l}.norm1", width);
            string Project(string part, int heads)
                => g.Transpose(g.View(g.Linear(n, $"l{l}.{part}", width, heads * dim, bias: false), b, s, -1, dim), 0, 2, 1, 3);
            var q = g.Rotate(Project("q", kv * r), cos, sin);
            var k = g.Rename(g.Concat(2, pasts[l].Item1, g.Rotate(Project("k", kv), cos, sin)), $"present.{l}.key");
            var v = g.Rename(g.Concat(2, pasts[l].Item2, Project("v", kv)), $"present.{l}.value");
            g.Output(k).Output(v);
            var scores = g.Add(g.Mul(g.MatMul(q, g.Transpose(g.RepeatKv(k, r), 0, 1, 3, 2)), g.Number(0.5f)), mask);
            var a = g.View(g.Transpose(g.MatMul(g.Softmax(scores), g.RepeatKv(v, r)), 0, 2, 1, 3), b, s, -1);
            x = g.Add(x, g.Linear(a, $"l{l}.o", kv * r * dim, width, bias: false));
            n = g.RmsNorm(x, $"l{l}.norm2", width);
            x = g.Add(x,
                g.Linear(g.Mul(g.Silu(g.Linear(n, $"l{l}.gate", width, 30, bias: false)), g.Linear(n, $"l{l}.up", width, 30, bias: false)),
                    $"l{l}.down", 30, width, bias: false));
        }
        return g.Output(g.Linear(g.RmsNorm(x, "norm", width), "lm_head", width, Vocabulary, bias: false), "batch", "sequence", Vocabulary);
    }

    /// <summary>As Optimum merges them: one If, a whole decoder in each branch, weights outside, scalars and shapes inside.</summary>
    private static GraphBuilder Merged()
    {
        const int width = 12, heads = 3, dim = 4;
        var g = new GraphBuilder(167);
        var ids = g.Input("input_ids", DataType.Int64, "batch", "sequence");
        var use = g.Input("use_cache_branch", DataType.Bool, 1);
        var past = g.Input("past_key", "batch", heads, "past", dim);
        var pastValue = g.Input("past_value", "batch", heads, "past", dim);
        string[] matrices = ["q", "k", "v", "o"];
        g.Weight("embed", Vocabulary, width);
        g.Positive("ln1.weight", width);
        g.Weight("ln1.bias", width);
        foreach (string m in matrices) g.Weight($"{m}.weight", width, width);
        g.Weight("fc1.weight", width, 30);
        g.Weight("fc1.bias", 30);
        g.Weight("fc2.weight", 30, width);
        var branches = new[] { true, false }.Select(cached => g.Subgraph(i =>
        {
            var x = i.Node("Gather", ["embed", ids], ("axis", 0));
            var n = i.Node("LayerNormalization", [x, "ln1.weight", "ln1.bias"], ("axis", -1));
            string Project(string part) => i.Transpose(i.Reshape(i.MatMul(n, $"{part}.weight"), 0, 0, heads, dim), 0, 2, 1, 3);
            var (q, k, v) = (Project("q"), Project("k"), Project("v"));
            if (cached) (k, v) = (i.Concat(2, past, k), i.Concat(2, pastValue, v));
            var a = i.MergeHeads(i.Attend(q, k, v, 0.5f), width);
            x = i.Add(x, i.MatMul(a, "o.weight"));
            x = i.Add(x, i.MatMul(i.Relu(i.Add(i.MatMul(x, "fc1.weight"), "fc1.bias")), "fc2.weight"));
            string suffix = cached ? "_then" : "_else";
            i.Output(i.Rename(i.MatMul(x, i.Transpose("embed", 1, 0)), "logits" + suffix)).Output(i.Node("Identity", k))
                .Output(i.Node("Identity", v));
        })).ToArray();
        var y = g.Nodes("If", 3, [use], ("then_branch", branches[0]), ("else_branch", branches[1]));
        return g.Output(g.Rename(y[0], "logits")).Output(g.Rename(y[1], "present_key")).Output(g.Rename(y[2], "present_value"));
    }
}
