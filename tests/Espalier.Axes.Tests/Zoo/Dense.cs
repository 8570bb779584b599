using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>Networks with an answer for every pixel: segmentation, detection, super-resolution, diffusion.</summary>
internal static class Dense
{
    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("DeepLab v3", DeepLab)
        {
            Exact = "Channels 13", Share = 0.99, Stays = ZooModel.Image, Sizes = [("height", 24), ("width", 32)],
            Groups = c => c.Group("aspp.pool.weight", 0, 6, Axis.Channels, ("project.weight", 1))
                .Group("project.weight", 0, 10, Axis.Channels, ("head.weight", 1)),
        },
        new("LRASPP", LrAspp)
        {
            Exact = "Channels 4", Share = 0.99, Stays = ZooModel.Image, Sizes = [("height", 32), ("width", 24)],
            Groups = c => c.Group("cbr.weight", 0, 12, Axis.Channels, ("scale.weight", 0), ("high.weight", 1)),
        },
        new("U-Net, cropped", () => UNet(crop: true))
        {
            Exact = "Channels 10", Share = 0.99, Stays = [.. ZooModel.Image, "ConvTranspose: the positions along 'k' have a meaning each"],
            Groups = c => c.Group("up1.weight", 1, 8, Axis.Channels, ("dec1a.weight", 1))
                .Group("enc1b.weight", 0, 6, Axis.Channels, ("dec1a.weight", 1), ("enc2a.weight", 1)),
        },
        new("U-Net, padded", () => UNet(crop: false))
        {
            Exact = "Channels 10", Share = 0.99, Stays = [.. ZooModel.Image, "ConvTranspose: the positions along 'k' have a meaning each"],
            Groups = c => c.Group("up1.weight", 1, 8, Axis.Channels, ("dec1a.weight", 1))
                .Group("enc1b.weight", 0, 6, Axis.Channels, ("dec1a.weight", 1), ("enc2a.weight", 1)),
        },
        new("FPN with shared heads", FeaturePyramid)
        {
            Exact = "Channels 6", Share = 0.98, Stays = ZooModel.Image, Sizes = [("height", 32), ("width", 32)],
            Groups = c => c.Group("lateral0.weight", 0, 12, Axis.Channels, ("lateral1.weight", 0), ("smooth0.weight", 1))
                .Group("cls1.weight", 0, 10, Axis.Channels, ("cls2.weight", 1)),
        },
        new("YOLO", Yolo)
        {
            Exact = "Channels 18", Share = 0.98,
            Stays = [.. ZooModel.Image, "Conv: positions of a window", "Resize: an operand that is read as it is",
                "Softmax: it is normalised over this axis, and a zeroed unit still carries exp(0)"],
            Groups = c => c.Group("c2f.in.weight", 0, 8, Axis.Channels, ("c2f.out.weight", 1))
                .Group("head0.box1.weight", 0, 6, Axis.Channels, ("head0.box2.weight", 1)),
        },
        new("Super-resolution (ESPCN)", Espcn)
        {
            Exact = "Channels 2", Share = 0.99,
            Stays = ["Conv: the positions along 'k' have a meaning each", "graph output: its shape is the model's interface"],
            Groups = c => c.Group("c1.weight", 0, 12, Axis.Channels, ("c2.weight", 1)),
        },
        new("Super-resolution (EDSR)", Edsr)
        {
            Exact = "Channels 4", Share = 0.99, Stays = [.. ZooModel.Image, "DepthToSpace: its size is the attribute blocksize"],
            Groups = c => c.Group("stem.weight", 0, 8, Axis.Channels, ("b0.c2.weight", 0), ("up.weight", 1))
                .Group("up.weight", 0, 6, null, ("out.weight", 1)),
        },
        new("CoordConv", CoordConv)
        {
            Exact = "Channels 2", Share = 0.97, Stays = [.. ZooModel.Image, "Conv: positions of a window"],
            Groups = c => c.Group("c1.weight", 0, 10, Axis.Channels, ("c2.weight", 1)),
        },
        new("Diffusion U-Net", Diffusion)
        {
            Exact = "Channels 6, Neurons 3, Heads 2, HeadDims 2, ValueDims 2", Share = 0.95,
            Stays = [.. ZooModel.Image, "InstanceNormalization: a statistic runs over this axis",
                "LayerNormalization: a statistic runs over this axis", "Resize: an operand that is read as it is",
                "all of its units hang together, or each is taken by a constant index"],
            Groups = c => c.Group("mid.q.weight", 1, 2, Axis.Heads, ("mid.k.weight", 1), ("mid.o.weight", 0)),
        },
    ];

    private static GraphBuilder DeepLab()
    {
        var g = new GraphBuilder(71);
        var image = g.Input("x", "batch", 3, "height", "width");
        var x = g.Relu(g.Conv(g.Relu(g.Conv(image, "stem", 3, 8, new(3, Stride: 2))), "l1", 8, 12, new(3, Stride: 2)));
        foreach (int dilation in (int[])[1, 2])
        {
            var y = g.Relu(g.Conv(x, $"b{dilation}.a", 12, 8, 1));
            y = g.Relu(g.Convolution(y, $"b{dilation}.b", 8, 8, [3, 3], dilation: dilation));
            x = g.Relu(g.Add(g.Conv(y, $"b{dilation}.c", 8, 12, 1), x));
        }
        var parts = new List<string> { g.Relu(g.Conv(x, "aspp.one", 12, 6, 1)) };
        foreach (int dilation in (int[])[2, 3, 4])
            parts.Add(g.Relu(g.Convolution(x, $"aspp.d{dilation}", 12, 6, [3, 3], dilation: dilation)));
        parts.Add(g.Interpolate(g.Relu(g.Conv(g.GlobalPool(x), "aspp.pool", 12, 6, 1)), g.Spatial(x)));
        x = g.Relu(g.Conv(g.Concat(1, [.. parts]), "project", 30, 10, 1));
        x = g.Conv(g.Relu(g.Conv(x, "head", 10, 10)), "classes", 10, 4, 1);
        return g.Output(g.Interpolate(x, g.Spatial(image)), "batch", 4, "height", "width");
    }

    private static GraphBuilder LrAspp()
    {
        var g = new GraphBuilder(73);
        var image = g.Input("x", "batch", 3, "height", "width");
        string Swish(string t) => g.Node("HardSwish", t);
        var low = Swish(g.Conv(image, "low", 3, 8, new(3, Stride: 2)));
        var high = Swish(g.Conv(g.Relu(g.Conv(low, "mid", 8, 10, new(3, Stride: 2))), "high0", 10, 14, new(3, Stride: 2)));
        var x = g.Mul(g.Relu(g.Conv(high, "cbr", 14, 12, new(1))),
            g.Sigmoid(g.Conv(g.GlobalPool(high), "scale", 14, 12, new(1, Bias: false))));
        x = g.Interpolate(x, g.Spatial(low));
        x = g.Add(g.Conv(low, "low.classes", 8, 4, 1), g.Conv(x, "high", 12, 4, 1));
        return g.Output(g.Interpolate(x, g.Spatial(image)), "batch", 4, "height", "width");
    }

    private static GraphBuilder UNet(bool crop)
    {
        var g = new GraphBuilder(79);
        var x = g.Input("x", "batch", 3, 32, 32);
        int pad = crop ? 0 : 1;
        string Double(string y, string name, int inputs, int outputs)
            => g.Relu(g.Convolution(g.Relu(g.Convolution(y, $"{name}a", inputs, outputs, [3, 3], pad: [pad, pad])), $"{name}b", outputs,
                outputs, [3, 3], pad: [pad, pad]));
        // Valid convolutions lose the border: 32, 28, 14, 10, 5 and back to 10, 20; the skip is cropped to the centre.
        var e1 = Double(x, "enc1", 3, 6);
        var e2 = Double(g.MaxPool(e1, 2, 2), "enc2", 6, 10);
        var y = Up(g.MaxPool(e2, 2, 2), "up2", 10, 10);
        y = Double(g.Concat(1, Crop(e2, 10, 10), Pad(y, e2)), "dec2", 20, 10);
        y = Up(y, "up1", 10, 8);
        y = Double(g.Concat(1, Crop(e1, 28, 12), Pad(y, e1)), "dec1", 14, 6);
        return g.Output(g.Conv(y, "out", 6, 4, 1));

        string Up(string t, string name, int inputs, int outputs) => g.Node("ConvTranspose",
            [t, g.Weight($"{name}.weight", inputs, outputs, 2, 2), g.Weight($"{name}.bias", outputs)], ("kernel_shape", new[] { 2, 2 }),
            ("strides", new[] { 2, 2 }));

        string Crop(string t, int from, int to)
        {
            if (!crop) return t;
            int at = (from - to) / 2;
            return from == to ? t : g.Slice(g.Slice(t, 2, at, at + to), 3, at, at + to);
        }

        // F.pad by the difference of two sizes, as the exporter computes it from Shape.
        string Pad(string t, string to)
        {
            if (crop) return t;
            string Difference(int axis) => g.Unsqueeze(g.Node("Sub", [g.Dim(to, axis), g.Dim(t, axis)]), 0);
            var (h, w) = (Difference(2), Difference(3));
            string Half(string d) => g.Node("Div", [d, g.Longs(2)]);
            var pads = g.Concat(0, g.Longs(0, 0), Half(h), Half(w), g.Longs(0, 0), g.Node("Sub", [h, Half(h)]),
                g.Node("Sub", [w, Half(w)]));
            return g.Node("Pad", [t, pads, g.Number(0)], ("mode", "constant"));
        }
    }

    private static GraphBuilder FeaturePyramid()
    {
        var g = new GraphBuilder(83);
        var x = g.Input("x", "batch", 3, "height", "width");
        var levels = new List<(string X, int Channels)>();
        int channels = 3;
        foreach (int outputs in (int[])[6, 8, 10])
            levels.Add((x = g.Relu(g.Conv(x, $"c{levels.Count}", channels, channels = outputs, new(3, Stride: 2))), outputs));
        string? above = null;
        var maps = new string[3];
        for (int k = 2; k >= 0; k--)
        {
            var inner = g.Conv(levels[k].X, $"lateral{k}", levels[k].Channels, 12, 1);
            if (above is not null) inner = g.Add(inner, g.Interpolate(above, g.Spatial(inner), "nearest"));
            above = inner;
            maps[k] = g.Conv(inner, $"smooth{k}", 12, 12);
        }
        // One head for all levels: the same weights, flattened to [b, positions·anchors, classes] and joined.
        string[] weights = [g.Weight("cls1.weight", 10, 12, 3, 3), g.Weight("cls1.bias", 10), g.Weight("cls2.weight", 15, 10, 3, 3),
            g.Weight("cls2.bias", 15)];
        var scores = maps.Select(m =>
        {
            string Shared(string t, int k)
                => g.Node("Conv", [t, weights[2 * k], weights[(2 * k) + 1]], ("kernel_shape", new[] { 3, 3 }),
                    ("pads", new[] { 1, 1, 1, 1 }));
            var t = Shared(g.Relu(Shared(m, 0)), 1);
            var (b, h, w) = (g.Dim(t, 0), g.Dim(t, 2), g.Dim(t, 3));
            return g.View(g.Transpose(g.View(t, b, -1, 5, h, w), 0, 3, 4, 1, 2), b, -1, 5);
        });
        return g.Output(g.Concat(1, [.. scores]));
    }

    private static GraphBuilder Yolo()
    {
        var g = new GraphBuilder(89);
        var x = g.Silu(g.Conv(g.Input("x", "batch", 3, 32, 32), "stem", 3, 8, new(3, Stride: 2)));
        string Unit(string t, string name, int i, int o, int k, int s = 1) => g.Silu(g.Conv(t, name, i, o, new(k, Stride: s)));
        // C2f: split, a chain of bottlenecks, everything joined.
        x = Unit(x, "down1", 8, 16, 3, 2);
        var halves = g.Split(Unit(x, "c2f.in", 16, 16, 1), 1, 8, 8);
        var a = g.Add(halves[1], Unit(Unit(halves[1], "c2f.a1", 8, 6, 3), "c2f.a2", 6, 8, 3));
        var b = Unit(Unit(a, "c2f.b1", 8, 6, 3), "c2f.b2", 6, 8, 3);
        var p3 = Unit(g.Concat(1, halves[0], halves[1], a, b), "c2f.out", 32, 16, 1);
        // SPPF: one pool, three times.
        var y = Unit(Unit(p3, "down2", 16, 20, 3, 2), "sppf.in", 20, 10, 1);
        var m1 = g.MaxPool(y, 5, 1, 2);
        var m2 = g.MaxPool(m1, 5, 1, 2);
        var p4 = Unit(g.Concat(1, y, m1, m2, g.MaxPool(m2, 5, 1, 2)), "sppf.out", 40, 20, 1);
        var up = g.Node("Resize", [p4, "", g.Floats(g.Fresh("scales"), [1, 1, 2, 2], 4)], ("mode", "nearest"),
            ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"));
        var n3 = Unit(g.Concat(1, up, p3), "neck", 36, 12, 1);
        var n4 = Unit(g.Concat(1, Unit(n3, "neck.down", 12, 12, 3, 2), p4), "neck2", 32, 14, 1);
        // Heads: boxes (four sides in 4 bins) and classes; joined, split, decoded.
        var flat = new List<string>();
        foreach (var (t, i, channels, size) in ((string, int, int, int)[])[(n3, 0, 12, 8), (n4, 1, 14, 4)])
        {
            var box = g.Conv(Unit(t, $"head{i}.box1", channels, 6, 3), $"head{i}.box2", 6, 16, 1);
            var cls = g.Conv(Unit(t, $"head{i}.cls1", channels, 8, 3), $"head{i}.cls2", 8, 3, 1);
            flat.Add(g.Reshape(g.Concat(1, box, cls), 0, 19, size * size));
        }
        var parts = g.Split(g.Concat(2, [.. flat]), 1, 16, 3);
        // Distribution focal loss: softmax over the bins, then a convolution with 0, 1, 2, 3.
        var bins = g.Softmax(g.Transpose(g.Reshape(parts[0], 0, 4, 4, 80), 0, 2, 1, 3), 1);
        var distance =
            g.Reshape(g.Node("Conv", [bins, g.Floats("dfl", [0, 1, 2, 3], 1, 4, 1, 1)], ("kernel_shape", new[] { 1, 1 })), 0, 4, 80);
        var anchors = g.Weight("anchors", 2, 80);
        var lt = g.Node("Sub", [anchors, g.Slice(distance, 1, 0, 2)]);
        var rb = g.Add(anchors, g.Slice(distance, 1, 2, 4));
        var boxes = g.Concat(1, g.Node("Div", [g.Add(lt, rb), g.Number(2)]), g.Node("Sub", [rb, lt]));
        return g.Output(g.Concat(1, g.Mul(boxes, g.Positive("strides", 1, 80)), g.Sigmoid(parts[1])), "batch", 7, 80);
    }

    private static GraphBuilder Espcn()
    {
        var g = new GraphBuilder(97);
        var x = g.Node("Tanh", g.Conv(g.Input("x", "batch", 1, 12, 12), "c1", 1, 12, 5));
        x = g.Conv(g.Node("Tanh", g.Conv(x, "c2", 12, 8)), "c3", 8, 9);
        // PixelShuffle(3) before operator set 11 had the mode: reshape, transpose, reshape.
        x = g.Reshape(g.Transpose(g.Reshape(x, -1, 1, 3, 3, 12, 12), 0, 1, 4, 2, 5, 3), -1, 1, 36, 36);
        return g.Output(x, "batch", 1, 36, 36);
    }

    private static GraphBuilder Edsr()
    {
        var g = new GraphBuilder(101);
        var x = g.Conv(g.Input("x", "batch", 3, 12, 12), "stem", 3, 8);
        var y = x;
        for (int k = 0; k < 2; k++) y = g.Add(g.Mul(g.Conv(g.Relu(g.Conv(y, $"b{k}.c1", 8, 12)), $"b{k}.c2", 12, 8), g.Number(0.1f)), y);
        y = g.Add(g.Conv(y, "body", 8, 8), x);
        y = g.Node("DepthToSpace", g.Conv(y, "up", 8, 24), ("blocksize", 2), ("mode", "CRD"));
        return g.Output(g.Conv(y, "out", 6, 3), "batch", 3, 24, 24);
    }

    private static GraphBuilder CoordConv()
    {
        var g = new GraphBuilder(103);
        var x = g.Relu(g.Conv(g.Input("x", "batch", 3, 10, 10), "c0", 3, 6));
        // Coordinates as the exporter leaves them: constants, expanded to the batch, joined as two more channels.
        var b = g.Dim(x, 0);
        var line = g.Floats("line", [.. Enumerable.Range(0, 10).Select(i => (i / 4.5f) - 1)], 1, 1, 10, 1);
        var column = g.Transpose(line, 0, 1, 3, 2);
        string Plane(string t) => g.ExpandTo(t, b, 1, 10, 10);
        x = g.Relu(g.Conv(g.Concat(1, x, Plane(line), Plane(column)), "c1", 8, 10));
        return g.Output(g.Conv(x, "c2", 10, 4), "batch", 4, 10, 10);
    }

    private static GraphBuilder Diffusion()
    {
        const int width = 16, heads = 2, context = 10;
        var g = new GraphBuilder(107);
        var x = g.Input("x", "batch", 4, 8, 8);
        var time = g.Input("time", "batch", 8);
        var text = g.Input("text", "batch", 5, context);
        var embedding = g.Gemm(g.Silu(g.Gemm(time, "time1", 8, 20)), "time2", 20, 20);
        string ResNet(string y, string name, int inputs, int outputs)
        {
            var z = g.Conv(g.Silu(g.GroupNorm(y, $"{name}.norm1", inputs, 4)), $"{name}.conv1", inputs, outputs);
            z = g.Add(z, g.Unsqueeze(g.Unsqueeze(g.Gemm(g.Silu(embedding), $"{name}.time", 20, outputs), 2), 3));
            z = g.Conv(g.Silu(g.GroupNorm(z, $"{name}.norm2", outputs, 4)), $"{name}.conv2", outputs, outputs);
            return g.Add(inputs == outputs ? y : g.Conv(y, $"{name}.short", inputs, outputs, 1), z);
        }
        var stem = g.Conv(x, "stem", 4, 8);
        var d1 = ResNet(stem, "d1", 8, 8);
        var d2 = ResNet(g.Conv(d1, "down", 8, 8, new(Stride: 2)), "d2", 8, width);
        // Spatial transformer: normalise, to [b, h·w, c], attend to itself and to the text, gated feed-forward, and back.
        var t = g.Transpose(g.Conv(g.GroupNorm(d2, "mid.norm", width, 4), "mid.in", width, width, 1), 0, 2, 3, 1);
        t = g.View(t, g.Dim(t, 0), 16, width);
        string Attend(string y, string source, string name, int length, int inputs)
        {
            string Project(string z, string part, int i, int n)
                => g.Transpose(g.Reshape(g.Linear(z, $"{name}.{part}", i, width, bias: false), 0, n, heads, width / heads), 0, 2, 1, 3);
            var a = g.Attend(Project(y, "q", width, 16), Project(source, "k", inputs, length), Project(source, "v", inputs, length), 0.35f);
            return g.Linear(g.MergeHeads(a, width), $"{name}.o", width, width);
        }
        var n = g.LayerNorm(t, "mid.ln1", width);
        t = g.Add(Attend(n, n, "mid", 16, width), t);
        t = g.Add(Attend(g.LayerNorm(t, "mid.ln2", width), text, "cross", 5, context), t);
        var parts = g.Split(g.Linear(g.LayerNorm(t, "mid.ln3", width), "geglu", width, 48), 2, 24, 24);
        t = g.Add(g.Linear(g.Mul(parts[0], g.Gelu(parts[1])), "ff", 24, width), t);
        var back = g.Transpose(g.Reshape(t, 0, 4, 4, width), 0, 3, 1, 2);
        var y = g.Add(g.Conv(back, "mid.out", width, width, 1), d2);
        y = g.Conv(g.Node("Resize", [y, "", g.Floats("scales", [1, 1, 2, 2], 4)], ("mode", "nearest"),
            ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")), "up", width, 12);
        y = ResNet(g.Concat(1, y, d1), "u1", 20, 8);
        return g.Output(g.Conv(g.Silu(g.GroupNorm(y, "out.norm", 8, 4)), "out", 8, 4), "batch", 4, 8, 8);
    }
}
