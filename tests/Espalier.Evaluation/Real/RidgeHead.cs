using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Evaluation.Real;

/// <summary>A linear classifier on features, fitted in closed form on the dense model's.</summary>
internal sealed class RidgeHead
{
    /// <summary>Weight of the penalty per sample, on features of deviation 1.</summary>
    private const double Penalty = 0.1;

    private readonly double[] _mean, _deviation;
    private readonly Matrix<double> _weights;

    private RidgeHead(double[] mean, double[] deviation, Matrix<double> weights)
        => (_mean, _deviation, _weights) = (mean, deviation, weights);

    public static RidgeHead Fit(float[][] features, int[] labels, int classes)
    {
        int width = features[0].Length;
        double[] mean = [.. Enumerable.Range(0, width).Select(k => features.Average(f => (double)f[k]))];
        double[] deviation = [.. mean.Select((m, k) => Math.Sqrt(features.Average(f => (f[k] - m) * (f[k] - m))))
            .Select(d => d > 1e-6 ? d : 1)];
        var x = Matrix<double>.Build.Dense(features.Length, width, (i, k) => (features[i][k] - mean[k]) / deviation[k]);
        // Features have mean 0: the share of a class is its intercept.
        var y = Matrix<double>.Build.Dense(features.Length, classes, (i, c) => labels[i] == c ? 1 : 0);
        double[] share = [.. Enumerable.Range(0, classes).Select(c => y.Column(c).Average())];
        var gram = x.TransposeThisAndMultiply(x) + (Matrix<double>.Build.DenseIdentity(width) * (Penalty * features.Length));
        var weights = gram.Cholesky().Solve(x.TransposeThisAndMultiply(y));
        return new(mean, deviation, weights.Stack(Matrix<double>.Build.DenseOfRowArrays(share)));
    }

    /// <summary>The class of each.</summary>
    public int[] Predict(float[][] features) => [.. features.Select(f =>
    {
        var x = Vector<double>.Build.Dense(f.Length + 1, k => k < f.Length ? (f[k] - _mean[k]) / _deviation[k] : 1);
        return _weights.LeftMultiply(x).MaximumIndex();
    })];
}
