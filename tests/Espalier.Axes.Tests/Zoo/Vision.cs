using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>Vision transformers and mixers.</summary>
internal static class Vision
{
    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        SwinModel("Swin", WindowBatch.Kept),
        SwinModel("Swin, batch by a division", WindowBatch.Divided),
        SwinModel("Swin, batch by a division of floats", WindowBatch.DividedFloats),
        new("MaxViT", MaxVit)
        {
            Exact = "Channels 3, Neurons 3, Heads 2, HeadDims 2, ValueDims 2", Share = 0.95,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "Gather: its positions are listed one by one",
                "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("block.qkv.weight", 1, 3, Axis.Heads, ("block.table", 1), ("block.merge.weight", 0)),
        },
        new("ViT, packed (timm)", () => Vit(split: false))
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2", Share = 0.77,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("b0.qkv.weight", 1, 3, Axis.Heads, ("b0.proj.weight", 0)),
        },
        new("ViT, packed and split", () => Vit(split: true))
        {
            Exact = "Neurons 2, Heads 2, HeadDims 2", Share = 0.77,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("b0.qkv.weight", 1, 3, Axis.Heads, ("b0.proj.weight", 0)),
        },
        new("MLP-Mixer", Mixer)
        {
            Exact = "Neurons 4", Share = 0.75,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("b0.token.fc1.weight", 1, 10, Axis.Neurons, ("b0.token.fc2.weight", 0)),
        },
        new("DETR", Detr)
        {
            Exact = "Channels 2, Neurons 4, Heads 3, HeadDims 3, ValueDims 3", Share = 0.89,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("stem.weight", 0, 8),
        },
    ];

    /// <summary>
    /// Where the windows' way back takes the batch from: the size before, or the number of windows, as window_reverse does.
    /// </summary>
    private enum WindowBatch
    {
        Kept, Divided, DividedFloats,
    }

    private static ZooModel SwinModel(string name, WindowBatch batch) => new(name, () => Swin(batch))
    {
        Exact = "Neurons 4, Heads 4, HeadDims 4",
        Share = 0.77,
        Stays =
        [
            .. ZooModel.Image, "Conv: positions of a window", "Gather: its positions are listed one by one",
            "LayerNormalization: a statistic runs over this axis", "all of its units hang together, or each is taken by a constant index",
        ],
        Groups = c => c.Group("s0.b0.qkv.weight", 1, 3, Axis.Heads, ("s0.b0.table", 1), ("s0.b0.proj.weight", 0)),
    };

    /// <summary>Constant indices of the relative positions of a square window, as Swin's buffer has them.</summary>
    private static long[] RelativePositions(int window)
    {
        var index = new long[window * window * window * window];
        for (int i = 0, at = 0; i < window * window; i++)
            for (int j = 0; j < window * window; j++, at++)
                index[at] = ((i / window - j / window + window - 1) * (2 * window - 1)) + (i % window - j % window + window - 1);
        return index;
    }

    private static GraphBuilder Swin(WindowBatch batch)
    {
        const int window = 4, tokens = window * window;
        var g = new GraphBuilder(51);
        var x = g.Input("x", "batch", 3, 32, 32);
        int width = 12, heads = 3, side = 8;
        x = g.LayerNorm(g.Transpose(g.Convolution(x, "patch", 3, width, [4, 4], [4, 4], [0, 0]), 0, 2, 3, 1), "patch.norm", width);
        foreach (string stage in (string[])["s0", "s1"])
        {
            if (stage == "s1")
            {
                // Patch merging: four strided slices, joined, normalised, reduced.
                string Part(int i, int j) => g.Slice(g.Slice(x, 1, i, long.MaxValue, 2), 2, j, long.MaxValue, 2);
                x = g.LayerNorm(g.Concat(-1, Part(0, 0), Part(1, 0), Part(0, 1), Part(1, 1)), "merge.norm", 4 * width);
                x = g.Linear(x, "merge", 4 * width, 2 * width, bias: false);
                (width, side, heads) = (24, 4, 6);
            }
            for (int b = 0; b < 2; b++)
            {
                int shift = b == 1 && side > window ? 2 : 0;
                string name = $"{stage}.b{b}";
                x = g.Add(x, WindowAttention(g.LayerNorm(x, $"{name}.norm1", width), name, shift));
                x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"{name}.norm2", width), $"{name}.mlp", width, 2 * width));
            }
        }
        x = g.Transpose(g.LayerNorm(x, "norm", width), 0, 3, 1, 2);
        return g.Output(g.Gemm(g.Flatten(g.GlobalPool(x)), "head", width, 7), "batch", 7);

        string WindowAttention(string y, string name, int shift)
        {
            int n = side / window, dim = width / heads;
            if (shift > 0) y = g.Roll(g.Roll(y, 1, -shift), 2, -shift);
            var b = g.Dim(y, 0);
            y = g.Transpose(g.View(y, b, n, window, n, window, width), 0, 1, 3, 2, 4, 5);
            y = g.View(y, g.Mul(b, g.Int(n * n)), tokens, width);
            var qkv = g.Transpose(g.View(g.Linear(y, $"{name}.qkv", width, 3 * width), g.Dim(y, 0), tokens, 3, heads, dim), 2, 0, 3, 1, 4);
            var q = g.Mul(g.Select(qkv, 0, 0), g.Number(0.5f));
            var attention = g.MatMul(q, g.Transpose(g.Select(qkv, 0, 1), 0, 1, 3, 2));
            var bias = g.Node("Gather",
                [g.Weight($"{name}.table", (2 * window - 1) * (2 * window - 1), heads), g.Longs(RelativePositions(window))], ("axis", 0));
            bias = g.Unsqueeze(g.Transpose(g.Reshape(bias, tokens, tokens, -1), 2, 0, 1), 0);
            attention = g.Add(attention, bias);
            if (shift > 0)
            {
                var mask = g.Floats($"{name}.mask",
                    [.. Enumerable.Range(0, n * n * tokens * tokens).Select(i => i * 7 % 5 == 0 ? -100f : 0f)], n * n, tokens, tokens);
                attention = g.View(attention, g.Node("Div", [g.Dim(attention, 0), g.Int(n * n)]), n * n, heads, tokens, tokens);
                attention = g.Add(attention, g.Unsqueeze(g.Unsqueeze(mask, 1), 0));
                attention = g.Reshape(attention, -1, heads, tokens, tokens);
            }
            y = g.Transpose(g.MatMul(g.Softmax(attention), g.Select(qkv, 0, 2)), 0, 2, 1, 3);
            y = g.Linear(g.View(y, g.Dim(y, 0), tokens, width), $"{name}.proj", width, width);
            if (batch == WindowBatch.Divided) b = g.Node("Div", [g.Dim(y, 0), g.Int(n * n)]);
            if (batch == WindowBatch.DividedFloats)
            {
                var windows = g.Node("Cast", g.Dim(y, 0), ("to", 1L));
                b = g.Node("Cast", g.Node("Div", [windows, g.Number(n * n)]), ("to", 7L));
            }
            y = g.Transpose(g.View(y, b, n, n, window, window, width), 0, 1, 3, 2, 4, 5);
            y = g.View(y, b, side, side, width);
            return shift > 0 ? g.Roll(g.Roll(y, 1, shift), 2, shift) : y;
        }
    }

    private static GraphBuilder MaxVit()
    {
        const int width = 12, heads = 3, dim = 4, p = 4, side = 8, tokens = p * p;
        var g = new GraphBuilder(53);
        var x = g.Input("x", "batch", 3, 16, 16);
        x = g.Gelu(g.BatchNorm(g.Conv(x, "stem", 3, 8, new(Bias: false)), "stem.bn", 8));
        // MBConv with a gate; the shortcut is pooled and projected.
        var y = g.Gelu(g.Conv(g.BatchNorm(x, "mb.pre", 8), "mb.expand", 8, 32, 1));
        y = g.Gelu(g.Conv(y, "mb.dw", 32, 32, new(3, Group: 32, Stride: 2)));
        y = g.Mul(g.Sigmoid(g.Conv(g.Silu(g.Conv(g.GlobalPool(y), "mb.se1", 32, 4, 1)), "mb.se2", 4, 32, 1)), y);
        x = g.Add(g.Conv(g.AvgPool(x, 2, 2), "mb.short", 8, width, 1), g.Conv(y, "mb.project", 32, width, 1));
        foreach (string kind in (string[])["block", "grid"])
        {
            // [b, c, h, w] to [b, windows, tokens, c]; the grid takes the other factor of either side.
            int outer = kind == "block" ? p : side / p;
            var t = g.Reshape(x, -1, width, side / outer, outer, side / outer, outer);
            t = g.Reshape(g.Transpose(t, 0, 2, 4, 3, 5, 1), -1, side / outer * (side / outer), outer * outer, width);
            if (kind == "grid") t = g.Transpose(t, 0, 2, 1, 3);
            int windows = kind == "grid" ? outer * outer : side * side / tokens, length = side * side / windows;
            var qkv = g.Split(g.Linear(g.LayerNorm(t, $"{kind}.norm1", width), $"{kind}.qkv", width, 3 * width), 3, width, width, width);
            string Heads(string q) => g.Transpose(g.Reshape(q, -1, windows, length, heads, dim), 0, 1, 3, 2, 4);
            var dots = g.Node("Einsum", [Heads(qkv[0]), g.Mul(Heads(qkv[1]), g.Number(0.5f))],
                ("equation", "B G H I D, B G H J D -> B G H I J"));
            int n = (int)Math.Sqrt(length);
            var bias = g.Node("Gather",
                [g.Weight($"{kind}.table", (2 * n - 1) * (2 * n - 1), heads), g.Longs(RelativePositions(n))], ("axis", 0));
            bias = g.Unsqueeze(g.Transpose(g.Reshape(bias, length, length, -1), 2, 0, 1), 0);
            var a = g.Node("Einsum", [g.Softmax(g.Add(dots, bias)), Heads(qkv[2])], ("equation", "B G H I J, B G H J D -> B G H I D"));
            a = g.Reshape(g.Transpose(a, 0, 1, 3, 2, 4), -1, windows, length, width);
            t = g.Add(t, g.Linear(a, $"{kind}.merge", width, width));
            t = g.Add(t, g.FeedForward(g.LayerNorm(t, $"{kind}.norm2", width), $"{kind}.mlp", width, 40));
            if (kind == "grid") t = g.Transpose(t, 0, 2, 1, 3);
            t = g.Reshape(t, -1, side / outer, side / outer, outer, outer, width);
            x = g.Reshape(g.Transpose(t, 0, 5, 1, 3, 2, 4), -1, width, side, side);
        }
        var pooled = g.LayerNorm(g.Flatten(g.GlobalPool(x)), "norm", width);
        return g.Output(g.Linear(g.Node("Tanh", g.Linear(pooled, "fc1", width, 14)), "fc2", 14, 7, bias: false), "batch", 7);
    }

    private static GraphBuilder Vit(bool split)
    {
        const int width = 12, heads = 3, dim = 4, tokens = 17;
        var g = new GraphBuilder(57);
        var x = g.Input("x", "batch", 3, 16, 16);
        var b = g.Dim(x, 0);
        x = g.Transpose(g.View(g.Convolution(x, "patch", 3, width, [4, 4], [4, 4], [0, 0]), b, width, -1), 0, 2, 1);
        x = g.Concat(1, g.ExpandTo(g.Weight("cls", 1, 1, width), b, -1, -1), x);
        x = g.Add(x, g.Weight("position", 1, tokens, width));
        for (int k = 0; k < 2; k++)
        {
            var y = g.Linear(g.LayerNorm(x, $"b{k}.norm1", width), $"b{k}.qkv", width, 3 * width);
            y = g.Transpose(g.View(y, g.Dim(y, 0), tokens, 3, heads, dim), 2, 0, 3, 1, 4);
            string[] parts = split
                ? [.. g.Split(y, 0, 1, 1, 1).Select(p => g.Squeeze(p, 0))]
                : [g.Select(y, 0, 0), g.Select(y, 0, 1), g.Select(y, 0, 2)];
            var a = g.Transpose(g.Attend(parts[0], parts[1], parts[2], 0.5f), 0, 2, 1, 3);
            x = g.Add(x, g.Linear(g.View(a, g.Dim(x, 0), tokens, width), $"b{k}.proj", width, width));
            x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"b{k}.norm2", width), $"b{k}.mlp", width, 48));
        }
        return g.Output(g.Gemm(g.Select(g.LayerNorm(x, "norm", width), 1, 0), "head", width, 5), "batch", 5);
    }

    private static GraphBuilder Mixer()
    {
        const int width = 12, tokens = 16;
        var g = new GraphBuilder(59);
        var x = g.Input("x", "batch", 3, 16, 16);
        x = g.Transpose(g.Reshape(g.Convolution(x, "patch", 3, width, [4, 4], [4, 4], [0, 0]), 0, width, -1), 0, 2, 1);
        for (int k = 0; k < 2; k++)
        {
            var y = g.Transpose(g.LayerNorm(x, $"b{k}.norm1", width), 0, 2, 1);
            x = g.Add(x, g.Transpose(g.FeedForward(y, $"b{k}.token", tokens, 10), 0, 2, 1));
            x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"b{k}.norm2", width), $"b{k}.channel", width, 40));
        }
        x = g.Node("ReduceMean", g.LayerNorm(x, "norm", width), ("axes", new[] { 1 }), ("keepdims", 0));
        return g.Output(g.Gemm(x, "head", width, 5), "batch", 5);
    }

    /// <summary>Backbone, one encoder and one decoder layer with queries of their own, post-normalised, sequence first.</summary>
    private static GraphBuilder Detr()
    {
        const int width = 16, heads = 4, dim = 4, queries = 6;
        var g = new GraphBuilder(61);
        var x = g.Input("x", 1, 3, 16, 16);
        x = g.Relu(g.Conv(g.Relu(g.Conv(x, "stem", 3, 8, new(3, Stride: 2))), "body", 8, 20, new(3, Stride: 2)));
        x = g.Conv(x, "project", 20, width, 1);
        x = g.Transpose(g.Flatten2(x, width), 2, 0, 1);
        var position = g.Weight("position", 16, 1, width);

        // nn.MultiheadAttention: [s, b, e] to [b·h, s, d].
        string Attention(string q, string k, string v, string name, int target, int source)
        {
            string Project(string y, string part, int length)
                => g.Transpose(g.Reshape(g.Linear(y, $"{name}.{part}", width, width), length, heads, dim), 1, 0, 2);
            var scores = g.MatMul(g.Mul(Project(q, "q", target), g.Number(0.5f)), g.Transpose(Project(k, "k", source), 0, 2, 1));
            var y = g.Transpose(g.MatMul(g.Softmax(scores), Project(v, "v", source)), 1, 0, 2);
            return g.Reshape(g.Gemm(g.Reshape(y, target, width), $"{name}.o", width, width), target, 1, width);
        }
        var at = g.Add(x, position);
        x = g.LayerNorm(g.Add(x, Attention(at, at, x, "enc", 16, 16)), "enc.norm1", width);
        x = g.LayerNorm(g.Add(x, g.FeedForward(x, "enc.ffn", width, 24, g.Relu)), "enc.norm2", width);
        var query = g.Weight("query", queries, 1, width);
        // The decoder's stream starts from zeros.
        var target = g.Node("ConstantOfShape", g.Longs(queries, 1, width));
        var own = g.Add(target, query);
        var t = g.LayerNorm(g.Add(target, Attention(own, own, target, "dec.self", queries, queries)), "dec.norm1", width);
        t = g.LayerNorm(g.Add(t, Attention(g.Add(t, query), g.Add(x, position), x, "dec.cross", queries, 16)), "dec.norm2", width);
        t = g.LayerNorm(g.Add(t, g.FeedForward(t, "dec.ffn", width, 24, g.Relu)), "dec.norm3", width);
        t = g.Transpose(t, 1, 0, 2);
        g.Output(g.Linear(t, "class", width, 5), 1, queries, 5);
        return g.Output(g.Sigmoid(g.Linear(g.Relu(g.Linear(g.Relu(g.Linear(t, "box1", width, 10)), "box2", 10, 10)), "box3", 10, 4)),
            1, queries, 4);
    }

    private static string Flatten2(this GraphBuilder g, string x, int channels) => g.Reshape(x, 1, channels, -1);
}
