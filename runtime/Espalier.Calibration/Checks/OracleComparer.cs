using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;
using Espalier.Runtime;

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

/// <summary>The oracle: a slim model must compute what the masked dense model computes.</summary>
public static class OracleComparer
{
    /// <summary>Runs both models on the same inputs.</summary>
    /// <param name="masked">The dense model with the removed slices set to zero.</param>
    /// <param name="slim">The slim model.</param>
    /// <param name="seeds">Random inputs, one per seed; ignored where <paramref name="inputs"/> are given.</param>
    /// <param name="dimensions">Sizes of dynamic dimensions; null to find some that run (<see cref="RandomInputs.Fit"/>).</param>
    /// <param name="values">A number that fills an input.</param>
    /// <param name="inputs">Inputs to use instead of random ones.</param>
    /// <param name="cancellationToken">Stops between two operators.</param>
    /// <exception cref="EspalierException">A model does not load, or does not run on the inputs.</exception>
    public static OracleResult Compare(OnnxModel masked, OnnxModel slim, int seeds = 3,
        IReadOnlyDictionary<string, long>? dimensions = null,
        IReadOnlyDictionary<string, double>? values = null, IEnumerable<IReadOnlyDictionary<string, NamedTensor>>? inputs = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(masked);
        ArgumentNullException.ThrowIfNull(slim);
        if (inputs is null)
        {
            dimensions = RandomInputs.Fit(masked, dimensions, values, cancellationToken);
            inputs = Enumerable.Range(1, seeds).Select(seed => RandomInputs.For(masked, seed, dimensions, values));
        }
        using var a = Sessions.Open(masked);
        using var b = OpenStrictly(slim, out bool strict);
        var errors = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var noise = new SortedDictionary<string, double>(StringComparer.Ordinal);
        var notes = new SortedSet<string>(StringComparer.Ordinal);
        if (!strict) notes.Add("The slim model loads only without strict shape inference.");
        double tolerance = Precision.Rounding(masked.Proto.Graph);
        int runs = 0;
        foreach (var sample in inputs)
        {
            var x = a.Run(sample.Values, cancellationToken);
            var y = b.Run(sample.Values, cancellationToken);
            runs++;
            IReadOnlyDictionary<string, (double Greatest, int Moved)>? own = null;
            foreach (var (name, expected) in x)
            {
                double error = y.TryGetValue(name, out var actual)
                    ? OutputComparison.RelativeError(expected, actual)
                    : double.PositiveInfinity;
                if (error > tolerance && double.IsFinite(error))
                {
                    own ??= RoundingNoise.Measure(masked, a, [.. sample.Values], x, tolerance, cancellationToken);
                    int beyond = OutputComparison.Beyond(expected, actual!, tolerance).Count();
                    if (error <= 2 * own[name].Greatest && beyond <= 2 * own[name].Moved)
                    {
                        noise[name] = Math.Max(noise.GetValueOrDefault(name), 2 * own[name].Greatest);
                        notes.Add(FormattableString.Invariant($"Output '{name}': {beyond} elements differ by more than rounding usually ")
                            + FormattableString.Invariant($"does. The masked dense model is as far from itself ({own[name].Moved} ")
                            + FormattableString.Invariant(
                                $"elements, {own[name].Greatest:g2} relative) when its inputs change in their last bits."));
                    }
                }
                errors[name] = Math.Max(errors.GetValueOrDefault(name), error);
                if (expected.ElementType == "string") continue;
                var numbers = OutputComparison.Doubles(expected);
                if (numbers.Any(v => !double.IsFinite(v)))
                    notes.Add($"Output '{name}' of the masked dense model is not finite everywhere.");
                else if (numbers.Length > 1 && numbers.All(v => v == numbers[0]))
                    notes.Add($"Output '{name}' of the masked dense model is the same number everywhere.");
            }
        }
        if (runs == 0) throw new EspalierException("The oracle was given no inputs.");
        return new OracleResult(errors.Count == 0
            ? 0
            : errors.Values.Max(), errors, runs, strict, [.. notes]) { Noise = noise, Tolerance = tolerance };
    }

    private static ModelSession OpenStrictly(OnnxModel model, out bool strict)
    {
        try
        {
            strict = true;
            return Sessions.Open(model, strict: true);
        }
        catch (EspalierException)
        {
            // Some valid files fail it: the dense model would too. What matters is that the plain load works.
            strict = false;
            return Sessions.Open(model);
        }
    }
}
