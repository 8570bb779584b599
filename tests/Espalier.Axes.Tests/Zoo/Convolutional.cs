using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests.Zoo;

/// <summary>Convolutional classifiers as torchvision has them.</summary>
internal static class Convolutional
{
    public static IReadOnlyList<ZooModel> Models { get; } =
    [
        new("ShuffleNet v1", () => ShuffleNetV1(group: 2, middle: 8))
        {
            Exact = "Channels 6", Share = 0.98, Stays = ZooModel.Image,
            Groups = c => c.Group("s1.c1.weight", 0, 2, Axis.Channels, ("s1.dw.weight", 0), ("s1.c3.weight", 1))
                .Group("stem.weight", 0, 6, Axis.Channels, ("fc.weight", 1)),
        },
        // Three groups of two, shuffled, are read as three groups of two again: every unit of the middle hangs on every other.
        new("ShuffleNet v1, odd groups", () => ShuffleNetV1(group: 3, middle: 6))
        {
            Exact = "Channels 1", Share = 0.81,
            Stays = [.. ZooModel.Image, "all of its units hang together, or each is taken by a constant index"],
            Groups = c => c.Group("stem.weight", 0, 4, Axis.Channels, ("s1.c3.weight", 0), ("fc.weight", 1))
                .Frozen("s1.c1.weight", 0, "each is taken by a constant index"),
        },
        new("ShuffleNet v2", () => ShuffleNetV2(literal: true))
        {
            Exact = "Channels 14", Share = 0.99, Stays = ZooModel.Image, Groups = OfShuffleNetV2,
        },
        new("ShuffleNet v2, sizes from Shape", () => ShuffleNetV2(literal: false))
        {
            Exact = "Channels 14", Share = 0.99, Stays = ZooModel.Image, Groups = OfShuffleNetV2,
        },
        new("EfficientNet", EfficientNet)
        {
            Exact = "Channels 9", Share = 0.99, Stays = ZooModel.Image,
            Groups = c =>
                c.Group("b1.expand.weight", 0, 24, Axis.Channels, ("b1.dw.weight", 0), ("b1.se.fc1.weight", 1),
                    ("b1.se.fc2.weight", 0), ("b1.project.weight", 1))
                .Group("b1.project.weight", 0, 10, Axis.Channels, ("b2.project.weight", 0), ("head.weight", 1)),
        },
        new("RegNet Y", RegNet)
        {
            Exact = "Channels 15", Share = 0.99, Stays = ZooModel.Image,
            Groups = c => c.Group("b1.b.weight", 0, 4, null, ("b1.c.weight", 1), ("b1.se.fc1.weight", 1))
                .Group("b1.a.weight", 0, 4, null, ("b1.b.weight", 1))
                .Group("b0.c.weight", 0, 16, Axis.Channels, ("b0.shortcut.weight", 0), ("b1.c.weight", 0)),
        },
        new("Inception v3", InceptionV3)
        {
            Exact = "Channels 19", Share = 0.99,
            Stays = ["Conv: the positions along 'k' have a meaning each",
                "all of its units hang together, or each is taken by a constant index", "graph output: its shape is the model's interface"],
            Groups = c => c.Group("e.b3_2a.weight", 0, 6, Axis.Channels, ("fc.weight", 1))
                .Group("e.b3_1.weight", 0, 8, Axis.Channels, ("e.b3_2a.weight", 1), ("e.b3_2b.weight", 1))
                .Group("a.b1.weight", 0, 6, Axis.Channels, ("b.b3.weight", 1), ("c.b1.weight", 1), ("c.pool.weight", 1)),
        },
        new("GoogLeNet", GoogLeNet)
        {
            Exact = "Channels 19", Share = 0.99, Stays = ZooModel.Image,
            Groups = c => c.Group("i3a.b2_2.weight", 0, 10, Axis.Channels, ("i3b.b1.weight", 1), ("i3b.b4.weight", 1))
                .Group("i4a.b4.weight", 0, 6, Axis.Channels, ("fc.weight", 1)),
        },
        new("R(2+1)D", ResNet2Plus1)
        {
            Exact = "Channels 9", Share = 0.99, Stays = ZooModel.Image,
            Groups = c => c.Group("stem2.weight", 0, 10, Axis.Channels, ("l1.c2.time.weight", 0), ("l2.down.weight", 1))
                .Group("l1.c1.space.weight", 0, 12, Axis.Channels, ("l1.c1.time.weight", 1)),
        },
        new("ConvNeXt", ConvNeXt)
        {
            Exact = "Neurons 3", Share = 0.47, Stays = [.. ZooModel.Image, "LayerNormalization: a statistic runs over this axis"],
            Groups = c => c.Group("b0.fc1.weight", 1, 32, Axis.Neurons, ("b0.fc2.weight", 0))
                .Inexact("stem.weight", 0, 8, "LayerNormalization"),
        },
        new("GhostNet", GhostNet)
        {
            Exact = "Channels 5", Share = 0.96, Stays = ZooModel.Image,
            Groups = c =>
                c.Group("b0.g1.primary.weight", 0, 8, Axis.Channels, ("b0.g1.cheap.weight", 0), ("b0.se.fc1.weight", 1),
                    ("b0.g2.primary.weight", 1))
                .Group("stem.weight", 0, 4, Axis.Channels, ("b0.g2.primary.weight", 0)),
        },
        new("SENet", SeNet)
        {
            Exact = "Channels 8, Neurons 2", Share = 0.99, Stays = ZooModel.Image,
            Groups = c =>
                c.Group("l1.c3.weight", 0, 16, Axis.Channels, ("l1.fc1.weight", 1), ("l1.fc2.weight", 0), ("l2.c3.weight", 0),
                    ("fc.weight", 1)).Group("l1.fc1.weight", 0, 4, Axis.Neurons, ("l1.fc2.weight", 1)),
        },
        new("DenseNet", DenseNet)
        {
            Exact = "Channels 14", Share = 0.99, Stays = ZooModel.Image,
            Groups = c =>
                c.Group("b0.0.c2.weight", 0, 4, Axis.Channels, ("b0.1.n1.scale", 0), ("b0.2.c1.weight", 1), ("t0.conv.weight", 1)),
        },
    ];

