using Espalier.Axes;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using static Espalier.Pruning.Tests.Mixture;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets for experts, from their papers' formulas, on a mixture that is written a second time in loops.</summary>
public sealed class ExpertPresetTests
{
    private const int Rows = 400;

    /// <summary>The mixture in loops over doubles: weights of every expert, and its row and bias in the router.</summary>
    private sealed class Loops
    {
        public double[][] Router { get; } = new double[Experts][];
        public double[] Bias { get; } = new double[Experts];
        public double[][] Up { get; } = new double[Experts][];
        public double[][] Down { get; } = new double[Experts][];
        private readonly float[] _in, _inBias;

        public Loops(OnnxModel model)
        {
            float[] Weight(string name) => model.Content(model.Proto.Graph.Initializer.Single(t => t.Name == name)).ToFloats();
            (_in, _inBias) = (Weight("in.weight"), Weight("in.bias"));
            float[] router = Weight("router.weight"), up = Weight("up"), down = Weight("down");
            for (int e = 0; e < Experts; e++)
            {
                Router[e] = [.. Enumerable.Range(0, Width).Select(i => (double)router[(i * Experts) + e])];
                Up[e] = [.. up.Skip(e * Width * Hidden).Take(Width * Hidden).Select(v => (double)v)];
                Down[e] = [.. down.Skip(e * Hidden * Outputs).Take(Hidden * Outputs).Select(v => (double)v)];
            }
        }

        /// <summary>Everything that an expert is, but for its row in the router.</summary>
        public double[] All(int e) => [.. Up[e], .. Down[e]];

        public (double[] Probabilities, double[] Output) Run(float[] x, IReadOnlyList<int> experts)
        {
            double[] h = [.. Enumerable.Range(0, Width).Select(i => Math.Max(0, _inBias[i]
                + Enumerable.Range(0, x.Length).Sum(k => (double)x[k] * _in[(k * Width) + i])))];
            double[] logits = [.. experts.Select(e => Bias[e] + Dot(Router[e], h))];
            double all = logits.Sum(l => Math.Exp(l));
            double[] p = [.. logits.Select(l => Math.Exp(l) / all)], y = new double[Outputs];
            foreach (var (e, share) in experts.Zip(p))
            {
                double[] inner = [.. Enumerable.Range(0, Hidden)
                    .Select(j => Math.Max(0, Enumerable.Range(0, Width).Sum(i => h[i] * Up[e][(i * Hidden) + j])))];
                for (int o = 0; o < Outputs; o++)
                    y[o] += share * Enumerable.Range(0, Hidden).Sum(j => inner[j] * Down[e][(j * Outputs) + o]);
            }
            return (p, y);
        }
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double Apart(double[] a, double[] b) => a.Zip(b, (x, y) => (x - y) * (x - y)).Sum();

    /// <summary>Experts 1 and 4, and 0 and 5, are alike in half of what they are; all others are strangers.</summary>
    private static OnnxModel Build(int seed) => Mixture.Create(seed, (router, up, down) =>
    {
        foreach (var (from, to) in new[] { (1, 4), (0, 5) })
        {
            foreach (var (values, size) in new[] { (up, Width * Hidden), (down, Hidden * Outputs) })
                for (int i = 0; i < size; i++) Mix(values, (to * size) + i, (from * size) + i, 0.7f);
            for (int i = 0; i < Width; i++) Mix(router, (i * Experts) + to, (i * Experts) + from, 0.9f);
        }

        static void Mix(float[] values, int to, int from, float share) => values[to] = (share * values[from]) + ((1 - share) * values[to]);
    });

