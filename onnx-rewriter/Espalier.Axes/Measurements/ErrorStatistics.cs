namespace Espalier.Axes.Measurements;

/// <summary>
/// Joint moments of what one consumer contracts in a slim model (z), and of the error e there: how far the dense model's output is
/// from the slim one's, where the consumer's output ends up (<see cref="Groups.OutputPoint"/>).
/// </summary>
/// <param name="Count">Rows they were taken from.</param>
/// <param name="InputMean">E[z].</param>
/// <param name="Covariance">E[(z−E[z])(z−E[z])ᵀ].</param>
internal sealed record ErrorStatistics(long Count, double[] InputMean, Covariance Covariance)
{
    /// <summary>E[e], of the outputs that are left; empty where no error was asked for.</summary>
    public double[] ErrorMean { get; init; } = [];

    /// <summary>E[(e−E[e])(z−E[z])ᵀ], row-major [outputs, inputs].</summary>
    public double[] Cross { get; init; } = [];

    /// <summary>E[(e−E[e])²].</summary>
    public double[] ErrorVariance { get; init; } = [];

    /// <summary>
    /// Rows of samples that are in none of the moments, inputs first, to check what is fitted; null where there are none.
    /// </summary>
    public RowSample? HeldOut { get; init; }

    /// <summary>Where the errors stand in these rows.</summary>
    public int HeldOutErrors { get; init; }
}
