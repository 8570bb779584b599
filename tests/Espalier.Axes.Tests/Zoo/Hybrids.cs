using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>
/// Networks with a structure of their own: split attention, attention across channels, gated positions, weighted fusion, modulated weights.
/// </summary>
internal static class Hybrids
{
    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("ResNeSt", ResNeSt)
        {
            Exact = "Channels 7", Share = 0.99,
            Stays = [.. ZooModel.Image, "Softmax: it is normalised over this axis, and a zeroed unit still carries exp(0)"],
            Groups = c => c.Group("b0.radix.weight", 0, 4, null, ("b0.fc1.weight", 1), ("b0.c3.weight", 1)),
        },
        new("XCiT", XCiT)
        {
            Exact = "Neurons 2, Heads 2", Share = 0.64,
            Stays = [.. ZooModel.Image, "LayerNormalization: a statistic runs over this axis",
                "Softmax: it is normalised over this axis, and a zeroed unit still carries exp(0)"],
            Groups = c => c.Group("b0.qkv.weight", 1, 3, Axis.Heads, ("b0.temperature", 0), ("b0.proj.weight", 0)),
        },
        new("gMLP", GatedMlp)
        {
            Exact = "Neurons 1", Share = 0.15, Stays = [.. ZooModel.Interface, "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("head.weight", 1, 12, null),
        },
        new("SegFormer", SegFormer)
        {
            Exact = "Channels 3, Neurons 2, Heads 2, HeadDims 2", Share = 0.52,
            Stays = [.. ZooModel.Image, "LayerNormalization: a statistic runs over this axis"], Sizes = [("height", 32), ("width", 32)],
            Groups = c => c.Group("s0.q.weight", 1, 3, Axis.Heads, ("s0.kv.weight", 1), ("s0.o.weight", 0))
                .Group("s0.dw.weight", 0, 24, null, ("s0.fc1.weight", 1), ("s0.fc2.weight", 0)),
        },
        new("BiFPN", BiFpn)
        {
            Exact = "Channels 4", Share = 0.98,
            Stays = [.. ZooModel.Image, "Resize: an operand that is read as it is",
                "all of its units hang together, or each is taken by a constant index"],
            Groups = c => c.Group("lateral0.weight", 0, 10, Axis.Channels, ("lateral1.weight", 0), ("n0.pw.weight", 0)),
        },
        new("HRNet", HrNet)
        {
            Exact = "Channels 4", Share = 0.99, Stays = [.. ZooModel.Image, "Resize: an operand that is read as it is"],
            Groups = c => c.Group("high.weight", 0, 6, Axis.Channels, ("up.weight", 0))
                .Group("low.weight", 0, 10, Axis.Channels, ("down.weight", 0)),
        },
        new("WaveNet", WaveNet)
        {
            Exact = "Channels 6", Share = 0.98,
            Stays = ["Conv: the positions along 'k' have a meaning each", "graph output: its shape is the model's interface"],
            Sizes = [("time", 24)],
            Groups = c =>
                c.Group("l0.filter.weight", 0, 8, Axis.Channels, ("l0.gate.weight", 0), ("l0.res.weight", 1), ("l0.skip.weight", 1))
                    .Group("l0.skip.weight", 0, 14, Axis.Channels, ("l2.skip.weight", 0), ("end1.weight", 1)),
        },
        new("Conformer", Conformer)
        {
            Exact = "Channels 2, Neurons 1, Heads 1, HeadDims 1, ValueDims 1, Other 1", Share = 0.91,
            Stays = ["Conv: the positions along 'k' have a meaning each", "LayerNormalization: a statistic runs over this axis",
                "graph output: its shape is the model's interface"], Sizes = [("frames", 32)],
            Groups = c => c.Group("glu.weight", 0, 14, null, ("dw.weight", 0), ("pw2.weight", 1))
                .Group("att.q.weight", 1, 3, Axis.Heads, ("att.o.weight", 0), ("att.u", 0), ("att.pos.weight", 1)),
        },
        new("StyleGAN block", StyleGan)
        {
            Exact = "Neurons 2, HeadDims 1, Other 1", Share = 0.99,
            Stays = [.. ZooModel.Image, "Conv: the positions along 'x' have a meaning each"],
            Groups = c => c.Group("map1.weight", 0, 14, Axis.Neurons, ("map2.weight", 1)),
        },
        new("Vector-quantised autoencoder", VectorQuantised)
        {
            Exact = "Channels 3", Share = 0.99,
            Stays = [.. ZooModel.Image, "ArgMin: its positions become data", "ConvTranspose: the positions along 'k' have a meaning each"],
            Groups = c => c.Group("enc1.weight", 0, 10, Axis.Channels, ("enc2.weight", 1))
                .Group("dec1.weight", 1, 12, Axis.Channels, ("dec2.weight", 0)),
        },
    ];

