using System.Numerics.Tensors;
using Espalier.Axes.Groups;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// How far the distribution of the singular values of the weights that make a group moves when a unit goes: the distance of
/// Kolmogorov and Smirnov that PruneNet (arXiv:2501.15296) rewards a learned policy for keeping small; here the units whose
/// removal keeps it smallest go, in rounds. It takes few values, so what the sum of the singular values loses decides between
/// equal ones. Data-free.
/// </summary>
internal sealed class Spectrum : UnitScore
{
    /// <summary>Weight of the second criterion: below the steps of the first, which are 1/units.</summary>
    private const double Second = 1e-6;

    /// <summary>Most units, and singular values: an eigendecomposition takes their cube.</summary>
    public const int MostUnits = 2048;

    public override IReadOnlyList<Criterion> Criteria => [Criterion.Spectrum];

    public override string Obstacle(Criterion criterion)
        => $"no matrix that a score can read produces its units, or more than {MostUnits} units";

    /// <summary>Scores of a group's units: what the round of each reached, more than what went before it.</summary>
    public override double[]? Compute(Group group, ScoreContext context)
    {
        var weights = context.Weights;
        var places = context.Producers(group).Where(p => weights.Shape(p.Tensor)!.Length > 1).ToList();
        if (places.Count == 0 || group.Size > MostUnits) return null;
        var matrices = places.Select(p => new SingularValues(Rows(group, p, weights))).ToList();
        return Elimination.Score(group.Size, unit => matrices.Average(m => m.Distance(unit) + (Second * m.Loss(unit))), going =>
        {
            foreach (var matrix in matrices) matrix.Remove(going);
        }, Math.BitIncrement);
    }

    private static double[][] Rows(Group group, Occurrence place, WeightTable weights)
    {
        var rows = Enumerable.Range(0, group.Size).Select(_ => new List<double>()).ToArray();
        var read = new UnitRows(group, place, weights);
        foreach (int features in read.Read())
        {
            var tile = new double[features];
            foreach (int unit in Enumerable.Range(0, group.Size))
            {
                TensorPrimitives.ConvertTruncating(read.Row(unit, features), tile);
                rows[unit].AddRange(tile);
            }
        }
        return [.. rows.Select(r => r.ToArray())];
    }
}
