using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Calibration.Statistics;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Pruning;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;

namespace Espalier.Cli.Services;

/// <summary>
/// Carries out one plan on one model: statistics where the plan needs them, slimming, and the plan's guards. Writes nothing.
/// </summary>
internal sealed class SlimJob(OnnxModel dense, AxisAnalysis analysis, PruningPlan plan, IReadOnlyDictionary<string, long> dimensions,
    StepProgress progress, CancellationToken cancellationToken)
{
    private PruningPlan? _complete;

    /// <summary>Real inputs from a calibration method; null for those of <see cref="CalibrationSource.Path"/>, or none.</summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples { get; init; }

    /// <summary>Samples to train on, by the policy's method; null where it names none.</summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? More { get; init; }

    /// <summary>Name of the file to be written; its length is in the report.</summary>
    public required string FileName { get; init; }

    /// <summary>Calls the policy's own scoring methods; null where there is no policy to call.</summary>
    public ScoreMethod? Method { get; init; }

    /// <summary>Numbers that fill inputs when random ones are made.</summary>
    public IReadOnlyDictionary<string, double>? Fill { get; init; }

    /// <summary>Results of steps that are kept from one run to the next; null where none are.</summary>
    public StepResults? Results { get; init; }

    public OnnxModel Dense => dense;

    /// <summary>Samples that statistics were taken of; null where the plan needs none.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? Calibrated { get; private set; }

    /// <summary>The slim model with its report.</summary>
    /// <exception cref="EspalierException">The plan cannot be carried out, or a guard does not hold.</exception>
    public SlimResult Run()
    {
        var notes = new List<string>();
        CalibrationStatistics? statistics = null;
        ModelProbe? probe = null;
        string? key = null;
        var inputs = new SlimInputs(dense, analysis, Plan, dimensions, progress, cancellationToken)
        {
            Samples = Samples,
            Fill = Fill,
        };
        var resolved = ResolvedPlan.Resolve(Plan, analysis);
        RequireOutputs();
        var check = new SlimCheck(dense, analysis, Plan, inputs, progress, cancellationToken) { Stated = plan.DivergenceMetric };
        check.Require();
        if (Slimmer.Needs(resolved) is { } needs)
        {
            var samples = Calibrated = inputs.ForStatistics(notes);
            CalibrationStatistics Measure() => Calibrator.Run(analysis, samples, needs, new Reporter(progress), cancellationToken);
            key = Results?.KeyOf(analysis, samples);
            statistics = key is null ? Measure() : Results!.Statistics(key, needs, Measure);
            notes.AddRange(statistics.Notes);
            probe = new ModelProbe(analysis, samples, null, cancellationToken)
            {
                Metric = Plan.DivergenceMetric!.Value,
                Outputs = Plan.DivergenceOutputs,
                Labels = inputs.Labels(Plan.DivergenceMetric),
                Progress = progress.Step,
                Results = key is null ? null : (Results!.Folder, key),
            };
        }
        if (key is not null) check.Kept = (Results!, key);
        check.Recall();
        progress.Step("slimming");
        SlimResult Make() => Slimmer.Run(resolved, new(statistics, probe, Method)
        {
            IsWithoutData = !inputs.IsMeasured,
            Progress = progress.Step,
            Foresee = check.Foresee,
        });
        var slim = key is null ? Make() : Results!.Slim(key, Plan, dense, Make);
        if (Plan.Recover is not null)
            slim = new SlimRecovery(dense, Plan, inputs, dimensions, progress, cancellationToken) { Samples = More, Kept = check.Kept }
                .Run(slim);
        var agreement = check.Run(slim, notes);
        if (Plan.HoistInitializers) slim = Hoisted(slim, notes);
        var report = slim.Report with
        {
            After = slim.Report.After with { Bytes = slim.Model.WrittenBytes(FileName) },
            Agreement = agreement,
            Notes = [.. slim.Report.Notes, .. notes, .. inputs.Notes],
        };
        WrittenBudget.Require(Plan, report);
        return slim with { Report = report };
    }

    private static SlimResult Hoisted(SlimResult slim, List<string> notes)
    {
        var hoisted = Hoisting.Apply(slim.Model, out var hoisting);
        if (hoisting.Count > 0)
            notes.Add(FormattableString.Invariant($"{hoisting.Count} weights are no longer among the model's inputs."));
        return slim with { Model = hoisted };
    }

    private void RequireOutputs()
    {
        var names = dense.Proto.Graph.Output.Select(o => o.Name).ToList();
        if (Plan.DivergenceOutputs.FirstOrDefault(o => !names.Contains(o, StringComparer.Ordinal)) is { } unknown)
            throw new EspalierException($"Divergences are to be those of the output '{unknown}', but the model has "
                + $"{string.Join(", ", names.Select(n => $"'{n}'"))}.");
    }

    /// <summary>The plan with what it leaves open written down.</summary>
    private PruningPlan Plan => _complete ??= Complete();

    private PruningPlan Complete() => Complete(plan, analysis, hasData: Samples is not null || plan.Calibration?.Path is not null);

    /// <summary>A plan with what it leaves open written down.</summary>
    public static PruningPlan Complete(PruningPlan plan, AxisAnalysis analysis, bool hasData)
    {
        var complete = Presets.Complete(plan, hasData);
        return complete with
        {
            DivergenceMetric = complete.DivergenceMetric ?? OutputRoles.MetricOf(analysis),
            Guard = complete.Guard is { } guard ? guard with { Metric = guard.Metric ?? SlimCheck.UsualMetric(analysis) } : null,
        };
    }

    private sealed class Reporter(StepProgress progress) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value) => progress.Step("calibrating", value.Done, value.Total);
    }
}
