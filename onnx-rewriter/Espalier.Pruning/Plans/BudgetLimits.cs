using Espalier.Axes.Costs;

namespace Espalier.Pruning.Plans;

/// <summary>The bounds of a budget.</summary>
internal static class BudgetLimits
{
    /// <summary>Sums of costs are rounded: a bound holds within this.</summary>
    public const double Rounding = 1 + 1e-12;

    /// <summary>The bounds that are set and that the cost model prices: all but the latency.</summary>
    public static IEnumerable<(CostUnit Unit, double Fraction)> Limits(this Budget? budget)
    {
        if (budget?.Macs is { } macs) yield return (CostUnit.Macs, macs);
        if (budget?.Parameters is { } parameters) yield return (CostUnit.Parameters, parameters);
        if (budget?.Bytes is { } bytes) yield return (CostUnit.Bytes, bytes);
    }
}
