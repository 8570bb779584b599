using Espalier.Axes.Costs;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// Choices in one line, from the fewest units to all: each allocation that needs no changed model to be run is such a line, and
/// a budget or a ratio says how far to go along it. Positions are numbers in [0, 1], or the ranks of thresholds.
/// </summary>
internal abstract class Spread(IReadOnlyList<Population> populations)
{
    /// <summary>The populations that are spread over.</summary>
    protected IReadOnlyList<Population> Populations { get; } = populations;

    /// <summary>The fewest units that may stay.</summary>
    public static Dictionary<int, int> Least(IReadOnlyList<Population> populations) => Assign(populations, _ => 0);

    /// <summary>The most units that meet the budget.</summary>
    /// <param name="holds">Whether a choice meets it.</param>
    public abstract Dictionary<int, int> Budget(Func<IReadOnlyDictionary<int, int>, bool> holds);

    /// <summary>The units whose share of the cost of all units is nearest to the ratio.</summary>
    public abstract Dictionary<int, int> Ratio(double ratio, CostModel cost);

    /// <summary>Counts for wished fractions.</summary>
    protected static Dictionary<int, int> Assign(IReadOnlyList<Population> populations, Func<int, double> fraction)
    {
        var counts = new Dictionary<int, int>();
        for (int p = 0; p < populations.Count; p++) populations[p].Assign(fraction(p) * populations[p].Size, counts);
        return counts;
    }

    /// <summary>
    /// Share of Σ units × (multiply-accumulates that one unit less saves) that a choice keeps (FLAP, arXiv:2312.11983);
    /// parameters where a unit saves none.
    /// </summary>
    protected Func<Dictionary<int, int>, double> ShareOf(CostModel cost)
    {
        double[] unit = [.. Populations.Select(p => UnitCost(cost, p.Groups[0].Group.Id) * p.Groups[0].Group.Size / p.Size)];
        double all = Populations.Select((p, i) => unit[i] * p.Size).Sum();
        return counts => Populations.Select((p, i) => unit[i] * p.Groups.Aggregate(1.0, (n, c) => n * counts[c.Group.Id])).Sum() / all;
    }

    private static double UnitCost(CostModel cost, int group)
    {
        double Saved(CostUnit unit) => cost.Evaluate(unit) - cost.Evaluate(unit, g => cost.GroupSizes[g] - (g == group ? 1 : 0));
        double macs = Saved(CostUnit.Macs);
        return macs > 0 ? macs : Math.Max(Saved(CostUnit.Parameters), 1);
    }
}
