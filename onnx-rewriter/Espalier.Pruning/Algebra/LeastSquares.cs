using System.Numerics.Tensors;
using Espalier.Pruning.Moments;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Refits a linear map to other inputs. Of all weights on the inputs z the refit has the least expected squared error, with a ridge
/// that pulls towards the weights as they are: <c>ΔW = E[ezᵀ]·(C_zz + λI)⁻¹</c>, e the error that the weights leave. Where z are the
/// kept ones of x and e is what the others added, W_K + ΔW is (WC)_K·C_KK⁻¹ for λ = 0; where z comes from layers that are pruned
/// already, it makes up for their error too. A ridge towards the weights rather than towards zero leaves a weight alone where the
/// data say nothing.
/// </summary>
internal static class LeastSquares
{
    /// <summary>λ over the mean of the diagonal of C_KK when there are no more samples than features.</summary>
    public const double Damping = 1e-2;

    /// <summary>(C + λI)⁻¹ with the damping of <see cref="Change(FitMoments, bool)"/>; null where the factorisation fails.</summary>
    /// <param name="covariance">C, which is used up.</param>
    public static double[]? Inverse(double[] covariance, int features, long samples)
    {
        double trace = 0;
        for (int i = 0; i < features; i++) trace += covariance[(i * features) + i];
        double lambda = Math.Max(Lambda(trace, features, samples), trace / features * 1e-9);
        for (int i = 0; i < features; i++) covariance[(i * features) + i] += lambda;
        if (!SymmetricSolver.TryFactorize(covariance, features)) return null;
        double[] inverse = SymmetricSolver.Invert(covariance, features);
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
    /// <param name="covariance">C, symmetric.</param>
    public static double Error(double[] difference, int outputs, double[] covariance)
    {
        int features = difference.Length / Math.Max(1, outputs);
        // C·Dᵀ: of the two D is the small one to be packed.
        var product = new double[difference.Length];
        Panel.OfTransposed(new(difference, 0, features), features, outputs).Add(1, covariance, product);
        double sum = 0;
        for (int o = 0, at = 0; o < outputs; o++)
            for (int f = 0; f < features; f++) sum += difference[at++] * product[(f * outputs) + o];
        return sum;
    }

    /// <summary>By how much a change of the weights moves the expected squared error: tr(ΔW·C·ΔWᵀ) − 2 tr(ΔW·E[ezᵀ]ᵀ).</summary>
    /// <param name="change">ΔW, row-major [outputs, inputs].</param>
    public static double Gain(double[] change, FitMoments moments)
        => Error(change, moments.Outputs, moments.Covariance()) - (2 * TensorPrimitives.Dot<double>(change, moments.Cross));

    /// <summary>
    /// The ridge as which oracle approximating shrinkage (Chen et al. 2010, IEEE Transactions on Signal Processing 58) adds ρ of
    /// the mean variance to a covariance, ρ = ((1 − 2/p) tr C² + tr² C) / ((n + 1 − 2/p)(tr C² − tr² C/p)); at least 10⁻³, as in CORP's
    /// code (arXiv:2602.05243).
    /// </summary>
    /// <param name="covariance">C, row-major [features, features].</param>
    public static double Shrinkage(double[] covariance, int features, long samples)
    {
        double p = features, trace = 0, squares = TensorPrimitives.SumOfSquares<double>(covariance);
        for (int i = 0; i < features; i++) trace += covariance[(i * features) + i];
        double share = ((1 - (2 / p)) * squares) + (trace * trace), spread = (samples + 1 - (2 / p)) * (squares - (trace * trace / p));
        return Math.Max(1e-3, (spread > 0 ? Math.Min(1, share / spread) : 1) * trace / p);
    }

    /// <summary>Change of the weights of the inputs that are left.</summary>
    /// <param name="shrunk">Whether the ridge is that of <see cref="Shrinkage"/>.</param>
    /// <returns>Row-major [outputs, inputs]; null where the factorisation fails.</returns>
    public static double[]? Change(FitMoments moments, bool shrunk = false) => Change(moments, moments.Covariance(), shrunk, 1);

    /// <summary>The same with a multiple of the ridge.</summary>
    /// <param name="a">The covariance of the inputs, which is used up.</param>
    public static double[]? Change(FitMoments moments, double[] a, double times) => Change(moments, a, false, times);

    private static double[]? Change(FitMoments moments, double[] a, bool shrunk, double times)
    {
        int k = moments.Inputs;
        var change = (double[])moments.Cross.Clone();
        // What is not pruned stays exactly as it is.
        if (!change.AsSpan().ContainsAnyExcept(0)) return change;
        double trace = 0;
        for (int i = 0; i < k; i++) trace += a[(i * k) + i];
        double lambda = shrunk ? Shrinkage(a, k, moments.Count) : times * Lambda(trace, k, moments.Count);
        for (int i = 0; i < k; i++) a[(i * k) + i] += lambda;
        if (!SymmetricSolver.TryFactorize(a, k)) return null;
        SymmetricSolver.Solve(a, k, change);
        return Array.TrueForAll(change, double.IsFinite) ? change : null;
    }
}
