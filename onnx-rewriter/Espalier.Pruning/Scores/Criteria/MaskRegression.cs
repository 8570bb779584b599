using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Gates;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// What the outputs lose with each unit, by regression over random removals (Bonsai, arXiv:2402.05406): masks over the units of
/// all groups are run on the gated twin, and the divergence of the outputs is regressed on what each removes, with a ridge. A
/// unit is so judged among others that are gone too. As in the paper a mask removes half of the units that are next to each
/// other by a prior, a second mask the other half, so that the two differ in nothing but which units go. The paper looks at the
/// units of the least prior, removes, and begins anew; here every stratum of the prior has its masks, and the regression over
/// all masks so far is the prior of the next round (of the first, the L2 norm): the closer the order, the fewer small units are
/// drowned by a large one in the same mask.
/// </summary>
internal static class MaskRegression
{
    /// <summary>Fraction of all units that a mask removes: the paper's per step.</summary>
    private const double Fraction = 0.05;

    /// <summary>Fewest masks that are asked for, as in the paper, and most: each takes a run over the samples.</summary>
    public const int LeastMasks = 200, MostMasks = 1000;

    /// <summary>
    /// Rounds, and masks per unit within these bounds. On networks of 40 and 120 units of very uneven loudness
    /// (MaskRegressionTests, six draws) the order agrees with that of single removals by a rank correlation of 0.84 to 0.99,
    /// L2's by 0.24 to 0.75; with one round it is 0.37 to 0.93, with two masks per unit 0.43 to 0.86, without the weights 0.21 to 0.84.
    /// </summary>
    private const int Rounds = 8, PerUnit = 4;

    /// <summary>Ridges that are tried, times the mean eigenvalue of the masks' Gram matrix.</summary>
    private static readonly double[] Ridges = [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1];

    /// <summary>By group number; groups without a gate, or with too many units, are left out.</summary>
    /// <param name="groups">Numbers of the groups.</param>
    /// <param name="seed">Seed of the masks.</param>
    public static IReadOnlyDictionary<int, double[]> Compute(DenseModel model, IReadOnlySet<int> groups, IModelProbe probe, int seed)
    {
        var analysis = model.Analysis;
        if (groups.Count == 0) return new Dictionary<int, double[]>();
        using var twin = GatedTwin.Build(analysis, g => groups.Contains(g.Id) && g.Size <= GateScores.MostUnits, sublayers: false);
        var gated = analysis.Groups.Where(g => twin.Gates.ContainsKey(g.Id)).ToList();
        if (gated.Count == 0) return new Dictionary<int, double[]>();
        var units = Ordered(model.Weights, gated);
        int total = Math.Clamp(PerUnit * units.Count, LeastMasks, MostMasks);
        int[] order = [.. Enumerable.Range(0, units.Count)];
        var masks = new List<int[]>();
        var divergences = new List<double>();
        double[] lost = [];
        for (int round = 0; round < Rounds; round++)
        {
            var at = order;
            var fresh = Masks(units.Count, total / Rounds, unchecked((seed * Rounds) + round))
                .Select(m => m.Select(u => at[u]).Order().ToArray()).ToList();
            divergences.AddRange(probe.Divergences(twin.Model, [.. fresh.Select(m => Settings(twin, analysis, m.Select(u => units[u])))],
                new("measuring what units do", masks.Count, total / Rounds * Rounds)));
            masks.AddRange(fresh);
            lost = Regress(units.Count, masks, [.. divergences]);
            order = [.. Enumerable.Range(0, units.Count).OrderBy(u => lost[u])];
        }
        var scores = gated.ToDictionary(g => g.Id, g => new double[g.Size]);
        for (int u = 0; u < units.Count; u++) scores[units[u].Group][units[u].Unit] = lost[u];
        foreach (double[] own in scores.Values) Aggregation.Lift(own);
        return scores;
    }

