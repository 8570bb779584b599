using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning;

/// <summary>
/// Prunes in steps: each scores anew what the steps before it have left, on the weights and activations of the model as it is
/// by then. The fraction that stays falls evenly, or fast at first and slowly at the end: s_t = s_n + (1 − s_n)(1 − t/n)³ (Zhu
/// and Gupta, arXiv:1710.01878).
/// </summary>
internal static class Iteration
{
    /// <summary>Steps run the model that the ones before have left.</summary>
    public static void Require(PruningPlan plan, Requirements needs)
        => needs.Runs |= ScheduleRow.Get(plan.Schedule!.Value).Needs.HasFlag(Needs.Runs);

    /// <summary>The choice of the last step.</summary>
    public static PruningChoice Choose(ResolvedPlan resolved, Evidence evidence, List<string> notes)
    {
        var (statistics, probe, analysis) = (evidence.Statistics, evidence.Probe!, resolved.Analysis);
        // What depth goes by is the dense model, in every step: it goes at once, and the steps are those of the units.
        var depth = DepthSelector.Select(resolved, evidence, notes);
        PrunedState? before = null;
        for (int step = 1; step < ScheduleRow.Get(resolved.Plan.Schedule!.Value).Steps; step++)
        {
            var choice = PruningChoice.Make(resolved.With(Part(resolved.Plan, step)), evidence, [], before, depth);
            var selection = choice.Selection;
            var edits = Compensator.Compute(resolved.Model, new(selection, choice.Method) { Statistics = statistics });
            before = Surgery.Use(analysis, selection, edits, slim => new PrunedState(selection, statistics is null
                ? null
                : Observe(analysis, selection, statistics, probe.Inputs(slim.Model, analysis, statistics.Consumers.Keys.ToHashSet())),
                    new(edits.Weights, slim.Removed)));
        }
        return PruningChoice.Make(resolved, evidence, notes, before, depth);
    }

    /// <summary>The plan of a step: all that it bounds lies between the dense model and the plan.</summary>
    internal static PruningPlan Part(PruningPlan plan, int step)
    {
        double left = 1 - ((double)step / ScheduleRow.Get(plan.Schedule!.Value).Steps);
        if (plan.Schedule == Schedule.Cubic) left *= left * left;
        double? Of(double? last) => last + ((1 - last) * left);
        return plan with
        {
            Budget = plan.Budget is { } b
                ? b with
                {
                    Macs = Of(b.Macs),
                    Parameters = Of(b.Parameters),
                    Bytes = Of(b.Bytes),
                    Latency = Of(b.Latency),
                    Components = b.Components?.Select(c => c with { Macs = Of(c.Macs), Parameters = Of(c.Parameters) }).ToList()
                }
                : null,
            Prune = [.. plan.Prune.Select(r => r with { Keep = Of(r.Keep) })],
        };
    }

    /// <summary>
    /// Statistics of what each consumer contracts in the slim model, with zeros in the places of features that are gone; the
    /// dense model's where it was not observed.
    /// </summary>
    private static CalibrationStatistics Observe(AxisAnalysis analysis, Selection selection, CalibrationStatistics dense,
        IReadOnlyDictionary<int, ErrorStatistics> paired)
    {
        var keptOf = analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id)).ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);
        var consumers = new Dictionary<int, ActivationStatistics>(dense.Consumers);
        foreach (var consumer in analysis.Consumers)
        {
            if (!paired.TryGetValue(consumer.Id, out var seen) || dense.Consumers[consumer.Id] is not { PerBatch: null } own) continue;
            int[] kept = consumer.Contracted.KeptIndices(f => keptOf.TryGetValue(f, out var units) ? units : (ImmutableArray<int>?)null);
            int n = own.Mean.Length, k = seen.InputMean.Length;
            if (kept.Length == 0 || k % kept.Length != 0) continue;
            // A convolution has a feature per position of its window.
            int window = k / kept.Length;
            int[] at = [.. kept.SelectMany(i => Enumerable.Range(i * window, window))], place = new int[n];
            if (at[^1] >= n) continue;
            double[] mean = new double[n], variance = new double[n], square = new double[n], absolute = new double[n];
            Array.Fill(place, -1);
            for (int i = 0; i < k; i++)
            {
                (mean[at[i]], variance[at[i]], place[at[i]]) = (seen.InputMean[i], seen.Covariance[i, i], i);
                (square[at[i]], absolute[at[i]]) = (variance[at[i]] + (mean[at[i]] * mean[at[i]]), own.AbsoluteMean[at[i]]);
            }
            var covariance = own.Covariance is null ? null : new Covariance(n);
            covariance?.Change((i, j, _) => place[i] < 0 || place[j] < 0 ? 0 : (float)seen.Covariance[place[i], place[j]]);
            consumers[consumer.Id] = new(consumer.Id, seen.Count, mean, variance, absolute, square) { Covariance = covariance };
        }
        return dense with { Consumers = consumers };
    }
}
