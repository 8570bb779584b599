using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that stand on the optimal brain surgeon, by refits of every choice in place of its recursion.</summary>
public sealed class SurgeonPresetTests
{
    /// <summary>
    /// Optimal brain surgeon on whole units (Hassibi and Stork 1993): units go one by one, the one first without which, and without
    /// those before it, the best refit loses least. The score of a unit is what it adds, as a share of what the reader gives, and
    /// never less than that of one before it.
    /// </summary>
    internal static double[] Scores(TwiceWritten network, Trace dense, string reader)
    {
        var gone = new List<int>();
        double[] scores = new double[TwiceWritten.Units(reader)];
        double reached = 0;
        while (gone.Count < scores.Length)
        {
            double before = Lost(network, dense, reader, gone);
            var next = Enumerable.Range(0, scores.Length).Except(gone)
                .Select(u => (Unit: u, Cost: Lost(network, dense, reader, [.. gone, u]) - before)).MinBy(u => u.Cost);
            scores[next.Unit] = reached = Math.Max(reached, next.Cost);
            gone.Add(next.Unit);
        }
        return scores;
    }

    /// <summary>
    /// What the best weights on what is left lose, tr(W H Wᵀ) − tr(W H_:K H_KK⁻¹ H_K: Wᵀ) with H = C + λI, over tr(W C Wᵀ);
    /// λ = 10⁻² · mean diag(C) · min(1, n / N).
    /// </summary>
    internal static double Lost(TwiceWritten network, Trace dense, string reader, IReadOnlyCollection<int> gone)
    {
        var x = dense.Rows($"{reader} in");
        int n = x.ColumnCount;
        var mean = x.ColumnSums() / x.RowCount;
        var centred = Matrix<double>.Build.Dense(x.RowCount, n, (i, j) => x[i, j] - mean[j]);
        var c = centred.TransposeThisAndMultiply(centred) / x.RowCount;
        var h = c + (1e-2 * Math.Min(1, (double)n / x.RowCount) * c.Trace() / n * Matrix<double>.Build.DenseIdentity(n));
        var w = network.Weight(reader).Transpose();
        int[] all = [.. Enumerable.Range(0, n)];
        int[] kept = TwiceWritten.Features(reader, Enumerable.Range(0, TwiceWritten.Units(reader)).Except(gone));
        double whole = (w * h * w.Transpose()).Trace(), total = (w * c * w.Transpose()).Trace();
        if (kept.Length == 0) return whole / total;
        var cross = w * Refits.Take(h, all, kept);
        return (whole - (cross * Refits.Take(h, kept, kept).Inverse() * cross.Transpose()).Trace()) / total;
    }

