using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Directions of what a matrix W [outputs, inputs] makes of inputs with covariance C: eigenvectors V of W·C·Wᵀ. Of all matrices of rank r
/// V_r·V_rᵀ·W has the outputs that are nearest, in the mean of squares about their means (the whitened decomposition of SVD-LLM,
/// arXiv:2403.07378); where W is the least-squares fit of something, nearest to that too (reduced-rank regression, Izenman 1975).
/// </summary>
/// <param name="Vectors">Vᵀ, row-major [directions, outputs].</param>
/// <param name="Values">Variances along them, falling.</param>
internal sealed record OutputBasis(double[] Vectors, double[] Values)
{
    /// <summary>Inputs that never vary get so much of the mean variance, so that all of the matrix is in the basis.</summary>
    private const double Ridge = 1e-6;

    /// <summary>The basis: as many directions as there are outputs or inputs, whichever are fewer.</summary>
    /// <param name="w">Row-major [outputs, inputs].</param>
    /// <param name="covariance">Row-major [inputs, inputs].</param>
    public static OutputBasis Find(double[] w, double[] covariance, int outputs, int inputs)
        => (inputs < outputs ? OfInputs(w, covariance, outputs, inputs) : null) ?? OfOutputs(w, covariance, outputs, inputs);

    /// <summary>VᵀW for the first directions, row-major [directions, inputs].</summary>
    public double[] Project(double[] w, int directions)
    {
        int outputs = Vectors.Length / Values.Length, inputs = w.Length / outputs;
        var projected = new double[directions * inputs];
        Panel.Of(new(w, 0, inputs), outputs, inputs).Add(1, Vectors[..(directions * outputs)], projected);
        return projected;
    }

    private static OutputBasis OfOutputs(double[] w, double[] covariance, int outputs, int inputs)
    {
        double[] product = new double[inputs * outputs], gram = new double[outputs * outputs];
        Panel.OfTransposed(new(w, 0, inputs), inputs, outputs).Add(1, covariance, product);
        Panel.Of(new(product, 0, outputs), inputs, outputs).Add(1, w, gram);
        var (vectors, values) = Eigen(gram, outputs);
        return new(vectors.ToRowMajorArray(), values);
    }

    /// <summary>The same where there are fewer inputs: with C = S·Sᵀ the left singular vectors of W·S. Null where C has no S.</summary>
    private static OutputBasis? OfInputs(double[] w, double[] covariance, int outputs, int inputs)
    {
        var c = Matrix<double>.Build.DenseOfRowMajor(inputs, inputs, covariance);
        double level = c.Trace() / inputs * Ridge;
        if (!(level > 0)) return null;
        Matrix<double> spread;
        try
        {
            spread = Matrix<double>.Build.DenseOfRowMajor(outputs, inputs, w)
                * (((c + c.Transpose()) * 0.5) + Matrix<double>.Build.DenseDiagonal(inputs, level)).Cholesky().Factor;
        }
        catch (ArgumentException)
        {
            return null;
        }
        var (right, values) = Eigen(spread.TransposeThisAndMultiply(spread).ToRowMajorArray(), inputs);
        if (values.Any(v => !(v > 0))) return null;
        var left = right * spread.Transpose();
        return new(left.MapIndexed((r, _, v) => v / Math.Sqrt(values[r])).ToRowMajorArray(), values);
    }

    /// <summary>Eigenvectors as rows, and eigenvalues, falling.</summary>
    private static (Matrix<double> Vectors, double[] Values) Eigen(double[] gram, int size)
    {
        // Products round both triangles differently.
        var symmetric = Matrix<double>.Build.Dense(size, size, (i, j) => (gram[(i * size) + j] + gram[(j * size) + i]) / 2);
        var eigen = symmetric.Evd(Symmetricity.Symmetric);
        return (Matrix<double>.Build.Dense(size, size, (r, o) => eigen.EigenVectors[o, size - 1 - r]),
            [.. eigen.EigenValues.Reverse().Select(v => Math.Max(0, v.Real))]);
    }
}
