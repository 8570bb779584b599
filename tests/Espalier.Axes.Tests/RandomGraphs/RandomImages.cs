using Espalier.Axes.Tests.Zoo;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Steps of image networks: [batch, channels, size, size] to the same.</summary>
internal static class RandomImages
{
    /// <summary>Layers.</summary>
    public static readonly (string Name, Func<RandomState, RandomState> Apply)[] Steps =
    [
        ("conv", s => s.Pick(12, 9, 16) is var n ? s.With(s.G.Conv(s.X, s.Name("conv"), s.Channels, n, s.Pick(3, 1)), n) : s),
        ("conv-bn-relu",
            s => s.With(s.G.Relu(s.G.BatchNorm(s.G.Conv(s.X, s.Name("conv"), s.Channels, 16, new(Bias: false)), s.Name("bn"), 16)), 16)),
        ("depthwise", s => s.With(s.G.Conv(s.X, s.Name("dw"), s.Channels, s.Channels, new(3, Group: s.Channels)))),
        ("depthwise-2", s => s.Channels > 24
            ? s
            : s.With(s.G.Conv(s.X, s.Name("dw"), s.Channels, 2 * s.Channels, new(3, Group: s.Channels)), 2 * s.Channels)),
        ("grouped", s => s.Pick(4, 3, 2) is var k && s.Channels % k != 0
            ? s
            : s.With(s.G.Conv(s.X, s.Name("g"), s.Channels, 4 * s.Pick(4, 3, 2), new(s.Pick(1, 3), Group: s.Pick(4, 3, 2))),
                4 * s.Pick(4, 3, 2))),
        ("transposed", s => Transposed(s)),
        ("residual",
            s => s.With(s.G.Add(s.X, s.G.Conv(s.G.Relu(s.G.Conv(s.X, s.Name("a"), s.Channels, 8, 1)), s.Name("b"), 8, s.Channels)))),
        ("tower", s =>
        {
            var x = s.X;
            for (int k = 0; k < 3; k++)
                x = s.G.Add(s.G.Conv(s.G.Relu(s.G.Conv(x, s.Name($"t{k}a"), s.Channels, 6, 1)), s.Name($"t{k}b"), 6, s.Channels, 1), k
                    == s.Variant % 3 ? s.X : x);
            return s.With(x);
        }),
        ("concat", s => s.Channels > 24 ? s : s.With(s.G.Concat(1, s.Pick<string[]>([s.X, Branch(s)], [Branch(s), s.X])), s.Channels + 6)),
        ("twice", s => s.Channels > 16 ? s : s.With(s.G.Concat(1, s.X, s.X), 2 * s.Channels)),
        ("tree", s => Tree(s)),
        ("gate", s =>
        {
            var gate = s.G.Sigmoid(s.G.Conv(s.G.Relu(s.G.Conv(s.G.GlobalPool(s.X), s.Name("down"), s.Channels, 4, 1)), s.Name("up"), 4,
                s.Channels, 1));
            return s.With(s.G.Mul(s.X, gate));
        }),
        ("gate by linear layers", s =>
        {
            var (g, b) = (s.G, s.G.Dim(s.X, 0));
            var y = g.View(g.GlobalPool(s.X), b, s.Pick(-1, s.Channels));
            y = g.Sigmoid(g.Linear(g.Relu(g.Linear(y, s.Name("down"), s.Channels, 5)), s.Name("up"), 5, s.Channels));
            return s.With(g.Mul(s.X, g.View(y, b, s.Pick(s.Channels, -1), 1, 1)));
        }),
        ("one operand", s => s.With(RandomElements.One(s))),
        ("two operands", s => s.With(RandomElements.Two(s, s.X, s.G.Conv(s.X, s.Name("other"), s.Channels, s.Channels, 1)))),
        ("constant operand",
            s => s.With(RandomElements.Two(s, s.X,
                s.G.Positive(s.Name("c"), s.Pick<long[]>([s.Channels, 1, 1], [1, s.Channels, 1, 1], [s.Size, s.Size], [1]))))),
        ("prelu", s => s.With(s.G.Node("PRelu", [s.X, s.G.Weight(s.Name("slope"), s.Channels, 1, 1)]))),
        ("shared weight", s =>
        {
            var w = s.G.Weight(s.Name("w"), s.Channels, s.Channels, 1, 1);
            string Use(string x) => s.G.Node("Conv", [x, w], ("kernel_shape", new[] { 1, 1 }));
            return s.With(s.Variant % 2 == 0 ? Use(s.G.Relu(Use(s.X))) : s.G.Add(Use(s.X), s.G.Node("Tanh", Use(s.G.Sigmoid(s.X)))));
        }),
        ("norm", s => s.Pick("group", "instance", "lrn", "l2", "channels") switch
        {
            "group" => s.Channels % 2 != 0 ? s : s.With(s.G.GroupNorm(s.X, s.Name("gn"), s.Channels, s.Channels % 4 == 0 ? 4 : 2)),
            "instance" => s.With(
                s.G.Node("InstanceNormalization", [s.X, s.G.Positive(s.Name("in"), s.Channels), s.G.Weight(s.Name("in.b"), s.Channels)])),
            "lrn" => s.With(s.G.Node("LRN", s.X, ("size", 3))),
            "l2" => s.With(s.G.Node("Div",
                [s.X, s.G.Node("Max",
                    [s.G.Node("ReduceL2", s.X, ("axes", new[] { 1 }), ("keepdims", 1)), s.G.Scalar(s.G.Fresh("eps"), 0.1f)])])),
            _ => s.With(s.G.Transpose(s.G.LayerNorm(s.G.Transpose(s.X, 0, 2, 3, 1), s.Name("ln"), s.Channels), 0, 3, 1, 2)),
        }),
        ("channels-last",
            s => s.With(s.G.Transpose(s.G.Linear(s.G.Transpose(s.X, 0, 2, 3, 1), s.Name("fc"), s.Channels, 10), 0, 3, 1, 2), 10)),
        ("softmax", s => s.With(s.G.Softmax(s.X, s.Pick(1, 3, 2)))),
        ("reduce", s =>
        {
            string op = s.Pick("ReduceMax", "ReduceMean", "ReduceL1", "ReduceSumSquare", "ReduceMin", "ReduceL2", "ReduceSum",
                "ReduceLogSumExp");
            int[] axes = s.Pick<int[]>([2, 3], [1], [3]);
            var y = op == "ReduceSum" ? s.G.Node(op, [s.X, s.G.Longs([.. axes.Select(a => (long)a)])]) : s.G.Node(op, s.X, ("axes", axes));
            return s.With(s.G.Mul(s.X, s.G.Sigmoid(y)));
        }),
        ("einsum", s =>
            s.With(s.G.Node("Einsum", [s.X, s.G.Weight(s.Name("w"), s.Channels, 11)],
                ("equation", s.Pick("bchw,cd->bdhw", "ncij, ck -> nkij"))), 11)),
        ("if", s =>
        {
            var flag = s.G.Node("Greater",
                [s.G.Node("ReduceSum", [s.X, s.G.Longs(0, 1, 2, 3)], ("keepdims", 0)), s.G.Scalar(s.G.Fresh("zero"), 0)]);
            string w = s.G.Weight(s.Name("w"), 9, s.Channels, 1, 1);
            var branches = new[] { 0, 1 }.Select(k => s.G.Subgraph(i =>
            {
                var y = k == 0 ? i.Relu(s.X) : i.Mul(i.Sigmoid(s.X), i.Positive(s.Name("inner"), s.Channels, 1, 1));
                i.Output(i.Rename(i.Node("Conv", [y, w], ("kernel_shape", new[] { 1, 1 })), s.Name($"branch{k}")), "batch", 9,
                    s.Size, s.Size);
            })).ToArray();
            return s.With(s.G.Node("If", flag, ("then_branch", branches[0]), ("else_branch", branches[1])), 9);
        }),
    ];

