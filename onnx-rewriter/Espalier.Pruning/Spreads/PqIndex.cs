namespace Espalier.Pruning.Spreads;

/// <summary>
/// How much of a group is needed, read off how unequal its weights are (SAP, arXiv:2302.05601): with the PQ index I = 1 −
/// d^(1/q − 1/p)·‖w‖ₚ/‖w‖_q of its d weights, p = ½ and q = 1, the largest d·(1 − I)/(1 + η)² are enough, where η is what the
/// others may hold of the norm. Of units the same fraction stays.
/// </summary>
internal static class PqIndex
{
    /// <summary>Scaling of the ratio, γ, and norm that may go, η: the paper's defaults.</summary>
    private const double Gamma = 1, Eta = 0;

    /// <summary>Most that one pruning removes, β.</summary>
    private const double Beta = 0.9;

    /// <summary>
    /// Fraction that stays: 1 − min(γ(1 − m/d), β), m = ⌈d(1 − I)/(1 + η)²⌉. Weights that are all equal are all needed; of
    /// normal ones 0.847 are.
    /// </summary>
    public static double Kept(UnitMagnitudes magnitudes)
    {
        double mean = magnitudes.Mean.Average(), root = magnitudes.RootMean.Average(), d = magnitudes.Mean.Length * magnitudes.PerUnit;
        if (!(mean > 0)) return 1;
        // 1 − I = ‖w‖_½ / (d·‖w‖₁) = (mean √|w|)² / mean |w|. What rounding adds to a whole number is no weight more.
        double enough = Math.Ceiling((d * root * root / mean / ((1 + Eta) * (1 + Eta))) - (1e-9 * d));
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
        => new RatioSpread(populations, populations.Count == 0
            ? (_, _) => 0
            : ImportanceCurves.Proportional([.. populations.Select(p => Of(p, evidence))]));

    /// <summary>Of KV groups and query heads the product: each of both is a fraction of its own.</summary>
    private static double Of(Population population, AllocationEvidence evidence)
        => population.Groups.Aggregate(1.0, (kept, c) => kept * Kept(Population.MagnitudesOf(c, evidence)));
}
