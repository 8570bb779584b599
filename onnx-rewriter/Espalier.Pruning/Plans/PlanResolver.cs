using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Planning;

namespace Espalier.Pruning.Plans;

/// <summary>Finds the groups that each rule of a plan names.</summary>
internal static class PlanResolver
{
    /// <summary>Kinds of group that a rule on an axis may touch.</summary>
    public static IReadOnlyList<Axis> KindsOf(Axis axis) => axis switch
    {
        Axis.Heads => [Axis.Heads, Axis.KeyValueGroups],
        Axis.Sublayers or Axis.Blocks or Axis.EmbeddingRows or Axis.Other => [],
        _ => [axis],
    };

    /// <summary>Resolves the rules in order: a group belongs to the first rule that matches it.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="analysis">The model's axes.</param>
    /// <param name="notes">Gets one note for everything that a rule matched and left alone.</param>
    /// <exception cref="EspalierException">A number is out of range, or a rule has no group that it may prune.</exception>
    public static IReadOnlyList<ResolvedRule> Resolve(PruningPlan plan, AxisAnalysis analysis, ICollection<string> notes)
    {
        Validate(plan);
        CheckCosts(plan, analysis);
        var owner = new Dictionary<int, PruneRule>();
        var resolved = new List<ResolvedRule>();
        foreach (var rule in plan.Prune)
        {
            var free = Prunable(plan, rule, Matching(rule, analysis), notes);
            if (plan.ProtectEnds == true && free.Count > 0)
            {
                var ends = Ends(free).SelectMany(g => new[] { g, g.Partner }).ToHashSet();
                free.RemoveAll(ends.Contains);
                if (free.Count == 0) notes.Add($"{Describe(rule)}: there are no groups between the first and the last, which stay whole.");
            }
            var own = new List<Group>();
            foreach (var group in free)
            {
                if (owner.TryAdd(group.Id, rule)) own.Add(group);
                else if (owner[group.Id] != rule)
                    notes.Add($"{Describe(rule)}: group '{group.Name}' belongs to the earlier rule '{owner[group.Id].Name}'.");
            }
            resolved.Add(new ResolvedRule(rule, own));
        }
        return resolved;
    }

    /// <summary>The first and the last.</summary>
    public static IEnumerable<T> Ends<T>(IReadOnlyList<T> inOrder) => inOrder.Count == 0 ? [] : [inOrder[0], inOrder[^1]];

    /// <summary>A rule as messages name it.</summary>
    public static string Describe(PruneRule rule) => Describe(rule.Location, rule.Name, rule.Axis);

    /// <summary>A rule as messages name it.</summary>
    public static string Describe(DropRule rule) => Describe(rule.Location, rule.Name, rule.Axis);

