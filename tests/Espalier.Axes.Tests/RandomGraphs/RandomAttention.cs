using Espalier.Axes.Tests.Zoo;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Attention in many dresses, as steps of sequence networks.</summary>
internal static class RandomAttention
{
    private const int Dim = 4;

    /// <summary>The steps.</summary>
    public static readonly (string Name, Func<RandomState, RandomState> Apply)[] Steps =
    [
        ("attention", s => Attention(s, s.Pick(4, 3), s.Pick(4, 3))),
        ("grouped attention", s => Attention(s, 4, s.Pick(2, 1))),
        ("packed attention", s => Packed(s)),
        ("rows attention", s => Rows(s)),
        ("linear attention", s =>
        {
            // Keys are summed against values first; nothing is normalised.
            var (g, heads) = (s.G, 3);
            string Project(string part) => Split(s, g.Linear(s.X, s.Name(part), s.Channels, heads * Dim), heads);
            var state = g.MatMul(g.Transpose(g.Relu(Project("k")), 0, 1, 3, 2), Project("v"));
            return s.With(g.Linear(Merge(s, g.MatMul(g.Relu(Project("q")), state), heads), s.Name("o"), heads * Dim, 12), 12);
        }),
        ("cached attention", s =>
        {
            // Learned entries before the keys and values, as a prefix has them.
            var (g, heads) = (s.G, 3);
            string Project(string part) => Split(s, g.Linear(s.X, s.Name(part), s.Channels, heads * Dim), heads);
            string Prefix(string part, string t)
                => g.Concat(2, g.ExpandTo(g.Weight(s.Name(part), 1, heads, 2, Dim), g.Dim(s.X, 0), -1, -1, -1), t);
            var a = g.Attend(Project("q"), Prefix("pk", Project("k")), Prefix("pv", Project("v")), 0.5f);
            return s.With(g.Linear(Merge(s, a, heads), s.Name("o"), heads * Dim, 12), 12);
        }),
    ];

    private static string Split(RandomState s, string x, int heads) => s.G.Transpose(s.Pick<Func<string>>(
        () => s.G.Reshape(x, 0, 0, heads, Dim), () => s.G.Reshape(x, 0, 0, -1, Dim),
        () => s.G.View(x, s.G.Dim(x, 0), s.G.Dim(x, 1), heads, -1),
        () => s.G.View(x, s.G.Dim(x, 0), s.G.Dim(x, 1), s.G.Node("Div", [s.G.Dim(x, 2), s.G.Int(Dim)]), Dim))(), 0, 2, 1, 3);

    private static string Merge(RandomState s, string x, int heads)
    {
        var y = s.G.Transpose(x, 0, 2, 1, 3);
        return s.Pick<Func<string>>(() => s.G.Reshape(y, 0, 0, heads * Dim), () => s.G.Reshape(y, 0, 0, -1),
            () => s.G.View(y, s.G.Dim(y, 0), s.G.Dim(y, 1), s.G.Mul(s.G.Dim(y, 2), s.G.Dim(y, 3))))();
    }

