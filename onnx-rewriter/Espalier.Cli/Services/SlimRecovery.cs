using Espalier.Calibration.Data;
using Espalier.Calibration.Gradients;
using Espalier.Calibration.Inputs;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Cli.Services;

/// <summary>Trains a slim model towards the dense one, as the plan asks.</summary>
/// <param name="plan">The plan with what it leaves open written down.</param>
internal sealed class SlimRecovery(OnnxModel dense, PruningPlan plan, SlimInputs inputs, IReadOnlyDictionary<string, long> dimensions,
    StepProgress progress, CancellationToken cancellationToken)
{
    private const string Training = "training";

    /// <summary>Fewest samples: of each eight one is held out.</summary>
    private const int Fewest = 16;

    /// <summary>
    /// Samples to train on, by the policy's method; null for those of <see cref="RecoverySource.Path"/>, or the calibration's.
    /// </summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples { get; init; }

    /// <summary>Results of earlier runs, and the key of what they depend on; null where none are kept.</summary>
    public (StepResults Results, string Key)? Kept { get; init; }

    /// <exception cref="EspalierException">There are too few samples, or nothing can be trained.</exception>
    public SlimResult Run(SlimResult slim)
    {
        var source = plan.Recover!;
        if (slim.Report.Interface.Count > 0)
            throw new EspalierException($"Recovery runs both models on the same inputs, but {slim.Report.Interface[0]}. Remove "
                + "AllowInterface.");
        var samples = Read(source) ?? throw new EspalierException("Recovery needs samples to train on. Give calibration data.");
        if (samples.Count < Fewest)
            throw new EspalierException(FormattableString.Invariant($"Recovery needs {Fewest} samples, and there are {samples.Count}."));
        return Kept is { } kept
            ? kept.Results.Trained(kept.Key, plan, dense, samples, () => Train(slim, source, samples))
            : Train(slim, source, samples);
    }

    private SlimResult Train(SlimResult slim, RecoverySource source, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var (fitted, heldOut) = HeldOut.Divide(samples);
        var recovered = new Recovery(dense, slim.Model, new(source.Steps, source.Rate)
        {
            Trained = source.Weights,
            // The dense model is the teacher; of answers alone a largest one says nothing of how to change.
            Metric = plan.DivergenceMetric is Metric.TaskLoss or Metric.Top1 or null ? Metric.KullbackLeibler : plan.DivergenceMetric.Value,
            Outputs = plan.DivergenceOutputs,
            Seed = plan.Seed,
        }).Run(fitted, heldOut, step => progress.Step(Training, step, source.Steps), cancellationToken);
        var notes = recovered.Untrained.GroupBy(u => u.Value)
            .Select(r => FormattableString.Invariant($"{r.Count()} weights were not trained: {r.Key}."));
        return slim with
        {
            Model = recovered.Model,
            Report = slim.Report with
            {
                Notes = [.. slim.Report.Notes, .. notes],
                Recovery = new(fitted.Count, heldOut.Count, [.. recovered.Curve.Select(c => new RecoveryPoint(c.Step, c.Divergence))]),
            },
        };
    }

    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? Read(RecoverySource source)
    {
        progress.Step("reading data to train on");
        if (Samples is not null) return SampleStore.Create(Samples());
        if (source.Path is { } path)
            return CalibrationData.Read(path, dense, (plan.Calibration ?? new()).ToOptions(dimensions) with { Samples = source.Samples });
        return inputs.Real() is null ? null : inputs.Divided().Own;
    }
}
