using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>How far calibration has come.</summary>
/// <param name="Done">Samples that were run, over all passes.</param>
/// <param name="Total">Samples times passes.</param>
public readonly record struct CalibrationProgress(long Done, long Total);

/// <summary>Bounds on what calibration uses.</summary>
public sealed record CalibrationOptions
{
    /// <summary>Most samples in one run.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Most input elements in one run; a single sample may have more.</summary>
    public long BatchElements { get; init; } = 1 << 18;

    /// <summary>Most covariance elements that one pass over the samples collects (12 bytes each); more take more passes.</summary>
    public long CovarianceElementsPerPass { get; init; } = 1 << 25;

    /// <summary>Most features of a covariance; consumers with more get none, and a note.</summary>
    public int CovarianceFeatures { get; init; } = 8192;

    /// <summary>
    /// Most positions of a convolution's window that are taken of one sample; larger maps are read at a regular spacing, with a note.
    /// Patches take (kernel window) times the memory of the map.
    /// </summary>
    public long PositionsPerSample { get; init; } = 1 << 14;

    /// <summary>Most samples on which the outputs of changed models are compared with the dense model's.</summary>
    public int DivergenceSamples { get; init; } = 64;

    /// <summary>
    /// Most multiply-accumulates of the dense model on these samples together: for large models there are fewer of them, but at least 8.
    /// </summary>
    public double DivergenceMacs { get; init; } = 2e10;

    /// <summary>Threads within an operator; 0 for as many as there are cores.</summary>
    public int Threads { get; init; }
}

/// <summary>
/// Measures what the readers of prunable units see, and how similar blocks' inputs and outputs are, on calibration samples.
/// </summary>
public static class Calibrator
{
    /// <summary>Runs the samples through one instrumented copy of the model (a few where covariances are large).</summary>
    /// <param name="analysis">The model and its consumers and blocks.</param>
    /// <param name="samples">Inputs by name, each sample with a batch axis of its own where the model has one. Read once and kept.</param>
    /// <param name="request">What is wanted.</param>
    /// <param name="progress">Told after every run.</param>
    /// <param name="cancellationToken">Stops between two operators.</param>
    /// <param name="options">Bounds.</param>
    /// <exception cref="EspalierException">No samples; or a sample that the model does not take.</exception>
    public static CalibrationStatistics Run(AxisAnalysis analysis, IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples,
        CalibrationRequest request,
        IProgress<CalibrationProgress>? progress = null, CancellationToken cancellationToken = default, CalibrationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(analysis);
        // Products that contract nothing prunable only where they are asked for by number.
        var asked = request.Covariance.Concat(request.Consumers ?? new HashSet<int>()).Where(id => id >= analysis.Consumers.Count)
            .Distinct().Order();
        return Run(analysis.Model, [.. analysis.Consumers, .. asked.Select(id => analysis.Products[id])], analysis.Blocks, samples, request,
            progress, cancellationToken, options);
    }

