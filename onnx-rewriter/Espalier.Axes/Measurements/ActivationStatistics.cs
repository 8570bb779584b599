namespace Espalier.Axes.Measurements;

/// <summary>
/// Streaming statistics of what one consumer contracts. For a matrix product the features are the elements of the contracted
/// axis; for a convolution they are the elements of the patch, in the weight's own order (input channel, then kernel window),
/// with the channels of all groups one after the other. For a transposed convolution they are the input channels.
/// </summary>
/// <param name="Consumer">Number of the consumer.</param>
/// <param name="Count">Rows (tokens, or positions of the window) that were seen.</param>
/// <param name="Variance">Population variance per feature.</param>
/// <param name="AbsoluteMean">Mean absolute value per feature.</param>
/// <param name="SquareMean">Mean square per feature.</param>
internal sealed record ActivationStatistics(int Consumer, long Count, double[] Mean, double[] Variance, double[] AbsoluteMean,
    double[] SquareMean)
{
    /// <summary>Centred second moment E[(x−μ)(x−μ)ᵀ] over the features; null where it was not asked for.</summary>
    public Covariance? Covariance { get; init; }

    /// <summary>
    /// For weights with a batch axis, the same per batch index, with <see cref="Covariance"/> where it was asked for; null otherwise.
    /// Stacked experts: one entry per expert over the same features; the outer statistics pool all experts. Grouped convolution:
    /// one entry per group over that group's [input channel, kernel window], only where a covariance was asked for; the outer
    /// statistics run over the patch of all input channels. The outer covariance is null then. Experts that all read one input have
    /// one distribution: no entries, and the outer covariance as everywhere.
    /// </summary>
    public IReadOnlyList<ActivationStatistics>? PerBatch { get; init; }

    /// <summary>
    /// Rows of samples that are in none of the moments, to check what is fitted to these; null where that was not asked for, or
    /// there are too few samples.
    /// </summary>
    public RowSample? HeldOut { get; init; }
}