    /// <summary>
    /// UNCURL (arXiv:2409.01483): an expert counts by the mean probability that the router gives it on the data; those that go
    /// are merged into those that stay, weighted by it. Into which one the router's rows say, and whether the weights do.
    /// </summary>
    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 3)]
    [InlineData(3, 5)]
    public void UNCURL(int seed, int keep) => Check(Preset.Uncurl, seed, keep, (loops, use) => PresetRun.Best(use, keep));

    /// <summary>
    /// STUN (arXiv:2409.06211, code 21b0153): router rows are joined by complete linkage until as many clusters are left as
    /// experts shall stay; of each that one stays whose weights are nearest to their mean, here of the two that stood for the
    /// clusters that were joined.
    /// </summary>
    [Theory]
    [InlineData(4, 4)]
    [InlineData(5, 3)]
    [InlineData(6, 2)]
    public void STUN(int seed, int keep) => Check(Preset.Stun, seed, keep, (loops, _) =>
    {
        var clusters = Enumerable.Range(0, Experts).Select(e => (Members: new[] { e }, Head: e)).ToList();
        while (clusters.Count > keep)
        {
            var (a, b) = (from i in Enumerable.Range(0, clusters.Count)
                          from j in Enumerable.Range(0, clusters.Count)
                          where i < j
                          orderby clusters[i].Members.Max(m => clusters[j].Members.Max(n => Apart(loops.Router[m], loops.Router[n])))
                          select (i, j)).First();
            int[] members = [.. clusters[a].Members, .. clusters[b].Members];
            double[] mean = [.. Enumerable.Range(0, loops.All(0).Length).Select(k => members.Average(m => loops.All(m)[k]))];
            int head = Apart(loops.All(clusters[a].Head), mean) <= Apart(loops.All(clusters[b].Head), mean) + 1e-9
                ? clusters[a].Head
                : clusters[b].Head;
            clusters[a] = (members, head);
            clusters.RemoveAt(b);
        }
        return [.. clusters.Select(c => c.Head).Order()];
    });

    private static void Check(Preset preset, int seed, int keep, Func<Loops, double[], int[]> choose)
    {
        using var dense = Build(seed);
        var (analysis, loops) = (AxisAnalysis.Run(dense), new Loops(dense));
        var samples = Planted.Rows(seed, Rows, Planted.Inputs);
        var rows = ((float[])samples["x"].Values).Chunk(Planted.Inputs).ToList();
        int[] all = [.. Enumerable.Range(0, Experts)];
        double[] use = [.. all.Select(e => rows.Average(x => loops.Run(x, all).Probabilities[e]))];
        int[] kept = choose(loops, use);
        int merged = Merge(loops, use, kept);

        var plan = Presets.Complete(new PruningPlan
        { Preset = preset, Prune = [new() { Axis = Axis.Experts, Keep = (double)keep / Experts, AllowInexact = true }] }, hasData: true);
        var (slim, report) = Slimmer.Run(plan, analysis, Calibrator.Run(analysis, [samples], Slimmer.Needs(plan, analysis)!));
        Assert.Equal(all.Except(kept), report.Groups.Single(g => g.Kind == "experts").RemovedUnits);
        Assert.Equal(merged == 0, report.Notes.Any(n => n.Contains("plain removal", StringComparison.Ordinal)));
        using var session = Sessions.Open(slim);
        var given = (float[])session.Run(samples.Values)["y"].Values;
        double[] wanted = [.. rows.SelectMany(x => loops.Run(x, kept).Output)];
        double scale = wanted.Max(Math.Abs);
        for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], given[i], 1e-4 * scale);
    }

    /// <summary>
    /// Every expert that goes into the one that stays with the nearest router row, if ‖a − b‖² ≤ ½ (‖a‖² + ‖b‖²): means weighted by
    /// use, and ln(Σp / p) more in the logit.
    /// </summary>
    private static int Merge(Loops loops, double[] use, int[] kept)
    {
        var into = Enumerable.Range(0, Experts).Except(kept)
            .Select(e => (Gone: e, Stays: kept.OrderBy(k => Apart(loops.Router[e], loops.Router[k])).First()))
            .Where(p => Apart(loops.All(p.Gone), loops.All(p.Stays))
                <= 0.5 * (Dot(loops.All(p.Gone), loops.All(p.Gone)) + Dot(loops.All(p.Stays), loops.All(p.Stays))))
            .ToLookup(p => p.Stays, p => p.Gone);
        foreach (var cluster in into)
        {
            int[] members = [cluster.Key, .. cluster];
            double sum = members.Sum(m => use[m]);
            foreach (double[][] weights in (double[][][])[loops.Router, loops.Up, loops.Down])
                weights[cluster.Key] = [.. weights[cluster.Key].Select((_, i) => members.Sum(m => use[m] / sum * weights[m][i]))];
            loops.Bias[cluster.Key] += Math.Log(sum / use[cluster.Key]);
        }
        return into.Count;
    }
}
