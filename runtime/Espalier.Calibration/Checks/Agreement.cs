using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Checks;

/// <summary>Compares the answers of two models of one signature.</summary>
internal static class Agreement
{
    /// <summary>Runs both models on every sample; without <c>targets</c> nothing is said of <see cref="Metric.TaskLoss"/>.</summary>
    /// <exception cref="EspalierException">A model does not load or does not take the samples; or the second gives other
    /// shapes.</exception>
    public static AgreementResult Compare(OnnxModel a, OnnxModel b, IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples,
        IProgress<int>? progress = null, CancellationToken cancellationToken = default, Targets? targets = null)
    {
        using var first = Sessions.Open(a);
        using var second = Sessions.Open(b);
        return Compare(first, second, samples, progress, cancellationToken, targets);
    }

    /// <summary>The same of models that are written down.</summary>
    public static AgreementResult Compare(ReadOnlyMemory<byte> a, ReadOnlyMemory<byte> b,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        using var options = Sessions.Options();
        using var first = new ModelSession(a, options);
        using var second = new ModelSession(b, options);
        return Compare(first, second, samples, progress, cancellationToken);
    }

    /// <summary>Runs two open sessions on every sample.</summary>
    /// <param name="first">The model that counts as right.</param>
    /// <param name="progress">Told the number of samples that are done.</param>
    /// <param name="targets">Right answers, for <see cref="Metric.TaskLoss"/>.</param>
    public static AgreementResult Compare(ModelSession first, ModelSession second,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default, Targets? targets = null)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        var tallies = first.Outputs.ToDictionary(o => o.Name, _ => new Tally(), StringComparer.Ordinal);
        int count = 0;
        foreach (var sample in samples)
        {
            var x = first.Run(sample.Values, cancellationToken);
            var y = second.Run(sample.Values, cancellationToken);
            foreach (var (name, expected) in x)
            {
                if (!y.TryGetValue(name, out var actual)) throw new EspalierException($"The second model has no output '{name}'.");
                if (!expected.Shape.SequenceEqual(actual.Shape))
                    throw new EspalierException($"Output '{name}' is [{string.Join(',', expected.Shape)}] in the first model and "
                        + $"[{string.Join(',', actual.Shape)}] in the second.");
                tallies[name].Add(expected, actual, targets?.Of(expected, [sample]));
            }
            count++;
            progress?.Report(count);
        }
        if (count == 0) throw new EspalierException("There are no samples to compare the models on.");
        return new AgreementResult([.. first.Outputs.Select(o => tallies[o.Name].Result(o))], count);
    }

    private sealed class Tally
    {
        private static readonly Metric[] All = Enum.GetValues<Metric>();
        private readonly OutputTally _tally = new(All);
        private double _error;

        public void Add(NamedTensor a, NamedTensor b, IReadOnlyList<long>? targets)
        {
            _error = Math.Max(_error, OutputComparison.RelativeError(a, b));
            _tally.Add(a, b, targets);
        }

        public OutputAgreement Result(TensorSignature output)
        {
            // Of integers nothing but equality is said.
            var values = All.Where(_ => output.ElementType is "float32" or "float64" or "float16" or "bfloat16")
                .ToDictionary(m => m, _tally.Agreement);
            return new(output.Name, _error, values.GetValueOrDefault(Metric.Top1), values.Count == 0
                ? null
                : _tally.Divergence(Metric.KullbackLeibler), _tally.Rows)
            { By = values };
        }
    }
}