    private static GraphBuilder ResNeSt()
    {
        const int radix = 2, width = 4;
        var g = new GraphBuilder(261);
        var x = g.Relu(g.Conv(g.Input("x", "batch", 3, 12, 12), "stem", 3, 8));
        for (int k = 0; k < 2; k++)
        {
            var y = g.Relu(g.Conv(g.Relu(g.Conv(x, $"b{k}.c1", 8, 8, 1)), $"b{k}.radix", 8, width * radix, new(3, Group: radix)));
            // The parts of the radix are summed, gated against each other by a softmax, and summed again.
            var parts = g.View(y, g.Dim(y, 0), radix, width, 12, 12);
            var gap = g.GlobalPool(g.Node("ReduceSum", [parts, g.Longs(1)], ("keepdims", 0)));
            var gate = g.Conv(g.Relu(g.Conv(gap, $"b{k}.fc1", width, 6, 1)), $"b{k}.fc2", 6, width * radix, 1);
            gate = g.Softmax(g.Transpose(g.View(gate, g.Dim(gate, 0), 1, radix, width), 0, 2, 1, 3), 1);
            gate = g.View(gate, g.Dim(gate, 0), radix, width, 1, 1);
            y = g.Node("ReduceSum", [g.Mul(parts, gate), g.Longs(1)], ("keepdims", 0));
            x = g.Relu(g.Add(g.Conv(y, $"b{k}.c3", width, 8, 1), x));
        }
        return g.Output(g.Gemm(g.Flatten(g.GlobalPool(x)), "fc", 8, 5), "batch", 5);
    }

    private static GraphBuilder XCiT()
    {
        const int heads = 3, dim = 4, width = 12;
        var g = new GraphBuilder(263);
        var x = g.Convolution(g.Input("x", "batch", 3, 16, 16), "patch", 3, width, [4, 4], [4, 4], [0, 0]);
        x = g.Transpose(g.Reshape(x, 0, width, -1), 0, 2, 1);
        for (int k = 0; k < 2; k++)
        {
            var n = g.LayerNorm(x, $"b{k}.norm1", width);
            var qkv = g.Transpose(g.Reshape(g.Linear(n, $"b{k}.qkv", width, 3 * width), 0, 16, 3, heads, dim), 2, 0, 3, 4, 1);
            // Attention between channels: queries and keys have length 1 over the positions.
            string Unit(string t)
                => g.Node("Div", [t, g.Node("Max", [g.Node("ReduceL2", t, ("axes", new[] { -1 }), ("keepdims", 1)), g.Number(1e-6f)])]);
            var scores = g.Mul(g.MatMul(Unit(g.Select(qkv, 0, 0)), g.Transpose(Unit(g.Select(qkv, 0, 1)), 0, 1, 3, 2)),
                g.Positive($"b{k}.temperature", heads, 1, 1));
            var a = g.Transpose(g.MatMul(g.Softmax(scores), g.Select(qkv, 0, 2)), 0, 3, 1, 2);
            x = g.Add(x, g.Mul(g.Positive($"b{k}.gamma1", width), g.Linear(g.Reshape(a, 0, 16, width), $"b{k}.proj", width, width)));
            // Local patch interaction: depthwise convolutions on the grid.
            var grid = g.Reshape(g.Transpose(g.LayerNorm(x, $"b{k}.norm3", width), 0, 2, 1), 0, width, 4, 4);
            grid = g.Conv(g.BatchNorm(g.Gelu(g.Conv(grid, $"b{k}.lpi1", width, width, new(3, Group: width))), $"b{k}.lpi.bn",
                width), $"b{k}.lpi2",
                width, width, new(3, Group: width));
            x = g.Add(x, g.Mul(g.Positive($"b{k}.gamma3", width), g.Transpose(g.Reshape(grid, 0, width, 16), 0, 2, 1)));
            x = g.Add(x, g.FeedForward(g.LayerNorm(x, $"b{k}.norm2", width), $"b{k}.mlp", width, 30));
        }
        return g.Output(g.Gemm(g.Node("ReduceMean", x, ("axes", new[] { 1 }), ("keepdims", 0)), "head", width, 5), "batch", 5);
    }

