namespace Espalier.Axes.Measurements;

/// <summary>An axis of an activation.</summary>
/// <param name="Tensor">The activation, in the main graph.</param>
/// <param name="Axis">Its axis, from 0.</param>
/// <param name="Within">Another axis whose elements are kept apart, each with all elements of <paramref name="Axis"/>, one
/// after the other; −1 for none.</param>
internal sealed record TensorAxis(string Tensor, int Axis, int Within = -1);

/// <summary>Mean and population variance of every element of a <see cref="TensorAxis"/> over all others.</summary>
internal sealed record AxisMoments(double[] Mean, double[] Variance)
{
    /// <summary>Variance over all elements together.</summary>
    public double TotalVariance
    {
        get
        {
            double mean = Mean.Average();
            return Variance.Average() + Mean.Average(m => (m - mean) * (m - mean));
        }
    }
}
