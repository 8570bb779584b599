using System.Numerics.Tensors;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>Scores from the norms of the units' weights.</summary>
internal static class WeightNorms
{
    /// <summary>Scores by group number. Every weight is read once for all groups, in blocks.</summary>
    public static Dictionary<int, double[]> Score(IReadOnlyList<WeightNorm> norms, WeightTable weights)
    {
        var totals = norms.ToDictionary(n => n.Group.Id, n => new Aggregation(n.Aggregate, n.Group.Size));
        var byTensor = norms.SelectMany(n => n.Places.Select(o => (Norm: n, Occurrence: o)))
            .GroupBy(e => e.Occurrence.Tensor, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal);
        foreach (var places in byTensor)
        {
            int[] shape = weights.Shape(places.Key)!;
            var measured = places.Select(p => (p.Norm, p.Occurrence, Sums: new SliceSums(shape, p.Occurrence.Axis, p.Norm.Power))).ToList();
            weights.ReadBlocks(places.Key, (block, first) =>
            {
                foreach (var (_, _, sums) in measured) sums.Add(block, first);
            });
            foreach (var (norm, occurrence, sums) in measured)
            {
                double[] slices = sums.Values;
                int[] unitOf = weights.UnitsOf(occurrence, norm.Group.Factor);
                var own = new double[norm.Group.Size];
                for (int i = 0; i < slices.Length; i++)
                    if (unitOf[i] >= 0) own[unitOf[i]] += slices[i];
                totals[norm.Group.Id].Add(own);
            }
        }
        return norms.ToDictionary(n => n.Group.Id, n => Finish(n.Criterion, totals[n.Group.Id].Result()));
    }

    private static double[] Finish(Criterion criterion, double[] totals)
    {
        if (criterion == Criterion.L2) TensorPrimitives.Sqrt(totals, totals);
        return criterion == Criterion.Lamp ? Lamp(totals) : totals;
    }

    /// <summary>w²_u / Σ w²_v over all v with w²_v ≥ w²_u; equal units are alike.</summary>
    private static double[] Lamp(double[] squares)
    {
        var scores = new double[squares.Length];
        double above = 0;
        foreach (var equal in Enumerable.Range(0, squares.Length).GroupBy(u => squares[u]).OrderByDescending(g => g.Key))
        {
            above += equal.Key * equal.Count();
            foreach (int u in equal) scores[u] = above > 0 ? equal.Key / above : 0;
        }
        return scores;
    }
}
