using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Trimming;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;

namespace Espalier.Cli.Services;

/// <summary>
/// Carries out one plan on one model: statistics where the plan needs them, slimming, and the plan's guards. Writes nothing.
/// </summary>
internal sealed class SlimJob(OnnxModel dense, AxisAnalysis analysis, PruningPlan plan, IReadOnlyDictionary<string, long> dimensions,
    Progress progress, CancellationToken cancellationToken)
{
    /// <summary>Most random inputs when there are no real ones: their spread stands for the data's.</summary>
    private const int MostSynthetic = 32;

    private const int EquivalenceRuns = 2;

    /// <summary>Fewest samples of which a guard gets some of its own.</summary>
    private const int FewestToDivide = 8;

    private PruningPlan? _complete;
    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? _read;
    private IReadOnlyDictionary<string, long>? _sizes;
    private Targets? _labels;
    private readonly List<string> _reading = [];
    private bool _measured;

    /// <summary>Real inputs from a calibration method; null for those of <see cref="CalibrationSource.Path"/>, or none.</summary>
    public Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples { get; init; }

    /// <summary>Name of the file to be written; its length is in the report.</summary>
    public required string FileName { get; init; }

    /// <summary>Calls the policy's own scoring methods; null where there is no policy to call.</summary>
    public ScoreMethod? Method { get; init; }

    /// <summary>Numbers that fill inputs when random ones are made.</summary>
    public IReadOnlyDictionary<string, double>? Fill { get; init; }

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
        var resolved = ResolvedPlan.Resolve(Plan, analysis);
        RequireOutputs();
        if (Slimmer.Needs(resolved) is { } needs)
        {
            var samples = Calibrated = Inputs(notes);
            statistics = Calibrator.Run(analysis, samples, needs, new Reporter(progress), cancellationToken);
            notes.AddRange(statistics.Notes);
            probe = new ModelProbe(analysis, samples, null, cancellationToken)
            {
                Metric = Plan.DivergenceMetric!.Value,
                Outputs = Plan.DivergenceOutputs,
                Labels = Labels(Plan.DivergenceMetric),
                Progress = name => progress.Step(name),
            };
        }
        progress.Step("slimming");
        cancellationToken.ThrowIfCancellationRequested();
        var slim = Slimmer.Run(resolved, new(statistics, probe, Method)
        {
            IsWithoutData = !_measured,
            Progress = name => progress.Step(name),
        });
        if (Plan.Guard is { } guard) notes.AddRange(Check(guard, slim));
        if (Plan.HoistInitializers)
        {
            var hoisted = Hoisting.Apply(slim.Model, out var inputs);
            if (inputs.Count > 0) notes.Add(FormattableString.Invariant($"{inputs.Count} weights are no longer among the model's inputs."));
            slim = slim with { Model = hoisted };
        }
        var report = slim.Report with
        {
            After = slim.Report.After with { Bytes = slim.Model.WrittenBytes(FileName) },
            Notes = [.. slim.Report.Notes, .. notes, .. _reading],
        };
        WrittenBudget.Require(Plan, report);
        return slim with { Report = report };
    }

    private void RequireOutputs()
    {
        var names = dense.Proto.Graph.Output.Select(o => o.Name).ToList();
        if (Plan.DivergenceOutputs.FirstOrDefault(o => !names.Contains(o, StringComparer.Ordinal)) is { } unknown)
            throw new EspalierException($"Divergences are to be those of the output '{unknown}', but the model has "
                + $"{string.Join(", ", names.Select(n => $"'{n}'"))}.");
    }

    /// <summary>What statistics and choices use.</summary>
    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Inputs(List<string> notes)
    {
        int most = Plan.Calibration?.Samples ?? new CalibrationSource().Samples;
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples;
        if (Plan.Inputs == InputSource.OutOfDistribution)
        {
            samples = NaturalInputs.Many(dense, most, Plan.Seed, Sizes(), Fill, like: Real());
            notes.Add(FormattableString.Invariant($"The statistics come from {samples.Count} seeded inputs with natural statistics")
                + (NaturalInputs.ScalesImages(samples[0]) && Real() is not null
                    ? "; images have the mean, deviation and range of the calibration data."
                    : " and nothing of the task."));
        }
        else if (Plan.Inputs == InputSource.Noise)
        {
            samples = RandomInputs.Many(dense, most, Plan.Seed, Sizes(), Fill);
            notes.Add(FormattableString.Invariant($"The statistics come from {samples.Count} seeded random inputs."));
        }
        else if (Real() is null)
        {
            samples = RandomInputs.Many(dense, Math.Min(most, MostSynthetic), Plan.Seed, Sizes(), Fill);
            notes.Add(FormattableString.Invariant(
                $"Without calibration data the statistics come from {samples.Count} seeded random inputs."));
        }
        else
        {
            _measured = true;
            return Divided().Own;
        }
        if (Plan.Inputs != InputSource.OutOfDistribution && HasFoldedNorms())
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

    private IEnumerable<string> Check(Guard guard, SlimResult slim)
    {
        if (guard.Equivalence) yield return CheckEquivalence(slim);
        if (guard.Agreement is { } least)
            foreach (string note in CheckAgreement(least, guard.Metric, slim)) yield return note;
    }

    private string CheckEquivalence(SlimResult slim)
    {
        progress.Step("checking equivalence");
        using var equivalence = Equivalence.Measure(analysis, slim.Report, slim.Model);
        if (equivalence.Removal.IsEmpty && !Removal.From(slim.Report, analysis.File).IsEmpty)
            throw new EspalierException("Guard(Equivalence = true) proves nothing: all that was removed is inexact "
                + $"({string.Join(", ", equivalence.Inexact)}). Use Guard(Agreement = …).");
        var inputs = RandomInputs.Many(equivalence.Model, EquivalenceRuns, Plan.Seed, Sizes(), Fill);
        var found = new Judge(analysis, inputs).Compare(equivalence.Model, equivalence.Removal, equivalence.Selection, cancellationToken);
        return found.Verdict switch
        {
            Verdict.Different => throw new EspalierException(
                $"Guard(Equivalence = true): the slim model is not the masked dense one: {found.Reason}."),
            Verdict.NothingProved => throw new EspalierException($"Guard(Equivalence = true) proves nothing: {found.Reason}. Use another "
                + "Seed, or Guard(Agreement = …) on data that reaches these units."),
            _ => FormattableString.Invariant(
                $"Before compensation equal to the masked dense model within {found.Outputs.Error:g2} relative."),
        };
    }

    private IEnumerable<string> CheckAgreement(double least, Metric metric, SlimResult slim)
    {
        progress.Step("checking agreement");
        if (slim.Report.Interface.Count > 0)
            throw new EspalierException($"Guard(Agreement = …) runs both models on the same data, but {slim.Report.Interface[0]}. "
                + "Remove AllowInterface, or use Equivalence.");
        var all = Real()
            ?? throw new EspalierException("Guard(Agreement = …) needs calibration data. Give the policy a [Calibration] method.");
        var samples = Divided().HeldOut;
        var found = Agreement.Compare(dense, slim.Model, samples, cancellationToken: cancellationToken, targets: Labels(metric));
        double agreement = found.By(metric) ?? throw new EspalierException($"Guard(Agreement = …): {Incomparable(metric)}");
        string heldOut = samples.Count == all.Count ? "" : "held-out ";
        var others = found.Outputs[0].By.Where(m => m.Key != metric && m.Value is not null)
            .Select(m => FormattableString.Invariant($", {m.Key} {m.Value:0.####}"));
        string figures = FormattableString.Invariant($"{agreement:0.####} by {metric} on {samples.Count} {heldOut}samples")
            + string.Concat(others);
        // Numbers of float32 that are equal may still round below one.
        if (agreement < least - 1e-9)
            throw new EspalierException(FormattableString.Invariant(
                $"Guard(Agreement = {least}): the slim model agrees with the dense one to {figures}. Remove less, or compensate."));
        yield return $"The slim model agrees with the dense one to {figures}.";
        if (_measured && samples.Count == all.Count)
            yield return "Agreement was measured on the samples that the statistics come from: of fewer "
                + FormattableString.Invariant($"than {FewestToDivide} none are held out.");
    }

    /// <summary>Why a metric says nothing of the model.</summary>
    private static string Incomparable(Metric metric) => metric switch
    {
        Metric.RelativeError => "no output of the model has floating-point numbers to compare. Remove the guard, or use Equivalence.",
        Metric.TaskLoss => "there are no labels by which to compare by TaskLoss, and no output has a row of classes for each token of an "
            + "input. Give --labels FILE, an array 'labels' in an .npz, or [Calibration(Labels = …)].",
        Metric.KullbackLeibler or Metric.JensenShannon =>
            $"no output of the model has rows of classes to compare by {metric}. Use Metric.RelativeError.",
        _ => $"no output of the model has rows to compare by {metric}. Use Metric.RelativeError.",
    };

    /// <summary>The plan with what it leaves open written down.</summary>
    private PruningPlan Plan => _complete ??= Complete();

    private PruningPlan Complete() => Complete(plan, analysis, hasData: Samples is not null || plan.Calibration?.Path is not null);

    /// <summary>A plan with what it leaves open written down.</summary>
    public static PruningPlan Complete(PruningPlan plan, AxisAnalysis analysis, bool hasData)
    {
        var complete = Presets.Complete(plan, hasData);
        return complete with { DivergenceMetric = complete.DivergenceMetric ?? OutputRoles.MetricOf(analysis) };
    }

    /// <summary>Sizes with which the model runs: found once.</summary>
    private IReadOnlyDictionary<string, long> Sizes() => _sizes ??= RandomInputs.Fit(dense, dimensions, Fill, cancellationToken);

    /// <summary>
    /// What statistics and choices use, and what a guard measures: the last quarter, which nothing else sees, where the plan
    /// measures anything and there are enough samples.
    /// </summary>
    private (IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Own, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> HeldOut)
        Divided()
    {
        var all = Real()!;
        if (Plan.Guard?.Agreement is null || !_measured || all.Count < FewestToDivide) return (all, all);
        int own = all.Count - (all.Count / 4);
        return (new Picked<IReadOnlyDictionary<string, NamedTensor>>(own, i => all[i]),
            new Picked<IReadOnlyDictionary<string, NamedTensor>>(all.Count - own, i => all[own + i]));
    }

    private IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>>? Real()
    {
        if (_read is not null) return _read;
        progress.Step("reading calibration data");
        if (Samples is not null) _read = SampleStore.Create(Samples());
        else if (Plan.Calibration is { Path: { } path } source)
            _read = CalibrationData.Read(path, dense, source.ToOptions(dimensions));
        if (_read is SampleStore { LeftOut: { } left }) _reading.Add($"{left} --samples, or Samples of [Calibration], takes more.");
        // Labels may be one for each position.
        if (_read is { Count: > 0 } && Plan.DivergenceMetric != Metric.TaskLoss && Plan.Guard?.Metric != Metric.TaskLoss)
            _read = Padding.Trim(analysis.Model, _read, _reading, cancellationToken);
        return _read;
    }

    /// <summary>Right answers to the samples, where a metric asks for them.</summary>
    private Targets? Labels(Metric? metric)
    {
        if (metric != Metric.TaskLoss) return null;
        if (_labels is not null) return _labels;
        var all = Real();
        return _labels = new Targets(dense, all, all is null
            ? null
            : CalibrationLabels.Read(Plan.Calibration?.Path, dense, all.Count, new DataOptions { Labels = Plan.Calibration?.Labels }));
    }

    private sealed class Reporter(Progress progress) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value) => progress.Step("calibrating", value.Done, value.Total);
    }
}
