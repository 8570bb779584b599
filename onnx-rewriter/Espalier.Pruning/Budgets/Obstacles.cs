using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Planning;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Budgets;

/// <summary>What keeps a model from becoming smaller than its rules allow, in words: for a budget that is refused.</summary>
/// <param name="ruled">Groups that its rules may prune.</param>
internal sealed class Obstacles(AxisAnalysis analysis, PruningPlan plan, IReadOnlySet<int> ruled)
{
    private const int MostNamed = 4;

    /// <summary>Groups that hold less are only counted.</summary>
    private const double LeastShare = 0.001;

    /// <summary>Which groups hold the cost that stays, and what leave to prune inexactly would change.</summary>
    /// <param name="size">Units of each group in the least choice under the rules.</param>
    /// <param name="bound">The most that it may cost.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    public string Describe(CostUnit unit, CostModel cost, Func<int, double> size, double bound, IReadOnlySet<int>? removedSublayers)
    {
        if (cost.Evaluate(unit) <= 0)
            return FormattableString.Invariant($"The model has no {unit.CamelCase()} that are known.");
        return $"{Held(unit)} {Inexact(unit, cost, size, bound, removedSublayers)}";
    }

    private string Held(CostUnit unit)
    {
        var groupOf = analysis.Groups.ToDictionary(g => g.Factor);
        var held = new Dictionary<Group, double>();
        double all = 0, stays = 0, without = 0;
        foreach (var (value, terms) in Parts(unit))
        {
            all += value;
            var own = terms.SelectMany(t => t.Leaves).Where(groupOf.ContainsKey).Select(f => groupOf[f]).Distinct().ToList();
            if (own.Any(g => ruled.Contains(g.Id))) continue;
            stays += value;
            if (own.Count == 0) without += value;
            foreach (var group in own) held[group] = held.GetValueOrDefault(group) + value;
        }
        // Bytes follow the elements.
        string name = unit == CostUnit.Macs ? "macs" : "parameters";
        if (stays <= 0) return FormattableString.Invariant($"All {name} are in groups that these rules may prune.");
        var largest = held.Where(h => h.Value >= LeastShare * all).OrderByDescending(h => h.Value).ThenBy(h => h.Key.Id).ToList();
        var parts = largest.Take(MostNamed)
            .Select(h =>
                FormattableString.Invariant(
                    $"'{h.Key.Name}' ({h.Key.Size} {AxisRow.Get(h.Key.Kind).Units}, in {h.Value / all:0.#%}): {Why(h.Key)}")).ToList();
        if (held.Count > parts.Count) parts.Add(FormattableString.Invariant($"{held.Count - parts.Count} more"));
        if (without >= LeastShare * all) parts.Add(FormattableString.Invariant($"{without / all:0.#%} in no group"));
        return FormattableString.Invariant($"Of the dense model's {name} {stays / all:0.#%} are in nothing that these rules may prune: ")
            + FormattableString.Invariant($"{string.Join("; ", parts)}.{Ungrouped()}");
    }

    /// <summary>What the cost is made of: products of axes.</summary>
    private IEnumerable<(double Value, IEnumerable<Term> Terms)> Parts(CostUnit unit) => unit == CostUnit.Macs
        ? (analysis.State?.Records ?? []).SelectMany(r => r.Macs).Select(product => (Size(product), (IEnumerable<Term>)product))
        : analysis.Parameters.Where(t => t.Terms is not null).Select(t => (Size(t.Terms!), (IEnumerable<Term>)t.Terms!));

    private static double Size(IEnumerable<Term> terms) => terms.Aggregate(1.0, (product, term) => product * (term.Nominal ?? 1));

    private string Why(Group group) => group.Exactness switch
    {
        Exactness.Frozen => $"frozen, {group.Reason ?? "its units hang together"}",
        _ when plan.Protect.Any(p => analysis.Names.Matches(p, group)) => "protected",
        Exactness.Inexact => $"inexact, {group.Reason}",
        _ => "no rule covers it",
    };

    /// <summary>Weights that are in no group at all, and the commonest reason: what reads them is not understood.</summary>
    private string Ungrouped()
    {
        var grouped = analysis.Groups.SelectMany(g => g.Occurrences).Select(o => o.Tensor).ToHashSet(StringComparer.Ordinal);
        var alone = analysis.Frozen.Where(f => !grouped.Contains(f.Tensor)).ToList();
        if (alone.Count == 0) return "";
        var reason = alone.GroupBy(f => f.Reason, StringComparer.Ordinal).OrderByDescending(r => r.Count())
            .ThenBy(r => r.Key, StringComparer.Ordinal).First();
        return " Weights in no group, "
            + FormattableString.Invariant($"{alone.Select(f => f.Tensor).Distinct(StringComparer.Ordinal).Count()}, such as ")
            + FormattableString.Invariant($"'{reason.First().Tensor}': {reason.Key}.");
    }

    /// <summary>Whether AllowInexact would help, and how far.</summary>
    private string Inexact(CostUnit unit, CostModel cost, Func<int, double> size, double bound, IReadOnlySet<int>? removedSublayers)
    {
        var kinds = AxisRow.All.Where(a => a.IsUsual || plan.Prune.Any(r => r.Axis == a.Axis)).SelectMany(a => a.Kinds).ToHashSet();
        var groups = analysis.Groups.Where(g => g.Exactness == Exactness.Inexact && !ruled.Contains(g.Id) && kinds.Contains(g.Kind)
            && Why(g) != "protected").ToDictionary(g => g.Id);
        if (groups.Count == 0) return "AllowInexact would not help: no group of these kinds is inexact.";
        double Size(int g)
            => groups.TryGetValue(g, out var group)
                ? KeptCount.Round(0, group.Size, KeptCount.Multiple(0, group.Kind == Axis.Channels), group.MinKeep)
                : size(g);
        double least = cost.Evaluate(unit, Size, removedSublayers);
        string verdict = least <= bound ? "which is enough" : "which is not enough either";
        return FormattableString.Invariant($"With AllowInexact {groups.Count} more group{(groups.Count == 1 ? "" : "s")} could go, down ")
            + FormattableString.Invariant($"to {least / cost.Evaluate(unit):0.000}, {verdict}.");
    }
}
