using Espalier.Axes.Costs;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Allocators;

/// <summary>The bounds of a budget on what is left to decide.</summary>
/// <param name="decided">Units of groups that the budget does not decide on.</param>
/// <param name="removedSublayers">Sublayers that are gone.</param>
internal sealed class Bounds(Budget budget, CostModel cost, IReadOnlyDictionary<int, int> decided, IReadOnlySet<int>? removedSublayers)
{
    private readonly List<(CostUnit Unit, double Fraction, double Dense)> _limits = [.. budget.Limits()
        .Select(l => (l.Unit, l.Fraction, cost.Evaluate(l.Unit)))];

    /// <summary>Times; null where latency is not bounded.</summary>
    public LatencyTable? Table { get; init; }

    /// <summary>Bound on the table's time, as a fraction of the dense model's.</summary>
    public double? Latency { get; init; }

    /// <summary>The part of the model that is bounded; null for the whole.</summary>
    public string? Component { get; init; }

    /// <summary>Says what stands in the way in the whole model; null for a part of it.</summary>
    public Obstacles? Obstacles { get; init; }

    /// <summary>Whether a choice meets all of them.</summary>
    public bool Hold(IReadOnlyDictionary<int, int> choice) => Excess(choice) <= BudgetLimits.Rounding;

    /// <summary>Cost over bound, of the bound that is nearest to being broken or most broken.</summary>
    public double Excess(IReadOnlyDictionary<int, int> choice)
    {
        double excess = Table is null ? 0 : Table.Evaluate(choice) / Math.Max(Latency!.Value, double.Epsilon);
        foreach (var (unit, fraction, dense) in _limits)
            excess = Math.Max(excess, Cost(unit, choice) / Math.Max(fraction * dense, double.Epsilon));
        return excess;
    }

    /// <summary>Whether a choice meets all but the bound on its time.</summary>
    public bool CostsHold(IReadOnlyDictionary<int, int> choice)
        => _limits.All(l => Cost(l.Unit, choice) <= l.Fraction * l.Dense * BudgetLimits.Rounding);

    /// <summary>Says which bound the least choice breaks, and what can be reached.</summary>
    /// <param name="least">The choice that keeps the fewest units.</param>
    /// <param name="open">Populations that the budget decides on.</param>
    /// <param name="time">Its time as measured; null where latency is not bounded.</param>
    public EspalierException OutOfReach(IReadOnlyDictionary<int, int> least, int open, double? time)
    {
        string way = open > 0 ? "To reach it, raise the budget, lower MinKeep or RoundTo, or let rules cover more groups"
            : decided.Count > 0
                ? "To reach it, leave Keep out of a rule or raise the budget: every rule has a Keep of its own, so nothing is left for "
                    + "the budget to decide"
            : "There is nothing that these rules may prune";
        string Way(CostUnit unit, double fraction)
            => Obstacles is null
                ? $"{way}."
                : $"{way}. {Obstacles.Describe(unit, cost, g => Size(least, g), fraction * cost.Evaluate(unit), removedSublayers)}";
        foreach (var (unit, fraction, dense) in _limits)
        {
            if (Cost(unit, least) <= fraction * dense * BudgetLimits.Rounding) continue;
            string part = Component is null ? "" : $" in component '{Component}'";
            return new EspalierException(FormattableString.Invariant($"No choice under these rules meets the budget of {fraction:0.###} ")
                + FormattableString.Invariant($"of the dense model's {unit.CamelCase()}{part}: the least they can reach is ")
                + FormattableString.Invariant($"{Cost(unit, least) / dense:0.000}. {Way(unit, fraction)}"));
        }
        double bound = budget.Latency!.Value;
        return new EspalierException(
            FormattableString.Invariant($"No choice under these rules meets the budget of {bound:0.######} of the ")
            + FormattableString.Invariant(
                $"dense model's time: by what was measured on this machine the least they can reach is {time:0.000}. ")
            + $"A busy machine measures too much. {Way(CostUnit.Macs, bound)}");
    }

    private double Cost(CostUnit unit, IReadOnlyDictionary<int, int> choice) => cost.Evaluate(unit, g => Size(choice, g), removedSublayers);

    private double Size(IReadOnlyDictionary<int, int> choice, int group)
        => choice.TryGetValue(group, out int n) || decided.TryGetValue(group, out n) ? n : cost.GroupSizes[group];
}