    /// <summary>All units by their prior; of equal ones the first in the graph.</summary>
    private static List<(int Group, int Unit)> Ordered(WeightTable weights, IReadOnlyList<Group> groups)
    {
        var norms = WeightNorms.Score([.. groups.Select(g => WeightNorm.Over(g, Criterion.L2, Aggregate.Sum, weights))], weights);
        foreach (double[] norm in norms.Values) Aggregation.NormalizeMean(norm);
        return [.. groups.SelectMany(g => Enumerable.Range(0, g.Size).Select(u => (Group: g.Id, Unit: u)))
            .OrderBy(e => norms[e.Group][e.Unit])];
    }

    /// <summary>What each mask removes, as places in the order of the prior; no two are alike.</summary>
    internal static List<int[]> Masks(int units, int count, int seed)
    {
        int each = Math.Max(1, (int)Math.Round(Fraction * units)), strata = Math.Max(1, units / (2 * each));
        var random = new Random(seed);
        var masks = new List<int[]>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        // Of few units there are fewer masks than are asked for.
        for (int attempt = 0; attempt < 2 * count && masks.Count < count; attempt++)
        {
            int stratum = attempt % strata, start = (int)((long)stratum * units / strata),
                end = (int)((long)(stratum + 1) * units / strata);
            int[] own = [.. Enumerable.Range(start, end - start)];
            random.Shuffle(own);
            foreach (int[] half in (int[][])[own[..(own.Length / 2)], own[(own.Length / 2)..]])
            {
                Array.Sort(half);
                if (half.Length > 0 && seen.Add(string.Join(',', half))) masks.Add(half);
            }
        }
        return masks;
    }

    private static Dictionary<string, float[]> Settings(GatedTwin twin, AxisAnalysis analysis, IEnumerable<(int Group, int Unit)> removed)
    {
        var settings = new Dictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var (group, unit) in removed)
        {
            string gate = twin.Gates[group];
            if (!settings.TryGetValue(gate, out var values))
                settings[gate] = values = [.. Enumerable.Repeat(1f, analysis.Groups[group].Size)];
            values[unit] = 0;
        }
        return settings;
    }

    /// <summary>
    /// What each unit adds when it goes: D(mask) ≈ Σ of the units that it removes, without a constant because nothing removed
    /// is no divergence. The dual form, w = Xᵀ(XXᵀ + λI)⁻¹D with rows weighted, with the λ whose predictions of each mask from
    /// all others are best: they are off by α_i/G_ii, α = G·D, G = (XXᵀ + λI)⁻¹.
    /// </summary>
    internal static double[] Regress(int units, IReadOnlyList<int[]> masks, double[] divergences)
    {
        int n = masks.Count;
        // Nothing that any mask removes is missed.
        if (divergences.All(d => d == 0)) return new double[units];
        var sets = masks.Select(m => m.ToHashSet()).ToList();
        // What units do to each other grows with what they do: a mask counts by one over its divergence.
        double floor = divergences.Max(Math.Abs) * 1e-6;
        double[] weight = [.. divergences.Select(d => 1 / Math.Sqrt(Math.Max(Math.Abs(d), floor)))];
        var gram = Matrix<double>.Build.Dense(n, n,
            (i, j) => weight[i] * weight[j] * (i == j ? masks[i].Length : masks[i].Count(sets[j].Contains)));
        var decomposed = gram.Evd(Symmetricity.Symmetric);
        var (values, vectors) = (decomposed.EigenValues.Real(), decomposed.EigenVectors);
        var turned = vectors.TransposeThisAndMultiply(Vector<double>.Build.Dense([.. divergences.Select((d, i) => d * weight[i])]));
        double mean = gram.Trace() / n, least = double.PositiveInfinity;
        var best = Vector<double>.Build.Dense(n);
        foreach (double ridge in Ridges)
        {
            var inverse = values.Map(v => 1 / (Math.Max(v, 0) + (ridge * mean)));
            var alpha = vectors * turned.PointwiseMultiply(inverse);
            double error = 0;
            for (int i = 0; i < n; i++)
            {
                double own = 0;
                for (int k = 0; k < n; k++) own += vectors[i, k] * vectors[i, k] * inverse[k];
                error += alpha[i] / own * (alpha[i] / own);
            }
            if (error < least) (least, best) = (error, alpha);
        }
        double[] lost = new double[units];
        for (int i = 0; i < n; i++)
            foreach (int u in masks[i]) lost[u] += weight[i] * best[i];
        return lost;
    }
}
