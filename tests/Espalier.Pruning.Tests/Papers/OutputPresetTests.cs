using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that run changed models and look at their outputs, from their papers' formulas.</summary>
public sealed class OutputPresetTests
{
    private static readonly PruningPlan Plan = new() { DivergenceMetric = Metric.KullbackLeibler };

    /// <summary>
    /// Kwon et al. (arXiv:2204.09656): the Fisher information of a gate m_u is F with KL(dense ‖ gate at 1 − δ) = ½ δ² F to second
    /// order, here at δ = ½; of units of all groups those go first with the lowest z of log F; then one scale for each unit that is
    /// left.
    /// </summary>
    [Theory]
    [InlineData(41, 0.8)]
    [InlineData(42, 0.6)]
    [InlineData(43, 0.5)]
    public void Kwon(int seed, double macs)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var z = TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
        {
            double[] fisher = [.. Enumerable.Range(0, TwiceWritten.Units(reader)).Select(u =>
            {
                var gated = network.Weight(reader).Clone();
                foreach (int f in TwiceWritten.Features(reader, u)) gated.SetRow(f, gated.Row(f) * 0.5);
                return 2 * PresetRun.KullbackLeibler(dense, network.Run(new() { Weights = { [reader] = gated } })) / 0.25;
            })];
            double[] logs = [.. fisher.Select(s => Math.Log(Math.Max(s, 1e-6 * fisher.Max())))];
            double mean = logs.Average(), deviation = Math.Sqrt(logs.Average(l => (l - mean) * (l - mean)));
            return (double[])[.. logs.Select(l => (l - mean) / deviation)];
        });
        var expected = new Changes { Kept = PresetRun.AboveThreshold(z, macs) };
        foreach (string reader in TwiceWritten.Groups.Where(r => expected.Kept[r].Length < TwiceWritten.Units(r)))
            Refits.Rescale(network, dense, expected, reader);
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Kwon, macs, plan: Plan), expected);
    }

    /// <summary>
    /// ECoFLaP (arXiv:2310.02998): a layer's importance is what the loss moves by at W ± εz, z normal, here the root of the mean
    /// divergence over two z, ε a twentieth of the root mean square of a weight; layers keep in proportion to it, none less than a
    /// tenth below its fair share; units by Wanda.
    /// </summary>
    [Theory]
    [InlineData(44, 0.5)]
    [InlineData(45, 0.7)]
    [InlineData(46, 0.8)]
    public void ECoFLaP(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        string[] readers = [.. Enumerable.Range(0, TwiceWritten.Blocks).Select(b => $"b{b}.down")];
        double[] moved = [.. readers.Select((r, b) => Math.Sqrt(Shaken(network, dense, r, $"b{b}.up")))];
        int[] counts = PresetRun.Nearest(keep,
            t => [.. moved.Select(m => t >= 1 ? 1 : Math.Max(0, Math.Max(t - 0.1, Math.Min(1, t * m / moved.Average()))))]);
        Assert.NotEqual(counts.Min(), counts.Max());
        var kept = readers.Select((r, b) => (r, b)).ToDictionary(e => e.r, e =>
        {
            var x = dense.Rows($"{e.r} in");
            return PresetRun.Best([.. Enumerable.Range(0, TwiceWritten.Hidden)
                .Select(f => x.Column(f).L2Norm() * network.Weight(e.r).Row(f).Sum(Math.Abs))], counts[e.b]);
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.EcoFlap, keep: keep, axis: Axis.Neurons, plan: Plan),
            new Changes { Kept = kept });
    }

    /// <summary>Mean divergence at W + εz and W − εz; the random numbers are those of the plan's seed and the group's number.</summary>
    private static double Shaken(TwiceWritten network, Trace dense, params string[] weights)
    {
        int group = network.Analysis.Groups
            .Single(g => g.Kind == Axis.Neurons && g.Occurrences.Any(o => o.Tensor == $"{weights[0]}.weight")).Id;
        var random = new Random(group * 7919);
        double sum = 0;
        for (int direction = 0; direction < 2; direction++)
        {
            var steps = weights.Order(StringComparer.Ordinal).ToDictionary(name => name, name =>
            {
                var w = network.Weight(name);
                double scale = 0.05 * Math.Sqrt(w.Enumerate().Average(v => v * v));
                return Matrix<double>.Build.DenseOfRowMajor(w.RowCount, w.ColumnCount, [.. Enumerable.Range(0, w.RowCount * w.ColumnCount)
                    .Select(_ => scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))]);
            });
            foreach (int sign in (int[])[1, -1])
                sum += PresetRun.KullbackLeibler(dense,
                    network.Run(new() { Weights = steps.ToDictionary(s => s.Key, s => network.Weight(s.Key) + (sign * s.Value)) }));
        }
        return sum / 4;
    }
}
