using Espalier.Axes.Costs;


namespace Espalier.Pruning.Spreads;

/// <summary>One threshold over the units of all populations: what is not above it goes.</summary>
internal sealed class ThresholdSpread : Spread
{
    /// <summary>
    /// Fewest weights that stay in a layer, of all weights: the minimum threshold of Global MP (arXiv:2209.14624), whose code
    /// takes 0.05 % if nothing else is said.
    /// </summary>
    private const double MinimumThreshold = 0.0005;

    private readonly double[][] _values;
    private readonly double[] _thresholds;
    private readonly int[] _floors;

    /// <param name="populations">What is spread over.</param>
    /// <param name="values">One number per unit, comparable between populations.</param>
    /// <param name="floors">Fewest units per population, besides those that rules name.</param>
    public ThresholdSpread(IReadOnlyList<Population> populations, Func<Population, double[]> values, Func<Population, int>? floors = null)
        : base(populations)
    {
        _values = [.. populations.Select(values)];
        _floors = [.. populations.Select(p => floors?.Invoke(p) ?? 0)];
        // Every value that the threshold may take: below all, then each.
        _thresholds = [double.NegativeInfinity, .. _values.SelectMany(v => v).Distinct().Order()];
    }

    /// <summary>
    /// Global magnitude pruning with a minimum threshold (Global MP, arXiv:2209.14624), on units: their mean absolute weight,
    /// not standardised. A layer that has fewer weights than the floor stays whole.
    /// </summary>
    public static ThresholdSpread OfMagnitudes(IReadOnlyList<Population> populations, AllocationEvidence evidence)
    {
        double floor = MinimumThreshold * populations.Sum(p => p.Size * p.WeightsPerUnit(evidence));
        return new(populations, p => p.Magnitudes(evidence), p => p.WeightsPerUnit(evidence) is > 0 and var own
            ? (int)Math.Min(p.Size, Math.Ceiling(floor / own))
            : 0);
    }

    /// <summary>
    /// Counts fall as the threshold rises, so bisection finds the lowest that meets the budget. Floors are part of every
    /// choice: what they hold back is taken from where the threshold still can, as iterating would. Where floors alone break
    /// the budget, it goes before them.
    /// </summary>
    public override Dictionary<int, int> Budget(Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        bool floors = holds(At(_thresholds.Length - 1, floors: true));
        return At(First(counts => holds(counts), floors), floors);
    }

    /// <inheritdoc/>
    public override Dictionary<int, int> Ratio(double ratio, CostModel cost)
    {
        var share = ShareOf(cost);
        int first = First(counts => share(counts) <= ratio, true);
        var below = At(first, true);
        if (first == 0) return below;
        var above = At(first - 1, true);
        return Math.Abs(share(above) - ratio) < Math.Abs(share(below) - ratio) ? above : below;
    }

    private int First(Func<Dictionary<int, int>, bool> holds, bool floors)
    {
        int low = 0, high = _thresholds.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (holds(At(middle, floors))) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    private Dictionary<int, int> At(int threshold, bool floors)
    {
        var counts = new Dictionary<int, int>();
        for (int p = 0; p < Populations.Count; p++)
            Populations[p].Assign(Math.Max(_values[p].Count(v => v > _thresholds[threshold]), floors ? _floors[p] : 0), counts);
        return counts;
    }
}
