namespace Espalier.Pruning;

/// <summary>
/// How many units a group needs, read off how unequal they are (SAP, arXiv:2302.05601): with the PQ index I = 1 − d^(1/q − 1/p)·‖w‖ₚ/‖w‖_q of
/// d units, p = ½ and q = 1, those with d·(1 − I)/(1 + η)² units are enough, where η is what the others may hold of the norm. w is the mean absolute
/// weight of each unit; the paper takes single weights.
/// </summary>
internal static class PqIndex
{
    /// <summary>Scaling of the ratio, γ, and norm that may go, η: the paper's defaults.</summary>
    private const double Gamma = 1, Eta = 0;

    /// <summary>Most that one pruning removes, β.</summary>
    private const double Beta = 0.9;

    /// <summary>Fraction of units that stay: 1 − min(γ(1 − m/d), β), m = ⌈d(1 − I)/(1 + η)²⌉.</summary>
    /// <param name="magnitudes">A magnitude per unit.</param>
    public static double Kept(double[] magnitudes)
    {
        double sum = magnitudes.Sum();
        if (!(sum > 0)) return 1;
        double roots = magnitudes.Sum(Math.Sqrt), d = magnitudes.Length;
        // 1 − I = ‖w‖_½ / (d·‖w‖₁). What rounding adds to a whole number is no unit more.
        double enough = Math.Ceiling((roots * roots / sum / ((1 + Eta) * (1 + Eta))) - 1e-9);
        return 1 - Math.Clamp(Gamma * (1 - (enough / d)), 0, Beta);
    }

    /// <summary>What every population keeps of its own.</summary>
    public static Dictionary<int, int> Own(IReadOnlyList<Population> populations, AllocationEvidence evidence)
    {
        var counts = new Dictionary<int, int>();
        foreach (var population in populations) population.Assign(Of(population, evidence) * population.Size, counts);
        return counts;
    }

    /// <summary>The same fractions, scaled.</summary>
    public static Spread Spread(IReadOnlyList<Population> populations, AllocationEvidence evidence)
        => new RatioSpread(populations, populations.Count == 0 ? (_, _) => 0 : ImportanceCurves.Proportional([.. populations.Select(p => Of(p, evidence))]));

    /// <summary>Of KV groups and query heads the product: each of both is a fraction of its own.</summary>
    private static double Of(Population population, AllocationEvidence evidence)
        => population.Groups.Aggregate(1.0, (kept, c) => kept * Kept(Population.MagnitudesOf(c, evidence).Mean));
}
