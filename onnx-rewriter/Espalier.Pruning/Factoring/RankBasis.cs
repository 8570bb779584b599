using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Factoring;

/// <summary>A weight W [outputs, features] as V·(VᵀW), of which the first coordinates hold most of what it makes.</summary>
/// <param name="Target">The weight.</param>
/// <param name="Directions">V, and the variances of the coordinates.</param>
/// <param name="Down">VᵀW, row-major [ranks, features].</param>
internal sealed record RankBasis(FactorableWeight Target, OutputBasis Directions, double[] Down)
{
    public int Ranks => Directions.Values.Length;

    private int Features => Down.Length / Ranks;

    /// <summary>The basis; null where calibration has no covariance of what the weight reads.</summary>
    public static RankBasis? Create(FactorableWeight target, ConsumerMatrix matrix, WeightTable weights, CalibrationStatistics statistics)
    {
        int m = matrix.Outputs, n = matrix.Features;
        var seen = target.Consumers.Select(c => statistics.Consumers.GetValueOrDefault(c.Id)).ToList();
        if (seen.Exists(s => s?.Covariance is not { } covariance || covariance.Size != n)) return null;
        double rows = seen.Sum(s => s!.Count);
        double[]? pooled = null;
        foreach (var own in seen)
        {
            double[] part = own!.Covariance!.ToArray();
            if (seen.Count > 1) TensorPrimitives.Multiply(part, own.Count / rows, part);
            if (pooled is null) pooled = part;
            else TensorPrimitives.Add(pooled, part, pooled);
        }
        double[] w = matrix.Matrix(weights.Floats(target.Weight), 0);
        var directions = OutputBasis.Find(w, pooled!, m, n);
        return new(target, directions, directions.Project(w, directions.Values.Length));
    }

    /// <summary>Both factors at full rank.</summary>
    public LowRankFactors Factors()
    {
        var down = new float[Down.Length];
        for (int r = 0; r < Ranks; r++)
            for (int f = 0; f < Features; f++) down[(f * Ranks) + r] = (float)Down[(r * Features) + f];
        return new(Target, Ranks, down, Array.ConvertAll(Directions.Vectors, v => (float)v));
    }

    /// <summary>Moments of the coordinates, from those of what the weight reads.</summary>
    /// <param name="consumer">Number of the product that reads them.</param>
    public ActivationStatistics Moments(int consumer, ActivationStatistics seen)
    {
        double[] values = Directions.Values, mean = Map(seen.Mean), squares = [.. values.Zip(mean, (v, u) => v + (u * u))];
        var covariance = new Covariance(Ranks);
        covariance.Change((i, j, _) => i == j ? (float)values[i] : 0);
        return new(consumer, seen.Count, mean, values, [.. squares.Select(Math.Sqrt)], squares)
        { Covariance = covariance, HeldOut = seen.HeldOut?.Map(Ranks, Map) };
    }

    private double[] Map(double[] x)
        => [.. Enumerable.Range(0, Ranks).Select(r => TensorPrimitives.Dot<double>(Down.AsSpan(r * Features, Features), x))];
}
