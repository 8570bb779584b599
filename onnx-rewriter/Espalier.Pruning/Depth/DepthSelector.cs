using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Planning;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Gates;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Depth;

/// <summary>Chooses the sublayers and blocks that a plan removes.</summary>
internal static class DepthSelector
{
    /// <summary>Sublayers or blocks that a rule may remove.</summary>
    /// <exception cref="EspalierException">There are none.</exception>
    public static IReadOnlyList<Block> Candidates(PruningPlan plan, DropRule rule, AxisAnalysis analysis)
    {
        bool sublayers = rule.Axis == Axis.Sublayers;
        var ofKind = analysis.Blocks.Where(b => b.IsSublayer == sublayers).ToList();
        var matching = ofKind.Where(b => Glob.Matches(rule.Pattern, b.Name)).ToList();
        if (matching.Count == 0)
        {
            string kind = PlanResolver.CamelCase(rule.Axis);
            throw new EspalierException(ofKind.Count == 0
                ? $"{PlanResolver.Describe(rule)}: the model has no {kind}: no region of it runs between a residual stream and its Add. "
                    + "Remove the rule."
                : $"{PlanResolver.Describe(rule)}: the pattern '{rule.Pattern}' matches none of the {kind}. There are: "
                    + $"{string.Join(", ", ofKind.Take(8).Select(b => $"'{b.Name}'"))}{(ofKind.Count > 8 ? $" and {ofKind.Count - 8} more" : "")}.");
        }
        var open = matching.Where(b => !plan.Protect.Any(p => Glob.Matches(p, b.Name))).ToList();
        return plan.ProtectEnds == true ? [.. open.Except(PlanResolver.Ends(open))] : open;
    }

    /// <summary>
    /// Applies the rules in order: each removes its lowest-scored candidates that share no sublayer with one already removed.
    /// </summary>
    /// <returns>What goes. Where time is bounded a rule without a number removes until the model as it is then, units whole,
    /// has been measured to be fast enough.</returns>
    /// <exception cref="EspalierException">A rule has no candidate, or its score was not measured.</exception>
    public static DepthChoice Select(PruningPlan plan, AxisAnalysis analysis, CalibrationStatistics? statistics, ICollection<string> notes,
        IModelProbe? probe = null, IReadOnlyList<Component>? components = null)
    {
        var removed = new SortedSet<int>();
        var gone = new HashSet<int>();
        (int Removed, ModelTime Time)? measured = null;
        using var twin = plan.Drop.Any(r => r.Score == Criterion.OutputDivergence) ? GatedTwin.Build(analysis, _ => false) : null;
        foreach (var rule in plan.Drop)
        {
            var left = Ranked(Candidates(plan, rule, analysis), rule, plan.Seed, statistics).ToList();
            int count = 0;
            while (rule.AtMost is { } most ? count < most : !Holds())
            {
                left.RemoveAll(b => b.Sublayers.Any(gone.Contains));
                if (left.Count == 0) break;
                // One after the other, each given those that are already gone; of equal divergences the earlier block goes.
                var next = rule.Score == Criterion.OutputDivergence
                    ? left.Zip(Without(twin!, removed, left, probe!)).MinBy(e => e.Second).First : left[0];
                gone.UnionWith(next.Sublayers);
                removed.Add(next.Id);
                count++;
            }
            string kind = PlanResolver.CamelCase(rule.Axis);
            if (count < rule.AtMost)
                notes.Add($"{PlanResolver.Describe(rule)}: only {count} of {rule.AtMost} {kind} could be removed; the others are "
                    + "protected or already gone.");
            if (rule.AtMost is null && !Holds() && !plan.Prune.Any(r => r.Keep is null))
                throw new EspalierException($"{PlanResolver.Describe(rule)}: without any of its {kind} the model still costs more than "
                    + $"the budget allows{Left()}. Raise the budget, or prune units too.");
        }
        return new([.. removed], measured is { } last && last.Removed == removed.Count && removed.Count > 0 ? last.Time : null);

        // What costs arithmetic alone is looked at first: a measurement takes half a second.
        bool Holds()
            => Hold(plan.Budget, analysis.Cost) && (components ?? []).All(c => c.MayYield || Hold(c.Bound, c.Cost))
                && (plan.Budget?.Latency is not { } latency || Time() <= latency);

        // Of what arithmetic prices: what is left, and what was asked for.
        string Left()
            => string.Concat(PlanResolver.Limits(plan.Budget)
                .Select(l =>
                    FormattableString.Invariant($", {analysis.Cost.Evaluate(l.Unit, null, gone) / analysis.Cost.Evaluate(l.Unit):0.000} ")
                        + FormattableString.Invariant($"of its {PlanResolver.CamelCase(l.Unit)} where {l.Fraction:0.###} are asked for")));

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
            => PlanResolver.Limits(budget).All(l => cost.Evaluate(l.Unit, null, gone) <= l.Fraction * cost.Evaluate(l.Unit) * (1 + 1e-12));
    }

    /// <summary>Divergence of the outputs without what is removed already and each of the candidates.</summary>
    private static IReadOnlyList<double> Without(GatedTwin twin, IEnumerable<int> removed, IReadOnlyList<Block> candidates,
        IModelProbe probe)
        => probe.Divergences(twin.Model,
            [.. candidates.Select(b => twin.Settings(Selection.Everything with { RemovedBlocks = [.. removed, b.Id] }))]);

    /// <summary>Sublayers that are gone with the given blocks.</summary>
    public static HashSet<int> SublayersOf(AxisAnalysis analysis, ImmutableArray<int> blocks)
        => [.. analysis.Blocks.Where(b => blocks.Contains(b.Id)).SelectMany(b => b.Sublayers)];

    private static IEnumerable<Block> Ranked(IReadOnlyList<Block> candidates, DropRule rule, int seed, CalibrationStatistics? statistics)
    {
        if (rule.Score == Criterion.Random)
        {
            var random = new Random(seed);
            return [.. candidates.Select(b => (Block: b, Score: random.NextDouble())).OrderBy(e => e.Score).Select(e => e.Block)];
        }
        if (rule.Score == Criterion.OutputDivergence) return candidates;
        if (statistics is null)
            throw new EspalierException($"{PlanResolver.Describe(rule)}: block similarity needs calibration, but there is none. Give "
                + "calibration data, or use Random.");
        var measured = rule.Score == Criterion.BlockAngle ? statistics.BlockAngle : statistics.BlockCosine;
        var unmeasured = candidates.FirstOrDefault(b => !measured.ContainsKey(b.Id));
        if (unmeasured is not null)
            throw new EspalierException(
                $"{PlanResolver.Describe(rule)}: calibration did not measure '{unmeasured.Name}'. Protect it, or use Random.");
        return candidates.OrderBy(b => rule.Score == Criterion.BlockAngle ? measured[b.Id] : 1 - measured[b.Id]).ThenBy(b => b.Id);
    }
}
