using Espalier.Axes.Tests.Zoo;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Steps of sequence networks without attention: [batch, length, width] to the same.</summary>
internal static class RandomSequences
{
    /// <summary>The steps.</summary>
    public static readonly (string Name, Func<RandomState, RandomState> Apply)[] Steps =
    [
        ("linear", s => s.With(s.G.Relu(s.G.Linear(s.X, s.Name("fc"), s.Channels, s.Pick(12, 8, 15))), s.Pick(12, 8, 15))),
        ("feed-forward",
            s => s.With(s.G.Add(s.X, s.G.Linear(s.G.Relu(s.G.Linear(s.X, s.Name("up"), s.Channels, 20)), s.Name("down"), 20, s.Channels)))),
        ("norm", s =>
            s.With(s.Pick<Func<string>>(() => s.G.LayerNorm(s.X, s.Name("ln"), s.Channels),
                () => s.G.RmsNorm(s.X, s.Name("rms"), s.Channels), () => s.G.PlainLayerNorm(s.X, s.Name("ln"), s.Channels))())),
        ("gemm", s =>
        {
            var (b, l) = (s.G.Dim(s.X, 0), s.G.Dim(s.X, 1));
            return s.With(s.G.View(s.G.Gemm(s.G.Reshape(s.X, -1, s.Channels), s.Name("fc"), s.Channels, 14, s.Variant % 2 == 0), b, l,
                s.Pick(14, -1)), 14);
        }),
        ("gated", s =>
        {
            var y = s.G.Linear(s.X, s.Name("in"), s.Channels, 24);
            var (a, b) = s.Pick("halves", "slices", "pairs", "strides") switch
            {
                "halves" => s.G.Split(y, 2, 12, 12) is var h ? (h[0], h[1]) : default,
                "slices" => (s.G.Slice(y, 2, 0, 12), s.G.Slice(y, -1, -12, long.MaxValue)),
                "pairs" => s.G.View(y, s.G.Dim(y, 0), s.G.Dim(y, 1), 12, 2) is var p ? (s.G.Select(p, 3, 0), s.G.Select(p, 3, 1)) : default,
                _ => (s.G.Slice(y, 2, 0, long.MaxValue, 2), s.G.Slice(y, 2, 1, long.MaxValue, 2)),
            };
            return s.With(s.G.Linear(s.G.Mul(a, s.G.Sigmoid(b)), s.Name("out"), 12, 12), 12);
        }),
        ("concat", s => s.Channels > 24
            ? s
            : s.With(s.G.Concat(s.Pick(2, -1), s.G.Linear(s.X, s.Name("branch"), s.Channels, 5), s.X), s.Channels + 5)),
        ("rotate", s => s.Channels % 2 != 0 ? s : s.With(
            s.G.Add(s.X,
                s.G.Concat(2, s.G.Node("Neg", s.G.Slice(s.X, 2, s.Channels / 2, long.MaxValue)), s.G.Slice(s.X, 2, 0, s.Channels / 2))))),
        ("recurrence", s =>
        {
            string op = s.Pick("GRU", "LSTM", "RNN");
            bool both = s.Variant / 3 % 2 == 1;
            int d = both ? 2 : 1, gates = op switch { "LSTM" => 4, "GRU" => 3, _ => 1 };
            var x = s.G.Transpose(s.X, 1, 0, 2);
            (string, object)[] attributes = both ? [("hidden_size", 8), ("direction", "bidirectional")] : [("hidden_size", 8)];
            var y = s.G.Nodes(op, 1,
                [x, s.G.Weight(s.Name("W"), d, gates * 8, s.Channels), s.G.Weight(s.Name("R"), d, gates * 8, 8),
                    s.G.Weight(s.Name("B"), d, 2 * gates * 8)], attributes)[0];
            y = both ? s.G.Reshape(s.G.Transpose(y, 0, 2, 1, 3), 0, 0, s.Pick(16, -1)) : s.G.Squeeze(y, 1);
            return s.With(s.G.Transpose(y, 1, 0, 2), 8 * d);
        }),
        ("mix positions", s => s.Dynamic
            ? s
            : s.With(s.G.MatMul(s.G.Weight(s.Name("mix"), RandomGraphs.Length, RandomGraphs.Length), s.X))),
        ("token mixer", s => s.Dynamic
            ? s
            : s.With(s.G.Add(s.X,
                s.G.Transpose(s.G.FeedForward(s.G.Transpose(s.X, 0, 2, 1), s.Name("tokens"), RandomGraphs.Length, 9), 0, 2, 1)))),
        ("scale", s => s.With(s.G.Mul(s.X, s.G.Positive(s.Name("gamma"), s.Channels)))),
        ("position table", s => s.Dynamic
            ? s
            : s.With(s.G.Add(s.X,
                s.G.Weight(s.Name("position"),
                    s.Pick<long[]>([RandomGraphs.Length, s.Channels], [1, RandomGraphs.Length, s.Channels], [RandomGraphs.Length, 1]))))),
        ("counted positions", s =>
        {
            var line = s.G.Node("Range", [s.G.Int(0), s.G.Dim(s.X, 1), s.G.Int(1)]);
            return s.With(s.G.Add(s.X, s.G.Embed(s.Name("table"), line, 12, s.Channels)));
        }),
        ("one operand", s => s.With(RandomElements.One(s))),
        ("two operands", s => s.With(RandomElements.Two(s, s.X, s.G.Linear(s.X, s.Name("other"), s.Channels, s.Channels)))),
        ("constant operand",
            s => s.With(RandomElements.Two(s, s.X,
                s.G.Positive(s.Name("c"), s.Pick<long[]>([s.Channels], [1, s.Channels], [1, 1, 1], []))))),
        ("tied", s =>
        {
            var w = s.G.Weight(s.Name("w"), s.Channels, 11);
            var y = s.G.Relu(s.G.MatMul(s.X, w));
            return s.With(s.G.MatMul(y, s.G.Transpose(w, 1, 0)));
        }),
        ("shared weight", s =>
        {
            var w = s.G.Weight(s.Name("w"), s.Channels, s.Channels);
            return s.With(s.Variant % 2 == 0
                ? s.G.MatMul(s.G.Relu(s.G.MatMul(s.X, w)), w)
                : s.G.Add(s.G.MatMul(s.X, w), s.G.MatMul(s.G.Node("Tanh", s.X), w)));
        }),
        ("shared bias", s =>
        {
            var b = s.G.Weight(s.Name("b"), 9);
            var (x, y) = (s.G.Add(s.G.MatMul(s.X, s.G.Weight(s.Name("a"), s.Channels, 9)), b),
                s.G.Add(s.G.MatMul(s.X, s.G.Weight(s.Name("c"), s.Channels, 9)), b));
            return s.With(s.G.Add(s.G.MatMul(s.G.Relu(x), s.G.Weight(s.Name("d"), 9, 10)),
                s.G.MatMul(s.G.Sigmoid(y), s.G.Weight(s.Name("e"), 9, 10))), 10);
        }),
        ("conv1d", s =>
        {
            var y = s.G.Transpose(s.X, 0, 2, 1);
            y = s.Pick("full", "depthwise", "causal") switch
            {
                "full" => s.G.Convolution(y, s.Name("conv"), s.Channels, s.Channels, [3]),
                "depthwise" => s.G.Convolution(y, s.Name("conv"), s.Channels, s.Channels, [3], group: s.Channels),
                _ => s.G.Node("Slice",
                    [s.G.Convolution(y, s.Name("conv"), s.Channels, s.Channels, [3], pad: [2], group: s.Channels), s.G.Longs(0),
                        s.Variant % 2 == 0 ? s.G.Longs(-2) : s.G.Unsqueeze(s.G.Dim(s.X, 1), 0), s.G.Longs(2)]),
            };
            return s.With(s.G.Transpose(y, 0, 2, 1));
        }),
        ("pooled", s =>
            s.With(s.G.Add(s.X, s.G.Node(s.Pick("ReduceMean", "ReduceMax", "ReduceL2"), s.X, ("axes", new[] { 1 }), ("keepdims", 1))))),
        ("softmax", s => s.With(s.G.Mul(s.X, s.G.Softmax(s.X, s.Pick(1, 2))))),
        ("experts", s =>
        {
            var x = s.G.Unsqueeze(s.X, 1);
            var up = s.G.Relu(s.G.MatMul(x, s.G.Weight(s.Name("w1"), 3, s.Channels, 7)));
            var down = s.G.MatMul(up, s.G.Weight(s.Name("w2"), 3, 7, 12));
            var router = s.G.Linear(s.X, s.Name("router"), s.Channels, 3, bias: false);
            if (s.Variant % 2 == 1) router = s.G.Softmax(router);
            return s.With(s.G.Node("ReduceSum", [s.G.Mul(down, s.G.Unsqueeze(s.G.Transpose(router, 0, 2, 1), 3)), s.G.Longs(1)],
                ("keepdims", 0)), 12);
        }),
        ("reshape rows", s => s.Channels % 3 != 0 ? s : s.With(s.G.View(
            s.G.Linear(s.G.View(s.X, s.G.Dim(s.X, 0), s.G.Dim(s.X, 1), 3, s.Channels / 3), s.Name("each"), s.Channels / 3, 4),
            s.G.Dim(s.X, 0), s.G.Dim(s.X, 1), 12), 12)),
        ("transpose width", s => s.Channels % 3 != 0
            ? s
            : s.With(s.G.Reshape(s.G.Transpose(s.G.Reshape(s.X, 0, 0, 3, s.Channels / 3), 0, 1, 3, 2), 0, 0, s.Pick(s.Channels, -1)))),
        ("einsum", s =>
            s.With(s.G.Node("Einsum",
                [s.G.Node("Einsum", [s.X, s.G.Weight(s.Name("w"), s.Channels, 3, 4)], ("equation", "bsi,ihd->bshd")),
                    s.G.Weight(s.Name("o"), 3, 4, 9)], ("equation", s.Pick("bshd,hdo->bso", "abcd,cde->abe"))), 9)),
        ("roll", s => s.With(s.G.Roll(s.X, 2, -2))),
        ("regroup positions", s =>
        {
            // Rows of two or three positions each, over the whole batch or not, and back.
            int rows = s.Pick(2, 3);
            var y = s.Pick<Func<string>>(() => s.G.Reshape(s.X, -1, rows, s.Channels),
                () => s.G.View(s.X, s.G.Dim(s.X, 0), -1, rows, s.Channels), () => s.G.Reshape(s.X, -1, rows * s.Channels))();
            y = s.Variant % 3 == 2
                ? s.G.Linear(y, s.Name("mix"), rows * s.Channels, rows * s.Channels)
                : s.G.Mul(y, s.G.Positive(s.Name("place"), rows, 1));
            return s.With(s.G.View(y, s.G.Dim(s.X, 0), s.G.Dim(s.X, 1), s.Channels));
        }),
        ("relative shift", s =>
        {
            // [b, s, s + 1] read as [b, s + 1, s], without its first row.
            var (g, b, t) = (s.G, s.G.Dim(s.X, 0), s.G.Dim(s.X, 1));
            var pairs = g.MatMul(s.X, g.Transpose(g.Linear(s.X, s.Name("other"), s.Channels, s.Channels, bias: false), 0, 2, 1));
            pairs = g.Concat(-1, g.Node("ConstantOfShape", g.SizeList(b, t, 1)), pairs);
            pairs = g.View(g.Slice(g.View(pairs, b, g.Add(t, g.Int(1)), t), 1, 1, long.MaxValue), b, t, t);
            return s.With(g.MatMul(g.Mul(pairs, g.Number(0.1f)), g.Linear(s.X, s.Name("v"), s.Channels, 11)), 11);
        }),
        ("tile", s => s.Channels > 12 ? s : s.With(s.G.Node("Tile", [s.X, s.G.Longs(1, 1, 2)]), s.Channels * 2)),
    ];
}
