using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Bases;

/// <summary>
/// Another basis for the vectors of a product q·k: q' = T_q·q and k' = T_k·k with q'·k' = q·k, most of it in the first coordinates.
/// </summary>
/// <param name="Left">T_q, row-major.</param>
/// <param name="Right">T_k, row-major.</param>
/// <param name="Values">What a coordinate adds to the root of E[(q·k)²] over independent q and k, falling.</param>
internal sealed record HeadBasis(double[] Left, double[] Right, double[] Values)
{
    /// <summary>Second moments get so much of their mean diagonal, so that directions that never occur have an inverse too.</summary>
    private const double Ridge = 1e-6;

    /// <summary>
    /// The basis in which a product loses least when only the first coordinates are kept. With S_q = E[qqᵀ] = L_q·L_qᵀ,
    /// S_k = L_k·L_kᵀ and L_qᵀ·L_k = U·Σ·Vᵀ, q' = Σ^−½·Vᵀ·L_kᵀ·q and k' = Σ^−½·Uᵀ·L_qᵀ·k have q'·k' = q·k, both second moments are Σ,
    /// and leaving the last coordinates out has the least E[(q·k − q'_r·k'_r)²]: Σ of the squares of what is left out (balanced
    /// truncation, Moore 1981; the whitened decomposition of SVD-LLM, arXiv:2403.07378, for a product of two activations).
    /// </summary>
    /// <param name="left">S_q, row-major.</param>
    /// <param name="right">S_k, row-major.</param>
    /// <returns>Null where a moment has no factorisation.</returns>
    public static HeadBasis? Balanced(double[] left, double[] right, int size)
    {
        if (Factor(left, size) is not { } lq || Factor(right, size) is not { } lk) return null;
        var svd = lq.TransposeThisAndMultiply(lk).Svd();
        if (svd.S.Any(s => !(s > 0) || !double.IsFinite(s))) return null;
        var scale = Matrix<double>.Build.DenseOfDiagonalVector(svd.S.Map(s => 1 / Math.Sqrt(s)));
        var (tq, tk) = (scale * svd.VT * lk.Transpose(), scale * svd.U.Transpose() * lq.Transpose());
        return new(tq.ToRowMajorArray(), tk.ToRowMajorArray(), svd.S.ToArray());
    }

    /// <summary>The coordinates as they are, sorted by E[q_j²]·E[k_j²]: the choice of ThinK (arXiv:2407.21018).</summary>
    /// <inheritdoc cref="Balanced"/>
    public static HeadBasis Sorted(double[] left, double[] right, int size)
    {
        double[] importance = [.. Enumerable.Range(0, size).Select(i => left[(i * size) + i] * right[(i * size) + i])];
        int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => importance[i])];
        var turn = new double[size * size];
        for (int r = 0; r < size; r++) turn[(r * size) + order[r]] = 1;
        return new(turn, turn, [.. order.Select(i => Math.Sqrt(importance[i]))]);
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
