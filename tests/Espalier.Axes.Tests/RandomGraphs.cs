using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Graphs composed from recipes: a recipe is a list of numbers, so that a failing one shrinks to a short list.</summary>
internal static class RandomGraphs
{
    /// <summary>Number of image steps.</summary>
    public static int ImageSteps => Images.Length;

    /// <summary>Number of sequence steps.</summary>
    public static int SequenceSteps => Sequences.Length;

    private sealed record State(GraphBuilder G, string X, int Channels, int Number, int Size = 8)
    {
        public string Name(string part) => $"s{Number}.{part}";
        public State With(string x, int channels) => this with { X = x, Channels = channels };
    }

    private static readonly (string Name, Func<State, State> Apply)[] Images =
    [
        ("conv", s => s.With(s.G.Conv(s.X, s.Name("conv"), s.Channels, 12), 12)),
        ("conv-bn-relu", s => s.With(s.G.Relu(s.G.BatchNorm(s.G.Conv(s.X, s.Name("conv"), s.Channels, 16, bias: false), s.Name("bn"), 16)), 16)),
        ("depthwise", s => s.With(s.G.Conv(s.X, s.Name("dw"), s.Channels, s.Channels, 3, group: s.Channels), s.Channels)),
        ("depthwise-2", s => s.Channels > 24 ? s : s.With(s.G.Conv(s.X, s.Name("dw"), s.Channels, 2 * s.Channels, 3, group: s.Channels), 2 * s.Channels)),
        ("grouped", s => s.Channels % 4 != 0 ? s : s.With(s.G.Conv(s.X, s.Name("g"), s.Channels, 16, 1, group: 4), 16)),
        ("residual", s => s.With(s.G.Add(s.X, s.G.Conv(s.G.Relu(s.G.Conv(s.X, s.Name("a"), s.Channels, 8, 1)), s.Name("b"), 8, s.Channels)), s.Channels)),
        ("concat", s => s.Channels > 24 ? s : s.With(s.G.Concat(1, s.X, s.G.Conv(s.X, s.Name("branch"), s.Channels, 6, 1)), s.Channels + 6)),
        ("twice", s => s.Channels > 16 ? s : s.With(s.G.Concat(1, s.X, s.X), 2 * s.Channels)),
        ("gate", s =>
        {
            var gate = s.G.Sigmoid(s.G.Conv(s.G.Relu(s.G.Conv(s.G.GlobalPool(s.X), s.Name("down"), s.Channels, 4, 1)), s.Name("up"), 4, s.Channels, 1));
            return s.With(s.G.Mul(s.X, gate), s.Channels);
        }),
        ("halves", s =>
        {
            if (s.Channels % 2 != 0) return s;
            var half = s.G.Split(s.X, 1, s.Channels / 2, s.Channels / 2);
            return s.With(s.G.Mul(half[0], s.G.Sigmoid(half[1])), s.Channels / 2);
        }),
        ("slice", s => s.Channels < 6 ? s : s.With(s.G.Slice(s.X, 1, 2, s.Channels - 1), s.Channels - 3)),
        ("shuffle", s => s.Channels % 2 != 0 ? s : s.With(
            s.G.Reshape(s.G.Transpose(s.G.Reshape(s.X, -1, 2, s.Channels / 2, s.Size, s.Size), 0, 2, 1, 3, 4), -1, s.Channels, s.Size, s.Size), s.Channels)),
        ("depth-to-space", s => s.Channels % 4 != 0 || s.Size > 8 ? s
            : s.With(s.G.Node("DepthToSpace", s.X, ("blocksize", 2), ("mode", s.Number % 2 == 0 ? "DCR" : "CRD")), s.Channels / 4) with { Size = s.Size * 2 }),
        ("space-to-depth", s => s.Channels > 8 || s.Size < 8 ? s : s.With(s.G.Node("SpaceToDepth", s.X, ("blocksize", 2)), s.Channels * 4) with { Size = s.Size / 2 }),
        ("pad", s => s.With(s.G.Node("Pad", [s.X, s.G.Longs(0, 1, 0, 0, 0, 2, 0, 0)], ("mode", "constant")), s.Channels + 3)),
        ("prelu", s => s.With(s.G.Node("PRelu", [s.X, s.G.Weight(s.Name("slope"), s.Channels, 1, 1)]), s.Channels)),
        ("maxout", s => s.Channels % 2 != 0 ? s : s.With(s.G.Node("ReduceMax", s.G.Reshape(s.X, -1, s.Channels / 2, 2, s.Size, s.Size), ("axes", new[] { 2 }), ("keepdims", 0)), s.Channels / 2)),
        ("channels-last", s => s.With(s.G.Transpose(s.G.Linear(s.G.Transpose(s.X, 0, 2, 3, 1), s.Name("fc"), s.Channels, 10), 0, 3, 1, 2), 10)),
        ("softmax", s => s.With(s.G.Softmax(s.X, 1), s.Channels)),
    ];

