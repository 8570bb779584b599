using System.Numerics.Tensors;
using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Height at which an expert's router row joins another's, of the two that whose weights are farther from the mean of the
/// cluster's (STUN, arXiv:2409.06211); see <see cref="RouterRows.Heights"/>.
/// </summary>
internal sealed class RouterSimilarity : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.RouterSimilarity];

    public override string Obstacle(Criterion criterion) => "no router of the file chooses its units";

    public override double[]? Compute(Group group, ScoreContext context)
    {
        var (analysis, places) = (context.Model.Analysis, context.Places);
        if (RouterRows.Find(analysis, group, places, context.Weights) is not { } rows) return null;
        var router = RouterRows.Weights(analysis, group, places).Select(p => p.Tensor).ToHashSet(StringComparer.Ordinal);
        var own = group.Occurrences.Where(o => !router.Contains(o.Tensor) && context.Weights.IsMeasurable(o.Tensor)).ToList();
        return rows.Heights(own.Count > 0 ? Products(group, own, context.Weights) : null);
    }

    private static double[,] Products(Group group, List<Occurrence> places, WeightTable weights)
    {
        var products = new double[group.Size, group.Size];
        foreach (var place in places)
        {
            var rows = new UnitRows(group, place, weights);
            foreach (int features in rows.Read())
            {
                var tile = Enumerable.Range(0, group.Size).Select(_ => new double[features]).ToArray();
                for (int u = 0; u < tile.Length; u++) TensorPrimitives.ConvertTruncating(rows.Row(u, features), tile[u]);
                for (int i = 0; i < tile.Length; i++)
                    for (int j = 0; j < tile.Length; j++) products[i, j] += TensorPrimitives.Dot<double>(tile[i], tile[j]);
            }
        }
        return products;
    }
}
