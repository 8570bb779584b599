using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;


namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Σ |w_f| · std(y_f) / std(x) over the filters f of a unit, in what produces it: y is what the filter gives, before any
/// activation function, x what it reads (Beta-Rank, arXiv:2304.07461). There a deviation is taken at every position and the
/// ratio averaged over positions; here it runs over samples and positions at once.
/// </summary>
internal static class BetaRank
{
    /// <summary>Activations whose variance it needs.</summary>
    public static IEnumerable<TensorAxis> Tensors(UnitPlaces places, Group group)
        => places.Products(group).SelectMany(p => new[] { p.Input, p.Output });

    /// <summary>Scores; null where nothing that produces the units was observed.</summary>
    public static double[]? Compute(Group group, UnitPlaces places, CalibrationStatistics statistics, WeightTable weights)
    {
        var scores = new double[group.Size];
        bool measured = false;
        foreach (var (weight, input, output) in places.Products(group))
        {
            if (!weights.IsMeasurable(weight.Tensor) || !statistics.Tensors.TryGetValue(input, out var read)
                || !statistics.Tensors.TryGetValue(output, out var given)) continue;
            int[] unitOf = weight.Term.UnitMap(group.Factor), shape = weights.Shape(weight.Tensor)!;
            if (unitOf.Length != shape[weight.Axis] || given.Variance.Length != unitOf.Length) continue;
            var sums = new SliceSums(shape, weight.Axis, 1);
            weights.ReadBlocks(weight.Tensor, sums.Add);
            // An input that never varies makes outputs that never do.
            double spread = Math.Sqrt(read.TotalVariance);
            for (int f = 0; f < unitOf.Length; f++)
                if (unitOf[f] >= 0 && spread > 0) scores[unitOf[f]] += sums.Values[f] * Math.Sqrt(given.Variance[f]) / spread;
            measured = true;
        }
        return measured ? scores : null;
    }
}