    private static readonly (string Name, Func<State, State> Apply)[] Sequences =
    [
        ("linear", s => s.With(s.G.Relu(s.G.Linear(s.X, s.Name("fc"), s.Channels, 12)), 12)),
        ("feed-forward", s => s.With(s.G.Add(s.X, s.G.Linear(s.G.Relu(s.G.Linear(s.X, s.Name("up"), s.Channels, 20)), s.Name("down"), 20, s.Channels)), s.Channels)),
        ("norm", s => s.With(s.G.LayerNorm(s.X, s.Name("ln"), s.Channels), s.Channels)),
        ("attention", s => Attention(s, 4, 4, packed: false)),
        ("packed attention", s => Attention(s, 3, 3, packed: true)),
        ("grouped attention", s => Attention(s, 4, 2, packed: false)),
        ("gated", s =>
        {
            var half = s.G.Split(s.G.Linear(s.X, s.Name("in"), s.Channels, 24), 2, 12, 12);
            return s.With(s.G.Linear(s.G.Mul(half[0], s.G.Sigmoid(half[1])), s.Name("out"), 12, 12), 12);
        }),
        ("concat", s => s.Channels > 24 ? s : s.With(s.G.Concat(2, s.G.Linear(s.X, s.Name("branch"), s.Channels, 5), s.X), s.Channels + 5)),
        ("rotate", s => s.Channels % 2 != 0 ? s : s.With(
            s.G.Add(s.X, s.G.Concat(2, s.G.Node("Neg", s.G.Slice(s.X, 2, s.Channels / 2, long.MaxValue)), s.G.Slice(s.X, 2, 0, s.Channels / 2))), s.Channels)),
        ("recurrence", s =>
        {
            var x = s.G.Transpose(s.X, 1, 0, 2);
            var y = s.G.Nodes("GRU", 1, [x, s.G.Weight(s.Name("W"), 1, 24, s.Channels), s.G.Weight(s.Name("R"), 1, 24, 8), s.G.Weight(s.Name("B"), 1, 48)], ("hidden_size", 8))[0];
            return s.With(s.G.Transpose(s.G.Squeeze(y, 1), 1, 0, 2), 8);
        }),
        ("mix positions", s => s.With(s.G.MatMul(s.G.Weight(s.Name("mix"), Length, Length), s.X), s.Channels)),
        ("scale", s => s.With(s.G.Mul(s.X, s.G.Positive(s.Name("gamma"), s.Channels)), s.Channels)),
    ];

    private const int Length = 5;

    private static State Attention(State s, int heads, int kv, bool packed)
    {
        const int dim = 4;
        var (g, width) = (s.G, heads * dim);
        string q, k, v;
        if (packed)
        {
            var y = g.Transpose(g.Reshape(g.Linear(s.X, s.Name("qkv"), s.Channels, 3 * width), 0, 0, 3, heads, dim), 2, 0, 3, 1, 4);
            string Part(long i) => g.Node("Gather", [y, g.Longs(g.Fresh("i"), [i], [])], ("axis", 0));
            (q, k, v) = (Part(0), Part(1), Part(2));
        }
        else
        {
            q = g.SplitHeads(g.Linear(s.X, s.Name("q"), s.Channels, width), heads, dim);
            k = g.SplitHeads(g.Linear(s.X, s.Name("k"), s.Channels, kv * dim), kv, dim, inferred: true);
            v = g.SplitHeads(g.Linear(s.X, s.Name("v"), s.Channels, kv * dim), kv, dim);
        }
        if (kv < heads)
        {
            string Repeat(string t) => g.Reshape(g.Node("Expand", [g.Unsqueeze(t, 2), g.Longs(1, 1, heads / kv, 1, 1)]), 0, heads, Length, dim);
            (k, v) = (Repeat(k), Repeat(v));
        }
        return s.With(g.Linear(g.MergeHeads(g.Attend(q, k, v, 0.5f), width), s.Name("o"), width, 12), 12);
    }

    /// <summary>An image network; its last two convolutions are always an exact group of 10 on <c>tail1.weight</c>.</summary>
    public static GraphBuilder Image(IReadOnlyList<int> recipe, int seed)
    {
        var g = new GraphBuilder(seed);
        var state = new State(g, g.Conv(g.Input("x", "batch", 3, 8, 8), "stem", 3, 8), 8, 0);
        foreach (int step in recipe) state = Images[step].Apply(state) with { Number = state.Number + 1 };
        g.Output(g.Conv(g.Relu(g.Conv(state.X, "tail1", state.Channels, 10, 1)), "tail2", 10, 4), "batch", 4, state.Size, state.Size);
        return g;
    }

    /// <summary>A sequence network; its last two layers are always an exact group of 10 on <c>tail1.weight</c>.</summary>
    public static GraphBuilder Sequence(IReadOnlyList<int> recipe, int seed)
    {
        var g = new GraphBuilder(seed);
        var state = new State(g, g.Linear(g.Input("x", "batch", Length, 6), "stem", 6, 12), 12, 0);
        foreach (int step in recipe) state = Sequences[step].Apply(state) with { Number = state.Number + 1 };
        g.Output(g.Linear(g.Relu(g.Linear(state.X, "tail1", state.Channels, 10)), "tail2", 10, 4), "batch", Length, 4);
        return g;
    }

    /// <summary>The steps of a recipe, for messages.</summary>
    public static string Describe(IReadOnlyList<int> recipe, bool image) => string.Join(" > ", recipe.Select(i => image ? Images[i].Name : Sequences[i].Name));
}
