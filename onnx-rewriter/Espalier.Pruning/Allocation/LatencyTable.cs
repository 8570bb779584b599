using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>
/// Time of one run as a fraction of the dense model's, for any choice of sizes, from measurements of a few sizes of each population alone (the
/// latency table of ZipLM, arXiv:2302.04089). An operator that two populations share gets faster by the product of what each alone does:
/// t(choice) = t₀ · Σ_m w_m · Π_{p ∈ m} f_p, where w_m is the share of a monomial m of the multiply-accumulates, and f_p = 1 − (1 − t_p/t₀)/Σ_{m ∋ p} w_m is such that
/// the table is exact at what was measured, as far as a factor below 0 is no time.
/// </summary>
internal sealed class LatencyTable
{
    /// <summary>Kept fractions that are measured; between them time is taken to be linear.</summary>
    private static readonly double[] Measured = [0.75, 0.5, 0.25, 0];

    private readonly IReadOnlyList<Population> _populations;
    private readonly double _whole;
    private readonly List<(double Weight, int[] Populations)> _parts = [];
    private readonly List<List<(double Share, double Factor)>> _factors = [];

    /// <summary>A table.</summary>
    /// <param name="cost">The model's cost.</param>
    /// <param name="populations">What is decided on.</param>
    /// <param name="decided">Units of groups that are not decided on here.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    /// <param name="whole">Time with every population whole, as a fraction of the dense model's.</param>
    /// <param name="rows">Per population: kept shares below 1 in falling order, with the time when it alone has that size.</param>
    public LatencyTable(CostModel cost, IReadOnlyList<Population> populations, IReadOnlyDictionary<int, int> decided, IReadOnlySet<int>? removedSublayers,
        double whole, IReadOnlyList<IReadOnlyList<(double Share, double Time)>> rows)
    {
        (_populations, _whole) = (populations, whole);
        var populationOf = populations.SelectMany((p, i) => p.Groups.Select(c => (c.Group.Id, i))).ToDictionary(e => e.Id, e => e.i);
        var weights = new Dictionary<string, (double Weight, int[] Populations)>(StringComparer.Ordinal);
        foreach (var m in cost.Monomials.Where(m => m.Unit == CostUnit.Macs && !(m.Sublayer >= 0 && removedSublayers?.Contains(m.Sublayer) == true)))
        {
            int[] own = [.. m.Groups.Where(populationOf.ContainsKey).Select(g => populationOf[g]).Distinct().Order()];
            string key = string.Join(',', own);
            double macs = m.Groups.Aggregate(m.Coefficient, (n, g) => n * (decided.TryGetValue(g, out int kept) ? kept : cost.GroupSizes[g]));
            weights[key] = (weights.GetValueOrDefault(key).Weight + macs, own);
        }
        double all = weights.Values.Sum(w => w.Weight);
        if (all > 0) _parts.AddRange(weights.Values.Select(w => (w.Weight / all, w.Populations)));
        else _parts.Add((1, []));
        for (int p = 0; p < populations.Count; p++)
        {
            double share = _parts.Where(w => w.Populations.Contains(p)).Sum(w => w.Weight), factor = 1;
            var factors = new List<(double, double)> { (1, 1) };
            foreach (var (kept, time) in rows[p])
            {
                // Fewer units are never slower than more: what says so is noise, or a width that nothing is gained by.
                if (share > 0) factor = Math.Min(factor, Math.Max(0, 1 - ((1 - (time / whole)) / share)));
                factors.Add((kept, factor));
            }
            _factors.Add(factors);
        }
    }

    /// <summary>Measures.</summary>
    /// <param name="cost">The model's cost.</param>
    /// <param name="populations">What is decided on.</param>
    /// <param name="decided">Units of groups that are not decided on here.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    /// <param name="time">Time of a choice, as a fraction of the dense model's.</param>
    public static LatencyTable Measure(CostModel cost, IReadOnlyList<Population> populations, IReadOnlyDictionary<int, int> decided, IReadOnlySet<int>? removedSublayers,
        Func<IReadOnlyDictionary<int, int>, double> time)
    {
        bool isDense = decided.All(d => d.Value == cost.GroupSizes[d.Key]) && !(removedSublayers?.Count > 0);
        double whole = isDense ? 1 : time(new Dictionary<int, int>());
        return new(cost, populations, decided, removedSublayers, whole, [.. populations.Select(p =>
        {
            var rows = new List<(double, double)>();
            double last = 1;
            foreach (double fraction in Measured)
            {
                var counts = p.Counts(fraction);
                if (p.Share(counts) >= last) continue;
                last = p.Share(counts);
                rows.Add((last, time(counts)));
            }
            return (IReadOnlyList<(double, double)>)rows;
        })]);
    }

    /// <summary>Time of a choice, as a fraction of the dense model's.</summary>
    public double Evaluate(IReadOnlyDictionary<int, int> choice)
    {
        double[] factor = [.. _populations.Select((p, i) => Factor(i, p.Share(choice)))];
        return _whole * _parts.Sum(w => w.Populations.Aggregate(w.Weight, (t, p) => t * factor[p]));
    }

    private double Factor(int population, double share)
    {
        var known = _factors[population];
        for (int k = 1; k < known.Count; k++)
        {
            var (a, b) = (known[k - 1], known[k]);
            if (share >= b.Share) return b.Factor + ((a.Factor - b.Factor) * (share - b.Share) / (a.Share - b.Share));
        }
        return known[^1].Factor;
    }
}
