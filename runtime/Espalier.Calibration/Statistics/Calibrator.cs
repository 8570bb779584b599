using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Sums;

namespace Espalier.Calibration.Statistics;

/// <summary>
/// Measures what the readers of prunable units see, and how similar blocks' inputs and outputs are, on calibration samples.
/// </summary>
internal static class Calibrator
{
    /// <summary>Runs the samples through one instrumented copy of the model, once.</summary>
    /// <param name="samples">Inputs by name, each sample with a batch axis of its own where the model has one. Read once and kept.</param>
    /// <param name="progress">Told after every run.</param>
    /// <exception cref="EspalierException">No samples; or a sample that the model does not take.</exception>
    public static CalibrationStatistics Run(AxisAnalysis analysis, IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples,
        CalibrationRequest request, IProgress<CalibrationProgress>? progress = null, CancellationToken cancellationToken = default,
        CalibrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(analysis);
        return Run(CalibratedModel.Create(analysis, request), samples, request, progress, cancellationToken, options);
    }

    /// <summary>The same of chosen consumers and blocks.</summary>
    public static CalibrationStatistics Run(CalibratedModel model, IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples,
        CalibrationRequest request, IProgress<CalibrationProgress>? progress = null, CancellationToken cancellationToken = default,
        CalibrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new CalibrationOptions();
        var all = samples as IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> ?? [.. samples];
        if (all.Count == 0) throw new EspalierException("Calibration was given no samples.");
        var plan = MeasurementPlan.Create(model, all, request, options, cancellationToken);
        var results = new MeasurementResults(plan.Notes);
        using var pass = new Pass(plan, cancellationToken);
        progress?.Report(new CalibrationProgress(0, all.Count));
        pass.Run(all, new SampleBatches(model.Model, options.BatchSize, options.BatchElements),
            done => progress?.Report(new CalibrationProgress(done, all.Count)));
        pass.Finish(results);
        return results.ToStatistics(all.Count);
    }
}
