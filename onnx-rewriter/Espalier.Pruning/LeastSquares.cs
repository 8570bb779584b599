using System.Numerics.Tensors;

namespace Espalier.Pruning;

/// <summary>
/// Refits a linear map to fewer inputs. Of all weights on the kept inputs K the refit has the least expected squared error against
/// the dense output, with a ridge that pulls towards the dense weights:
/// <c>W' = W_K + W_R·C_RK·(C_KK + λI)⁻¹</c>, where C is the centred covariance of the inputs and R what is removed. This is the
/// solution (WC)_K·C_KK⁻¹ for λ = 0; a ridge towards the dense weights rather than towards zero leaves a weight alone where the data say nothing.
/// </summary>
internal static class LeastSquares
{
    /// <summary>λ over the mean of the diagonal of C_KK when there are no more samples than features.</summary>
    public const double Damping = 1e-2;

    /// <summary>Expected squared error of a product whose weights differ by D: tr(D·C·Dᵀ).</summary>
    /// <param name="difference">D, row-major [outputs, features].</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="covariance">C, row-major.</param>
    public static double Error(double[] difference, int outputs, double[] covariance)
    {
        int features = difference.Length / Math.Max(1, outputs);
        double sum = 0;
        for (int o = 0; o < outputs; o++)
        {
            var row = difference.AsSpan(o * features, features);
            for (int f = 0; f < features; f++) sum += row[f] * TensorPrimitives.Dot(row, covariance.AsSpan(f * features, features));
        }
        return sum;
    }

    /// <summary>Change of the weights of the kept features.</summary>
    /// <param name="weight">Dense weights, row-major [outputs, features].</param>
    /// <param name="outputs">Rows.</param>
    /// <param name="covariance">Centred covariance of the features, row-major.</param>
    /// <param name="samples">Rows that the covariance was taken from.</param>
    /// <param name="kept">Kept features, ascending.</param>
    /// <param name="removed">All others, ascending.</param>
    /// <returns>Row-major [outputs, kept]; null where the factorisation fails.</returns>
    public static double[]? Change(double[] weight, int outputs, double[] covariance, long samples, int[] kept, int[] removed)
    {
        int features = kept.Length + removed.Length, k = kept.Length;
        var a = new double[k * k];
        double trace = 0;
        for (int i = 0; i < k; i++)
        {
            var row = covariance.AsSpan(kept[i] * features, features);
            for (int j = 0; j <= i; j++) a[i * k + j] = row[kept[j]];
            trace += a[i * k + i];
        }
        double lambda = Damping * Math.Min(1, (double)k / Math.Max(1, samples)) * trace / k;
        for (int i = 0; i < k; i++) a[i * k + i] += lambda;
        if (!SymmetricSolver.TryFactorize(a, k)) return null;

        var cross = new double[removed.Length * k];
        for (int r = 0, at = 0; r < removed.Length; r++)
        {
            var row = covariance.AsSpan(removed[r] * features, features);
            for (int j = 0; j < k; j++) cross[at++] = row[kept[j]];
        }
        var change = new double[outputs * k];
        const int rows = 16;
        Parallel.For(0, (outputs + rows - 1) / rows, chunk =>
        {
            int end = Math.Min(outputs, (chunk + 1) * rows);
            for (int r = 0; r < removed.Length; r++)
            {
                var line = cross.AsSpan(r * k, k);
                for (int o = chunk * rows; o < end; o++)
                {
                    var target = change.AsSpan(o * k, k);
                    TensorPrimitives.MultiplyAdd(line, weight[o * features + removed[r]], target, target);
                }
            }
        });
        SymmetricSolver.Solve(a, k, change);
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }
}
