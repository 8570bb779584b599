using Espalier.Axes;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Bases;

namespace Espalier.Pruning.Tests;

/// <summary>
/// Networks with planted redundancy, and for each the complete list of presets that are lossless on it: a method must find what
/// it claims to find, and what it finds beyond that would be luck.
/// </summary>
public sealed class PlantedMatrixTests
{
    private const double Lossless = 1e-3, Harmed = 1e-2;
    private const int Width = 8, Hidden = 16;

    /// <summary>What is redundant, and how much of the units stays when exactly that goes.</summary>
    private sealed record Redundancy(Func<OnnxModel> Build, Axis Axis, double Keep, int[] Planted, Preset[] LosslessFor, long[] Shape)
    {
        public int Rows { get; init; } = 400;

        /// <summary>The rule prunes what is inexact: experts behind the softmax of a router.</summary>
        public bool Inexact { get; init; }
    }

    /// <summary>GRAIL's ridge shrinks what is kept by a thousandth: it is never lossless, whatever it finds.</summary>
    private static readonly Preset[] OnUnits = [.. Enum.GetValues<Preset>()
        .Where(p => p != Preset.Grail && Presets.Get(p) is { Depth: null, LowRank: null })];

    private static readonly Preset[] SeesDependence = [Preset.Best, Preset.Obspa, Preset.ZipLm, Preset.ObspaDataFree,
        Preset.ObspaOutOfDistribution];

    private static readonly Dictionary<string, Redundancy> Networks = new()
    {
        // Nothing comes in and nothing goes out: whoever looks at weights or at activations finds it, and nothing is to be made up for.
        ["dead neurons"] = new(() => Mlp((w, b, o) =>
        {
            foreach (int u in (int[])[3, 7, 8, 14])
            {
                for (int i = 0; i < Width; i++) w[(i * Hidden) + u] = 0;
                b[u] = 0;
            }
        }), Axis.Neurons, 0.75, [3, 7, 8, 14], [.. OnUnits.Where(p => p != Preset.Random)], [Width]),
        // A constant goes into the bias: for whoever sees that it does not vary, and makes up for its mean.
        ["constant neurons"] = new(() => Mlp((w, b, o) =>
        {
            foreach (int u in (int[])[0, 5, 9, 12])
            {
                for (int i = 0; i < Width; i++) w[(i * Hidden) + u] = 0;
                b[u] = 3;
                for (int k = 0; k < 3; k++) o[(u * 3) + k] *= 10;
            }
        }), Axis.Neurons, 0.75, [0, 5, 9, 12], [Preset.Flap, .. SeesDependence], [Width]),
        // The same twice, as loud as any: only who asks what is left after a refit sees it.
        ["duplicated neurons"] = new(() => Mlp((w, b, o) => Copy(w, b, (2, 1), (6, 1), (10, 11), (15, 4))), Axis.Neurons, 0.75, [],
            SeesDependence, [Width]),
        // Sums of others, where nothing between the layers bends.
        ["linearly dependent neurons"] = new(() => Mlp((w, b, o) =>
        {
            for (int i = 0; i < Width; i++)
                for (int u = 12; u < 16; u++) w[(i * Hidden) + u] = (w[(i * Hidden) + u - 12] * 2) - w[(i * Hidden) + u - 8];
            for (int u = 12; u < 16; u++) b[u] = (b[u - 12] * 2) - b[u - 8];
        }, bent: false), Axis.Neurons, 0.5, [], SeesDependence, [Width]),
        // A head whose values its own output projection maps to nothing: loud before and after, and nothing comes of it. Who
        // runs the model without it sees that.
        ["rank-deficient head"] = new(() => Attention(deficient: 2), Axis.Heads, 0.75, [2], [.. SeesDependence, Preset.Kwon], [6, Width]),
        // A head that writes only where nothing reads: noise to the output, signal to whoever looks no further than the next product.
        ["head that nothing reads"] = new(() => Attention(unread: 1), Axis.Heads, 0.75, [1], [Preset.Kwon], [6, Width]),
        // A head whose values are a loud constant, up to noise: wherever it looks, it says the same.
        ["noise-only head"] = new(() => Attention(constant: 1), Axis.Heads, 0.75, [1], [Preset.Flap, .. SeesDependence], [6, Width]),
        // Two experts and their router rows are one, louder and more used than the rest: who merges by router rows loses
        // nothing, who removes one takes half of what the two gave. Not under a TopK, where the two take two places of k and
        // the merged one takes one (`ExpertTests`).
        ["duplicate experts"] = new(() => Experts(duplicate: true), Axis.Experts, 5 / 6.0, [], [Preset.Stun],
            [Planted.Inputs])
        { Inexact = true },
        // The loudest expert is never chosen.
        ["expert that is never chosen"] = new(() => Experts(duplicate: false), Axis.Experts, 5 / 6.0, [3], [Preset.Uncurl],
            [Planted.Inputs])
        { Inexact = true },
        // Nothing is asked for and nothing answers along this dimension of every head.
        ["dead dimension of queries and keys"] = new(() => Attention(deadInQueries: true, deadInKeys: true), Axis.HeadDims, 0.75, [2],
            [.. OnUnits.Where(p => p != Preset.Random)], [6, Width]),
        // Loudly asked for, and nothing answers: a norm over both keeps it. Where heads have bases of their own it is the last.
        ["dimension that is dead in keys"] = new(() => Attention(deadInKeys: true), Axis.HeadDims, 0.75, [2],
            [.. OnUnits.Where(p => Presets.Get(p).Compensate == Compensation.LeastSquares), Preset.Kwon, Preset.ThinKStatic], [6, Width]),
    };

