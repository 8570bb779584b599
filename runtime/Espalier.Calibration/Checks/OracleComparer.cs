using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Checks;

/// <summary>The oracle: a slim model must compute what the masked dense model computes.</summary>
internal static class OracleComparer
{
    /// <summary>Runs both models on the same inputs.</summary>
    /// <param name="masked">The dense model with the removed slices set to zero.</param>
    /// <param name="seeds">Random inputs, one per seed; ignored where <paramref name="inputs"/> are given.</param>
    /// <param name="inputs">Inputs to use instead of random ones.</param>
    /// <exception cref="EspalierException">A model does not load, or does not run on the inputs.</exception>
    public static OracleResult Compare(OnnxModel masked, OnnxModel slim, int seeds = 3,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>>? inputs = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(masked);
        ArgumentNullException.ThrowIfNull(slim);
        if (inputs is null)
        {
            var dimensions = RandomInputs.Fit(masked, cancellationToken: cancellationToken);
            inputs = Enumerable.Range(1, seeds).Select(seed => RandomInputs.For(masked, seed, dimensions));
        }
        using var a = Sessions.Open(masked);
        using var b = OpenStrictly(slim, out bool strict);
        var comparison = new Comparison(masked, a, cancellationToken);
        if (!strict) comparison.Notes.Add("The slim model loads only without strict shape inference.");
        int runs = 0;
        foreach (var sample in inputs)
        {
            comparison.Add(sample, a.Run(sample.Values, cancellationToken), b.Run(sample.Values, cancellationToken));
            runs++;
        }
        if (runs == 0) throw new EspalierException("The oracle was given no inputs.");
        return new OracleResult(comparison.Errors.Values.DefaultIfEmpty().Max(), comparison.Errors, runs, strict, [.. comparison.Notes])
        { Noise = comparison.Noise, Tolerance = comparison.Tolerance };
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
    /// <summary>What was found so far.</summary>
    private sealed class Comparison(OnnxModel masked, ModelSession session, CancellationToken cancellation)
    {
        public double Tolerance { get; } = Precision.Rounding(masked.Proto.Graph);
        public SortedDictionary<string, double> Errors { get; } = new(StringComparer.Ordinal);
        public SortedDictionary<string, double> Noise { get; } = new(StringComparer.Ordinal);
        public SortedSet<string> Notes { get; } = new(StringComparer.Ordinal);

        public void Add(IReadOnlyDictionary<string, NamedTensor> sample, IReadOnlyDictionary<string, NamedTensor> expected,
            IReadOnlyDictionary<string, NamedTensor> actual)
        {
            IReadOnlyDictionary<string, (double Greatest, int Moved)>? own = null;
            foreach (var (name, output) in expected)
            {
                double error = actual.TryGetValue(name, out var other)
                    ? OutputComparison.RelativeError(output, other)
                    : double.PositiveInfinity;
                if (error > Tolerance && double.IsFinite(error))
                {
                    own ??= RoundingNoise.Measure(masked, session, [.. sample.Values], expected, Tolerance, cancellation);
                    Excuse(name, error, OutputComparison.Beyond(output, other!, Tolerance).Count(), own[name]);
                }
                Errors[name] = Math.Max(Errors.GetValueOrDefault(name), error);
                if (output.ElementType != "string") Weigh(name, OutputComparison.Doubles(output));
            }
        }

        /// <summary>Notes a difference that the masked model has from itself.</summary>
        private void Excuse(string name, double error, int beyond, (double Greatest, int Moved) own)
        {
            if (error > 2 * own.Greatest || beyond > 2 * own.Moved) return;
            Noise[name] = Math.Max(Noise.GetValueOrDefault(name), 2 * own.Greatest);
            Notes.Add(FormattableString.Invariant($"Output '{name}': {beyond} elements differ by more than rounding usually ")
                + FormattableString.Invariant($"does. The masked dense model is as far from itself ({own.Moved} ")
                + FormattableString.Invariant($"elements, {own.Greatest:g2} relative) when its inputs change in their last bits."));
        }

        /// <summary>Notes an output that says little.</summary>
        private void Weigh(string name, double[] numbers)
        {
            if (numbers.Any(v => !double.IsFinite(v)))
                Notes.Add($"Output '{name}' of the masked dense model is not finite everywhere.");
            else if (numbers.Length > 1 && numbers.All(v => v == numbers[0]))
                Notes.Add($"Output '{name}' of the masked dense model is the same number everywhere.");
        }
    }
}