    private static (GraphBuilder G, string X) Images(int size, int channels = 3)
    {
        var g = new GraphBuilder(41);
        return (g, g.Input("x", "batch", channels, size, size));
    }

    private static string ConvBn(GraphBuilder g, string x, string name, int inputs, int outputs, int k, int stride = 1, int group = 1)
        => g.BatchNorm(g.Conv(x, name, inputs, outputs, new(k, Group: group, Bias: false, Stride: stride)), $"{name}.bn", outputs);

    private static GraphBuilder Head(GraphBuilder g, string x, int channels)
        => g.Output(g.Gemm(g.Flatten(g.GlobalPool(x)), "fc", channels, 10), "batch", 10);

    private static void OfShuffleNetV2(RuleCheck check) => check
        .Group("stage12.1.pw1.weight", 0, 12, Axis.Channels, ("stage12.1.dw.weight", 0), ("stage12.1.pw2.weight", 1))
        .Group("conv5.weight", 0, 32, Axis.Channels, ("fc.weight", 1))
        .Group("stage12.0.left.pw.weight", 0, 6, null, ("stage12.0.right.pw2.weight", 0));

    private static GraphBuilder ShuffleNetV1(int group, int middle)
    {
        var (g, x) = Images(16);
        x = g.MaxPool(g.Relu(g.Conv(x, "stem", 3, 12, new(3, Stride: 2))), 3, 2, 1);
        // The first unit joins its shortcut and has no groups before the shuffle; the others add it.
        foreach (var (name, inputs, outputs, stride, size) in ((string, int, int, int, int)[])[("s0", 12, 12, 2, 4), ("s1", 24, 24, 1, 2),
            ("s2", 24, 24, 1, 2)])
        {
            var y = g.Relu(g.Conv(x, $"{name}.c1", inputs, middle, new(1, Group: stride == 2 ? 1 : group)));
            y = g.Reshape(g.Transpose(g.Reshape(y, -1, group, middle / group, size, size), 0, 2, 1, 3, 4), -1, middle, size, size);
            y = g.Conv(g.Conv(y, $"{name}.dw", middle, middle, new(3, Group: middle, Stride: stride)), $"{name}.c3", middle, outputs,
                new(1, Group: group));
            x = g.Relu(stride == 2 ? g.Concat(1, g.AvgPool(x, 3, 2, 1), y) : g.Add(x, y));
        }
        return Head(g, x, 24);
    }