    /// <summary>What cuts, joins and rearranges.</summary>
    public static readonly (string Name, Func<RandomState, RandomState> Apply)[] Shapes =
    [
        ("halves", s =>
        {
            if (s.Channels % 2 != 0) return s;
            var half = s.G.Split(s.X, 1, s.Channels / 2, s.Channels / 2);
            return s.With(s.G.Mul(half[0], s.G.Sigmoid(half[1])), s.Channels / 2);
        }),
        ("slice", s => s.Channels < 6
            ? s
            : s.With(s.G.Slice(s.X, 1, s.Pick(2, 1, -5), s.Pick<long>(s.Channels - 1, -2, long.MaxValue)),
                s.Pick(s.Channels - 3, s.Channels - 3, 5))),
        ("strided channels", s => s.Channels % 4 != 0
            ? s
            : s.With(s.G.Slice(s.X, 1, s.Pick(0, 1), long.MaxValue, s.Pick(2, 4)), s.Channels / s.Pick(2, 4))),
        ("interleaved", s => s.Channels % 2 != 0
            ? s
            : s.With(s.G.Mul(s.G.Slice(s.X, 1, 0, long.MaxValue, 2), s.G.Node("Tanh", s.G.Slice(s.X, 1, 1, long.MaxValue, 2))),
                s.Channels / 2)),
        ("focus", s => s.Channels > 8 || s.Size % 2 != 0 || s.Size < 4
            ? s
            : s.With(s.G.Concat(1,
                [.. from i in (int[])[0, 1] from j in (int[])[0, 1] select s.G.Slice(s.G.Slice(s.X, 2, i, long.MaxValue, 2), 3, j,
                    long.MaxValue, 2)]), 4 * s.Channels) with { Size = s.Size / 2 }),
        ("gather run", s => s.Channels < 6
            ? s
            : s.With(s.G.Node("Gather", [s.X, s.G.Longs(s.Pick<long[]>([1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [4, 1, 3], [2, 3, 0, 1]))],
                ("axis", 1)), s.Pick(4, 6, 3, 4))),
        ("gather all",
            s => s.With(s.G.Node("Gather",
                [s.X, s.G.Longs([.. Enumerable.Range(0, s.Channels).Select(i => (long)(s.Variant % 2 == 0 ? i : s.Channels - 1 - i))])],
                ("axis", 1)))),
        ("tile", s => s.Channels > 12 ? s : s.With(s.G.Node("Tile", [s.X, s.G.Longs(1, s.Pick(2, 3), 1, 1)]), s.Channels * s.Pick(2, 3))),
        ("expand", s =>
            s.With(s.G.Add(s.X,
                s.G.Node("Expand",
                    [s.G.GlobalPool(s.X),
                        s.Pick(s.G.Node("Shape", s.X), s.G.Longs(1, s.Channels, s.Size, s.Size),
                            s.G.SizeList(s.G.Dim(s.X, 0), s.Channels, s.Size, 1))])))),
        ("shuffle", s => Groups(s) is var k && k == 1 ? s : s.With(
            s.G.Reshape(s.G.Transpose(s.G.Reshape(s.X, -1, k, s.Channels / k, s.Size, s.Size), 0, 2, 1, 3, 4), -1, s.Channels,
                s.Size, s.Size))),
        ("shuffle by Shape", s =>
        {
            int k = Groups(s);
            if (k == 1) return s;
            var (g, b, c, h, w) = (s.G, s.G.Dim(s.X, 0), s.G.Dim(s.X, 1), s.G.Dim(s.X, 2), s.G.Dim(s.X, 3));
            return s.With(g.View(g.Transpose(g.View(s.X, b, k, g.Node("Div", [c, g.Int(k)]), h, w), 0, 2, 1, 3, 4), b, -1, h, w));
        }),
        ("depth-to-space", s => s.Channels % 4 != 0 || s.Size > 8 ? s
            : s.With(s.G.Node("DepthToSpace", s.X, ("blocksize", 2), ("mode", s.Variant % 2 == 0 ? "DCR" : "CRD")),
                s.Channels / 4) with { Size = s.Size * 2 }),
        ("space-to-depth", s => s.Channels > 8 || s.Size < 8
            ? s
            : s.With(s.G.Node("SpaceToDepth", s.X, ("blocksize", 2)), s.Channels * 4) with { Size = s.Size / 2 }),
        ("pad channels",
            s => s.With(s.G.Node("Pad", [s.X, s.G.Longs(0, s.Pick(1, 0, 2), 0, 0, 0, 2, 0, 0)], ("mode", "constant")), s.Channels + 2
                + s.Pick(1, 0, 2))),
        ("pad positions", s => s.Size > 8
            ? s
            : s.With(s.G.Node("Pad", [s.X, s.G.Longs(0, 0, 1, 1, 0, 0, 1, 1)], ("mode", s.Pick("constant", "reflect", "edge")))) with
                { Size = s.Size + 2 }),
        ("pool", s => s.Size % 2 != 0 || s.Size < 4
            ? s
            : s.With(s.Variant % 2 == 0 ? s.G.MaxPool(s.X, 2, 2) : s.G.AvgPool(s.X, 2, 2)) with { Size = s.Size / 2 }),
        ("resize", s => s.Size > 8 ? s : s.With(s.Variant % 2 == 0
            ? s.G.Node("Resize", [s.X, "", s.G.Floats(s.G.Fresh("scales"), [1, 1, 2, 2], 4)], ("mode", "nearest"),
                ("nearest_mode", "floor"), ("coordinate_transformation_mode", "asymmetric"))
            : s.G.Interpolate(s.X, s.G.Mul(s.G.Spatial(s.X), s.G.Longs(2)))) with { Size = s.Size * 2 }),
        ("maxout", s => s.Channels % 2 != 0
            ? s
            : s.With(s.G.Node("ReduceMax", s.G.Reshape(s.X, -1, s.Channels / 2, 2, s.Size, s.Size), ("axes", new[] { 2 }), ("keepdims", 0)),
                s.Channels / 2)),
        ("roll", s => s.With(s.G.Roll(s.X, s.Pick(2, 1, 3), -s.Pick(2, 3, 1)))),
        ("windows", s =>
        {
            if (s.Size % 4 != 0) return s;
            int n = s.Size / 4;
            var y = s.G.Reshape(s.G.Transpose(s.G.Reshape(s.X, -1, s.Channels, n, 4, n, 4), 0, 2, 4, 3, 5, 1), -1, 16, s.Channels);
            y = s.G.Add(y, s.G.Linear(s.G.Relu(s.G.Linear(y, s.Name("up"), s.Channels, 14)), s.Name("down"), 14, s.Channels));
            y = s.G.Reshape(y, -1, n, n, 4, 4, s.Channels);
            return s.With(s.G.Reshape(s.G.Transpose(y, 0, 5, 1, 3, 2, 4), -1, s.Channels, s.Size, s.Size));
        }),
        ("flatten", s =>
        {
            if (s.Channels * s.Size * s.Size > 600) return s;
            var y = s.G.Gemm(s.G.Flatten(s.X), s.Name("fc"), s.Channels * s.Size * s.Size, 6 * s.Size * s.Size);
            return s.With(s.G.Reshape(s.G.Relu(y), s.Pick(-1, 0), 6, s.Size, s.Size), 6);
        }),
        ("scale by Shape",
            s => s.With(s.G.Mul(s.X,
                s.G.Node("Reciprocal",
                    s.G.Node("Sqrt", s.G.Node("Cast", s.G.Dim(s.X, s.Pick(1, 2)), ("to", Onnx.TensorProto.Types.DataType.Float))))))),
        ("cumulative", s => s.With(s.G.Node("CumSum", [s.X, s.G.Int(s.Pick(2, 1))]))),
    ];

    private static int Groups(RandomState s) => s.Pick(2, 3, 4) is var k && s.Channels % k == 0 ? k : 1;

    private static string Branch(RandomState s) => s.G.Conv(s.X, s.G.Fresh(s.Name("branch")), s.Channels, 6, 1);

    private static RandomState Transposed(RandomState s)
    {
        int group = s.Channels % 2 == 0 ? s.Pick(1, 2, s.Channels) : 1, outputs = group == s.Channels ? s.Channels : 12;
        if (s.Size > 8) return s;
        return s.With(s.G.Node("ConvTranspose",
            [s.X, s.G.Weight(s.Name("dc.weight"), s.Channels, outputs / group, 2, 2), s.G.Weight(s.Name("dc.bias"), outputs)],
            ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }), ("group", group)), outputs) with
        { Size = s.Size * 2 };
    }

    /// <summary>A cross-stage tree: uneven parts go separate ways, some twice, and are joined in another order.</summary>
    private static RandomState Tree(RandomState s)
    {
        if (s.Channels is < 6 or > 32) return s;
        int cut = s.Pick(2, 3, s.Channels / 2), rest = s.Channels - cut;
        var parts = s.G.Split(s.X, 1, cut, rest);
        var left = s.G.Relu(s.G.Conv(parts[0], s.Name("left"), cut, 4, 1));
        var both = s.G.Concat(1, parts[1], left);
        var right = s.G.Conv(both, s.Name("right"), rest + 4, rest, 1);
        return s.With(s.G.Concat(1,
            s.Pick<string[]>([left, s.G.Add(right, parts[1]), parts[0]], [parts[0], s.G.Mul(right, parts[1]), left])), s.Channels + 4);
    }
}