    /// <summary>Name of a kind or axis as options and reports write it.</summary>
    public static string CamelCase<T>(T value) where T : struct, Enum
    {
        string name = value.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    private static string Describe(string location, string name, Axis axis)
        => (location.Length > 0 ? location + ": " : "") + (name.Length > 0 ? $"rule '{name}'" : $"rule on {CamelCase(axis)}");

    private static List<Group> Matching(PruneRule rule, AxisAnalysis analysis)
    {
        var kinds = KindsOf(rule.Axis);
        if (kinds.Count == 0)
            throw new EspalierException(
                $"{Describe(rule)}: {CamelCase(rule.Axis)} are not units of a group. Use a drop rule for sublayers and blocks.");
        var ofKind = analysis.Groups.Where(g => kinds.Contains(g.Kind)).ToList();
        if (rule.Groups is { } names)
        {
            var byName = ofKind.ToDictionary(g => g.Name, StringComparer.Ordinal);
            foreach (string name in names)
            {
                if (!byName.ContainsKey(name))
                    throw new EspalierException($"{Describe(rule)}: the model has no group '{name}' of {CamelCase(rule.Axis)}. It has "
                        + "changed since the plan was compiled: build the policy again.");
            }
            return [.. names.Distinct(StringComparer.Ordinal).Select(n => byName[n]).OrderBy(g => g.Id)];
        }
        var matching = ofKind.Where(g => Matches(rule.Pattern, g)).ToList();
        if (matching.Count > 0) return matching;
        throw new EspalierException(ofKind.Count == 0
            ? $"{Describe(rule)}: the model has no {CamelCase(rule.Axis)}. 'espalier inspect' lists the groups that it has; remove the "
                + "rule or choose another axis."
            : $"{Describe(rule)}: the pattern '{rule.Pattern}' matches no group of {CamelCase(rule.Axis)}. There are: {Names(ofKind)}.");
    }

    /// <summary>The matching groups that may be pruned; the others go into the notes.</summary>
    private static List<Group> Prunable(PruningPlan plan, PruneRule rule, List<Group> matching, ICollection<string> notes)
    {
        var open = matching.Where(g => !plan.Protect.Any(p => Matches(p, g))).ToList();
        if (open.Count == 0)
        {
            notes.Add($"{Describe(rule)}: everything that it matches is protected.");
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
            ? $"{Describe(rule)}: no group that it matches can be pruned exactly; '{blocker.Name}': {blocker.Reason}. Set AllowInexact "
                + "to prune it nevertheless."
            : $"{Describe(rule)}: every group that it matches is frozen; '{blocker.Name}': {blocker.Reason}. 'espalier why' prints the "
                + "chain of reasons.");
    }

    private static string Names(List<Group> groups)
    {
        var names = groups.Select(g => $"'{g.Name}'").Take(8).ToList();
        return string.Join(", ", names) + (groups.Count > names.Count ? $" and {groups.Count - names.Count} more" : "");
    }

    /// <summary>Whether the pattern matches the group's name or the name of any weight of it.</summary>
    private static bool Matches(string pattern, Group group)
        => Glob.Matches(pattern, group.Name) || group.Occurrences.Any(o => Glob.Matches(pattern, o.Tensor));

    private static void Validate(PruningPlan plan)
    {
        foreach (var rule in plan.Prune)
        {
            if (rule.Keep is { } keep && !(keep > 0 && keep <= 1))
                throw new EspalierException(FormattableString.Invariant(
                    $"{Describe(rule)}: Keep is {keep}, but must lie in (0, 1]: the fraction of units that stays."));
            if (rule.MinKeep < 1)
                throw new EspalierException($"{Describe(rule)}: MinKeep is {rule.MinKeep}, but at least one unit must stay.");
            if (rule.RoundTo < 0)
                throw new EspalierException($"{Describe(rule)}: RoundTo is {rule.RoundTo}, but must be 0 (the kind's default) or more.");
            if (rule.Score == Criterion.File && string.IsNullOrEmpty(rule.ScoreFile))
                throw new EspalierException($"{Describe(rule)}: Score is File, but no file is named. Give ScoreFile.");
            if (rule.Score != Criterion.File && rule.ScoreFile is not null)
                throw new EspalierException(
                    $"{Describe(rule)}: ScoreFile is '{rule.ScoreFile}', but Score is {rule.Score}: only File reads one.");
            if (rule.Score == Criterion.Fisher && plan.DivergenceMetric == Metric.TaskLoss)
                throw new EspalierException($"{Describe(rule)}: Fisher is the curvature of a divergence at its least, and the task's "
                    + "loss is not at its least in the dense model. Use KullbackLeibler, whose curvature is the Fisher information, or "
                    + "OutputDivergence.");
            if (rule.Score is Criterion.BlockSimilarity or Criterion.BlockAngle)
                throw new EspalierException(
                    $"{Describe(rule)}: {rule.Score} scores sublayers and blocks, not units. Use L2, Variance or Wanda.");
            if (rule.Keep is null && plan.Budget is null && plan.Allocate != Allocation.PqIndex)
                throw new EspalierException($"{Describe(rule)}: neither Keep nor a budget says how much is to stay. Give the rule a "
                    + "Keep, or the plan a budget; Allocation.PqIndex needs neither.");
        }
        foreach (var rule in plan.Drop)
        {
            if (rule.Axis is not (Axis.Sublayers or Axis.Blocks))
                throw new EspalierException($"{Describe(rule)}: a drop rule removes sublayers or blocks, not {CamelCase(rule.Axis)}.");
            if (rule.AtMost is null && plan.Budget is null)
                throw new EspalierException($"{Describe(rule)}: neither AtMost nor a budget says how many are removed. Give the rule an "
                    + "AtMost, or the plan a budget.");
            if (rule.AtMost < 1) throw new EspalierException($"{Describe(rule)}: AtMost is {rule.AtMost}, but must be at least 1.");
            if (rule.Score is not (Criterion.BlockSimilarity or Criterion.BlockAngle or Criterion.OutputDivergence or Criterion.Random))
                throw new EspalierException($"{Describe(rule)}: {rule.Score} does not score {CamelCase(rule.Axis)}. Use BlockSimilarity, "
                    + "OutputDivergence or Random.");
        }
        if (plan.Allocate == Allocation.Latency && plan.Budget?.Latency is null)
            throw new EspalierException(
                "Allocation.Latency spreads a budget of time, but the plan has none. Give the budget a Latency, or use Divergence.");
        foreach (var component in plan.Budget?.Components ?? [])
        {
            if (component.Macs is null && component.Parameters is null)
                throw new EspalierException($"The component budget '{component.Pattern}' bounds nothing. Give it macs or parameters.");
            foreach (var (unit, value) in Limits(new Budget(component.Macs, component.Parameters)))
                if (!(value > 0 && value <= 1))
                    throw new EspalierException(FormattableString.Invariant($"The budget of {CamelCase(unit)} of component ")
                        + FormattableString.Invariant(
                            $"'{component.Pattern}' is {value}, but must lie in (0, 1]: a fraction of what it is in the dense model."));
        }
        if (plan.Budget?.Latency is { } latency && !(latency > 0 && latency <= 1))
            throw new EspalierException(FormattableString.Invariant(
                $"The budget of latency is {latency}, but must lie in (0, 1]: a fraction of the dense model's time."));
        foreach (var (unit, value) in Limits(plan.Budget))
        {
            if (!(value > 0 && value <= 1))
                throw new EspalierException(FormattableString.Invariant(
                    $"The budget of {CamelCase(unit)} is {value}, but must lie in (0, 1]: a fraction of the dense model."));
        }
    }

    /// <summary>A bound on multiply-accumulates can only be held where they are known.</summary>
    private static void CheckCosts(PruningPlan plan, AxisAnalysis analysis)
    {
        if (plan.Budget is not { } budget || (budget.Macs is null && (budget.Components ?? []).All(c => c.Macs is null))) return;
        if (analysis.Cost.UnknownMacs is not [var first, ..] unknown) return;
        throw new EspalierException(
            $"The budget bounds multiply-accumulates, but those of {unknown.Length} operator{(unknown.Length == 1 ? "" : "s")} "
            + $"are not known: {first}. Bound Parameters or Bytes instead, or give the rules a Keep.");
    }

    /// <summary>The bounds of a budget that are set and that the cost model prices: all but the latency.</summary>
    public static IEnumerable<(CostUnit Unit, double Fraction)> Limits(Budget? budget)
    {
        if (budget?.Macs is { } macs) yield return (CostUnit.Macs, macs);
        if (budget?.Parameters is { } parameters) yield return (CostUnit.Parameters, parameters);
        if (budget?.Bytes is { } bytes) yield return (CostUnit.Bytes, bytes);
    }
}
