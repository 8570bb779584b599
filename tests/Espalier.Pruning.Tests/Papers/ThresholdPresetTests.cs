using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>Presets with one threshold over all groups, from their papers' formulas.</summary>
public sealed class ThresholdPresetTests
{
    /// <summary>
    /// FLAP (arXiv:2312.11983, code 3bb57db): s_f = var(x_f) · Σ_o w_fo² of every feature that a layer's last product reads, squared
    /// for attention; z = (s − mean) / sample deviation over the layer; a head has the mean of its features; units of all layers
    /// in falling order until the cost is spent; b' = b + Σ_removed w_f · mean(x_f).
    /// </summary>
    [Theory]
    [InlineData(1, 0.8)]
    [InlineData(2, 0.6)]
    [InlineData(3, 0.5)]
    public void FLAP(int seed, double macs)
    {
        var network = new TwiceWritten(seed);
        var dense = network.Run();
        var z = new Dictionary<string, double[]>();
        foreach (string reader in TwiceWritten.Groups)
        {
            double[] s = [.. Enumerable.Range(0, TwiceWritten.All).Select(f =>
            {
                double[] x = dense.Rows($"{reader} in").Column(f).ToArray();
                double mean = x.Average(), variance = x.Average(v => (v - mean) * (v - mean));
                double score = variance * network.Weight(reader).Row(f).Sum(w => w * w);
                return TwiceWritten.IsHeads(reader) ? score * score : score;
            })];
            double middle = s.Average(), deviation = Math.Sqrt(s.Sum(v => (v - middle) * (v - middle)) / (s.Length - 1));
            z[reader] = [.. Enumerable.Range(0, TwiceWritten.Units(reader)).Select(u =>
                TwiceWritten.Features(reader, u).Average(f => (s[f] - middle) / deviation))];
        }
        var expected = new Changes { Kept = PresetRun.AboveThreshold(z, macs) };
        foreach (string reader in TwiceWritten.Groups)
        {
            int[] gone = TwiceWritten.Features(reader, Enumerable.Range(0, TwiceWritten.Units(reader)).Except(expected.Kept[reader]));
            double[] bias = (double[])network.Bias(reader).Clone();
            foreach (int f in gone)
            {
                double mean = dense.Rows($"{reader} in").Column(f).Average();
                for (int o = 0; o < bias.Length; o++) bias[o] += network.Weight(reader)[f, o] * mean;
            }
            expected.Biases[reader] = bias;
        }
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Flap, macs), expected);
    }

    /// <summary>
    /// SPA (arXiv:2403.18955): a unit's importance is the sum of its absolute weights in all operators of the coupled group, each
    /// divided by its mean there; divided by the mean of the group, units of all groups are compared.
    /// </summary>
    [Theory]
    [InlineData(1, 0.8)]
    [InlineData(2, 0.6)]
    public void SPA(int seed, double macs)
    {
        var network = new TwiceWritten(seed);
        var scores = TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
        {
            double[] sum = new double[TwiceWritten.Units(reader)];
            foreach (double[][] slices in network.Slices(reader))
            {
                double[] norms = [.. slices.Select(s => s.Sum(Math.Abs))];
                for (int u = 0; u < sum.Length; u++) sum[u] += norms[u] / norms.Average();
            }
            double mean = sum.Average();
            return (double[])[.. sum.Select(s => s / mean)];
        });
        PresetRun.Equal(network, PresetRun.Of(network, Preset.Spa, macs), new Changes { Kept = PresetRun.AboveThreshold(scores, macs) });
    }
}
