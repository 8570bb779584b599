using Espalier.Pruning.Moments;
using System.Numerics.Tensors;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// One scale per unit that is left, folded into the weights that read it (Kwon et al. 2022, "A Fast Post-Training Pruning
/// Framework for Transformers", arXiv:2204.09656, mask tuning). With s = 1 + t the expected squared error against the dense
/// output is least where A·t = g, A_uv = Σ_{f∈u,g∈v} (W_KᵀW_K)_fg · C_fg and g_u = Σ_{f∈u} Σ_o W_of · E[ezᵀ]_of. A
/// ridge pulls towards s = 1.
/// </summary>
internal static class Rescale
{
    /// <summary>A scale that is larger means that the system says little (the paper's bound).</summary>
    public const double Largest = 10;

    /// <summary>Change of the weights of the kept features.</summary>
    /// <param name="weight">Weights of the inputs that are left, row-major [outputs, inputs].</param>
    /// <param name="unitOf">Unit of every input, from 0; −1 for features whose scale stays 1.</param>
    /// <returns>Row-major [outputs, inputs]; null where the factorisation fails or a scale exceeds <see cref="Largest"/>.</returns>
    public static double[]? Change(double[] weight, FitMoments moments, int[] unitOf)
    {
        int k = moments.Inputs, outputs = moments.Outputs, units = unitOf.Length == 0 ? 0 : unitOf.Max() + 1;
        if (units == 0) return new double[outputs * k];
        // Columns one after the other.
        var columns = new double[k * outputs];
        for (int i = 0; i < k; i++)
            for (int o = 0; o < outputs; o++) columns[(i * outputs) + o] = weight[(o * k) + i];
        var covariance = moments.Covariance();
        var members = Enumerable.Range(0, k).Where(i => unitOf[i] >= 0).ToLookup(i => unitOf[i]);
        var (a, t) = (new double[units * units], new double[units]);
        Parallel.For(0, units, u =>
        {
            foreach (int i in members[u])
            {
                var column = columns.AsSpan(i * outputs, outputs);
                for (int o = 0; o < outputs; o++) t[u] += column[o] * moments.Cross[(o * k) + i];
                for (int j = 0; j < k; j++)
                    if (unitOf[j] >= 0)
                        a[(u * units) + unitOf[j]] += TensorPrimitives.Dot<double>(column,
                            columns.AsSpan(j * outputs, outputs)) * covariance[(i * k) + j];
            }
        });
        double trace = 0;
        for (int u = 0; u < units; u++) trace += a[(u * units) + u];
        double lambda = Math.Max(LeastSquares.Lambda(trace, units, moments.Count), trace / units * 1e-12);
        for (int u = 0; u < units; u++) a[(u * units) + u] += lambda;
        if (!SymmetricSolver.TryFactorize(a, units)) return null;
        SymmetricSolver.Solve(a, units, t);
        if (!Array.TrueForAll(t, v => Math.Abs(1 + v) <= Largest)) return null;
        var change = new double[outputs * k];
        for (int o = 0; o < outputs; o++)
            for (int i = 0; i < k; i++)
                if (unitOf[i] >= 0) change[(o * k) + i] = t[unitOf[i]] * columns[(i * outputs) + o];
        return change;
    }
}
