using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that look at weights alone, from their papers' formulas.</summary>
public sealed class WeightPresetTests
{
    /// <summary>
    /// Li et al. (arXiv:1608.08710) over coupled weights: √ Σ of the squared norms of a unit's slices, each divided by its mean;
    /// the same fraction of every group stays.
    /// </summary>
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.75)]
    public void Magnitude(double keep)
    {
        var network = new TwiceWritten(4);
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Magnitude, keep: keep), new Changes { Kept = ByMagnitude(network, keep) });
    }

    private static Dictionary<string, int[]> ByMagnitude(TwiceWritten network, double keep) => TwiceWritten.Groups.ToDictionary(r => r, r =>
    {
        double[] sum = new double[TwiceWritten.Units(r)];
        foreach (double[][] slices in network.Slices(r))
        {
            double[] norms = [.. slices.Select(s => s.Sum(w => w * w))];
            for (int u = 0; u < sum.Length; u++) sum[u] += norms[u] / norms.Average();
        }
        return PresetRun.Best(sum, PresetRun.Rounded(keep * sum.Length));
    });

    /// <summary>
    /// PERP (arXiv:2312.15230), its closed form: units by magnitude, the same fraction everywhere; then, as the network is by then,
    /// each output of a product that lost inputs gets the scale and the shift by which its deviation and its mean are those of what
    /// the dense network has behind the sum after it, less what the sum adds now.
    /// </summary>
    [Theory]
    [InlineData(65, 0.5)]
    [InlineData(66, 0.75)]
    public void PERP(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes { Kept = ByMagnitude(network, keep) };
        foreach (string reader in TwiceWritten.Groups)
        {
            var now = network.Run(expected).Fitted();
            var (y, stream) = (now.Rows($"{reader} product"), dense.Fitted().Rows($"{reader} after") - now.Rows($"{reader} after"));
            expected.Weights[reader] = network.Weight(reader).Clone();
            expected.Biases[reader] = (double[])network.Bias(reader).Clone();
            for (int o = 0; o < TwiceWritten.Width; o++)
            {
                var (own, wanted) = (y.Column(o), y.Column(o) + stream.Column(o));
                double scale = Deviation(wanted) / Deviation(own);
                if (scale > 10) scale = 1;
                expected.Weights[reader].SetColumn(o, network.Weight(reader).Column(o) * scale);
                expected.Biases[reader][o] += wanted.Average() - (scale * own.Average());
            }
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Perp, keep: keep), expected);

        static double Deviation(Vector<double> values)
            => Math.Sqrt(values.Average(v => (v - values.Average()) * (v - values.Average())));
    }

    /// <summary>
    /// Global MP (arXiv:2209.14624) on structures: one threshold on the mean absolute weight of a unit over all that is coupled,
    /// not standardised; a layer with fewer than 0.05 % of all weights stays whole, which none has here.
    /// </summary>
    [Theory]
    [InlineData(0.8)]
    [InlineData(0.6)]
    public void Global_MP(double macs)
    {
        var network = new TwiceWritten(5);
        var means = TwiceWritten.Groups.ToDictionary(reader => reader, reader => (double[])
            [.. Enumerable.Range(0, TwiceWritten.Units(reader))
                .Select(u => network.Slices(reader).SelectMany(slices => slices[u]).Average(Math.Abs))]);
        // Which units stay is decided by the norms, each weight's scaled to mean 1.
        var counts = PresetRun.AboveThreshold(means, macs);
        var kept = TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
        {
            double[] sum = new double[TwiceWritten.Units(reader)];
            foreach (double[][] slices in network.Slices(reader))
            {
                double[] norms = [.. slices.Select(s => s.Sum(Math.Abs))];
                for (int u = 0; u < sum.Length; u++) sum[u] += norms[u] / norms.Average();
            }
            return PresetRun.Best(sum, counts[reader].Length);
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.GlobalMagnitude, macs), new Changes { Kept = kept });
    }

    /// <summary>
    /// SAP (arXiv:2302.05601) with p = ½, q = 1, η = 0, γ = 1, β = 0.9: I = 1 − d^(1/q − 1/p) · ‖w‖_p / ‖w‖_q of the d weights of a
    /// layer; m = ⌈d (1 − I)^(pq/(q−p))⌉ of them stay, at least a tenth; of units the same fraction.
    /// </summary>
    [Fact]
    public void SAP()
    {
        var network = new TwiceWritten(6);
        var kept = TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
        {
            double[] w = [.. network.Slices(reader).SelectMany(slices => slices).SelectMany(s => s)];
            double d = w.Length, half = Math.Pow(w.Sum(v => Math.Sqrt(Math.Abs(v))), 2), one = w.Sum(Math.Abs);
            double index = 1 - (Math.Pow(d, (1 / 1.0) - (1 / 0.5)) * half / one);
            double stays = Math.Ceiling(d * Math.Pow(1 - index, 0.5 * 1 / (1 - 0.5)));
            double[] sum = new double[TwiceWritten.Units(reader)];
            foreach (double[][] slices in network.Slices(reader))
            {
                double[] norms = [.. slices.Select(s => s.Sum(v => v * v))];
                for (int u = 0; u < sum.Length; u++) sum[u] += norms[u] / norms.Average();
            }
            return PresetRun.Best(sum, PresetRun.Rounded((1 - Math.Min(1 - (stays / d), 0.9)) * sum.Length));
        });
        Assert.All(kept, k => Assert.InRange(k.Value.Length, 2, TwiceWritten.Units(k.Key)));
        PresetRun.Equal(network, PresetRun.Of(network, Preset.PqIndex), new Changes { Kept = kept });
    }

    /// <summary>
    /// PruneNet (arXiv:2501.15296): of a feed-forward layer's first product those rows stay that keep its singular values'
    /// distribution, by the two-sample statistic of Kolmogorov and Smirnov. Here the row goes that costs least, one after the
    /// other; of equal distances the one by whose going the sum of the singular values falls least, to first order.
    /// </summary>
    [Theory]
    [InlineData(1, 0.75)]
    [InlineData(2, 0.5)]
    [InlineData(3, 0.25)]
    public void PruneNet(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var kept = TwiceWritten.Groups.Where(r => !TwiceWritten.IsHeads(r)).ToDictionary(reader => reader, reader =>
        {
            var rows = network.Weight($"{reader[..2]}.up").Transpose();
            var whole = rows.Svd().S;
            var left = Enumerable.Range(0, TwiceWritten.Hidden).ToList();
            while (left.Count > PresetRun.Rounded(keep * TwiceWritten.Hidden))
            {
                var now = Rows(left).Svd();
                left.Remove(left.OrderBy(u => Math.Round(Distance(whole, Rows([.. left.Except([u])]).Svd().S), 9))
                    .ThenBy(u => Enumerable.Range(0, now.S.Count).Sum(j => now.S[j] * Math.Pow(now.U[left.IndexOf(u), j], 2))).First());
            }
            return left.ToArray();

            Matrix<double> Rows(List<int> units) => Matrix<double>.Build.DenseOfRows(units.Select(u => rows.Row(u)));
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.PruneNet, keep: keep, axis: Axis.Neurons), new Changes { Kept = kept });

        static double Distance(Vector<double> a, Vector<double> b)
        {
            double Share(Vector<double> s, double t) => s.Count(v => v <= t) / (double)s.Count;
            return a.Concat(b).Max(t => Math.Abs(Share(a, t) - Share(b, t)));
        }
    }

    /// <summary>A preset on one kind of unit takes neurons alone under a budget, whatever the plan has rules on.</summary>
    [Theory]
    [InlineData(Preset.PruneNet)]
    [InlineData(Preset.Cfsp)]
    public void Methods_of_feed_forward_layers_leave_heads_alone(Preset preset)
    {
        var network = new TwiceWritten(7);
        var report = PresetRun.Of(network, preset, macs: 0.8).Report;
        Assert.All(report.Groups.Where(g => g.Kind != "neurons"), g => Assert.Equal(g.Size, g.Kept));
        Assert.InRange(report.After.Macs, 1, 0.8 * report.Before.Macs);
    }

    /// <summary>The floor (arXiv:1810.05270): units by the plan's seed, the same fraction everywhere.</summary>
    [Fact]
    public void Random_units_follow_the_seed_alone()
    {
        var network = new TwiceWritten(8);
        string Removed(int seed)
        {
            var report = PresetRun.Of(network, Preset.Random, keep: 0.5, plan: new() { Seed = seed }).Report;
            return string.Join(',', report.Groups.Where(g => g.Kept < g.Size).SelectMany(g => g.RemovedUnits.Prepend(g.Kept)));
        }
        Assert.Equal(Removed(1), Removed(1));
        Assert.NotEqual(Removed(1), Removed(2));
    }
}