    /// <inheritdoc cref="Run(AxisAnalysis, IEnumerable{IReadOnlyDictionary{string, NamedTensor}}, CalibrationRequest, IProgress{CalibrationProgress}?, CancellationToken, CalibrationOptions?)"/>
    /// <param name="model">The model.</param>
    /// <param name="consumers">Its consumers.</param>
    /// <param name="blocks">Its blocks.</param>
    /// <param name="samples">Inputs by name.</param>
    /// <param name="request">What is wanted.</param>
    /// <param name="progress">Told after every run.</param>
    /// <param name="cancellationToken">Stops between two operators.</param>
    /// <param name="options">Bounds.</param>
    public static CalibrationStatistics Run(OnnxModel model, IReadOnlyList<Consumer> consumers, IReadOnlyList<Block> blocks,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, CalibrationRequest request,
        IProgress<CalibrationProgress>? progress = null, CancellationToken cancellationToken = default, CalibrationOptions? options = null)
    {
        options ??= new CalibrationOptions();
        var all = samples.ToList();
        if (all.Count == 0) throw new EspalierException("Calibration was given no samples.");

        var notes = new List<string>();
        var wanted = new List<Consumer>();
        var inside = new List<Consumer>();
        foreach (var consumer in consumers)
        {
            if (request.Consumers?.Contains(consumer.Id) == false && !request.Covariance.Contains(consumer.Id)) continue;
            if (consumer.Node.Scope == 0) wanted.Add(consumer);
            else inside.Add(consumer);
        }
        if (inside.Count > 0)
            notes.Add($"No statistics for {inside.Count} consumers inside subgraphs, whose tensors cannot be fetched: "
                + $"{string.Join(", ", inside.Take(3).Select(c => c.Node))}{(inside.Count > 3 ? ", …" : "")}.");
        var wantedBlocks = blocks.Where(b => request.Blocks?.Contains(b.Id) != false).ToList();

        bool predicts = request.Signals.Any(s => s.Kind == SignalKind.Retrieval);
        var tensors = wanted.Select(c => c.Activation).Concat(wantedBlocks.SelectMany(b => new[] { b.Input, b.Output }))
            .Concat(request.Signals.Select(s => s.Tensor)).Concat(request.Tensors.Select(t => t.Tensor))
            .Concat(predicts ? model.Proto.Graph.Output.Select(o => o.Name) : []).ToHashSet(StringComparer.Ordinal);
        var shapes = Shapes.Measure(model, tensors, all[0], cancellationToken);
        var sites = new Sites(GraphFacts.WeightShapes(model), shapes, options.PositionsPerSample, notes);
        foreach (var consumer in wanted) sites.Add(consumer, request.Covariance.Contains(consumer.Id));
        foreach (var place in request.Tensors) sites.Add(place);
        sites.NoteSpacing();
        foreach (var site in sites.All)
        {
            if (!site.Covariance || site.Features <= options.CovarianceFeatures) continue;
            site.Covariance = false;
            notes.Add($"No covariance for {site.Consumers[0].Node}: {site.Features} features are more than {options.CovarianceFeatures}.");
        }
        wantedBlocks.RemoveAll(b =>
        {
            if (shapes.TryGetValue(b.Input, out var i) && shapes.TryGetValue(b.Output, out var o) && i.Length > 0 && i.SequenceEqual(o))
                return false;
            notes.Add($"No similarity for block '{b.Name}': '{b.Input}' and '{b.Output}' differ in shape, or are not in the main graph.");
            return true;
        });

        var next = predicts ? Next(model, all[0], shapes) : null;
        var signals = Observable(model, request.Signals, next, shapes, notes);

        var passes = Passes(sites.All, request.HeldOut ? options.CovarianceElementsPerPass / 2 : options.CovarianceElementsPerPass);
        if (passes.Count == 0) passes.Add([]);
        var batches = new SampleBatches(model, options.BatchSize, options.BatchElements);
        var statistics = new Dictionary<int, ActivationStatistics>();
        var cosines = new Dictionary<int, double>();
        var angles = new Dictionary<int, double>();
        var means = new Dictionary<UnitSignal, SignalStatistics>();
        var moments = new Dictionary<TensorAxis, AxisMoments>();
        for (int p = 0; p < passes.Count; p++)
        {
            long before = (long)p * all.Count, total = (long)passes.Count * all.Count;
            using var pass = new Pass(model, passes[p], p == 0
                ? wantedBlocks
                : [], request.BlockAngles, p == 0 ? signals : [], next, shapes, options.Threads);
            pass.Run(all, request.HeldOut, batches, done => progress?.Report(new CalibrationProgress(before + done, total)),
                cancellationToken);
            pass.Finish(request, statistics, cosines, angles, means, moments, notes);
        }
        return new CalibrationStatistics(statistics, cosines, all.Count) { BlockAngle = angles, Signals = means, Tensors = moments,
            Notes = notes };
    }

    /// <summary>The first output that predicts the next token.</summary>
    private static NextToken? Next(OnnxModel model, IReadOnlyDictionary<string, NamedTensor> sample, Dictionary<string, long[]> shapes)
    {
        var targets = new Targets(model);
        foreach (var output in model.Proto.Graph.Output)
            if (shapes.TryGetValue(output.Name, out var shape) && shape is [_, _, > 1]
                && targets.TokenInput(shape, [.. sample.Values]) is { } tokens) return new(tokens, output.Name);
        return null;
    }

    private static List<UnitSignal> Observable(OnnxModel model, IReadOnlyList<UnitSignal> signals, NextToken? next,
        Dictionary<string, long[]> shapes, List<string> notes)
    {
        bool ranges = (model.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 1) >= 11;
        return [.. signals.Where(s =>
        {
            string? obstacle = !shapes.TryGetValue(s.Tensor, out var shape) || s.Axis >= shape.Length ? "it is not in the main graph"
                : s.Kind == SignalKind.Retrieval && next is null
                    ? "the model has no output with one row of classes per token of an integer input whose tokens are these classes"
                : s.Kind == SignalKind.Retrieval && !Rows(shape, shapes[next!.Logits])
                    ? "it is no map [batch, heads, sequence, sequence] of the tokens that the model reads"
                : s.Kind != SignalKind.RouterUse && !ranges ? "positions are compared from operator set 11 on" : null;
            if (obstacle is not null) notes.Add($"No statistics of '{s.Tensor}': {obstacle}.");
            return obstacle is null;
        })];
    }

    /// <summary>Whether a map has a row and a column for each token; heads may be on the first axis where there is no batch.</summary>
    private static bool Rows(long[] map, long[] logits)
        => map.Length >= 3 && map[^1] == logits[1] && map[^2] == logits[1] && (logits[0] == 1 || (map.Length > 3 && map[0] == logits[0]));

    /// <summary>Sites in runs whose Gram matrices fit the bound together; sites without one ride along with the first.</summary>
    private static List<List<Site>> Passes(IReadOnlyList<Site> sites, long limit)
    {
        var passes = new List<List<Site>>();
        long room = 0;
        foreach (var site in sites)
        {
            long size = site.GramElements;
            if (passes.Count == 0 || size > room)
            {
                if (passes.Count > 0 && size == 0)
                {
                    passes[0].Add(site);
                    continue;
                }
                passes.Add([]);
                room = limit;
            }
            passes[^1].Add(site);
            room -= size;
        }
        return passes;
    }
}