    private static GraphBuilder GatedMlp()
    {
        const int width = 12, hidden = 20, tokens = 9;
        var g = new GraphBuilder(269);
        var x = g.Linear(g.Input("x", "batch", tokens, 6), "in", 6, width);
        for (int k = 0; k < 2; k++)
        {
            var halves =
                g.Split(g.Gelu(g.Linear(g.LayerNorm(x, $"b{k}.norm", width), $"b{k}.up", width, hidden)), 2, hidden / 2, hidden / 2);
            // Spatial gating: one half, normalised and mixed over positions, gates the other.
            var gate = g.Transpose(g.LayerNorm(halves[1], $"b{k}.gate.norm", hidden / 2), 0, 2, 1);
            gate = g.Transpose(g.Linear(gate, $"b{k}.mix", tokens, tokens), 0, 2, 1);
            x = g.Add(x, g.Linear(g.Mul(halves[0], gate), $"b{k}.down", hidden / 2, width));
        }
        var pooled = g.Node("ReduceMean", x, ("axes", new[] { 1 }), ("keepdims", 0));
        return g.Output(g.Gemm(g.Relu(g.Linear(pooled, "head", width, 12)), "out", 12, 5), "batch", 5);
    }

    private static GraphBuilder SegFormer()
    {
        const int heads = 3, dim = 4, width = 12, classes = 4;
        var g = new GraphBuilder(271);
        var image = g.Input("x", "batch", 3, "height", "width");
        var maps = new List<string>();
        var x = image;
        int inputs = 3;
        for (int k = 0; k < 2; k++)
        {
            x = g.Convolution(x, $"s{k}.patch", inputs, width, [3, 3], [2, 2]);
            inputs = width;
            var (b, h, w) = (g.Dim(x, 0), g.Dim(x, 2), g.Dim(x, 3));
            string ToRows(string t, int channels) => g.Transpose(g.View(t, g.Dim(t, 0), channels, -1), 0, 2, 1);
            string ToMap(string t, int channels) => g.View(g.Transpose(t, 0, 2, 1), b, channels, h, w);
            var t = g.LayerNorm(ToRows(x, width), $"s{k}.norm0", width);
            // Keys and values from a reduced map, packed.
            var n = g.LayerNorm(t, $"s{k}.norm1", width);
            var reduced = g.LayerNorm(ToRows(g.Convolution(ToMap(n, width), $"s{k}.sr", width, width, [2, 2], [2, 2], [0, 0]), width),
                $"s{k}.sr.norm", width);
            var kv = g.Transpose(g.View(g.Linear(reduced, $"s{k}.kv", width, 2 * width), g.Dim(reduced, 0), -1, 2, heads, dim),
                2, 0, 3, 1, 4);
            var q = g.Transpose(g.View(g.Linear(n, $"s{k}.q", width, width), b, -1, heads, dim), 0, 2, 1, 3);
            var a = g.Transpose(g.Attend(q, g.Select(kv, 0, 0), g.Select(kv, 0, 1), 0.5f), 0, 2, 1, 3);
            t = g.Add(t, g.Linear(g.View(a, b, -1, width), $"s{k}.o", width, width));
            // The feed-forward has a depthwise convolution between its layers.
            var m = g.Linear(g.LayerNorm(t, $"s{k}.norm2", width), $"s{k}.fc1", width, 24);
            m = ToRows(g.Conv(ToMap(m, 24), $"s{k}.dw", 24, 24, new(3, Group: 24)), 24);
            t = g.Add(t, g.Linear(g.Gelu(m), $"s{k}.fc2", 24, width));
            x = ToMap(g.LayerNorm(t, $"s{k}.norm3", width), width);
            maps.Add(x);
        }
        var size = g.Spatial(maps[0]);
        var parts = maps.Select((m, k) =>
        {
            var (b, h, w) = (g.Dim(m, 0), g.Dim(m, 2), g.Dim(m, 3));
            var t = g.Linear(g.Transpose(g.View(m, b, width, -1), 0, 2, 1), $"head{k}", width, 10);
            return g.Interpolate(g.View(g.Transpose(t, 0, 2, 1), b, 10, h, w), size);
        });
        x = g.Relu(g.Conv(g.Concat(1, [.. parts.Reverse()]), "fuse", 20, 14, 1));
        return g.Output(g.Conv(x, "classes", 14, classes, 1));
    }