    private static readonly Dictionary<string, long> Batches = new() { ["batch"] = 32 };

    public static TheoryData<string> Names => [.. Networks.Keys];

    private static void Copy(float[] w, float[] b, params (int To, int From)[] copies)
    {
        foreach (var (to, from) in copies)
        {
            for (int i = 0; i < Width; i++) w[(i * Hidden) + to] = 3 * w[(i * Hidden) + from];
            b[to] = 3 * b[from];
        }
    }

    private static OnnxModel Mlp(Action<float[], float[], float[]> edit, bool bent = true)
    {
        var random = new Random(11);
        float[] w = Planted.Floats(random, Width * Hidden), b = Planted.Floats(random, Hidden), o = Planted.Floats(random, Hidden * 3);
        edit(w, b, o);
        var g = new GraphBuilder(11);
        string h = g.Add(g.MatMul(g.Input("x", "batch", Width), g.Floats("up", w, Width, Hidden)), g.Floats("upBias", b, Hidden));
        g.Output(g.Rename(g.Add(g.MatMul(bent ? g.Relu(h) : h, g.Floats("down", o, Hidden, 3)),
            g.Floats("bias", Planted.Floats(random, 3), 3)), "y"), "batch", 3);
        return g.Build();
    }

    private static OnnxModel Experts(bool duplicate) => Mixture.Create(3, (router, up, down) =>
    {
        int size = Mixture.Hidden * Mixture.Outputs;
        for (int i = 0; i < size; i++) down[((duplicate ? 1 : 3) * size) + i] *= 4;
        if (duplicate) Mixture.Repeat(router, up, down, 1, 4);
    }, bias: duplicate ? [0, 3, 0, 0, 3, 0] : [0, 0, 0, -100, 0, 0]);

