using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Gates;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Depth;

/// <summary>Chooses the sublayers and blocks that a plan removes.</summary>
internal static class DepthSelector
{
    /// <summary>Asks for what the rules on depth read.</summary>
    public static void Require(ResolvedPlan resolved, Requirements needs)
    {
        foreach (var (rule, blocks) in resolved.Depth)
        {
            var reads = CriterionRow.Get(rule.Score!.Value).Needs;
            needs.Runs |= reads.HasFlag(Needs.Runs);
            needs.BlockAngles |= reads.HasFlag(Needs.Angles);
            if (reads.HasFlag(Needs.Blocks)) needs.Blocks(blocks.Select(b => b.Id));
        }
    }

    /// <summary>
    /// Applies the rules in order: each removes its lowest-scored candidates that share no sublayer with one already removed.
    /// </summary>
    /// <returns>What goes. Where time is bounded a rule without a number removes until the model as it is then, units whole,
    /// has been measured to be fast enough.</returns>
    /// <exception cref="EspalierException">A rule has no candidate, or its score was not measured.</exception>
    public static DepthChoice Select(ResolvedPlan resolved, Evidence evidence, ICollection<string> notes)
    {
        var (plan, analysis, probe) = (resolved.ForUnits, resolved.Analysis, evidence.Probe);
        var removed = new SortedSet<int>();
        var gone = new HashSet<int>();
        (int Removed, ModelTime Time)? measured = null;
        using var twin = plan.Drop.Any(r => r.Score == Criterion.OutputDivergence) ? GatedTwin.Build(analysis, _ => false) : null;
        foreach (var candidates in resolved.Depth)
        {
            var rule = candidates.Rule;
            var left = Ranked(candidates, plan.Seed, evidence.Statistics).ToList();
            int count = 0;
            while (rule.AtMost is { } most ? count < most : !Holds())
            {
                left.RemoveAll(b => b.Sublayers.Any(gone.Contains));
                if (left.Count == 0) break;
                // One after the other, each given those that are already gone; of equal divergences the earlier block goes.
                var next = rule.Score == Criterion.OutputDivergence
                    ? left.Zip(Without(twin!, removed, left, probe!)).MinBy(e => e.Second).First
                    : left[0];
                gone.UnionWith(next.Sublayers);
                removed.Add(next.Id);
                count++;
            }
            string kind = rule.Axis.CamelCase();
            if (count < rule.AtMost)
                notes.Add($"{rule.Describe()}: only {count} of {rule.AtMost} {kind} could be removed; the others are "
                    + "protected or already gone.");
            if (rule.AtMost is null && !Holds() && !plan.Prune.Any(r => r.Keep is null))
                throw new EspalierException($"{rule.Describe()}: without any of its {kind} the model still costs more than "
                    + $"the budget allows{Left()}. Raise the budget, or prune units too.");
        }
        return new([.. removed], measured is { } last && last.Removed == removed.Count && removed.Count > 0 ? last.Time : null);

        // What costs arithmetic alone is looked at first: a measurement takes half a second.
        bool Holds()
            => Hold(plan.Budget, analysis.Cost) && resolved.Components.All(c => Hold(c.Bound, c.Cost))
                && (plan.Budget?.Latency is not { } latency || Time() <= latency);

        // Of what arithmetic prices: what is left, and what was asked for.
        string Left()
            => string.Concat(plan.Budget.Limits()
                .Select(l =>
                    FormattableString.Invariant($", {analysis.Cost.Evaluate(l.Unit, null, gone) / analysis.Cost.Evaluate(l.Unit):0.000} ")
                        + FormattableString.Invariant($"of its {l.Unit.CamelCase()} where {l.Fraction:0.###} are asked for")));

        double Time()
        {
            if (removed.Count == 0) return 1;
            if (measured?.Removed != removed.Count)
                measured = (removed.Count,
                    Surgery.Use(analysis, Selection.Everything with { RemovedBlocks = [.. removed] }, WeightEdits.Nothing,
                        slim => probe!.Time(slim.Model)));
            return measured.Value.Time.Ratio;
        }

        bool Hold(Budget? budget, CostModel cost)
            => budget.Limits().All(l => cost.Evaluate(l.Unit, null, gone) <= l.Fraction * cost.Evaluate(l.Unit) * BudgetLimits.Rounding);
    }

    /// <summary>Divergence of the outputs without what is removed already and each of the candidates.</summary>
    private static IReadOnlyList<double> Without(GatedTwin twin, IEnumerable<int> removed, IReadOnlyList<Block> candidates,
        IModelProbe probe)
        => probe.Divergences(twin.Model,
            [.. candidates.Select(b => twin.Settings(Selection.Everything with { RemovedBlocks = [.. removed, b.Id] }))]);

    /// <summary>Sublayers that are gone with the given blocks.</summary>
    public static HashSet<int> SublayersOf(AxisAnalysis analysis, ImmutableArray<int> blocks)
        => [.. analysis.Blocks.Where(b => blocks.Contains(b.Id)).SelectMany(b => b.Sublayers)];

    /// <summary>Whether a group costs something only in sublayers that are removed: nothing of it is left to prune.</summary>
    public static bool IsGone(CostModel cost, int group, IReadOnlySet<int> removedSublayers)
        => removedSublayers.Count > 0 && cost.Monomials.Any(m => m.Groups.Contains(group))
            && cost.Monomials.All(m => !m.Groups.Contains(group) || removedSublayers.Contains(m.Sublayer));

    private static IEnumerable<Block> Ranked(DropCandidates own, int seed, CalibrationStatistics? statistics)
    {
        var (rule, candidates) = own;
        if (rule.Score == Criterion.Random)
        {
            var random = new Random(seed);
            return [.. candidates.Select(b => (Block: b, Score: random.NextDouble())).OrderBy(e => e.Score).Select(e => e.Block)];
        }
        if (rule.Score == Criterion.OutputDivergence) return candidates;
        if (statistics is null)
            throw new EspalierException($"{rule.Describe()}: block similarity needs calibration, but there is none. Give "
                + "calibration data, or use Random.");
        var measured = rule.Score == Criterion.BlockAngle ? statistics.BlockAngle : statistics.BlockCosine;
        var unmeasured = candidates.FirstOrDefault(b => !measured.ContainsKey(b.Id));
        if (unmeasured is not null)
            throw new EspalierException(
                $"{rule.Describe()}: calibration did not measure '{unmeasured.Name}'. Protect it, or use Random.");
        return candidates.OrderBy(b => rule.Score == Criterion.BlockAngle ? measured[b.Id] : 1 - measured[b.Id]).ThenBy(b => b.Id);
    }
}