    private static RandomState Attention(RandomState s, int heads, int kv)
    {
        var g = s.G;
        string Project(string part, int n) => Split(s, g.Linear(s.X, s.Name(part), s.Channels, n * Dim), n);
        var (q, k, v) = (Project("q", heads), Project("k", kv), Project("v", kv));
        if (s.Variant % 3 == 1)
        {
            var (cos, sin) = g.Rotary(g.Unsqueeze(g.Node("Range", [g.Int(0), g.Dim(s.X, 1), g.Int(1)]), 0), Dim);
            (q, k) = (g.Rotate(q, cos, sin), g.Rotate(k, cos, sin));
        }
        else if (s.Variant % 3 == 2) (q, k) = (Interleaved(s, q), Interleaved(s, k));
        if (kv < heads) (k, v) = (g.RepeatKv(k, heads / kv), g.RepeatKv(v, heads / kv));
        string? bias = (s.Variant % 4) switch
        {
            1 => g.Unsqueeze(g.Transpose(g.Embed(s.Name("relative"), g.Buckets(g.Dim(s.X, 1)), 16, heads), 2, 0, 1), 0),
            2 => g.Causal(g.Dim(s.X, 0), g.Dim(s.X, 1)),
            3 => g.Mul(g.Positive(s.Name("slopes"), heads, 1, 1),
                g.Unsqueeze(g.Unsqueeze(g.Node("Cast", g.Node("Range", [g.Int(0), g.Dim(s.X, 1), g.Int(1)]),
                    ("to", Onnx.TensorProto.Types.DataType.Float)), 0), 0)),
            _ => null,
        };
        var scores = g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), Scale(s, q));
        if (bias is not null) scores = g.Add(scores, bias);
        return s.With(g.Linear(Merge(s, g.MatMul(g.Softmax(scores), v), heads), s.Name("o"), heads * Dim, 12), 12);
    }

    /// <summary>1/√d as a number, or from the shape of the queries.</summary>
    private static string Scale(RandomState s, string q) => s.Variant % 2 == 0 ? s.G.Number(0.5f)
        : s.G.Node("Reciprocal",
            s.G.Node("Sqrt",
                s.G.Node("Cast", s.G.Slice(s.G.Node("Shape", q), 0, -1, long.MaxValue), ("to", Onnx.TensorProto.Types.DataType.Float))));

    /// <summary>Rotary pairs side by side: [.., d/2, 2], rotated, stacked and flattened again.</summary>
    private static string Interleaved(RandomState s, string x)
    {
        var g = s.G;
        var pairs = g.View(x, g.Dim(x, 0), g.Dim(x, 1), g.Dim(x, 2), Dim / 2, 2);
        var (a, b) = (g.Select(pairs, 4, 0), g.Select(pairs, 4, 1));
        var (cos, sin) = (g.Weight(g.Fresh(s.Name("cos")), Dim / 2), g.Weight(g.Fresh(s.Name("sin")), Dim / 2));
        var first = g.Node("Sub", [g.Mul(a, cos), g.Mul(b, sin)]);
        var second = g.Add(g.Mul(a, sin), g.Mul(b, cos));
        return g.View(g.Concat(4, g.Unsqueeze(first, 4), g.Unsqueeze(second, 4)), g.Dim(x, 0), g.Dim(x, 1), g.Dim(x, 2), Dim);
    }

    private static RandomState Packed(RandomState s)
    {
        const int heads = 3;
        var g = s.G;
        var y = g.Linear(s.X, s.Name("qkv"), s.Channels, 3 * heads * Dim);
        string[] parts;
        switch (s.Pick("3hd", "h3d", "hd3", "thirds", "h(3d)"))
        {
            case "3hd":
                y = g.Transpose(g.Reshape(y, 0, 0, 3, heads, Dim), 2, 0, 3, 1, 4);
                parts = [g.Select(y, 0, 0), g.Select(y, 0, 1), g.Select(y, 0, 2)];
                break;
            case "h3d":
                y = g.Reshape(y, 0, 0, heads, 3, Dim);
                parts = [.. Enumerable.Range(0, 3).Select(i => g.Transpose(g.Select(y, 3, i), 0, 2, 1, 3))];
                break;
            case "hd3":
                y = g.View(y, g.Dim(y, 0), g.Dim(y, 1), heads, Dim, 3);
                parts = [.. Enumerable.Range(0, 3).Select(i => g.Transpose(g.Select(y, 4, i), 0, 2, 1, 3))];
                break;
            case "thirds":
                parts = [.. g.Split(y, 2, heads * Dim, heads * Dim, heads * Dim).Select(p => Split(s, p, heads))];
                break;
            default:
                parts = g.Split(g.Transpose(g.Reshape(y, 0, 0, heads, 3 * Dim), 0, 2, 1, 3), 3, Dim, Dim, Dim);
                break;
        }
        return s.With(g.Linear(Merge(s, g.Attend(parts[0], parts[1], parts[2], 0.5f), heads), s.Name("o"), heads * Dim, 12), 12);
    }

    /// <summary>Heads go to the batch: [b·h, s, d].</summary>
    private static RandomState Rows(RandomState s)
    {
        const int heads = 3;
        var g = s.G;
        var (b, l) = (g.Dim(s.X, 0), g.Dim(s.X, 1));
        var rows = g.Mul(b, g.Int(heads));
        string Project(string part)
            => g.View(g.Transpose(g.View(g.Linear(s.X, s.Name(part), s.Channels, heads * Dim), b, l, heads, Dim), 0, 2, 1, 3), rows,
                s.Variant % 2 == 0 ? -1 : l, Dim);
        var scores = g.MatMul(g.Mul(Project("q"), g.Number(0.5f)), g.Transpose(Project("k"), 0, 2, 1));
        var a = g.View(g.MatMul(g.Softmax(scores), Project("v")), b, heads, l, Dim);
        return s.With(g.Linear(g.View(g.Transpose(a, 0, 2, 1, 3), b, l, heads * Dim), s.Name("o"), heads * Dim, 12), 12);
    }
}