    private static OnnxModel Attention(int deficient = -1, int unread = -1, int constant = -1, bool deadInQueries = false,
        bool deadInKeys = false, int rank = 0)
    {
        const int heads = 4, dim = 4, all = heads * dim;
        var random = new Random(3);
        float[] v = Planted.Floats(random, Width * all), o = Planted.Floats(random, all * Width);
        if (rank > 0) v = Product(Planted.Floats(random, Width * rank), Planted.Floats(random, rank * all), rank, all);
        // Values have two equal halves in this head, and the output projection takes their difference.
        for (int d = 0; d < dim / 2 && deficient >= 0; d++)
        {
            int a = (deficient * dim) + d, c = a + (dim / 2);
            for (int i = 0; i < Width; i++) v[(i * all) + c] = v[(i * all) + a];
            for (int k = 0; k < Width; k++) o[(c * Width) + k] = -o[(a * Width) + k];
        }
        float[] head = Planted.Floats(random, Width * Width);
        for (int row = 0; row < all && unread >= 0; row++)
            for (int k = 0; k < Width; k++)
                o[(row * Width) + k] = (k >= Width / 2) == (row / dim == unread) ? (row / dim == unread ? 8 : 2) * o[(row * Width) + k] : 0;
        for (int k = 0; k < Width * Width && unread >= 0; k++) if (k / Width >= Width / 2) head[k] = 0;
        for (int row = constant * dim; row < (constant + 1) * dim && constant >= 0; row++)
        {
            for (int i = 0; i < Width; i++) v[(i * all) + row] *= 1e-6f;
            for (int k = 0; k < Width; k++) o[(row * Width) + k] *= 8;
        }
        float[] says = [.. Enumerable.Range(0, all).Select(k => constant >= 0 && k / dim == constant ? 3f : 0)];
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", 6, Width);
        string Split(string t) => g.SplitHeads(t, heads, dim);
        // Dimension 2 of every head.
        float[] Deficient() => Product(Planted.Floats(random, Width * rank), Planted.Floats(random, rank * all), rank, all);
        string Dimension(string name, float factor)
            => name == "k" && rank > 0 ? g.Floats(name, Deficient(), Width, all) : factor == 1 ? g.Weight(name, Width, all)
            : g.Floats(name, [.. Planted.Floats(random, Width * all).Select((w, i) => i % dim == 2 ? w * factor : w)], Width, all);
        string wq = Dimension("q", deadInQueries ? 0 : deadInKeys ? 8 : 1), wk = Dimension("k", deadInKeys ? 0 : 1);
        var (q, key) = (Split(g.MatMul(x, wq)), Split(g.MatMul(x, wk)));
        string values = g.MatMul(x, g.Floats("v", v, Width, all));
        if (constant >= 0) values = g.Add(values, g.Floats("vBias", says, all));
        string y = g.MergeHeads(g.MatMul(g.Softmax(g.MatMul(q, g.Transpose(key, 0, 1, 3, 2))), Split(values)), all);
        y = g.Add(g.MatMul(y, g.Floats("o", o, all, Width)), g.Floats("bias", Planted.Floats(random, Width), Width));
        g.Output(g.Rename(unread < 0 ? y : g.MatMul(y, g.Floats("head", head, Width, Width)), "y"), "batch", 6, Width);
        return g.Build();
    }

    private static float[] Product(float[] left, float[] right, int rank, int columns)
        => [.. Enumerable.Range(0, left.Length / rank * columns)
            .Select(i => Enumerable.Range(0, rank).Sum(r => left[(i / columns * rank) + r] * right[(r * columns) + (i % columns)]))];

