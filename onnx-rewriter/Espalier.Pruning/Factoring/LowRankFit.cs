using System.Numerics.Tensors;
using Espalier.Pruning.Algebra;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Factoring;

/// <summary>
/// The product A·B of rank r whose outputs are nearest to those of a weight M [inputs, outputs]: min E‖x(M − AB)‖². With S·Sᵀ =
/// G = E[xᵀx], the whitened singular value decomposition Sᵀ·M = U·Σ·Vᵀ gives A = S⁻ᵀ·U_r·Σ_r and B = V_rᵀ (SVD-LLM,
/// arXiv:2403.07378). Since S⁻ᵀ·U_r·Σ_r = M·V_r, and V are the eigenvectors of Mᵀ·G·M, S is never inverted: inputs that never
/// occur alone do no harm. G is the plain second moment, not the centred one, because the bias stays: a mean that the factors
/// lose would be lost.
/// </summary>
internal static class LowRankFit
{
    /// <summary>Of directions that the data do not tell apart, the weight itself decides.</summary>
    private const double Ridge = 1e-9;

    /// <summary>Factorises.</summary>
    /// <param name="m">The weight, row-major [inputs, outputs].</param>
    /// <param name="rank">Rank, at most the number of outputs.</param>
    /// <param name="moment">E[xᵀx], row-major [inputs, inputs]; null to take all inputs as alike and independent, which is the
    /// plain decomposition.</param>
    /// <returns>A, B, and the root of the share of the outputs' squares that is lost.</returns>
    public static (float[] Down, float[] Up, double Error) Compute(float[] m, int inputs, int outputs, int rank, double[]? moment)
    {
        var weight = Matrix<double>.Build.Dense(inputs, outputs, (i, o) => m[(i * outputs) + o]);
        Matrix<double> gram;
        double total;
        if (moment is null)
        {
            gram = weight.TransposeThisAndMultiply(weight);
            total = gram.Trace();
        }
        else
        {
            var g = Matrix<double>.Build.Dense(inputs, inputs, (i, j) => moment[(i * inputs) + j]);
            double level = g.Trace() / inputs;
            gram = weight.TransposeThisAndMultiply(g * weight);
            total = gram.Trace();
            gram += weight.TransposeThisAndMultiply(weight) * (level > 0 ? level * Ridge : 1);
        }
        // Products round both triangles differently.
        gram = (gram + gram.Transpose()) * 0.5;
        var vectors = gram.Evd(Symmetricity.Symmetric).EigenVectors;
        // Eigenvalues ascend.
        var basis = vectors.SubMatrix(0, outputs, outputs - rank, rank);
        var down = weight * basis;
        var left = weight - (down * basis.Transpose());
        double lost = moment is null ? left.FrobeniusNorm() * left.FrobeniusNorm() : Energy(left, moment, inputs, outputs);
        var (a, b) = (new float[inputs * rank], new float[rank * outputs]);
        for (int k = 0; k < rank; k++)
        {
            for (int i = 0; i < inputs; i++) a[(i * rank) + k] = (float)down[i, k];
            for (int o = 0; o < outputs; o++) b[(k * outputs) + o] = (float)basis[o, k];
        }
        return (a, b, total > 0 ? Math.Sqrt(Math.Max(0, lost) / total) : 0);
    }

    /// <summary>‖M − AB‖ / ‖M‖, roots of the sums of squares; 0 where M is zero.</summary>
    public static double Distance(float[] m, float[] down, float[] up, int inputs, int outputs)
    {
        int rank = down.Length / inputs;
        double[] left = Array.ConvertAll(m, v => (double)v), a = Array.ConvertAll(down, v => (double)v);
        double whole = TensorPrimitives.Norm<double>(left);
        Panel.Of(new(Array.ConvertAll(up, v => (double)v), 0, outputs), rank, outputs).Add(-1, a, left);
        return whole == 0 ? 0 : TensorPrimitives.Norm<double>(left) / whole;
    }

    /// <summary>tr(Dᵀ·G·D).</summary>
    private static double Energy(Matrix<double> d, double[] moment, int inputs, int outputs)
    {
        double sum = 0;
        for (int o = 0; o < outputs; o++)
        {
            double[] column = d.Column(o).ToArray();
            for (int i = 0; i < inputs; i++) sum += column[i] * TensorPrimitives.Dot<double>(moment.AsSpan(i * inputs, inputs), column);
        }
        return sum;
    }
}
