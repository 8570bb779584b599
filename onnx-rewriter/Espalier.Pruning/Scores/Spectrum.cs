using System.Numerics.Tensors;
using Espalier.Axes;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning;

/// <summary>
/// How far the singular values of a group's weights move when a unit's row X_u goes: to first order Σ_i −δσ_i = ½ Σ_i σ_i U_ui² = ½ (√(X Xᵀ))_uu. PruneNet (arXiv:2501.15296) keeps the spectrum by a learned policy that is
/// rewarded for it; here the objective itself ranks units. Data-free.
/// </summary>
internal static class Spectrum
{
    /// <summary>Most units: an eigendecomposition takes their cube.</summary>
    public const int MostUnits = 2048;

    /// <summary>Scores over the matrices that produce the units, each scaled to mean 1.</summary>
    /// <returns>Null where there is no matrix to read, or too many units.</returns>
    public static double[]? Of(Group group, IReadOnlyList<Occurrence> places, Aggregate aggregate, WeightTable weights)
    {
        var matrices = places.Where(p => weights.Shape(p.Tensor)!.Length > 1).ToList();
        if (matrices.Count == 0 || group.Size > MostUnits) return null;
        var total = new Aggregation(aggregate, group.Size);
        foreach (var place in matrices) total.Add(RootDiagonal(Rows(group, place, weights), group.Size));
        return total.Result();
    }

    /// <summary>The weight with a row per unit; what belongs to no unit is left out.</summary>
    private static double[][] Rows(Group group, Occurrence place, WeightTable weights)
    {
        int[] shape = weights.Shape(place.Tensor)!, unitOf = place.Term.UnitMap(group.Factor);
        float[] values = weights.Floats(place.Tensor);
        int inner = shape[(place.Axis + 1)..].Aggregate(1, (a, b) => a * b), size = shape[place.Axis], outer = values.Length / (inner * size);
        int perUnit = unitOf.Where(u => u >= 0).GroupBy(u => u).Max(g => g.Count());
        var rows = Enumerable.Range(0, group.Size).Select(_ => new double[perUnit * inner * outer]).ToArray();
        var filled = new int[group.Size];
        for (int o = 0; o < outer; o++)
            for (int k = 0; k < size; k++)
                if (unitOf[k] >= 0)
                    for (int i = 0; i < inner; i++) rows[unitOf[k]][filled[unitOf[k]]++] = values[(((o * size) + k) * inner) + i];
        return rows;
    }

    /// <summary>Diagonal of √(X Xᵀ).</summary>
    internal static double[] RootDiagonal(double[][] rows, int units)
    {
        var gram = Matrix<double>.Build.Dense(units, units);
        Parallel.For(0, units, i =>
        {
            for (int j = 0; j <= i; j++) gram[i, j] = gram[j, i] = TensorPrimitives.Dot<double>(rows[i], rows[j]);
        });
        var eigen = gram.Evd(Symmetricity.Symmetric);
        return [.. Enumerable.Range(0, units).Select(u => Enumerable.Range(0, units).Sum(i => Math.Sqrt(Math.Max(0, eigen.EigenValues[i].Real)) * eigen.EigenVectors[u, i] * eigen.EigenVectors[u, i]))];
    }
}
