using System.Numerics.Tensors;
using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Σ_v ‖W_u − W_v‖ over the weights that produce the units (FPGM, arXiv:1811.00250): what lies nearest to the geometric median
/// of all units is the easiest for the others to stand in for. Takes units² · (weights per unit) steps; memory follows neither.
/// </summary>
internal sealed class GeometricMedian : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.GeometricMedian];

    public override string Obstacle(Criterion criterion) => "no weight that a score can read produces its units";

    /// <summary>Sums of distances, each producing weight's scaled to mean 1.</summary>
    public override double[]? Compute(Group group, ScoreContext context)
    {
        var producers = context.Producers(group);
        if (producers.Count == 0) return null;
        var total = new Aggregation(context.Rule.Aggregate, group.Size);
        foreach (var producer in producers) total.Add(Distances(group, producer, context.Weights));
        return total.Result();
    }

    /// <summary>Per unit the sum of the distances of its slice of a weight to all other slices.</summary>
    internal static double[] Distances(Group group, Occurrence place, WeightTable weights, int budget = UnitRows.Budget)
    {
        int units = group.Size, rowsAtOnce = Math.Max(1, budget / units);
        var tiles = new UnitRows(group, place, weights, budget);
        var (sums, squares) = (new double[units], new double[Math.Min(rowsAtOnce, units) * units]);
        for (int from = 0; from < units; from += rowsAtOnce)
        {
            int first = from, rows = Math.Min(rowsAtOnce, units - from);
            Array.Clear(squares);
            foreach (int features in tiles.Read())
            {
                Parallel.For(0, rows, r =>
                {
                    var own = tiles.Row(first + r, features);
                    for (int v = first + r + 1; v < units; v++)
                    {
                        // Differences and not a Gram matrix: equal units are exactly 0 apart.
                        double distance = TensorPrimitives.Distance(own, tiles.Row(v, features));
                        squares[(r * units) + v] += distance * distance;
                    }
                });
            }
            for (int r = 0; r < rows; r++)
            {
                for (int v = first + r + 1; v < units; v++)
                {
                    double distance = Math.Sqrt(squares[(r * units) + v]);
                    sums[first + r] += distance;
                    sums[v] += distance;
                }
            }
        }
        return sums;
    }
}
