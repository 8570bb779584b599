using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Σ |w_f| · std(y_f) / std(x) over the filters f of a unit, in what produces it: y is what the filter gives, before any
/// activation function, x what it reads (Beta-Rank, arXiv:2304.07461). There a deviation is taken at every position and the
/// ratio averaged over positions; here it runs over samples and positions at once. A layer's scores lie from 0 to 1, as there; of
/// layers that make one group, which the paper has not, they add up.
/// </summary>
internal sealed class BetaRank : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.BetaRank];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of what makes it";

    public override void Require(Group group, Criterion criterion, DenseModel model, Requirements needs)
        => needs.Tensors(model.Places.Products(group).SelectMany(p => new[] { p.Input, p.Output }));

    public override double[]? Compute(Group group, ScoreContext context)
    {
        var (statistics, weights) = (context.Statistics!, context.Weights);
        var scores = new double[group.Size];
        bool measured = false;
        foreach (var (weight, input, output) in context.Places.Products(group))
        {
            if (!weights.IsMeasurable(weight.Tensor) || !statistics.Tensors.TryGetValue(input, out var read)
                || !statistics.Tensors.TryGetValue(output, out var given)) continue;
            int[] unitOf = weight.Term.UnitMap(group.Factor), shape = weights.Shape(weight.Tensor)!;
            if (unitOf.Length != shape[weight.Axis] || given.Variance.Length != unitOf.Length) continue;
            var sums = new SliceSums(shape, weight.Axis, 1);
            weights.ReadBlocks(weight.Tensor, sums.Add);
            // An input that never varies makes outputs that never do.
            double spread = Math.Sqrt(read.TotalVariance);
            var own = new double[group.Size];
            for (int f = 0; f < unitOf.Length; f++)
                if (unitOf[f] >= 0 && spread > 0) own[unitOf[f]] += sums.Values[f] * Math.Sqrt(given.Variance[f]) / spread;
            double least = own.Min(), range = own.Max() - least;
            for (int u = 0; u < own.Length && range > 0; u++) scores[u] += (own[u] - least) / range;
            measured = true;
        }
        return measured ? scores : null;
    }
}
