using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Results;
using Espalier.Calibration.Stages;
using Espalier.Calibration.Sums;
using Espalier.Calibration.Timing;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>Runs a dense model and what is made of it on calibration samples.</summary>
internal sealed class ModelProbe(AxisAnalysis analysis, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
    CalibrationOptions? options = null, CancellationToken cancellationToken = default) : IModelProbe
{
    private const int LeastSamples = 8, LeastHeldOut = 4;

    private readonly CalibrationOptions _options = options ?? new();
    private (IReadOnlyList<IReadOnlyList<NamedTensor>> Fitted, IReadOnlyList<IReadOnlyList<NamedTensor>> HeldOut)? _joined;
    private List<ExpectedBatch>? _batches, _heldOut;

    /// <summary>Short, because a table has several times per group: half a second each.</summary>
    private static readonly BenchOptions TimeOptions = new() { Rounds = 9, BurstMilliseconds = 30 };
    private bool _isWarm;

    public Metric Metric { get; init; } = Metric.KullbackLeibler;

    /// <summary>Names of the outputs that are compared; none for all.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>Right answers by sample, for <see cref="Metric.TaskLoss"/>; see <see cref="Targets"/>.</summary>
    public Targets? Labels { get; init; }

    /// <summary>Told what is being run.</summary>
    public Action<WorkStep>? Progress { get; init; }

    /// <summary>Where divergences are kept, and what all of them depend on; null where none are.</summary>
    public (ResultFolder Folder, string Samples)? Results { get; init; }

    /// <inheritdoc/>
    public CalibrationStatistics Measure(CalibrationRequest request)
        => Calibrator.Run(analysis, samples, request, null, cancellationToken, _options);

    /// <inheritdoc/>
    public CalibrationStatistics Measure(OnnxModel changed, CalibrationRequest request)
    {
        var present = GraphFacts.Names(changed);
        return Calibrator.Run(new CalibratedModel(changed, [.. analysis.Consumers.Where(c => present.Contains(c.Activation))],
            [.. analysis.Blocks.Where(b => present.Contains(b.Input) && present.Contains(b.Output))]), samples, request,
            new Reporter("measuring what is left", Progress), cancellationToken, _options);
    }

    /// <inheritdoc/>
    public double Divergence(OnnxModel changed) => Divergence(changed, _batches ??= Expected(samples));

    /// <inheritdoc/>
    public double HeldOutDivergence(OnnxModel changed) => Divergence(changed, HeldOutBatches());

    /// <inheritdoc/>
    public IGatedRun Gated(OnnxModel gated, bool heldOut) => new Reporting(Run(gated, heldOut), Progress);

    private GatedRun Run(OnnxModel gated, bool heldOut)
        => new(gated, heldOut ? HeldOutBatches() : _batches ??= Expected(samples), () => new(Metric, Outputs), _options.Threads,
            cancellationToken)
        { Known = Known(gated, heldOut) };

    // Labels are not among what the samples' hash has.
    private KnownDivergences? Known(OnnxModel gated, bool heldOut)
    {
        if (Results is not { } results || Metric == Metric.TaskLoss) return null;
        using var hash = new ContentHash();
        hash.Add(results.Samples).Add(gated.ToBytes()).Add(heldOut ? "held out" : "all").Add(Metric.ToString())
            .Add(string.Join('\n', Outputs));
        return new(results.Folder, "divergences-" + hash.ToText());
    }

    private sealed class Reporting(GatedRun run, Action<WorkStep>? progress) : IGatedRun
    {
        public double Divergence(IReadOnlyDictionary<string, float[]> settings)
        {
            progress?.Invoke("measuring divergence");
            return run.Divergence(settings);
        }

        public void Dispose() => run.Dispose();
    }

    /// <inheritdoc/>
    public IReadOnlyList<double> Divergences(OnnxModel gated, IReadOnlyList<IReadOnlyDictionary<string, float[]>> settings, WorkStep step)
    {
        if (step.Total == 0) step = new("measuring divergence", 0, settings.Count);
        var found = new List<double>();
        Progress?.Invoke(step);
        using var run = Run(gated, heldOut: false);
        foreach (var setting in settings)
        {
            found.Add(run.Divergence(setting));
            Progress?.Invoke(step = step with { Done = step.Done + 1 });
        }
        return found;
    }

    private sealed class Reporter(string what, Action<WorkStep>? progress) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value) => progress?.Invoke(new(what, value.Done, value.Total));
    }

    private double Divergence(OnnxModel changed, List<ExpectedBatch> batches)
    {
        Progress?.Invoke("measuring divergence");
        using var session = Sessions.Open(changed, _options.Threads);
        var tally = new DivergenceTally(Metric, Outputs);
        foreach (var (inputs, expected, targets) in batches) tally.Add(expected, session.Run(inputs, cancellationToken), targets);
        return tally.Mean;
    }

    private List<ExpectedBatch> HeldOutBatches()
        => HeldOut.Divide(samples).HeldOut is { Count: >= LeastHeldOut } part
            ? _heldOut ??= Expected(part, _options.HeldOutSamples)
            : _batches ??= Expected(samples);

    /// <inheritdoc/>
    public ModelTime Time(OnnxModel changed)
    {
        Progress?.Invoke("measuring time");
        // The runtime still compiles its own code while the first runs are measured.
        if (!_isWarm) Bench.Run(analysis.Model, null, samples[0], TimeOptions, cancellationToken: cancellationToken);
        _isWarm = true;
        var measured = Bench.Run(analysis.Model, changed, samples[0], TimeOptions, cancellationToken: cancellationToken);
        return new(measured.A, measured.B!.Value, measured.Ratio!.Value);
    }

    /// <inheritdoc/>
    public IModelProbe On(AxisAnalysis same) => new ModelProbe(same, samples, options, cancellationToken)
    {
        Metric = Metric,
        Outputs = Outputs,
        Labels = Labels,
        Progress = Progress,
        Results = Results,
        _batches = _batches,
        _heldOut = _heldOut,
        _joined = _joined,
    };

    /// <inheritdoc/>
    public IStagedRun Stages(IReadOnlyList<IReadOnlyList<FitPoint>> stages)
    {
        var own = stages.Select(s => (IReadOnlyList<FitPoint>)[.. s.Where(p => p.Consumer.Node.Scope == 0)]).ToList();
        var tensors = own.SelectMany(s => s).SelectMany(p => new[] { p.Consumer.Activation, p.Output?.Tensor }).OfType<string>()
            .ToHashSet(StringComparer.Ordinal);
        var shapes = Shapes.Measure(analysis.Model, tensors, samples[0], cancellationToken);
        var (fitted, heldOut) = Joined();
        var all = new Picked<IReadOnlyList<NamedTensor>>(fitted.Count + heldOut.Count,
            b => b < fitted.Count ? fitted[b] : heldOut[b - fitted.Count]);
        var data = new StageData(all, fitted.Count, shapes, SampleBatches.OfOneShape(samples) ? samples.Count : 0);
        return new StagedRun(analysis.Model, own, data, _options, cancellationToken) { Progress = Progress };
    }

    /// <inheritdoc/>
    public (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor)
    {
        if (!Shapes.Measure(changed, [tensor], samples[0], cancellationToken).TryGetValue(tensor, out var shape) || shape.Length < 2)
            return null;
        Progress?.Invoke("measuring normalisation statistics");
        using var run = new ChannelRun(changed, tensor, shape.Length, _options.Threads);
        var (fitted, heldOut) = Joined();
        foreach (var batch in fitted.Concat(heldOut)) run.Add(batch, cancellationToken);
        return run.Finish();
    }

    private (IReadOnlyList<IReadOnlyList<NamedTensor>> Fitted, IReadOnlyList<IReadOnlyList<NamedTensor>> HeldOut) Joined()
    {
        if (_joined is { } known) return known;
        var (fitted, heldOut) = HeldOut.Divide(samples);
        var batches = new SampleBatches(analysis.Model, _options.BatchSize, _options.BatchElements);
        _joined = (batches.Joined(fitted), batches.Joined(heldOut));
        return _joined.Value;
    }

    private List<ExpectedBatch> Expected(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, int? bound = null)
    {
        int allowed = bound ?? _options.DivergenceSamples;
        using var session = Sessions.Open(analysis.Model, _options.Threads);
        int most = (int)Math.Clamp(_options.DivergenceMacs / Math.Max(1, analysis.Cost.Evaluate(CostUnit.Macs)),
            Math.Min(LeastSamples, allowed), allowed);
        int every = samples.Count <= most ? 1 : samples.Count / most;
        var some = new Picked<IReadOnlyDictionary<string, NamedTensor>>(Math.Min(most, samples.Count), i => samples[i * every]);
        var (labels, none) = (Labels ?? new Targets(analysis.Model), new Dictionary<string, long[]>());
        return [.. new SampleBatches(analysis.Model, _options.BatchSize, _options.BatchElements).Of(some).Select(b =>
        {
            var inputs = SampleBatches.Join(b);
            var outputs = session.Run(inputs, cancellationToken);
            return new ExpectedBatch(inputs, outputs, Metric == Metric.TaskLoss ? labels.Of(outputs, b) : none);
        })];
    }
}