    [Theory]
    [MemberData(nameof(Names))]
    public void Exactly_these_methods_are_lossless(string name)
    {
        var redundancy = Networks[name];
        using var dense = redundancy.Build();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, redundancy.Rows).Select(i => Planted.Rows(500 + i, 32, redundancy.Shape)).ToList();
        var inputs = new[] { InputSource.Data, InputSource.Noise, InputSource.OutOfDistribution }.ToDictionary(s => s, s => s switch
        {
            InputSource.Data => samples,
            InputSource.Noise => Calibration.Inputs.RandomInputs.Many(dense, samples.Count, 7, Batches),
            _ => NaturalInputs.Many(dense, samples.Count, 7, Batches),
        });
        var found = new List<Preset>();
        foreach (var preset in OnUnits)
        {
            samples = [.. inputs[Presets.Get(preset).Inputs]];
            var probe = new ModelProbe(analysis, samples);
            // Without a budget each group keeps the ratio, however the preset spreads one.
            var plan = Presets.Complete(new PruningPlan
            {
                Preset = preset,
                Prune = [new() { Axis = redundancy.Axis, Keep = redundancy.Keep, AllowInexact = redundancy.Inexact }]
            }, hasData: true);
            var needs = Slimmer.Needs(plan, analysis);
            var (slim, report) = Slimmer.Run(plan, analysis, needs is null
                ? null
                : Calibrator.Run(analysis, samples, needs), needs is null ? null : probe);
            double error = Planted.Error(dense, slim);
            Assert.False(error is > Lossless and < Harmed, $"{preset}: {error} is neither lossless nor harmed");
            // Who removes nothing has found nothing: equal scores can be all above a threshold.
            if (error > Lossless || report.Groups.All(g => g.Kept == g.Size)) continue;
            found.Add(preset);
            // In a basis, or an order, of its own a head loses the last dimension, whichever was dead.
            bool turns = redundancy.Axis is Axis.HeadDims or Axis.ValueDims
                && (plan.Prune[0].Compensate == Compensation.LeastSquares || BasisChange.IsSorted(plan.Prune[0]));
            if (redundancy.Planted.Length > 0 && !turns)
                Assert.Equal(redundancy.Planted, report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
        }
        Assert.Equal(redundancy.LosslessFor.Order(), found.Order());
    }

    /// <summary>
    /// Keys and values of rank 3, of which no dimension of a head is dead or repeated: a product of that rank has all of it,
    /// and half of the dimensions do not.
    /// </summary>
    [Fact]
    public void Rank_deficient_keys_and_values_are_lossless_for_low_rank()
    {
        using var dense = Attention(rank: 3);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 40).Select(i => Planted.Rows(500 + i, 32, 6, Width)).ToList();
        var probe = new ModelProbe(analysis, samples);
        double Error(PruningPlan plan)
            => Planted.Error(dense,
                Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), probe).Model);
        Assert.InRange(Error(Factored(3)), 0, Lossless);
        Assert.InRange(Error(Factored(2)), Harmed, 10);
        // With as many parameters as rank 3 leaves of keys and values: 72 of 128.
        foreach (var preset in OnUnits)
            Assert.InRange(Error(Presets.Complete(new PruningPlan { Preset = preset, Prune = [new() { Axis = Axis.HeadDims, Keep = 0.5 }] },
                hasData: true)), Harmed, 10);

        PruningPlan Factored(int rank)
            => Presets.Complete(new PruningPlan { Preset = Preset.Cskv, LowRank = [new() { Of = ProductKind.KeysAndValues, Rank = rank }] },
                hasData: true);
    }

    /// <summary>A sublayer that adds nothing.</summary>
    [Fact]
    public void An_identity_sublayer_is_lossless_for_methods_on_depth()
    {
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", Width);
        for (int l = 0; l < 4; l++)
            x = g.Add(x,
                g.MatMul(g.Relu(g.MatMul(x, g.Weight($"up{l}", Width, Hidden))), l == 2
                    ? g.Floats($"down{l}", new float[Hidden * Width], Hidden, Width)
                    : g.Weight($"down{l}", Hidden, Width)));
        g.Output(g.Rename(g.MatMul(x, g.Weight("head", Width, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 8).Select(i => Planted.Rows(i, 16, Width)).ToList();
        var found = new List<Preset>();
        foreach (var preset in Enum.GetValues<Preset>().Where(p => Presets.Get(p).Depth is not null || p is Preset.Best or Preset.Random))
        {
            var plan = Presets.Complete(new PruningPlan
            {
                Preset = preset,
                Seed = 1,
                Drop = [new() { Axis = Axis.Sublayers, AtMost = 1, Score = preset == Preset.Random ? Criterion.Random : null }]
            },
                hasData: true);
            var slim = Slimmer.Run(plan, analysis, preset == Preset.Random
                ? null
                : Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples));
            if (Planted.Error(dense, slim.Model) < 1e-6) found.Add(preset);
        }
        Assert.Equal([Preset.Best, Preset.ShortGpt, Preset.Sleb, Preset.FinerCut], found.Order());
    }
}
