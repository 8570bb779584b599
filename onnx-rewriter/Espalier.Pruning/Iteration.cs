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
        for (int step = 1; step < Steps(resolved.Plan); step++)
        {
            var choice = PruningChoice.Make(resolved.With(Part(resolved.Plan, step)), evidence, [], before, depth);
            var selection = choice.Selection;
            var edits = Compensator.Compute(resolved.Model, new(selection, choice.Method) { Statistics = statistics });
            before = Surgery.Use(analysis, selection, edits, slim => new PrunedState(selection, statistics is null
                ? null
                : Observe(analysis, selection, statistics, probe.Measure(slim.Model, Asked(statistics))),
                    new(edits.Weights, slim.Removed))
            { BlockChanges = choice.BlockChanges });
        }
        return PruningChoice.Make(resolved, evidence, notes, before, depth);
    }

    /// <summary>Steps of a plan: as many as the tightest of what bounds it takes.</summary>
    internal static int Steps(PruningPlan plan)
    {
        var bounds = plan.Prune.Select(r => r.Keep).Concat([plan.Budget?.Macs, plan.Budget?.Parameters, plan.Budget?.Bytes,
            plan.Budget?.Latency]).Concat((plan.Budget?.Components ?? []).SelectMany(c => new[] { c.Macs, c.Parameters }));
        return ScheduleRow.Get(plan.Schedule!.Value).StepsTo(bounds.Min() ?? 1);
    }

    /// <summary>What was measured of the dense model is measured again.</summary>
    private static CalibrationRequest Asked(CalibrationStatistics dense)
    {
        var observed = dense.Consumers.Where(c => c.Value.PerBatch is null).ToDictionary();
        return new()
        {
            Consumers = observed.Keys.ToHashSet(),
            Covariance = observed.Where(c => c.Value.Covariance is not null).Select(c => c.Key).ToHashSet(),
            Blocks = dense.BlockCosine.Keys.ToHashSet(),
            BlockAngles = dense.BlockAngle.Count > 0,
        };
    }

    /// <summary>The plan of a step: all that it bounds lies between the dense model and the plan.</summary>
    internal static PruningPlan Part(PruningPlan plan, int step)
    {
        double left = 1 - ((double)step / Steps(plan));
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
    /// What the consumers contract and the blocks do in the slim model, with zeros in the places of features that are gone; the
    /// dense model's where it was not observed.
    /// </summary>
    private static CalibrationStatistics Observe(AxisAnalysis analysis, Selection selection, CalibrationStatistics dense,
        CalibrationStatistics slim)
    {
        var keptOf = analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id)).ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);
        var consumers = new Dictionary<int, ActivationStatistics>(dense.Consumers);
        foreach (var consumer in analysis.Consumers)
        {
            if (!slim.Consumers.TryGetValue(consumer.Id, out var seen)
                || dense.Consumers[consumer.Id] is not { PerBatch: null } own) continue;
            int[] kept = consumer.Contracted.KeptIndices(f => keptOf.TryGetValue(f, out var units) ? units : (ImmutableArray<int>?)null);
            int n = own.Mean.Length, k = seen.Mean.Length;
            if (kept.Length == 0 || k % kept.Length != 0) continue;
            // A convolution has a feature per position of its window.
            int window = k / kept.Length;
            int[] at = [.. kept.SelectMany(i => Enumerable.Range(i * window, window))], place = new int[n];
            if (at[^1] >= n) continue;
            double[] Spread(double[] values)
            {
                var all = new double[n];
                for (int i = 0; i < k; i++) all[at[i]] = values[i];
                return all;
            }
            Covariance? covariance = null;
            if (own.Covariance is not null && seen.Covariance is { } left)
            {
                Array.Fill(place, -1);
                for (int i = 0; i < k; i++) place[at[i]] = i;
                covariance = new(n);
                covariance.Change((i, j, _) => place[i] < 0 || place[j] < 0 ? 0 : (float)left[place[i], place[j]]);
            }
            consumers[consumer.Id] = new(consumer.Id, seen.Count, Spread(seen.Mean), Spread(seen.Variance), Spread(seen.AbsoluteMean),
                Spread(seen.SquareMean))
            { Covariance = covariance };
        }
        return dense with
        {
            Consumers = consumers,
            BlockCosine = Over(dense.BlockCosine, slim.BlockCosine),
            BlockAngle = Over(dense.BlockAngle, slim.BlockAngle),
        };

        static Dictionary<int, double> Over(IReadOnlyDictionary<int, double> dense, IReadOnlyDictionary<int, double> slim)
            => dense.ToDictionary(b => b.Key, b => slim.GetValueOrDefault(b.Key, b.Value));
    }
}
