using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning;

/// <summary>
/// Prunes in steps: each scores anew what the steps before it have left, on the weights and activations of the model as it is
/// by then. The fraction that stays falls evenly, or fast at first and slowly at the end: s_t = s_n + (1 − s_n)(1 − t/n)³ (Zhu
/// and Gupta, arXiv:1710.01878).
/// </summary>
internal static class Iteration
{
    /// <summary>
    /// Steps. Every one costs a run over the calibration data. Sixteen take a sixteenth of a group at most, as the rounds of
    /// ZipLM (arXiv:2302.04089) do.
    /// </summary>
    public static int Steps(Schedule schedule) => schedule == Schedule.Greedy ? 16 : 4;

    /// <summary>What the steps before have left.</summary>
    /// <param name="Selection">Units that are left.</param>
    /// <param name="Statistics">Statistics of the slim model, in the dense layout: nothing varies where units are gone.</param>
    /// <param name="Weights">Its weights.</param>
    internal sealed record State(Selection Selection, CalibrationStatistics? Statistics, PrunedWeights Weights)
    {
        /// <summary>Units that are gone score less than all others.</summary>
        public void Forget(int group, double[] scores)
        {
            if (!Selection.Kept.TryGetValue(group, out var kept)) return;
            var stays = kept.ToHashSet();
            for (int u = 0; u < scores.Length; u++) scores[u] = stays.Contains(u) ? Math.Max(scores[u], double.Epsilon) : 0;
        }
    }

    /// <summary>The choice of the last step.</summary>
    public static (Selection Selection, IReadOnlyDictionary<int, Compensation> Methods) Choose(PruningPlan plan, AxisAnalysis analysis,
        Slimmer.Evidence evidence, List<string> notes)
    {
        var (statistics, probe) = (evidence.Statistics, evidence.Probe!);
        PlanResolver.Resolve(plan, analysis, []);
        // What depth goes by is the dense model, in every step: it goes at once, and the steps are those of the units.
        var depth = DepthSelector.Select(plan, analysis, statistics, notes, probe, Component.Resolve(plan, analysis, []));
        State? before = null;
        for (int step = 1; step < Steps(plan.Schedule!.Value); step++)
        {
            var (selection, methods) = Slimmer.Choose(Part(plan, step), analysis, evidence, [], before, depth);
            var edits = Compensator.Compute(analysis, selection, id => methods.GetValueOrDefault(id), statistics);
            before = Surgery.Use(analysis, selection, edits, slim => new State(selection,
                statistics is null
                    ? null
                    : Observe(analysis, selection, statistics, probe.Pair(slim.Model, statistics.Consumers.Keys.ToHashSet())),
                        new(edits.Weights, slim.Removed)));
        }
        return Slimmer.Choose(plan, analysis, evidence, notes, before, depth);
    }

    /// <summary>The plan of a step: all that it bounds lies between the dense model and the plan.</summary>
    internal static PruningPlan Part(PruningPlan plan, int step)
    {
        double left = 1 - ((double)step / Steps(plan.Schedule!.Value));
        if (plan.Schedule == Schedule.Cubic) left *= left * left;
        double? Of(double? last) => last + ((1 - last) * left);
        return plan with
        {
            Budget = plan.Budget is { } b
                ? b with { Macs = Of(b.Macs), Parameters = Of(b.Parameters), Bytes = Of(b.Bytes), Latency = Of(b.Latency),
                    Components = b.Components?.Select(c => c with { Macs = Of(c.Macs), Parameters = Of(c.Parameters) }).ToList() }
                : null,
            Prune = [.. plan.Prune.Select(r => r with { Keep = Of(r.Keep) })],
        };
    }

    /// <summary>
    /// Statistics of what each consumer contracts in the slim model, with zeros in the places of features that are gone; the
    /// dense model's where it was not observed.
    /// </summary>
    private static CalibrationStatistics Observe(AxisAnalysis analysis, Selection selection, CalibrationStatistics dense,
        IReadOnlyDictionary<int, PairedStatistics> paired)
    {
        var keptOf = analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id)).ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);
        var consumers = new Dictionary<int, ActivationStatistics>(dense.Consumers);
        foreach (var consumer in analysis.Consumers)
        {
            if (!paired.TryGetValue(consumer.Id, out var seen) || dense.Consumers[consumer.Id] is not { PerBatch: null } own) continue;
            int[] kept = consumer.Contracted.KeptIndices(f => keptOf.TryGetValue(f, out var units) ? units : (ImmutableArray<int>?)null);
            int n = seen.DenseMean.Length, k = seen.SlimMean.Length;
            if (kept.Length == 0 || k % kept.Length != 0 || own.Mean.Length != n) continue;
            // A convolution has a feature per position of its window.
            int window = k / kept.Length;
            int[] at = [.. kept.SelectMany(i => Enumerable.Range(i * window, window))];
            if (at[^1] >= n) continue;
            double[] mean = new double[n], variance = new double[n], square = new double[n], absolute = new double[n];
            var covariance = own.Covariance is null ? null : new double[n * n];
            for (int i = 0; i < k; i++)
            {
                (mean[at[i]], variance[at[i]]) = (seen.SlimMean[i], seen.Covariance[(i * k) + i]);
                (square[at[i]], absolute[at[i]]) = (variance[at[i]] + (mean[at[i]] * mean[at[i]]), own.AbsoluteMean[at[i]]);
                for (int j = 0; j < k && covariance is not null; j++) covariance[(at[i] * n) + at[j]] = seen.Covariance[(i * k) + j];
            }
            consumers[consumer.Id] = new(consumer.Id, seen.Count, mean, variance, absolute, square) { Covariance = covariance };
        }
        return dense with { Consumers = consumers };
    }
}
