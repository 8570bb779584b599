using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Bases;

/// <summary>
/// The basis in which a product q·k loses least when only the first coordinates are kept. With S_q = E[qqᵀ] = L_q·L_qᵀ, S_k = L_k·L_kᵀ
/// and L_qᵀ·L_k = U·Σ·Vᵀ, q' = Σ^−½·Vᵀ·L_kᵀ·q and k' = Σ^−½·Uᵀ·L_qᵀ·k have q'·k' = q·k, both second moments are Σ, and leaving the
/// last coordinates out has the least E[(q·k − q'_r·k'_r)²] over independent q and k: Σ of the squares of what is left out (balanced
/// truncation, Moore 1981; the whitened decomposition of SVD-LLM, arXiv:2403.07378, for a product of two activations).
/// </summary>
/// <param name="Left">T with q' = T·q, row-major.</param>
/// <param name="Right">T with k' = T·k, row-major.</param>
/// <param name="Values">The diagonal of Σ, falling.</param>
internal sealed record BalancedBasis(double[] Left, double[] Right, double[] Values)
{
    /// <summary>Second moments get so much of their mean diagonal, so that directions that never occur have an inverse too.</summary>
    private const double Ridge = 1e-6;

    /// <summary>The basis.</summary>
    /// <param name="left">S_q, row-major.</param>
    /// <param name="right">S_k, row-major.</param>
    /// <returns>Null where a moment has no factorisation.</returns>
    public static BalancedBasis? Create(double[] left, double[] right, int size)
    {
        if (Factor(left, size) is not { } lq || Factor(right, size) is not { } lk) return null;
        var svd = lq.TransposeThisAndMultiply(lk).Svd();
        if (svd.S.Any(s => !(s > 0) || !double.IsFinite(s))) return null;
        var scale = Matrix<double>.Build.DenseOfDiagonalVector(svd.S.Map(s => 1 / Math.Sqrt(s)));
        var (tq, tk) = (scale * svd.VT * lk.Transpose(), scale * svd.U.Transpose() * lq.Transpose());
        return new(tq.ToRowMajorArray(), tk.ToRowMajorArray(), svd.S.ToArray());
    }

    private static Matrix<double>? Factor(double[] moment, int size)
    {
        double trace = 0;
        for (int i = 0; i < size; i++) trace += moment[(i * size) + i];
        if (!(trace > 0)) return null;
        var m = Matrix<double>.Build.Dense(size, size, (i, j) =>
            ((moment[(i * size) + j] + moment[(j * size) + i]) / 2) + (i == j ? trace / size * Ridge : 0));
        try
        {
            return m.Cholesky().Factor;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