    private static GraphBuilder ShuffleNetV2(bool literal)
    {
        var (g, x) = Images(16);
        x = g.MaxPool(g.Relu(g.Conv(x, "stem", 3, 12, new(3, Stride: 2))), 3, 2, 1);
        string Shuffle(string y, int channels)
        {
            if (literal)
            {
                int size = channels == 24 ? 2 : 1;
                return g.Reshape(g.Transpose(g.Reshape(y, -1, 2, channels / 2, size, size), 0, 2, 1, 3, 4), -1, channels, size, size);
            }
            var (b, c, h, w) = (g.Dim(y, 0), g.Dim(y, 1), g.Dim(y, 2), g.Dim(y, 3));
            y = g.View(y, b, 2, g.Node("Div", [c, g.Int(2)]), h, w);
            return g.View(g.Transpose(y, 0, 2, 1, 3, 4), b, -1, h, w);
        }
        string Branch(string y, string name, int inputs, int width, int stride)
        {
            y = g.Relu(g.Conv(y, $"{name}.pw1", inputs, width, 1));
            return g.Relu(g.Conv(g.Conv(y, $"{name}.dw", width, width, new(3, Group: width, Stride: stride)), $"{name}.pw2",
                width, width, 1));
        }
        int channels = 12;
        foreach (int width in (int[])[12, 20])
        {
            string name = $"stage{width}";
            var left = g.Relu(
                g.Conv(g.Conv(x, $"{name}.0.left.dw", channels, channels, new(3, Group: channels, Stride: 2)), $"{name}.0.left.pw",
                channels, width, 1));
            x = Shuffle(g.Concat(1, left, Branch(x, $"{name}.0.right", channels, width, 2)), channels = 2 * width);
            for (int unit = 1; unit < 3; unit++)
            {
                var half = g.Split(x, 1, width, width);
                x = Shuffle(g.Concat(1, half[0], Branch(half[1], $"{name}.{unit}", width, width, 1)), channels);
            }
        }
        x = g.Relu(g.Conv(x, "conv5", channels, 32, 1));
        g.Output(g.Gemm(g.Node("ReduceMean", x, ("axes", new[] { 2, 3 }), ("keepdims", 0)), "fc", 32, 10), "batch", 10);
        return g;
    }

    private static string SqueezeExcite(GraphBuilder g, string x, string name, int channels, int squeezed, Func<string, string> activation)
    {
        var gate = g.Conv(activation(g.Conv(g.GlobalPool(x), $"{name}.fc1", channels, squeezed, 1)), $"{name}.fc2", squeezed, channels, 1);
        return g.Mul(g.Sigmoid(gate), x);
    }

    private static GraphBuilder EfficientNet()
    {
        var (g, x) = Images(16);
        x = g.Silu(g.Conv(x, "stem", 3, 8, new(3, Stride: 2)));
        int channels = 8;
        foreach (var (name, outputs, expand, stride, k) in ((string, int, int, int, int)[])[("b0", 6, 1, 1, 3), ("b1", 10, 4, 2, 3),
            ("b2", 10, 4, 1, 5)])
        {
            int wide = channels * expand;
            var y = expand == 1 ? x : g.Silu(g.Conv(x, $"{name}.expand", channels, wide, 1));
            y = g.Silu(g.Conv(y, $"{name}.dw", wide, wide, new(k, Group: wide, Stride: stride)));
            y = g.Conv(SqueezeExcite(g, y, $"{name}.se", wide, 4, g.Silu), $"{name}.project", wide, outputs, 1);
            x = channels == outputs && stride == 1 ? g.Add(y, x) : y;
            channels = outputs;
        }
        return Head(g, g.Silu(g.Conv(x, "head", channels, 40, 1)), 40);
    }

    private static GraphBuilder RegNet()
    {
        var (g, x) = Images(16);
        x = g.Relu(g.Conv(x, "stem", 3, 8, new(3, Stride: 2)));
        int channels = 8;
        foreach (var (name, outputs, stride) in ((string, int, int)[])[("b0", 16, 2), ("b1", 16, 1), ("b2", 24, 2)])
        {
            var y = g.Relu(g.Conv(x, $"{name}.a", channels, outputs, 1));
            y = g.Relu(g.Conv(y, $"{name}.b", outputs, outputs, new(3, Group: outputs / 4, Stride: stride)));
            y = g.Conv(SqueezeExcite(g, y, $"{name}.se", outputs, 4, g.Relu), $"{name}.c", outputs, outputs, 1);
            x = g.Relu(g.Add(stride == 1 ? x : g.Conv(x, $"{name}.shortcut", channels, outputs, new(1, Stride: stride)), y));
            channels = outputs;
        }
        return Head(g, x, channels);
    }

