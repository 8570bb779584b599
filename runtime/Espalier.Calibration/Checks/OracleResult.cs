namespace Espalier.Calibration.Checks;

/// <summary>What the oracle found.</summary>
/// <param name="Error">Largest relative error of any output in any run: max|a−b| / max(1e-3, max|a|).</param>
/// <param name="Outputs">The same per output.</param>
/// <param name="Runs">Inputs that both models ran on.</param>
/// <param name="Strict">Whether the slim model also loads with strict shape inference.</param>
/// <param name="Notes">What weakens the comparison: outputs that are not finite, or the same everywhere.</param>
public sealed record OracleResult(double Error, IReadOnlyDictionary<string, double> Outputs, int Runs, bool Strict,
    IReadOnlyList<string> Notes)
{
    /// <summary>Largest relative error that is rounding in float32.</summary>
    public const double Rounding = 1e-4;

    /// <summary>
    /// Largest relative error that is rounding in the masked dense model: more than <see cref="Rounding"/> where it computes
    /// with numbers of 16 bits.
    /// </summary>
    public double Tolerance { get; init; } = Rounding;

    /// <summary>
    /// Outputs on which the masked dense model is farther from itself by rounding alone than <see cref="Tolerance"/>, and by
    /// how much; see the notes.
    /// </summary>
    public IReadOnlyDictionary<string, double> Noise { get; init; } = new Dictionary<string, double>();

    /// <summary>
    /// Whether the error is rounding: at most <see cref="Tolerance"/>, or not more than the masked dense model's own rounding.
    /// </summary>
    public bool IsExact => Outputs.All(o => o.Value <= Math.Max(Tolerance, Noise.GetValueOrDefault(o.Key)));
}
