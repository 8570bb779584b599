using System.Numerics.Tensors;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Measures how much every unit of a group matters. Formulas and sources: README of this room.</summary>
public static class Scorer
{
    /// <summary>Whether a criterion needs statistics of activations.</summary>
    public static bool NeedsStatistics(Criterion criterion) => criterion is Criterion.Variance or Criterion.Wanda;

    /// <summary>Scores the units of groups.</summary>
    /// <param name="analysis">The model's axes.</param>
    /// <param name="criteria">Criterion per group number.</param>
    /// <param name="statistics">What calibration measured; null without calibration.</param>
    /// <param name="seed">Seed of <see cref="Criterion.Random"/>.</param>
    /// <param name="notes">Gets a note for every group that had to be scored in another way.</param>
    /// <returns>Per group number one score per unit, not negative, with mean 1 (or all zero); the higher, the more the unit matters.</returns>
    /// <exception cref="EspalierException">A criterion needs calibration and there is none.</exception>
    public static IReadOnlyDictionary<int, double[]> Score(AxisAnalysis analysis, IReadOnlyDictionary<int, Criterion> criteria,
        CalibrationStatistics? statistics, int seed = 0, ICollection<string>? notes = null)
    {
        var weights = new WeightTable(analysis);
        var groups = analysis.Groups.Where(g => criteria.ContainsKey(g.Id)).ToList();
        var scores = new Dictionary<int, double[]>();
        var norms = new List<(Group Group, int Power)>();
        foreach (var group in groups)
        {
            var criterion = criteria[group.Id];
            switch (criterion)
            {
                case Criterion.L1 or Criterion.L2:
                    norms.Add((group, criterion == Criterion.L1 ? 1 : 2));
                    break;
                case Criterion.Random:
                    scores[group.Id] = RandomScores(group.Size, seed, group.Id);
                    break;
                case Criterion.Variance or Criterion.Wanda:
                    if (statistics is null)
                        throw new EspalierException($"Group '{group.Name}' is to be scored by {criterion}, which needs calibration data, but there are none. Give calibration data or use L2.");
                    if (ActivationScores.Of(group, criterion, statistics, weights) is { } measured)
                    {
                        scores[group.Id] = measured;
                        break;
                    }
                    notes?.Add($"Group '{group.Name}' is scored by L2 instead of {criterion}: calibration has no statistics of what reads it.");
                    norms.Add((group, 2));
                    break;
                default:
                    throw new EspalierException($"Group '{group.Name}': {criterion} does not score units.");
            }
        }
        foreach (var (id, norm) in WeightNorms(norms, weights, notes)) scores[id] = norm;
        foreach (double[] score in scores.Values) NormalizeMean(score);
        return scores;
    }

    /// <summary>
    /// Norms of the units' weights over all occurrences of each group, each occurrence scaled so that its units have mean 1: else the largest
    /// weight would decide alone. Vectors (biases, scales) count only where a group has nothing else. Every weight is read once, in blocks.
    /// </summary>
    private static Dictionary<int, double[]> WeightNorms(IReadOnlyList<(Group Group, int Power)> groups, WeightTable weights, ICollection<string>? notes)
    {
        var sums = groups.ToDictionary(g => g.Group.Id, g => new double[g.Group.Size]);
        var byTensor = groups.SelectMany(g => Measured(g.Group, weights).Select(o => (g.Group, g.Power, Occurrence: o)))
            .GroupBy(e => e.Occurrence.Tensor, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal);
        foreach (var places in byTensor)
        {
            int[] shape = weights.Shape(places.Key)!;
            var measured = places.Select(p => (p.Group, p.Occurrence, Sums: new SliceSums(shape, p.Occurrence.Axis, p.Power))).ToList();
            weights.ReadBlocks(places.Key, (block, first) =>
            {
                foreach (var (_, _, sums) in measured) sums.Add(block, first);
            });
            foreach (var (group, occurrence, slice) in measured)
            {
                double[] slices = slice.Values;
                int[] unitOf = occurrence.Term.UnitMap(group.Factor);
                var own = new double[group.Size];
                for (int i = 0; i < slices.Length; i++)
                    if (unitOf[i] >= 0) own[unitOf[i]] += slices[i];
                NormalizeMean(own);
                TensorPrimitives.Add(sums[group.Id], own, sums[group.Id]);
            }
        }
        foreach (var (group, power) in groups)
        {
            if (Measured(group, weights).Count == 0)
                notes?.Add($"Group '{group.Name}' has no weight whose numbers a score can read: all of its units count alike, and the first are kept.");
            if (power == 2) TensorPrimitives.Sqrt(sums[group.Id], sums[group.Id]);
        }
        return sums;
    }

    private static List<Occurrence> Measured(Group group, WeightTable weights)
    {
        var floats = group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor)).ToList();
        var matrices = floats.Where(o => weights.Shape(o.Tensor)!.Length > 1).ToList();
        return matrices.Count > 0 ? matrices : floats;
    }

    private static double[] RandomScores(int size, int seed, int group)
    {
        var random = new Random(unchecked(seed * 397 ^ (group * 7919 + 17)));
        return [.. Enumerable.Range(0, size).Select(_ => random.NextDouble())];
    }

    private static void NormalizeMean(double[] scores)
    {
        double mean = scores.Average();
        if (mean > 0 && double.IsFinite(mean)) TensorPrimitives.Divide(scores, mean, scores);
    }
}