    private static GraphBuilder InceptionV3()
    {
        var (g, x) = Images(16);
        // transform_input: each colour is taken by index, scaled and joined again.
        string Colour(int i) => g.Add(g.Mul(g.Unsqueeze(g.Select(x, 1, i), 1), g.Number(0.458f)), g.Number(-0.03f));
        x = g.Relu(g.Conv(g.Concat(1, Colour(0), Colour(1), Colour(2)), "stem", 3, 8, new(3, Stride: 2)));
        string Unit(string y, string name, int inputs, int outputs, params int[] kernel)
            => g.Relu(g.Convolution(y, name, inputs, outputs, kernel));
        // A: four branches.
        x = g.Concat(1, Unit(x, "a.b1", 8, 6, 1, 1), Unit(Unit(x, "a.b5_1", 8, 4, 1, 1), "a.b5_2", 4, 6, 5, 5),
            Unit(Unit(Unit(x, "a.b3_1", 8, 6, 1, 1), "a.b3_2", 6, 8, 3, 3), "a.b3_3", 8, 8, 3, 3),
            Unit(g.AvgPool(x, 3, 1, 1), "a.pool", 8, 4, 1, 1));
        // B: reduction beside a pool that keeps the channels.
        x = g.Concat(1, g.Relu(g.Conv(x, "b.b3", 24, 10, new(3, Stride: 2))), g.MaxPool(x, 3, 2, 1));
        // C: factorised seven.
        x = g.Concat(1, Unit(x, "c.b1", 34, 8, 1, 1),
            Unit(Unit(Unit(x, "c.b7_1", 34, 6, 1, 1), "c.b7_2", 6, 6, 1, 7), "c.b7_3", 6, 8, 7, 1),
            Unit(g.AvgPool(x, 3, 1, 1), "c.pool", 34, 8, 1, 1));
        // E: branches that fork again.
        var e = Unit(x, "e.b3_1", 24, 8, 1, 1);
        x = g.Concat(1, Unit(x, "e.b1", 24, 8, 1, 1), g.Concat(1, Unit(e, "e.b3_2a", 8, 6, 1, 3), Unit(e, "e.b3_2b", 8, 6, 3, 1)),
            Unit(g.AvgPool(x, 3, 1, 1), "e.pool", 24, 4, 1, 1));
        return Head(g, x, 24);
    }

    private static GraphBuilder GoogLeNet()
    {
        var (g, x) = Images(16);
        x = g.MaxPool(g.Relu(ConvBn(g, x, "stem", 3, 8, 7, 2)), 3, 2, ceil: true);
        int channels = 8;
        foreach (string name in (string[])["i3a", "i3b", "i4a"])
        {
            if (name == "i4a") x = g.MaxPool(x, 3, 2, ceil: true);
            x = g.Concat(1, g.Relu(ConvBn(g, x, $"{name}.b1", channels, 6, 1)),
                g.Relu(ConvBn(g, g.Relu(ConvBn(g, x, $"{name}.b2_1", channels, 8, 1)), $"{name}.b2_2", 8, 10, 3)),
                g.Relu(ConvBn(g, g.Relu(ConvBn(g, x, $"{name}.b3_1", channels, 4, 1)), $"{name}.b3_2", 4, 6, 3)),
                g.Relu(ConvBn(g, g.MaxPool(x, 3, 1, 1, ceil: true), $"{name}.b4", channels, 6, 1)));
            channels = 28;
        }
        return Head(g, g.Node("Dropout", x), channels);
    }

    private static GraphBuilder ResNet2Plus1()
    {
        var g = new GraphBuilder(43);
        var x = g.Input("x", "batch", 3, 4, 8, 8);
        x = g.Relu(g.Convolution(g.Relu(g.Convolution(x, "stem", 3, 8, [1, 7, 7], [1, 2, 2])), "stem2", 8, 10, [3, 1, 1]));
        int channels = 10;
        foreach (var (name, outputs, stride) in ((string, int, int)[])[("l1", 10, 1), ("l2", 16, 2)])
        {
            string Factorised(string y, string part, int inputs, int middle, int s)
                => g.Convolution(g.Relu(g.Convolution(y, $"{name}.{part}.space", inputs, middle, [1, 3, 3], [1, s, s])),
                    $"{name}.{part}.time", middle, outputs, [3, 1, 1], [s, 1, 1]);
            var z = Factorised(g.Relu(Factorised(x, "c1", channels, 12, stride)), "c2", outputs, 14, 1);
            x = g.Relu(g.Add(z, stride == 1 ? x : g.Convolution(x, $"{name}.down", channels, outputs, [1, 1, 1], [2, 2, 2])));
            channels = outputs;
        }
        return Head(g, x, channels);
    }

