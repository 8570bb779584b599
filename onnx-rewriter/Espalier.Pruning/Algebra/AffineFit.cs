using System.Numerics.Tensors;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// One scale per output channel, so that the output's variance is the dense model's: a_o = √(w_o·C_xx·w_oᵀ / w_Ko·C_zz·w_Koᵀ).
/// With the bias that keeps the mean it is what recalibrating a batch norm gives (the correction of OBSPA, arXiv:2403.18955),
/// where the norm was folded into the weights.
/// </summary>
internal static class AffineFit
{
    /// <summary>Change of the weights of the kept features.</summary>
    /// <param name="weight">Dense weights, row-major [outputs, features].</param>
    /// <param name="moments">Of all features and the kept ones, centred.</param>
    /// <returns>Row-major [outputs, kept]; null where the dense covariance was not measured.</returns>
    public static double[]? Change(double[] weight, int outputs, ConsumerMoments moments, int[] kept)
    {
        if (moments.Dense is not { } covariance) return null;
        int k = kept.Length, features = moments.DenseMean.Length;
        var change = new double[outputs * k];
        Parallel.For(0, outputs, o =>
        {
            var row = weight.AsSpan(o * features, features);
            var left = new double[k];
            for (int i = 0; i < k; i++) left[i] = row[kept[i]];
            double dense = Quadratic(row, covariance), now = Quadratic(left, moments.Covariance);
            // A channel that hardly varies any more has nothing that a scale could bring back.
            if (!(now * Rescale.Largest * Rescale.Largest >= dense) || now <= 0) return;
            double scale = Math.Sqrt(Math.Max(0, dense) / now);
            for (int i = 0; i < k; i++) change[(o * k) + i] = (scale - 1) * left[i];
        });
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }

    private static double Quadratic(ReadOnlySpan<double> w, double[] covariance)
    {
        double sum = 0;
        for (int f = 0; f < w.Length; f++) sum += w[f] * TensorPrimitives.Dot(w, covariance.AsSpan(f * w.Length, w.Length));
        return sum;
    }
}
