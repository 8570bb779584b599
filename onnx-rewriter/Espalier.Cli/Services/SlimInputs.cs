using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Trimming;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Services;

/// <summary>What models are run on while a plan is carried out: calibration data, and what is made up where there are none.</summary>
/// <param name="plan">The plan with what it leaves open written down.</param>
internal sealed class SlimInputs(OnnxModel dense, AxisAnalysis analysis, PruningPlan plan,
    IReadOnlyDictionary<string, long> dimensions, StepProgress progress, CancellationToken cancellationToken)
{
    /// <summary>Most random inputs when there are no real ones: their spread stands for the data's.</summary>
    private const int MostSynthetic = 32;

    /// <summary>Fewest samples of which some are held out.</summary>
    public const int FewestToDivide = 8;

    private const string Reading = "reading calibration data";

    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? _read;
    private IReadOnlyDictionary<string, long>? _sizes;
    private Targets? _labels;
    private readonly List<string> _reading = [];

    /// <summary>Real inputs from a calibration method; null for those of <see cref="CalibrationSource.Path"/>, or none.</summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples { get; init; }

    /// <summary>Numbers that fill inputs when random ones are made.</summary>
    public IReadOnlyDictionary<string, double>? Fill { get; init; }

    /// <summary>What the user should know of how data were read.</summary>
    public IReadOnlyList<string> Notes => _reading;

    /// <summary>Whether statistics were taken of calibration data.</summary>
    public bool IsMeasured { get; private set; }

    /// <summary>What statistics and choices use.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> ForStatistics(List<string> notes)
    {
        int most = plan.Calibration?.Samples ?? new CalibrationSource().Samples;
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples;
        if (plan.Inputs == InputSource.OutOfDistribution)
        {
            samples = NaturalInputs.Many(dense, most, plan.Seed, Sizes(), Fill, like: Real());
            notes.Add(FormattableString.Invariant($"The statistics come from {samples.Count} seeded inputs with natural statistics")
                + (NaturalInputs.ScalesImages(samples[0]) && Real() is not null
                    ? "; images have the mean, deviation and range of the calibration data."
                    : " and nothing of the task."));
        }
        else if (plan.Inputs == InputSource.Noise)
        {
            samples = RandomInputs.Many(dense, most, plan.Seed, Sizes(), Fill);
            notes.Add(FormattableString.Invariant($"The statistics come from {samples.Count} seeded random inputs."));
        }
        else if (Real() is null)
        {
            samples = RandomInputs.Many(dense, Math.Min(most, MostSynthetic), plan.Seed, Sizes(), Fill);
            notes.Add(FormattableString.Invariant(
                $"Without calibration data the statistics come from {samples.Count} seeded random inputs."));
        }
        else
        {
            IsMeasured = true;
            return Divided().Own;
        }
        if (plan.Inputs != InputSource.OutOfDistribution && HasFoldedNorms())
            notes.Add("The convolutions have no batch normalisation that would say how data are spread in them, because it is folded into "
                + "their weights, or there was none. Statistics of noise are then those of noise: scores and what is made up for by "
                + "them may do more harm than good. Give calibration data.");
        return samples;

        bool HasFoldedNorms()
        {
            var nodes = dense.Proto.Graph.Node.Where(n => n.Domain is "" or "ai.onnx");
            return nodes.Any(n => n.OpType == "Conv") && nodes.All(n => n.OpType != "BatchNormalization");
        }
    }

    /// <summary>Sizes with which the model runs: found once.</summary>
    public IReadOnlyDictionary<string, long> Sizes() => _sizes ??= RandomInputs.Fit(dense, dimensions, Fill, cancellationToken);

    /// <summary>
    /// What statistics and choices use, and what the agreement is measured on: the last quarter, which nothing else sees, where the plan
    /// measures anything and there are enough samples. It does not depend on the guard, so that another one measures nothing again.
    /// </summary>
    public (IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Own, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> HeldOut)
        Divided()
    {
        var all = Real()!;
        if (!IsMeasured || all.Count < FewestToDivide) return (all, all);
        int own = all.Count - (all.Count / 4);
        return (new Picked<IReadOnlyDictionary<string, NamedTensor>>(own, i => all[i]),
            new Picked<IReadOnlyDictionary<string, NamedTensor>>(all.Count - own, i => all[own + i]));
    }

    /// <summary>Calibration data; null where there are none.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? Real()
    {
        if (_read is not null) return _read;
        if (Samples is not null || plan.Calibration?.Path is not null) progress.Step(Reading);
        if (Samples is not null) _read = SampleStore.Create(Counted(Samples()));
        else if (plan.Calibration is { Path: { } path } source)
            _read = CalibrationData.Read(path, dense, source.ToOptions(dimensions));
        if (_read is SampleStore { LeftOut: { } left }) _reading.Add($"{left} --samples, or Samples of [Calibration], takes more.");
        // Labels may be one for each position.
        if (_read is { Count: > 0 } && plan.DivergenceMetric != Metric.TaskLoss && plan.Guard?.Metric != Metric.TaskLoss)
            _read = Padding.Trim(analysis.Model, _read, _reading, cancellationToken);
        return _read;
    }

    private IEnumerable<IReadOnlyDictionary<string, NamedTensor>> Counted(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        long done = 0, most = plan.Calibration?.Samples ?? 0;
        foreach (var sample in samples)
        {
            yield return sample;
            progress.Step(new(Reading, ++done, most) { IsBound = true });
        }
        progress.Step(Reading, done, done);
    }

    /// <summary>Right answers to the samples, where a metric asks for them.</summary>
    public Targets? Labels(Metric? metric)
    {
        if (metric != Metric.TaskLoss) return null;
        if (_labels is not null) return _labels;
        var all = Real();
        return _labels = new Targets(dense, all, all is null
            ? null
            : CalibrationLabels.Read(plan.Calibration?.Path, dense, all.Count, new DataOptions { Labels = plan.Calibration?.Labels }));
    }
}