    private static GraphBuilder ConvNeXt()
    {
        var (g, x) = Images(16);
        string Norm2d(string y, string name, int width) => g.Transpose(g.LayerNorm(g.Transpose(y, 0, 2, 3, 1), name, width), 0, 3, 1, 2);
        x = Norm2d(g.Convolution(x, "stem", 3, 8, [4, 4], [4, 4], [0, 0]), "stem.norm", 8);
        int width = 8;
        foreach (string name in (string[])["b0", "b1", "b2"])
        {
            if (name == "b2")
            {
                x = g.Convolution(Norm2d(x, "down.norm", width), "down", width, 12, [2, 2], [2, 2], [0, 0]);
                width = 12;
            }
            var y = g.Transpose(g.Conv(x, $"{name}.dw", width, width, new(7, Group: width)), 0, 2, 3, 1);
            y = g.Transpose(g.FeedForward(g.LayerNorm(y, $"{name}.norm", width), name, width, 4 * width), 0, 3, 1, 2);
            x = g.Add(g.Mul(y, g.Positive($"{name}.scale", width, 1, 1)), x);
        }
        g.Output(g.Gemm(g.Flatten(Norm2d(g.GlobalPool(x), "head.norm", width)), "fc", width, 10), "batch", 10);
        return g;
    }

    private static GraphBuilder GhostNet()
    {
        var (g, x) = Images(16);
        x = g.Relu(g.Conv(x, "stem", 3, 8, new(3, Stride: 2)));
        // Half of the channels are made from the other half; a surplus is sliced off.
        string Ghost(string y, string name, int inputs, int outputs)
        {
            int half = (outputs + 1) / 2;
            var first = g.Relu(g.Conv(y, $"{name}.primary", inputs, half, 1));
            var both = g.Concat(1, first, g.Relu(g.Conv(first, $"{name}.cheap", half, half, new(3, Group: half))));
            return g.Slice(both, 1, 0, outputs);
        }
        var z = Ghost(x, "b0.g1", 8, 16);
        z = Ghost(SqueezeExcite(g, z, "b0.se", 16, 4, g.Relu), "b0.g2", 16, 8);
        x = g.Add(x, z);
        x = Ghost(Ghost(x, "b1.g1", 8, 20), "b1.g2", 20, 15);
        return Head(g, x, 15);
    }

    private static GraphBuilder SeNet()
    {
        var (g, x) = Images(16);
        x = g.MaxPool(g.Relu(ConvBn(g, x, "stem", 3, 8, 7, 2)), 3, 2, 0, ceil: true);
        int channels = 8;
        foreach (string name in (string[])["l1", "l2"])
        {
            var y = g.Relu(ConvBn(g, x, $"{name}.c1", channels, 12, 1));
            y = ConvBn(g, g.Relu(ConvBn(g, y, $"{name}.c2", 12, 12, 3, group: 4)), $"{name}.c3", 12, 16, 1);
            // The squeeze as linear layers: view(b, c), two Gemm, view(b, c, 1, 1), expand_as.
            var b = g.Dim(y, 0);
            var s = g.View(g.GlobalPool(y), b, 16);
            s = g.View(g.Sigmoid(g.Gemm(g.Relu(g.Gemm(s, $"{name}.fc1", 16, 4)), $"{name}.fc2", 4, 16)), b, 16, 1, 1);
            y = g.Mul(y, g.Node("Expand", [s, g.Node("Shape", y)]));
            x = g.Relu(g.Add(y, channels == 16 ? x : ConvBn(g, x, $"{name}.down", channels, 16, 1)));
            channels = 16;
        }
        return Head(g, x, channels);
    }

    private static GraphBuilder DenseNet()
    {
        var (g, x) = Images(16);
        x = g.Relu(g.Conv(x, "stem", 3, 8, new(3, Stride: 2)));
        int channels = 8;
        for (int block = 0; block < 2; block++)
        {
            var parts = new List<string> { x };
            for (int layer = 0; layer < 3; layer++)
            {
                // Each layer joins all earlier ones anew.
                var y = parts.Count == 1 ? x : g.Concat(1, [.. parts]);
                y = g.Conv(g.Relu(g.BatchNorm(y, $"b{block}.{layer}.n1", channels)), $"b{block}.{layer}.c1", channels, 12, 1);
                parts.Add(g.Conv(g.Relu(y), $"b{block}.{layer}.c2", 12, 4, new(Bias: false)));
                channels += 4;
            }
            x = g.BatchNorm(g.Concat(1, [.. parts]), $"t{block}.norm", channels);
            if (block == 1) continue;
            x = g.AvgPool(g.Conv(g.Relu(x), "t0.conv", channels, 10, 1), 2, 2);
            channels = 10;
        }
        return Head(g, g.Relu(x), channels);
    }
}
