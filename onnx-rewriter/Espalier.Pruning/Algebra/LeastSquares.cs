using System.Numerics.Tensors;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Refits a linear map to other inputs. Of all weights on the inputs z the refit has the least expected squared error against
/// the dense output W·x, with a ridge that pulls towards the dense weights:
/// <c>W' = W_K + (W·C_xz − W_K·C_zz)·(C_zz + λI)⁻¹</c>. Where z are the kept ones of x this is (WC)_K·C_KK⁻¹ for λ = 0; where z comes from
/// layers that are pruned already, it makes up for their error too. A ridge towards the dense weights rather than towards zero
/// leaves a weight alone where the data say nothing.
/// </summary>
internal static class LeastSquares
{
    /// <summary>λ over the mean of the diagonal of C_KK when there are no more samples than features.</summary>
    public const double Damping = 1e-2;

    /// <summary>(C + λI)⁻¹ with the damping of <see cref="Change"/>; null where the factorisation fails.</summary>
    public static double[]? Inverse(double[] covariance, int features, long samples)
    {
        var a = (double[])covariance.Clone();
        double trace = 0;
        for (int i = 0; i < features; i++) trace += a[(i * features) + i];
        double lambda = Math.Max(Lambda(trace, features, samples), trace / features * 1e-9);
        for (int i = 0; i < features; i++) a[(i * features) + i] += lambda;
        if (!SymmetricSolver.TryFactorize(a, features)) return null;
        var inverse = new double[features * features];
        for (int i = 0; i < features; i++) inverse[(i * features) + i] = 1;
        SymmetricSolver.Solve(a, features, inverse);
        return Array.TrueForAll(inverse, double.IsFinite) ? inverse : null;
    }

    /// <summary>
    /// The ridge of a system whose diagonal has this sum: <see cref="Damping"/> where there are no more samples than unknowns,
    /// less where there are more.
    /// </summary>
    public static double Lambda(double trace, int features, long samples)
        => Damping * Math.Min(1, (double)features / Math.Max(1, samples)) * trace / features;

    /// <summary>Expected squared error of a product whose weights differ by D: tr(D·C·Dᵀ).</summary>
    /// <param name="difference">D, row-major [outputs, features].</param>
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

    /// <summary>Expected squared error of new weights on z against the dense ones on x, without the part that no weights change.</summary>
    public static double Loss(double[] dense, double[] edited, int outputs, ConsumerMoments moments, int[] kept)
    {
        int features = moments.DenseMean.Length, k = kept.Length;
        double sum = 0;
        var now = new double[k];
        var wanted = new double[k];
        for (int o = 0; o < outputs; o++)
        {
            for (int i = 0; i < k; i++) now[i] = edited[(o * features) + kept[i]];
            Array.Clear(wanted);
            for (int f = 0; f < features; f++)
                TensorPrimitives.MultiplyAdd(moments.Cross.AsSpan(f * k, k), dense[(o * features) + f], wanted, wanted);
            for (int i = 0; i < k; i++)
                sum += now[i] * (TensorPrimitives.Dot<double>(now, moments.Covariance.AsSpan(i * k, k)) - (2 * wanted[i]));
        }
        return sum;
    }

    /// <summary>Change of the weights of the kept features.</summary>
    /// <param name="weight">Dense weights, row-major [outputs, features].</param>
    /// <param name="moments">Of all features and the kept ones.</param>
    /// <returns>Row-major [outputs, kept]; null where the factorisation fails.</returns>
    public static double[]? Change(double[] weight, int outputs, ConsumerMoments moments, int[] kept)
    {
        int k = kept.Length;
        var a = (double[])moments.Covariance.Clone();
        double trace = 0;
        for (int i = 0; i < k; i++) trace += a[(i * k) + i];
        double lambda = Lambda(trace, k, moments.Count);
        for (int i = 0; i < k; i++) a[(i * k) + i] += lambda;
        if (!SymmetricSolver.TryFactorize(a, k)) return null;
        var change = Residual(weight, outputs, moments, kept);
        SymmetricSolver.Solve(a, k, change);
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }

    /// <summary>W·C_xz − W_K·C_zz, row-major [outputs, kept]: how what is lost goes along with each kept feature.</summary>
    public static double[] Residual(double[] weight, int outputs, ConsumerMoments moments, int[] kept)
    {
        int features = moments.DenseMean.Length, k = kept.Length;
        // Features that are the same on both sides drop out, so that what is not pruned stays exactly as it is.
        var difference = (double[])moments.Cross.Clone();
        for (int i = 0; i < k; i++)
        {
            var row = difference.AsSpan(kept[i] * k, k);
            TensorPrimitives.Subtract(row, moments.Covariance.AsSpan(i * k, k), row);
        }
        var change = new double[outputs * k];
        const int rows = 16;
        Parallel.For(0, (outputs + rows - 1) / rows, chunk =>
        {
            int end = Math.Min(outputs, (chunk + 1) * rows);
            for (int f = 0; f < features; f++)
            {
                var line = difference.AsSpan(f * k, k);
                if (!line.ContainsAnyExcept(0)) continue;
                for (int o = chunk * rows; o < end; o++)
                {
                    var target = change.AsSpan(o * k, k);
                    TensorPrimitives.MultiplyAdd(line, weight[(o * features) + f], target, target);
                }
            }
        });
        return change;
    }
}
