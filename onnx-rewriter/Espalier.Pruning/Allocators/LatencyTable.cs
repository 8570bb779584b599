using Espalier.Axes.Costs;
using Espalier.Pruning.Spreads;


namespace Espalier.Pruning.Allocators;

/// <summary>
/// Time of one run as a fraction of the dense model's, for any choice of sizes, from measurements of a few sizes of each
/// population alone (the latency table of ZipLM, arXiv:2302.04089). An operator that two populations share gets faster by the
/// product of what each alone does: t(choice) = t₀ · Σ_m w_m · Π_{p ∈ m} f_p over sets m of populations that meet in operators.
/// The weights w are the multiply-accumulates, scaled (iterative proportional fitting) until each population takes part in as
/// much of the time as its smallest size saves, R_p = (1 − t_p/t₀)/(1 − share). f_p = 1 − (1 − t_p/t₀)/R_p then makes the table
/// exact at what was measured.
/// </summary>
internal sealed class LatencyTable
{
    /// <summary>Kept fractions that are measured; between them time is taken to be linear.</summary>
    private static readonly double[] Measured = [0.75, 0.5, 0.25, 0];

    /// <summary>Rounds of the fit; it converges geometrically.</summary>
    private const int FittingRounds = 200;

    /// <summary>
    /// Share of the time, before it is fitted, that no population changes: small, so that where the fit needs none it has none.
    /// </summary>
    private const double Rest = 1e-6;

    private readonly IReadOnlyList<Population> _populations;
    private readonly double _whole;
    private readonly List<(double Weight, int[] Populations)> _parts = [];
    private readonly List<List<(double Share, double Factor)>> _factors = [];

    /// <summary>A table.</summary>
    /// <param name="populations">What is decided on.</param>
    /// <param name="decided">Units of groups that are not decided on here.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    /// <param name="whole">Time with every population whole, as a fraction of the dense model's.</param>
    /// <param name="rows">Per population: kept shares below 1 in falling order, with the time when it alone has that size.</param>
    public LatencyTable(CostModel cost, IReadOnlyList<Population> populations, IReadOnlyDictionary<int, int> decided,
        IReadOnlySet<int>? removedSublayers,
        double whole, IReadOnlyList<IReadOnlyList<(double Share, double Time)>> rows)
    {
        (_populations, _whole) = (populations, whole);
        var populationOf = populations.SelectMany((p, i) => p.Groups.Select(c => (c.Group.Id, i))).ToDictionary(e => e.Id, e => e.i);
        var weights = new Dictionary<string, (double Weight, int[] Populations)>(StringComparer.Ordinal);
        foreach (var m in cost.Monomials.Where(m => m.Unit == CostUnit.Macs
            && !(m.Sublayer >= 0 && removedSublayers?.Contains(m.Sublayer) == true)))
        {
            int[] own = [.. m.Groups.Where(populationOf.ContainsKey).Select(g => populationOf[g]).Distinct().Order()];
            string key = string.Join(',', own);
            double macs =
                m.Groups.Aggregate(m.Coefficient, (n, g) => n * (decided.TryGetValue(g, out int kept) ? kept : cost.GroupSizes[g]));
            weights[key] = (weights.GetValueOrDefault(key).Weight + macs, own);
        }
        double all = weights.Values.Sum(w => w.Weight);
        if (all > 0) _parts.AddRange(weights.Values.Where(w => w.Weight > 0).Select(w => (w.Weight / all, w.Populations)));
        if (!_parts.Any(w => w.Populations.Length == 0)) _parts.Add((all > 0 ? Rest : 1, []));

        // Fewer units are never slower than more: what says so is noise, or a width that nothing is gained by.
        var saved = rows.Select(own => own.Select((_, k) => Math.Max(0, own.Take(k + 1).Max(r => 1 - (r.Time / whole)))).ToList()).ToList();
        double[] share = [.. saved.Select((own, p) => own.Count == 0 ? 0 : Math.Clamp(own[^1] / (1 - rows[p][^1].Share), 0, 1 - Rest))];
        Fit(share);
        for (int p = 0; p < populations.Count; p++)
        {
            double fitted = WeightOf(p);
            _factors.Add([(1, 1), .. rows[p].Select((row, k) => (row.Share, fitted > 0 ? Math.Max(0, 1 - (saved[p][k] / fitted)) : 1))]);
        }
    }

    /// <summary>Choices that are measured at most.</summary>
    public static int MostMeasured(int populations) => 1 + (Measured.Length * populations);

    /// <summary>Measures.</summary>
    /// <param name="populations">What is decided on.</param>
    /// <param name="decided">Units of groups that are not decided on here.</param>
    /// <param name="removedSublayers">Sublayers that are gone.</param>
    /// <param name="time">Time of a choice, as a fraction of the dense model's.</param>
    public static LatencyTable Measure(CostModel cost, IReadOnlyList<Population> populations, IReadOnlyDictionary<int, int> decided,
        IReadOnlySet<int>? removedSublayers,
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

    private double WeightOf(int population) => _parts.Where(w => w.Populations.Contains(population)).Sum(w => w.Weight);

    /// <summary>Scales the weights until they add up to 1 and those of each population to its share.</summary>
    private void Fit(double[] share)
    {
        for (int round = 0; round < FittingRounds; round++)
        {
            for (int p = 0; p < share.Length; p++)
            {
                double own = WeightOf(p), others = _parts.Sum(w => w.Weight) - own;
                if (own <= 0 || others <= 0) continue;
                for (int i = 0; i < _parts.Count; i++)
                {
                    var (weight, populations) = _parts[i];
                    _parts[i] = (weight * (populations.Contains(p) ? share[p] / own : (1 - share[p]) / others), populations);
                }
            }
        }
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