    /// <summary>
    /// Best: units by the surgeon, and then, in the order of the graph, every product from the first that lost inputs on is fitted to
    /// what it gets by then: ΔW = E[e zᵀ] (C + λI)⁻¹ and Δb = E[e] − ΔW E[z], e what the dense network has more behind the sum after
    /// it. What is no nearer on the rows that are held out is Δb = E[e] alone.
    /// </summary>
    [Theory]
    [InlineData(27, 0.5)]
    [InlineData(28, 0.75)]
    public void Best(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes
        {
            Kept = TwiceWritten.Groups.ToDictionary(r => r, r =>
                PresetRun.Best(Scores(network, dense.Fitted(), r), PresetRun.Rounded(keep * TwiceWritten.Units(r)))),
        };
        foreach (string[] products in TwiceWritten.Later)
        {
            var now = network.Run(expected);
            foreach (string product in products) Refits.Sequential(network, dense, now, expected, product);
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Best, keep: keep), expected);
    }

    /// <summary>
    /// ZipLM (arXiv:2302.04089) with the search of SPDY (arXiv:2201.13096), on neurons: for factors c of the layers the sizes with the
    /// least Σ c_l p_l within the budget, p_l = ‖W'X − WX‖² / ‖WX‖² of a layer alone; of what factors reach the choice whose refitted
    /// network is nearest to the dense one. Here all choices are tried under many factors; the preset tries 64.
    /// </summary>
    [Theory]
    [InlineData(25, 0.85)]
    [InlineData(31, 0.8)]
    [InlineData(34, 0.9)]
    public void ZipLM(int seed, double macs)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        string[] readers = [.. Enumerable.Range(0, TwiceWritten.Blocks).Select(b => $"b{b}.down")];
        double[][] scores = [.. readers.Select(r => Scores(network, dense.Fitted(), r))];
        int[][] Kept(int[] counts) => [.. counts.Select((n, b) => PresetRun.Best(scores[b], n))];
        double[][] errors = [.. readers.Select((r, b) => (double[])[double.NaN, .. Enumerable.Range(1, TwiceWritten.Hidden).Select(n =>
            Lost(network, dense.Fitted(), r, [.. Enumerable.Range(0, TwiceWritten.Hidden).Except(PresetRun.Best(scores[b], n))]))])];
        double bound = macs * TwiceWritten.Macs(r => TwiceWritten.Units(r));
        var choices = (from a in Enumerable.Range(1, TwiceWritten.Hidden)
                       from b in Enumerable.Range(1, TwiceWritten.Hidden)
                       from c in Enumerable.Range(1, TwiceWritten.Hidden)
                       let counts = new[] { a, b, c }
                       where TwiceWritten.Macs(r => TwiceWritten.IsHeads(r) ? TwiceWritten.Heads : counts[r[1] - '0']) <= bound
                       select counts).ToList();
        var random = new Random(1);
        var reached = Enumerable.Range(0, 400).Select(i => (double[])[.. readers.Select(_ => i == 0 ? 1 : random.NextDouble())])
            .Select(factors => choices.MinBy(counts => counts.Select((n, b) => factors[b] * errors[b][n]).Sum())!)
            .DistinctBy(counts => string.Join(' ', counts)).ToList();
        Assert.InRange(reached.Count, 4, 80);
        double Divergence(int[] counts)
        {
            var changes = new Changes { Kept = readers.Zip(Kept(counts)).ToDictionary(k => k.First, k => k.Second) };
            foreach (string reader in readers.Where(r => changes.Kept[r].Length < TwiceWritten.Hidden))
                Refits.LeastSquares(network, dense, changes, reader);
            return PresetRun.KullbackLeibler(dense.HeldOut(), network.Run(changes).HeldOut());
        }
        var result = PresetRun.Of(network, Preset.ZipLm, macs, axis: Axis.Neurons,
            plan: new() { DivergenceMetric = Metric.KullbackLeibler });
        var found = PresetRun.Kept(result.Report);
        int[] chosen = [.. readers.Select(r => found[r].Length)];
        Assert.Contains(string.Join(' ', chosen), reached.Select(c => string.Join(' ', c)));
        // Few models find what is as good as the best; the sum of errors without factors is not.
        Assert.InRange(Divergence(chosen), reached.Min(Divergence), 1.05 * reached.Min(Divergence));
        Assert.True(Divergence(reached[0]) > 1.05 * reached.Min(Divergence));

        var expected = new Changes { Kept = readers.Zip(Kept(chosen)).ToDictionary(k => k.First, k => k.Second) };
        foreach (string reader in readers.Where(r => expected.Kept[r].Length < TwiceWritten.Hidden))
            Refits.LeastSquares(network, dense, expected, reader);
        PresetRun.Equal(network, result, expected);
    }

    /// <summary>
    /// OBSPA (arXiv:2403.18955): scores of the surgeon, divided by their mean in the group and compared over all groups; the
    /// weights that read what is removed take what the others can make up for. Its three presets differ in the inputs alone.
    /// </summary>
    [Theory]
    [InlineData(Preset.Obspa, 21, 0.8)]
    [InlineData(Preset.ObspaDataFree, 22, 0.6)]
    [InlineData(Preset.ObspaOutOfDistribution, 24, 0.6)]
    public void OBSPA(Preset preset, int seed, double macs)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var scores = TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
        {
            double[] own = Scores(network, dense.Fitted(), reader);
            return (double[])[.. own.Select(s => s / own.Average())];
        });
        var expected = new Changes { Kept = PresetRun.AboveThreshold(scores, macs) };
        foreach (string reader in TwiceWritten.Groups.Where(r => expected.Kept[r].Length < TwiceWritten.Units(r)))
            Refits.LeastSquares(network, dense, expected, reader);
        PresetRun.Equal(network, PresetRun.Of(network, preset, macs), expected);
    }
}
