using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets that look at activations, from their papers' formulas.</summary>
public sealed class ActivationPresetTests
{
    /// <summary>‖x_f‖ · Σ_o |w_fo| of every feature, a head's summed (Wanda, arXiv:2306.11695, per structure as in FLAP's code).</summary>
    private static double[] Wanda(TwiceWritten network, Trace seen, string reader)
    {
        var x = seen.Rows($"{reader} in");
        return [.. Enumerable.Range(0, TwiceWritten.Units(reader)).Select(u => TwiceWritten.Features(reader, u)
            .Sum(f => x.Column(f).L2Norm() * network.Weight(reader).Row(f).Sum(Math.Abs)))];
    }

    /// <summary>Wanda-sp: the same fraction of every layer, nothing made up for.</summary>
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.75)]
    public void Wanda_sp(double keep)
    {
        var network = new TwiceWritten(11);
        var dense = network.Run();
        var kept = TwiceWritten.Groups.ToDictionary(r => r, r =>
            PresetRun.Best(Wanda(network, dense, r), PresetRun.Rounded(keep * TwiceWritten.Units(r))));
        PresetRun.Equal(network, PresetRun.Of(network, Preset.WandaSp, keep: keep), new Changes { Kept = kept });
    }

    /// <summary>
    /// FASP (arXiv:2501.09412): Wanda on whole columns, then the weights on the kept inputs that give the dense outputs back best,
    /// W' = W X X_Kᵀ (X_K X_Kᵀ + λI)⁻¹ of centred rows.
    /// </summary>
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.75)]
    public void FASP(double keep)
    {
        var network = new TwiceWritten(12);
        var dense = network.Run();
        var expected = new Changes
        {
            Kept = TwiceWritten.Groups.ToDictionary(r => r, r =>
                PresetRun.Best(Wanda(network, dense.Fitted(), r), PresetRun.Rounded(keep * TwiceWritten.Units(r)))),
        };
        foreach (string reader in TwiceWritten.Groups) Refits.LeastSquares(network, dense, expected, reader);
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Fasp, keep: keep), expected);
    }

    /// <summary>
    /// CORP (arXiv:2602.05243, code 9da41a2): units by E[x²]; what is gone is x_P ≈ B x_S + c with B = Σ_PS (Σ_SS + λI)⁻¹ and
    /// c = μ_P − B μ_S, folded into W_S + W_P B and b + W_P c. λ is ρ tr(Σ_SS)/p, at least 10⁻³, with the ρ of oracle approximating
    /// shrinkage.
    /// </summary>
    [Theory]
    [InlineData(18, 0.5)]
    [InlineData(19, 0.75)]
    public void CORP(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes
        {
            Kept = TwiceWritten.Groups.ToDictionary(r => r, r => PresetRun.Best([.. Enumerable.Range(0, TwiceWritten.Units(r))
                .Select(u => TwiceWritten.Features(r, u).Sum(f => dense.Rows($"{r} in").Column(f).Average(v => v * v)))],
                PresetRun.Rounded(keep * TwiceWritten.Units(r)))),
        };
        foreach (string reader in TwiceWritten.Groups)
            Refits.Affine(network, dense, expected, reader, (c, rows) =>
            {
                double p = c.RowCount, n = rows, trace = c.Trace(), squares = (c * c).Trace();
                double rho = (((1 - (2 / p)) * squares) + (trace * trace)) / ((n + 1 - (2 / p)) * (squares - (trace * trace / p)));
                return Math.Max(1e-3, Math.Min(1, rho) * trace / p);
            });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Corp, keep: keep), expected);
    }

    /// <summary>
    /// GRAIL (arXiv:2602.23795, its code for linear layers): W' = W G_:P (G_PP + λI)⁻¹ with G = Σ x xᵀ about zero, λ = 10⁻³ times
    /// the mean of the diagonal of G_PP, and the bias as it was; after Wanda.
    /// </summary>
    [Theory]
    [InlineData(18, 0.5)]
    [InlineData(19, 0.75)]
    public void GRAIL(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var expected = new Changes
        {
            Kept = TwiceWritten.Groups.ToDictionary(r => r, r =>
                PresetRun.Best(Wanda(network, dense, r), PresetRun.Rounded(keep * TwiceWritten.Units(r)))),
        };
        foreach (string reader in TwiceWritten.Groups)
        {
            var x = dense.Rows($"{reader} in");
            var gram = x.TransposeThisAndMultiply(x);
            int[] kept = Refits.Divide(reader, expected).Kept, all = [.. Enumerable.Range(0, TwiceWritten.All)];
            var inner = Refits.Take(gram, kept, kept);
            var map = Refits.Take(gram, all, kept)
                * (inner + (1e-3 * inner.Diagonal().Average() * Matrix<double>.Build.DenseIdentity(kept.Length))).Inverse();
            var merged = map.Transpose() * network.Weight(reader);
            expected.Weights[reader] = Matrix<double>.Build.Dense(TwiceWritten.All, TwiceWritten.Width);
            for (int k = 0; k < kept.Length; k++) expected.Weights[reader].SetRow(kept[k], merged.Row(k));
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Grail, keep: keep), expected);
    }

    /// <summary>
    /// CFSP (arXiv:2409.13199): a neuron's share of the mean absolute activation that the last product of its layer reads, times
    /// Σ_o |w_fo|; a layer keeps in proportion to σ(a (angle − mean)), the angle between input and output of its whole block in half
    /// turns, a = 128 · 2048 / 10⁴ as in the code.
    /// </summary>
    [Theory]
    [InlineData(13, 0.5)]
    [InlineData(14, 0.7)]
    public void CFSP(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        string[] readers = [.. Enumerable.Range(0, TwiceWritten.Blocks).Select(b => $"b{b}.down")];
        double[] angles = [.. readers.Select((r, b) => PresetRun.Cosines(dense, $"b{b}.o", r).Average(c => Math.Acos(c) / Math.PI))];
        double[] weights = [.. angles.Select(a => 1 / (1 + Math.Exp(-128 * 2048 / 1e4 * (a - angles.Average()))))];
        int[] counts = PresetRun.Nearest(keep, scale => [.. weights.Select(w => Math.Min(1, scale * w / weights.Min()))]);
        var kept = readers.Select((r, b) => (r, b)).ToDictionary(e => e.r, e =>
        {
            var x = dense.Rows($"{e.r} in");
            double[] mean = [.. x.EnumerateColumns().Select(c => c.Average(Math.Abs))];
            return PresetRun.Best([.. mean.Select((m, f) => m / mean.Sum() * network.Weight(e.r).Row(f).Sum(Math.Abs))], counts[e.b]);
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Cfsp, keep: keep, axis: Axis.Neurons), new Changes { Kept = kept });
    }

    /// <summary>
    /// Adapt-Pruner (arXiv:2502.03460, code 5665876): in every step the importance of a layer is 1 − the mean cosine of its input
    /// and output in the model as it is by then, less the mean and over the largest deviation; its share falls by the step less
    /// 0.02 times that. Steps of 0.02 up to the wish.
    /// </summary>
    [Theory]
    [InlineData(15, 0.8)]
    [InlineData(16, 0.6)]
    [InlineData(32, 0.4)]
    public void Adapt_Pruner(int seed, double keep)
    {
        var network = new TwiceWritten(seed);
        var expected = Adapted(network, keep, anew: true);
        PresetRun.Equal(network, PresetRun.Of(network, Preset.AdaptPruner, keep: keep, axis: Axis.Neurons), expected);
        // By the importance of the dense model the layers would keep other numbers.
        if (keep == 0.4) Assert.NotEqual(Counts(expected), Counts(Adapted(network, keep, anew: false)));

        static IEnumerable<int> Counts(Changes changes) => changes.Kept.Select(k => k.Value.Length);
    }

    private static Changes Adapted(TwiceWritten network, double keep, bool anew)
    {
        string[] readers = [.. Enumerable.Range(0, TwiceWritten.Blocks).Select(b => $"b{b}.down")];
        int steps = (int)Math.Round((1 - keep) / 0.02);
        double[] moved = new double[TwiceWritten.Blocks];
        var now = new Changes();
        for (int step = 1; step <= steps; step++)
        {
            var seen = network.Run(now);
            var judged = anew ? seen : network.Run();
            double[] importance = [.. readers.Select((r, b) => 1 - PresetRun.Cosines(judged, $"b{b}.o", r).Average())];
            double mean = importance.Average(), largest = importance.Max(i => Math.Abs(i - mean));
            for (int b = 0; b < moved.Length; b++) moved[b] += 0.02 * (importance[b] - mean) / largest;
            int[] counts = PresetRun.Nearest(1 - (0.02 * step), t => [.. moved.Select(m => Math.Clamp(t - 0.5 + m, 0, 1))]);
            now = new()
            {
                Kept = readers.Select((r, b) => (r, b)).ToDictionary(e => e.r, e =>
                {
                    int[] left = now.Kept.GetValueOrDefault(e.r) ?? [.. Enumerable.Range(0, TwiceWritten.Hidden)];
                    double[] scores = Wanda(network, seen, e.r);
                    return (int[])[.. left.OrderByDescending(u => scores[u]).Take(counts[e.b]).Order()];
                }),
            };
        }
        return now;
    }

    /// <summary>
    /// Beta-Rank (arXiv:2304.07461, code 10f97f0): |w| · std(y) / std(x) of what makes a unit, y what it gives and x what it reads,
    /// from 0 to 1 in every layer; of queries, keys and values the sum.
    /// </summary>
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.75)]
    public void Beta_Rank(double keep)
    {
        var network = new TwiceWritten(17);
        var dense = network.Run();
        var kept = TwiceWritten.Groups.ToDictionary(r => r, r =>
        {
            double[] sum = new double[TwiceWritten.Units(r)];
            foreach (string maker in TwiceWritten.IsHeads(r) ? (string[])["q", "k", "v"] : ["up"])
            {
                string name = $"{r[..2]}.{maker}";
                var y = dense.Rows($"{name} product");
                double spread = Deviation(dense.Rows($"{name} in").Enumerate());
                double[] own = [.. Enumerable.Range(0, sum.Length).Select(u => TwiceWritten.Features(r, u)
                    .Sum(f => network.Weight(name).Column(f).Sum(Math.Abs) * Deviation(y.Column(f)) / spread))];
                for (int u = 0; u < sum.Length; u++) sum[u] += (own[u] - own.Min()) / (own.Max() - own.Min());
            }
            return PresetRun.Best(sum, PresetRun.Rounded(keep * sum.Length));
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.BetaRank, keep: keep), new Changes { Kept = kept });

        static double Deviation(IEnumerable<double> values)
        {
            double[] all = [.. values];
            double mean = all.Average();
            return Math.Sqrt(all.Average(v => (v - mean) * (v - mean)));
        }
    }
}
