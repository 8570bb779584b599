using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Pruning.Algebra;

namespace Espalier.Pruning.Plans;

/// <summary>Finds the groups that each rule of a plan names.</summary>
internal static class RuleResolver
{
    /// <summary>Resolves the rules in order: a group belongs to the first rule that matches it.</summary>
    /// <param name="notes">Gets one note for everything that a rule matched and left alone.</param>
    /// <exception cref="EspalierException">A rule has no group that it may prune.</exception>
    public static IReadOnlyList<ResolvedRule> Resolve(PruningPlan plan, AxisAnalysis analysis, ICollection<string> notes)
    {
        var owner = new Dictionary<int, PruneRule>();
        var resolved = new List<ResolvedRule>();
        foreach (var rule in plan.Prune)
        {
            var free = Prunable(plan, rule, analysis, notes);
            if (plan.ProtectEnds == true && free.Count > 0)
            {
                var ends = free.Ends().SelectMany(g => new[] { g, g.Partner }).ToHashSet();
                free.RemoveAll(ends.Contains);
                if (free.Count == 0) notes.Add($"{rule.Describe()}: there are no groups between the first and the last, which stay whole.");
            }
            var own = new List<Group>();
            foreach (var group in free)
            {
                if (owner.TryAdd(group.Id, rule)) own.Add(group);
                else if (owner[group.Id] != rule)
                    notes.Add($"{rule.Describe()}: group '{group.Name}' belongs to the earlier rule '{owner[group.Id].Name}'.");
            }
            resolved.Add(new ResolvedRule(rule, own));
        }
        return resolved;
    }

    private static List<Group> Matching(PruneRule rule, AxisAnalysis analysis)
    {
        var kinds = AxisRow.Get(rule.Axis).Kinds;
        if (kinds.Count == 0)
            throw new EspalierException(
                $"{rule.Describe()}: {rule.Axis.CamelCase()} are not units of a group. Use a drop rule for sublayers and blocks.");
        var ofKind = analysis.Groups.Where(g => kinds.Contains(g.Kind)).ToList();
        if (rule.Groups is { } names)
        {
            var byName = ofKind.ToDictionary(g => g.Name, StringComparer.Ordinal);
            foreach (string name in names)
            {
                if (!byName.ContainsKey(name))
                    throw new EspalierException($"{rule.Describe()}: the model has no group '{name}' of {rule.Axis.CamelCase()}. It has "
                        + "changed since the plan was compiled: build the policy again.");
            }
            return [.. names.Distinct(StringComparer.Ordinal).Select(n => byName[n]).OrderBy(g => g.Id)];
        }
        var matching = ofKind.Where(g => analysis.Names.Matches(rule.Pattern, g)).ToList();
        if (matching.Count > 0) return matching;
        throw new EspalierException(ofKind.Count == 0
            ? $"{rule.Describe()}: the model has no {rule.Axis.CamelCase()}. 'espalier inspect' lists the groups that it has; remove the "
                + "rule or choose another axis."
            : $"{rule.Describe()}: the pattern '{rule.Pattern}' matches no group of {rule.Axis.CamelCase()}. There are: "
                + $"{RuleNames.Listed([.. ofKind.Select(g => g.Name)])}.");
    }

    /// <summary>The matching groups that may be pruned; the others go into the notes.</summary>
    private static List<Group> Prunable(PruningPlan plan, PruneRule rule, AxisAnalysis analysis, ICollection<string> notes)
    {
        var open = Matching(rule, analysis).Where(g => !plan.Protect.Any(p => analysis.Names.Matches(p, g))).ToList();
        if (open.Count == 0)
        {
            notes.Add($"{rule.Describe()}: everything that it matches is protected.");
            return open;
        }
        var free = new List<Group>();
        foreach (var group in open)
        {
            if (group.Exactness == Exactness.Frozen) notes.Add($"Group '{group.Name}' stays whole: {group.Reason ?? "it is frozen"}.");
            else if (group.Exactness == Exactness.Inexact && !rule.AllowInexact)
                notes.Add($"Group '{group.Name}' stays whole, because removing its units is not exact: "
                    + $"{group.Reason ?? "a normalisation runs over it"}.");
            else free.Add(group);
        }
        if (free.Count > 0) return free;
        var blocker = open.FirstOrDefault(g => g.Exactness == Exactness.Inexact) ?? open[0];
        throw new EspalierException(blocker.Exactness == Exactness.Inexact
            ? $"{rule.Describe()}: no group that it matches can be pruned exactly; '{blocker.Name}': {blocker.Reason}. Set AllowInexact "
                + "to prune it nevertheless."
            : $"{rule.Describe()}: every group that it matches is frozen; '{blocker.Name}': {blocker.Reason}. 'espalier why' prints the "
                + "chain of reasons.");
    }
}
