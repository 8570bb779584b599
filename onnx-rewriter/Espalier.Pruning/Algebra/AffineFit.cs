using Espalier.Pruning.Moments;
using System.Numerics.Tensors;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// One scale per output channel, so that the output's variance is the dense model's: a_o = √(w_o·C_xx·w_oᵀ / w_Ko·C_zz·w_Koᵀ).
/// With the bias that keeps the mean it is what recalibrating a batch norm gives (the correction of OBSPA, arXiv:2403.18955),
/// where the norm was folded into the weights.
/// </summary>
internal static class AffineFit
{
    /// <summary>Change of the weights of the inputs that are left.</summary>
    /// <param name="weight">Their weights, row-major [outputs, inputs].</param>
    /// <returns>Row-major [outputs, inputs]; null where a number is not finite.</returns>
    public static double[]? Change(double[] weight, FitMoments moments)
    {
        int k = moments.Inputs;
        var (covariance, error) = (moments.Covariance(), moments.ErrorVariance());
        var change = new double[weight.Length];
        Parallel.For(0, moments.Outputs, o =>
        {
            var row = weight.AsSpan(o * k, k);
            double now = 0;
            for (int f = 0; f < k; f++) now += row[f] * TensorPrimitives.Dot<double>(row, covariance.AsSpan(f * k, k));
            // The dense output is the sum of what is there and the error.
            double dense = now + (2 * TensorPrimitives.Dot<double>(row, moments.Cross.AsSpan(o * k, k))) + error[o];
            // A channel that hardly varies any more has nothing that a scale could bring back.
            if (!(now * Rescale.Largest * Rescale.Largest >= dense) || now <= 0) return;
            TensorPrimitives.Multiply(row, Math.Sqrt(Math.Max(0, dense) / now) - 1, change.AsSpan(o * k, k));
        });
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }
}
