using System.Numerics.Tensors;
using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// How far the singular values of a group's weights move when a unit's row X_u goes: to first order Σ_i −δσ_i = ½ Σ_i σ_i U_ui²
/// = ½ (√(X Xᵀ))_uu. PruneNet (arXiv:2501.15296) keeps the spectrum by a learned policy that is rewarded for it; here the
/// objective itself ranks units. Data-free.
/// </summary>
internal sealed class Spectrum : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.Spectrum];

    public override string Obstacle(Criterion criterion)
        => $"no matrix that a score can read produces its units, or more than {MostUnits} units";

    /// <summary>Most units: an eigendecomposition takes their cube.</summary>
    public const int MostUnits = 2048;

    /// <summary>Scores over the matrices that produce the units, each scaled to mean 1.</summary>
    public override double[]? Compute(Group group, ScoreContext context)
    {
        var weights = context.Weights;
        var matrices = context.Producers(group).Where(p => weights.Shape(p.Tensor)!.Length > 1).ToList();
        if (matrices.Count == 0 || group.Size > MostUnits) return null;
        var total = new Aggregation(context.Rule.Aggregate, group.Size);
        foreach (var place in matrices) total.Add(RootDiagonal(Gram(group, place, weights)));
        return total.Result();
    }

    /// <summary>X Xᵀ, in double.</summary>
    private static Matrix<double> Gram(Group group, Occurrence place, WeightTable weights)
    {
        var gram = Matrix<double>.Build.Dense(group.Size, group.Size);
        var rows = new UnitRows(group, place, weights);
        foreach (int features in rows.Read())
        {
            var tile = Enumerable.Range(0, group.Size).Select(_ => new double[features]).ToArray();
            Parallel.For(0, group.Size, u => TensorPrimitives.ConvertTruncating(rows.Row(u, features), tile[u]));
            Parallel.For(0, group.Size, i =>
            {
                for (int j = 0; j <= i; j++) gram[i, j] += TensorPrimitives.Dot<double>(tile[i], tile[j]);
            });
        }
        for (int i = 0; i < group.Size; i++)
            for (int j = 0; j < i; j++) gram[j, i] = gram[i, j];
        return gram;
    }

    /// <summary>Diagonal of the root of a symmetric matrix.</summary>
    private static double[] RootDiagonal(Matrix<double> gram)
    {
        int units = gram.RowCount;
        var eigen = gram.Evd(Symmetricity.Symmetric);
        return [.. Enumerable.Range(0, units)
            .Select(u => Enumerable.Range(0, units)
                .Sum(i => Math.Sqrt(Math.Max(0, eigen.EigenValues[i].Real)) * eigen.EigenVectors[u, i] * eigen.EigenVectors[u, i]))];
    }
}
