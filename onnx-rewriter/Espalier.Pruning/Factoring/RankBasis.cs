using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Weights;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Factoring;

/// <summary>
/// A weight W [outputs, features] as V·(VᵀW), where V are the eigenvectors of the covariance W·C·Wᵀ of what it makes: of all subspaces of
/// r directions the first r lose least of its outputs' squares about their mean, which the bias keeps (the whitened decomposition of
/// SVD-LLM, arXiv:2403.07378; of convolutions Zhang et al., arXiv:1505.06798).
/// </summary>
/// <param name="Target">The weight.</param>
/// <param name="Down">VᵀW, row-major [ranks, features].</param>
/// <param name="Vectors">Vᵀ, row-major [ranks, outputs].</param>
/// <param name="Values">Variances of the coordinates, falling.</param>
internal sealed record RankBasis(FactorableWeight Target, double[] Down, double[] Vectors, double[] Values)
{
    /// <summary>Inputs that never vary get so much of the mean variance, so that all of the weight is in the basis.</summary>
    private const double Ridge = 1e-6;

    public int Ranks => Values.Length;

    private int Features => Down.Length / Ranks;

    /// <summary>The basis; null where calibration has no covariance of what the weight reads, or it has no factorisation.</summary>
    public static RankBasis? Create(FactorableWeight target, ConsumerMatrix matrix, WeightTable weights, CalibrationStatistics statistics)
    {
        int m = matrix.Outputs, n = matrix.Features;
        var seen = target.Consumers.Select(c => statistics.Consumers.GetValueOrDefault(c.Id)).ToList();
        if (seen.Exists(s => s?.Covariance is not { } covariance || covariance.Size != n)) return null;
        double[] w = matrix.Matrix(weights.Floats(target.Weight), 0);
        double rows = seen.Sum(s => s!.Count);
        var parts = seen.Select(s => (s!.Covariance!, s.Count / rows)).ToList();
        var (vectors, values) = n < m ? OfInputs(w, parts, m, n) : OfOutputs(w, parts, m, n);
        if (vectors is null) return null;
        var down = new double[values.Length * n];
        Panel.Of(new(w, 0, n), m, n).Add(1, vectors, down);
        return new(target, down, vectors, values);
    }

    /// <summary>Both factors at full rank.</summary>
    public LowRankFactors Factors()
    {
        var down = new float[Down.Length];
        for (int r = 0; r < Ranks; r++)
            for (int f = 0; f < Features; f++) down[(f * Ranks) + r] = (float)Down[(r * Features) + f];
        return new(Target, Ranks, down, Array.ConvertAll(Vectors, v => (float)v));
    }

    /// <summary>Moments of the coordinates, from those of what the weight reads.</summary>
    /// <param name="consumer">Number of the product that reads them.</param>
    public ActivationStatistics Moments(int consumer, ActivationStatistics seen)
    {
        double[] mean = Map(seen.Mean), squares = [.. Values.Zip(mean, (v, u) => v + (u * u))];
        RowSample? heldOut = null;
        if (seen.HeldOut is { } rows)
        {
            heldOut = new RowSample(Ranks, Math.Max(2, rows.Count + (rows.Count % 2)));
            var row = new double[Features];
            for (int k = 0; k < rows.Count; k++)
            {
                for (int f = 0; f < Features; f++) row[f] = rows[k][f];
                heldOut.Add(Array.ConvertAll(Map(row), v => (float)v));
            }
        }
        var covariance = new Covariance(Ranks);
        covariance.Change((i, j, _) => i == j ? (float)Values[i] : 0);
        return new(consumer, seen.Count, mean, Values, [.. squares.Select(Math.Sqrt)], squares)
        { Covariance = covariance, HeldOut = heldOut };
    }

    private double[] Map(double[] x)
        => [.. Enumerable.Range(0, Ranks).Select(r => TensorPrimitives.Dot<double>(Down.AsSpan(r * Features, Features), x))];

    /// <summary>Eigenvectors of W·C·Wᵀ as rows.</summary>
    private static (double[]? Vectors, double[] Values) OfOutputs(double[] w, List<(Covariance Matrix, double Share)> parts, int m, int n)
    {
        var gram = new double[m * m];
        foreach (var (covariance, share) in parts) AddQuadratic(share, w, covariance, gram, m, n);
        var (vectors, values) = Eigen(gram, m);
        return (vectors.ToRowMajorArray(), values);
    }

    /// <summary>The same where there are fewer inputs: with C = S·Sᵀ, W·S has the left singular vectors that are asked for.</summary>
    private static (double[]? Vectors, double[] Values) OfInputs(double[] w, List<(Covariance Matrix, double Share)> parts, int m, int n)
    {
        var c = Matrix<double>.Build.Dense(n, n, (i, j) => parts.Sum(p => p.Share * p.Matrix[i, j]));
        double level = c.Trace() / n * Ridge;
        if (!(level > 0)) return (null, []);
        Matrix<double> spread;
        try
        {
            spread = Matrix<double>.Build.DenseOfRowMajor(m, n, w)
                * (c + Matrix<double>.Build.DenseDiagonal(n, level)).Cholesky().Factor;
        }
        catch (ArgumentException)
        {
            return (null, []);
        }
        var (right, values) = Eigen(spread.TransposeThisAndMultiply(spread).ToRowMajorArray(), n);
        if (values.Any(v => !(v > 0))) return (null, []);
        var left = right * spread.Transpose();
        return (left.MapIndexed((r, _, v) => v / Math.Sqrt(values[r])).ToRowMajorArray(), values);
    }

    /// <summary>Eigenvectors as rows, and eigenvalues, falling.</summary>
    private static (Matrix<double> Vectors, double[] Values) Eigen(double[] gram, int size)
    {
        // Products round both triangles differently.
        var symmetric = Matrix<double>.Build.Dense(size, size, (i, j) => (gram[(i * size) + j] + gram[(j * size) + i]) / 2);
        var eigen = symmetric.Evd(Symmetricity.Symmetric);
        return (Matrix<double>.Build.Dense(size, size, (r, o) => eigen.EigenVectors[o, size - 1 - r]),
            [.. eigen.EigenValues.Reverse().Select(v => Math.Max(0, v.Real))]);
    }

    /// <summary>W·C·Wᵀ, in blocks of C's rows.</summary>
    private static void AddQuadratic(double share, double[] w, Covariance covariance, double[] gram, int m, int n)
    {
        var columns = Panel.OfTransposed(new(w, 0, n), n, m);
        int[] all = [.. Enumerable.Range(0, n)];
        for (int from = 0; from < n; from += Covariance.Tile)
        {
            int[] block = all[from..Math.Min(n, from + Covariance.Tile)];
            double[] product = new double[block.Length * m], part = new double[m * block.Length];
            columns.Add(share, covariance.Part(block, all), product);
            for (int o = 0; o < m; o++) w.AsSpan((o * n) + from, block.Length).CopyTo(part.AsSpan(o * block.Length));
            Panel.Of(new(product, 0, m), block.Length, m).Add(1, part, gram);
        }
    }
}
