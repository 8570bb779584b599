namespace Espalier.Axes.Measurements;

/// <summary>
/// Joint moments of what one consumer contracts in the dense model (x) and in a slim one (z), row by row on the same samples.
/// Features are those of <see cref="ActivationStatistics"/>; z has those that are left.
/// </summary>
/// <param name="Cross">E[(x−μ)(z−μ)ᵀ], row-major [features of x, features of z].</param>
internal sealed record PairedStatistics(long Count, double[] DenseMean, double[] SlimMean, double[] Covariance, double[] Cross)
{
    /// <summary>
    /// The same over the rows of every fourth sample alone, which are in the others too; null where there are fewer than four samples.
    /// </summary>
    public PairedStatistics? HeldOut { get; init; }
}
