using Espalier.Axes.Roles;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>What a preset makes of the network, held against what the paper's formula does.</summary>
internal static class PresetRun
{
    /// <summary>Runs a preset on heads and neurons.</summary>
    public static SlimResult Of(TwiceWritten network, Preset preset, double? macs = null, double? keep = null, Axis? axis = null,
        PruningPlan? plan = null)
    {
        var axes = axis is { } only ? [only] : (Axis[])[Axis.Heads, Axis.Neurons];
        plan = Presets.Complete((plan ?? new()) with
        {
            Preset = preset,
            Prune = plan?.Prune is { Count: > 0 } said ? said : [.. axes.Select(a => new PruneRule { Axis = a, Keep = keep })],
            Budget = macs is null ? null : new Budget(Macs: macs),
        }, hasData: true);
        var samples = TwiceWritten.Samples(network.Inputs);
        var needs = Slimmer.Needs(plan, network.Analysis);
        return Slimmer.Run(plan, network.Analysis, needs is null ? null : Calibrator.Run(network.Analysis, samples, needs),
            needs is null ? null : new ModelProbe(network.Analysis, samples)
            { Metric = plan.DivergenceMetric ?? OutputRoles.MetricOf(network.Analysis) });
    }

    /// <summary>The units with the highest scores, ascending; of equal scores the lower index.</summary>
    public static int[] Best(double[] scores, int count)
        => [.. Enumerable.Range(0, scores.Length).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(count).Order()];

    /// <summary>The nearest number of units, a tie goes up; at least one.</summary>
    public static int Rounded(double wished) => Math.Max(1, (int)Math.Floor(wished + 0.5 + 1e-9));

    /// <summary>Of every group those above one threshold, at least one: the lowest threshold that meets the budget.</summary>
    /// <param name="values">By reader, one number per unit.</param>
    /// <param name="macs">Fraction of the dense network's multiply-accumulates.</param>
    public static Dictionary<string, int[]> AboveThreshold(Dictionary<string, double[]> values, double macs)
    {
        double bound = macs * TwiceWritten.Macs(r => TwiceWritten.Units(r));
        foreach (double threshold in values.Values.SelectMany(v => v).Prepend(double.NegativeInfinity).Order())
        {
            var kept = values.ToDictionary(v => v.Key, v => Best(v.Value, Math.Max(1, v.Value.Count(z => z > threshold))));
            if (TwiceWritten.Macs(r => kept[r].Length) <= bound) return kept;
        }
        throw new InvalidOperationException("no threshold meets the budget");
    }

    /// <summary>
    /// Of neurons of all layers, which cost the same, the counts whose share is nearest to a wish, along a line of fractions.
    /// </summary>
    public static int[] Nearest(double wish, Func<double, double[]> line)
    {
        int[] below = [.. Enumerable.Repeat(1, TwiceWritten.Blocks)];
        for (double t = 0; ; t += 1e-4)
        {
            int[] counts = [.. line(t).Select(r => Rounded(r * TwiceWritten.Hidden))];
            double share = counts.Sum() / (double)(TwiceWritten.Blocks * TwiceWritten.Hidden);
            if (share > wish + 1e-12)
                return share - wish < wish - (below.Sum() / (double)(TwiceWritten.Blocks * TwiceWritten.Hidden)) ? counts : below;
            below = counts;
        }
    }

    /// <summary>Mean over tokens of KL(dense ‖ changed) of the softmax of the outputs, in nats.</summary>
    public static double KullbackLeibler(Trace dense, Trace changed) => Mean(dense, changed,
        (logP, logQ) => logP.Select((l, k) => Math.Exp(l) * (l - logQ[k])).Sum());

    /// <summary>Mean over tokens of ½ KL(p ‖ m) + ½ KL(q ‖ m), m = ½ (p + q).</summary>
    public static double JensenShannon(Trace dense, Trace changed) => Mean(dense, changed, (logP, logQ) => logP.Select((l, k) =>
    {
        double middle = Math.Log((Math.Exp(l) + Math.Exp(logQ[k])) / 2);
        return ((Math.Exp(l) * (l - middle)) + (Math.Exp(logQ[k]) * (logQ[k] - middle))) / 2;
    }).Sum());

    private static double Mean(Trace dense, Trace changed, Func<double[], double[], double> divergence)
        => dense.Outputs.Zip(changed.Outputs, (p, q) => Enumerable.Range(0, p.RowCount)
            .Average(i => divergence(LogSoftmax(p.Row(i)), LogSoftmax(q.Row(i))))).Average();

    private static double[] LogSoftmax(MathNet.Numerics.LinearAlgebra.Vector<double> logits)
    {
        double most = logits.Maximum(), sum = Math.Log(logits.Sum(l => Math.Exp(l - most)));
        return [.. logits.Select(l => l - most - sum)];
    }

    /// <summary>Cosines of a token before the one sublayer and after the other.</summary>
    public static double[] Cosines(Trace trace, string first, string last)
    {
        var (x, y) = (trace.Rows($"{first} before"), trace.Rows($"{last} after"));
        return [.. Enumerable.Range(0, x.RowCount).Select(i => x.Row(i).DotProduct(y.Row(i)) / (x.Row(i).L2Norm() * y.Row(i).L2Norm()))];
    }

    /// <summary>By reader: the units that the preset kept.</summary>
    public static Dictionary<string, int[]> Kept(PruningReport report) => TwiceWritten.Groups.ToDictionary(reader => reader, reader =>
    {
        // A group that is gone with its sublayer is not listed.
        var group = report.Groups.SingleOrDefault(g => g.Members.Contains($"{reader}.weight:0")
            && g.Kind == (TwiceWritten.IsHeads(reader) ? "heads" : "neurons"));
        return (int[])[.. Enumerable.Range(0, TwiceWritten.Units(reader)).Except(group?.RemovedUnits ?? [])];
    });

    /// <summary>The same units stay, and the slim model gives what the changed network gives.</summary>
    public static void Equal(TwiceWritten network, SlimResult result, Changes expected)
    {
        var kept = Kept(result.Report);
        foreach (string reader in TwiceWritten.Groups.Where(r => !expected.Dropped.Contains(r)))
        {
            int[] wanted = expected.Kept.GetValueOrDefault(reader) ?? [.. Enumerable.Range(0, TwiceWritten.Units(reader))];
            Assert.Equal((reader, string.Join(' ', wanted)), (reader, string.Join(' ', kept[reader])));
        }
        var trace = network.Run(expected);
        var samples = TwiceWritten.Samples(network.Inputs);
        using var session = Sessions.Open(result.Model);
        for (int s = 0; s < samples.Count; s++)
        {
            var given = (float[])session.Run(samples[s].Values)["y"].Values;
            double[] wanted = [.. trace.Outputs[s].ToRowArrays().SelectMany(row => row)];
            double scale = wanted.Max(Math.Abs);
            for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], given[i], 5e-4 * scale);
        }
    }
}
