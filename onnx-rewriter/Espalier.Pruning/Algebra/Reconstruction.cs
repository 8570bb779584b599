using System.Numerics.Tensors;
using Espalier.Pruning.Moments;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// All inputs x as a linear map of those that are left, x ≈ M z with M = G_xz (G_zz + λI)⁻¹ and G = E[xxᵀ], merged into the weights:
/// W' = W M (GRAIL, arXiv:2602.23795). The ridge pulls towards zero, so even what is kept shrinks a little.
/// </summary>
internal static class Reconstruction
{
    /// <summary>λ over the mean of the diagonal of G_zz; that of the paper's code.</summary>
    public const double Ridge = 1e-3;

    /// <summary>
    /// W' − W_K of the inputs that are left. With e what the others gave, W G_xz is E[ezᵀ] + W_K G_zz, and so
    /// W' − W_K = (E[ezᵀ] − λ W_K)(G_zz + λI)⁻¹.
    /// </summary>
    /// <param name="weight">W_K, row-major [outputs, inputs].</param>
    /// <param name="moments">Moments about zero.</param>
    /// <returns>Row-major [outputs, inputs]; null where the factorisation fails.</returns>
    public static double[]? Change(double[] weight, FitMoments moments)
    {
        int k = moments.Inputs;
        var a = moments.Covariance();
        double trace = 0;
        for (int i = 0; i < k; i++) trace += a[(i * k) + i];
        double lambda = Ridge * trace / k;
        for (int i = 0; i < k; i++) a[(i * k) + i] += lambda;
        if (!SymmetricSolver.TryFactorize(a, k)) return null;
        var change = new double[weight.Length];
        TensorPrimitives.MultiplyAdd(weight, -lambda, moments.Cross, change);
        SymmetricSolver.Solve(a, k, change);
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }
}