    private static GraphBuilder BiFpn()
    {
        var g = new GraphBuilder(277);
        var x = g.Input("x", "batch", 3, 16, 16);
        var levels = new List<string>();
        int channels = 3;
        foreach (int outputs in (int[])[6, 8])
            levels.Add(x = g.Silu(g.Conv(x, $"c{levels.Count}", channels, channels = outputs, new(3, Stride: 2))));
        var high = g.Conv(levels[0], "lateral0", 6, 10, 1);
        var low = g.Conv(levels[1], "lateral1", 8, 10, 1);
        // Fast normalised fusion: positive weights of the operands, divided by their sum.
        string Fuse(string name, params string[] parts)
        {
            var w = g.Relu(g.Positive($"{name}.w", parts.Length));
            w = g.Node("Div", [w, g.Add(g.Node("ReduceSum", [w, g.Longs(0)], ("keepdims", 0)), g.Number(1e-4f))]);
            var sum = parts.Select((p, k) => g.Mul(p, g.Select(w, 0, k))).Aggregate(g.Add);
            return g.Conv(g.Conv(g.Silu(sum), $"{name}.dw", 10, 10, new(3, Group: 10, Bias: false)), $"{name}.pw", 10, 10, 1);
        }
        string Up(string t)
            => g.Node("Resize", [t, "", g.Floats(g.Fresh("scales"), [1, 1, 2, 2], 4)], ("mode", "nearest"),
                ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"));
        var top = Fuse("n0", high, Up(low));
        var bottom = Fuse("n1", low, g.MaxPool(top, 3, 2, 1));
        g.Output(g.Conv(top, "out0", 10, 4, 1), "batch", 4, 8, 8);
        return g.Output(g.Conv(bottom, "out1", 10, 4, 1), "batch", 4, 4, 4);
    }

    private static GraphBuilder HrNet()
    {
        var g = new GraphBuilder(281);
        var x = g.Relu(g.Conv(g.Input("x", "batch", 3, 16, 16), "stem", 3, 8, new(3, Stride: 2)));
        var high = g.Relu(g.Conv(x, "high", 8, 6));
        var low = g.Relu(g.Conv(x, "low", 8, 10, new(3, Stride: 2)));
        var up = g.Node("Resize", [g.Conv(low, "up", 10, 6, 1), "", g.Floats("scales", [1, 1, 2, 2], 4)], ("mode", "nearest"),
            ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"));
        var (a, b) = (g.Relu(g.Add(high, up)), g.Relu(g.Add(g.Conv(high, "down", 6, 10, new(3, Stride: 2)), low)));
        var joined = g.Concat(1, a, g.Interpolate(b, g.Spatial(a)));
        return g.Output(g.Conv(g.Relu(g.Conv(joined, "head", 16, 16, 1)), "out", 16, 4, 1), "batch", 4, 8, 8);
    }

    private static GraphBuilder WaveNet()
    {
        var g = new GraphBuilder(283);
        var x = g.Convolution(g.Input("x", "batch", 1, "time"), "start", 1, 10, [1]);
        string? skips = null;
        for (int l = 0; l < 3; l++)
        {
            string Dilated(string part)
                => g.Node("Slice",
                    [g.Convolution(x, $"l{l}.{part}", 10, 8, [2], pad: [1 << l], dilation: 1 << l), g.Longs(0),
                        g.Longs(-(1 << l)), g.Longs(2)]);
            var y = g.Mul(g.Node("Tanh", Dilated("filter")), g.Sigmoid(Dilated("gate")));
            var skip = g.Convolution(y, $"l{l}.skip", 8, 14, [1]);
            skips = skips is null ? skip : g.Add(skips, skip);
            x = g.Add(g.Convolution(y, $"l{l}.res", 8, 10, [1]), x);
        }
        return g.Output(g.Convolution(g.Relu(g.Convolution(g.Relu(skips!), "end1", 14, 12, [1])), "end2", 12, 16, [1]));
    }

    private static GraphBuilder Conformer()
    {
        const int heads = 3, dim = 4, width = 12;
        var g = new GraphBuilder(293);
        var features = g.Unsqueeze(g.Input("features", "batch", "frames", 8), 1);
        // Subsampling by a strided convolution in two dimensions; channels and what is left of the features are flattened.
        var x = g.Transpose(g.Relu(g.Convolution(features, "sub", 1, 6, [3, 3], [2, 2])), 0, 2, 1, 3);
        x = g.Linear(g.View(x, g.Dim(x, 0), g.Dim(x, 1), 24), "sub.out", 24, width);
        x = g.Add(x, g.Mul(g.FeedForward(g.LayerNorm(x, "ff1.norm", width), "ff1", width, 30, g.Silu), g.Number(0.5f)));
        // Relative positions as in Transformer-XL: (q + u)·k and (q + v)·p, the second shifted by padding and a reshape.
        var n = g.LayerNorm(x, "att.norm", width);
        var (b, t) = (g.Dim(x, 0), g.Dim(x, 1));
        string Project(string part) => g.View(g.Linear(n, $"att.{part}", width, width), b, -1, heads, dim);
        var q = Project("q");
        var line = g.Node("Cast", g.Node("Range", [g.Int(0), t, g.Int(1)]), ("to", DataType.Float));
        var positions = g.Node("Sin",
            g.Mul(g.Unsqueeze(line, 1),
                g.Unsqueeze(g.Floats("rates", [.. Enumerable.Range(0, width).Select(i => 1f / (i + 1))], width), 0)));
        var p = g.Transpose(g.View(g.MatMul(g.Unsqueeze(positions, 0), g.Weight("att.pos.weight", width, width)), 1, -1, heads,
            dim), 0, 2, 3, 1);
        string With(string bias) => g.Transpose(g.Add(q, g.Weight($"att.{bias}", heads, dim)), 0, 2, 1, 3);
        var content = g.MatMul(With("u"), g.Transpose(Project("k"), 0, 2, 3, 1));
        var relative = g.MatMul(With("v"), p);
        var zeros = g.Node("ConstantOfShape", g.SizeList(b, heads, t, 1));
        var shifted = g.View(g.Concat(-1, zeros, relative), b, heads, g.Add(t, g.Int(1)), t);
        shifted = g.View(g.Slice(shifted, 2, 1, long.MaxValue), b, heads, t, t);
        var scores = g.Mul(g.Add(content, shifted), g.Number(0.5f));
        var a = g.MatMul(g.Softmax(scores), g.Transpose(Project("val"), 0, 2, 1, 3));
        x = g.Add(x, g.Linear(g.View(g.Transpose(a, 0, 2, 1, 3), b, -1, width), "att.o", width, width));
        // Convolution module: gated linear unit over channels, depthwise, batch norm.
        var y = g.Transpose(g.LayerNorm(x, "conv.norm", width), 0, 2, 1);
        var halves = g.Split(g.Convolution(y, "glu", width, 28, [1]), 1, 14, 14);
        y = g.Convolution(g.Mul(halves[0], g.Sigmoid(halves[1])), "dw", 14, 14, [5], group: 14);
        y = g.Convolution(g.Silu(g.BatchNorm(y, "bn", 14)), "pw2", 14, width, [1]);
        x = g.Add(x, g.Transpose(y, 0, 2, 1));
        return g.Output(g.Linear(g.LayerNorm(x, "norm", width), "out", width, 7));
    }

    /// <summary>
    /// The style scales the weight of the convolution, which is normalised per output and applied to the batch as groups.
    /// </summary>
    private static GraphBuilder StyleGan()
    {
        const int inputs = 8, outputs = 10, style = 12;
        var g = new GraphBuilder(307);
        var z = g.Input("z", 2, 6);
        var w = g.Node("LeakyRelu", g.Gemm(g.Node("LeakyRelu", g.Gemm(z, "map1", 6, 14)), "map2", 14, style));
        var x = g.ExpandTo(g.Weight("constant", 1, inputs, 4, 4), 2, -1, -1, -1);
        var scale = g.Reshape(g.Gemm(w, "affine", style, inputs), 2, 1, inputs, 1, 1);
        var kernel = g.Mul(g.Weight("conv", 1, outputs, inputs, 3, 3), scale);
        var rate = g.Node("Reciprocal",
            g.Node("Sqrt", g.Add(g.Node("ReduceSum", [g.Mul(kernel, kernel), g.Longs(2, 3, 4)], ("keepdims", 1)), g.Number(1e-8f))));
        kernel = g.Reshape(g.Mul(kernel, rate), 2 * outputs, inputs, 3, 3);
        x = g.Node("Conv", [g.Reshape(x, 1, 2 * inputs, 4, 4), kernel], ("group", 2), ("kernel_shape", new[] { 3, 3 }),
            ("pads", new[] { 1, 1, 1, 1 }));
        x = g.Node("LeakyRelu", g.Add(g.Reshape(x, 2, outputs, 4, 4), g.Weight("bias", 1, outputs, 1, 1)));
        return g.Output(g.Conv(x, "rgb", outputs, 3, 1), 2, 3, 4, 4);
    }

    /// <summary>The latent map is replaced by the nearest rows of a codebook.</summary>
    private static GraphBuilder VectorQuantised()
    {
        const int codes = 16, latent = 6;
        var g = new GraphBuilder(311);
        var x = g.Relu(g.Conv(g.Input("x", "batch", 3, 16, 16), "enc1", 3, 10, new(3, Stride: 2)));
        x = g.Transpose(g.Conv(x, "enc2", 10, latent, new(3, Stride: 2)), 0, 2, 3, 1);
        var rows = g.Reshape(x, -1, latent);
        var book = g.Weight("codebook", codes, latent);
        string Squares(string t) => g.Node("ReduceSumSquare", t, ("axes", new[] { 1 }), ("keepdims", 1));
        var distance = g.Node("Sub",
            [g.Add(Squares(rows), g.Transpose(Squares(book), 1, 0)), g.Mul(g.MatMul(rows, g.Transpose(book, 1, 0)), g.Number(2))]);
        var nearest = g.Node("ArgMin", distance, ("axis", 1), ("keepdims", 0));
        var y = g.Transpose(g.Node("Reshape", [g.Node("Gather", [book, nearest], ("axis", 0)), g.Node("Shape", x)]), 0, 3, 1, 2);
        string Up(string t, string name, int i, int o)
            => g.Node("ConvTranspose", [t, g.Weight($"{name}.weight", i, o, 4, 4), g.Weight($"{name}.bias", o)],
            ("kernel_shape", new[] { 4, 4 }), ("strides", new[] { 2, 2 }), ("pads", new[] { 1, 1, 1, 1 }));
        return g.Output(Up(g.Relu(Up(y, "dec1", latent, 12)), "dec2", 12, 3), "batch", 3, 16, 16);
    }
}
