using Espalier.Axes;
using Espalier.Calibration;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Cli.Services;

/// <summary>Carries out one plan on one model: statistics where the plan needs them, slimming, and the plan's guards. Writes nothing.</summary>
internal sealed class SlimJob(OnnxModel dense, AxisAnalysis analysis, PruningPlan plan, Progress progress, CancellationToken cancellationToken)
{
    /// <summary>Fewest random inputs when there are no real ones: their spread stands for the data's.</summary>
    private const int MostSynthetic = 32;

    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? _read;

    /// <summary>Real inputs from a calibration method; null for those of <see cref="CalibrationSource.Path"/>, or none.</summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples { get; init; }

    /// <summary>The slim model with its report.</summary>
    /// <exception cref="EspalierException">The plan cannot be carried out, or a guard does not hold.</exception>
    public SlimResult Run()
    {
        var notes = new List<string>();
        CalibrationStatistics? statistics = null;
        if (Slimmer.Needs(plan, analysis) is { } needs)
        {
            var samples = Real();
            if (samples is null)
            {
                samples = [.. Enumerable.Range(0, Math.Min(plan.Calibration?.Samples ?? MostSynthetic, MostSynthetic)).Select(i => SyntheticInputs.For(dense, plan.Seed + i, analysis))];
                notes.Add(FormattableString.Invariant($"Without calibration data the statistics come from {samples.Count} seeded random inputs."));
            }
            statistics = Calibrator.Run(analysis, samples, needs, new Reporter(progress), cancellationToken);
            notes.AddRange(statistics.Notes);
        }
        progress.Step("slimming");
        cancellationToken.ThrowIfCancellationRequested();
        var slim = Slimmer.Run(dense, plan, analysis, statistics);
        if (plan.Guard is { } guard) notes.AddRange(Check(guard, slim));
        return slim with { Report = slim.Report with { Notes = [.. slim.Report.Notes, .. notes] } };
    }

    private IEnumerable<string> Check(Guard guard, SlimResult slim)
    {
        if (guard.Equivalence)
        {
            progress.Step("checking equivalence");
            var check = Equivalence.Check(dense, analysis, slim, plan, cancellationToken);
            if (!check.Holds)
                throw new EspalierException($"Guard(Equivalence = true): the slim model differs from the masked dense model by {check.Error:g3} relative at output '{check.Worst}'; at most {Equivalence.Tolerance:g1} is rounding. Please report the model.");
            yield return FormattableString.Invariant($"Equal to the masked dense model within {check.Error:g2} relative.");
        }
        if (guard.Agreement is { } least)
        {
            progress.Step("checking agreement");
            var samples = Real() ?? throw new EspalierException("Guard(Agreement = …) needs calibration data. Give the policy a [Calibration] method.");
            var agreement = Agreement.Of(dense, slim.Model, samples, cancellationToken);
            if (agreement < least)
                throw new EspalierException(FormattableString.Invariant($"Guard(Agreement = {least}): the slim model agrees with the dense one on {agreement:0.###} of the calibration samples. Remove less, or compensate."));
            yield return FormattableString.Invariant($"Agrees with the dense model on {agreement:0.###} of the calibration samples.");
        }
    }

    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? Real()
    {
        if (_read is not null) return _read;
        progress.Step("reading calibration data");
        if (Samples is not null) _read = [.. Samples()];
        else if (plan.Calibration?.Path is { } path) _read = [.. CalibrationFiles.Read(path, dense, plan.Calibration.Samples)];
        return _read;
    }

    private sealed class Reporter(Progress progress) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value) => progress.Step("calibrating", value.Done, value.Total);
    }
}
