using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Sums;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>What the pass over the samples measures.</summary>
internal sealed record PassContent(IReadOnlyList<Site> Sites, IReadOnlyList<Block> Blocks, IReadOnlyList<UnitSignal> Signals);

/// <summary>What can be measured of what was asked for, found once.</summary>
internal sealed class MeasurementPlan
{
    private readonly List<string> _notes = [];

    private MeasurementPlan(OnnxModel model, CalibrationRequest request, CalibrationOptions options)
        => (Model, Request, Options) = (model, request, options);

    public OnnxModel Model { get; }
    public CalibrationRequest Request { get; }
    public CalibrationOptions Options { get; }

    /// <summary>Shapes in the run of one sample, of every tensor that is measured.</summary>
    public Dictionary<string, long[]> Shapes { get; private set; } = [];

    /// <summary>Null where no signal needs it, or no output predicts the next token.</summary>
    public NextToken? Next { get; private set; }

    /// <summary>What the pass over the samples measures.</summary>
    public PassContent Content { get; private set; } = new([], [], []);

    /// <summary>What is left out and why.</summary>
    public IReadOnlyList<string> Notes => _notes;

    public static MeasurementPlan Create(CalibratedModel model, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
        CalibrationRequest request, CalibrationOptions options, CancellationToken cancellation)
    {
        var plan = new MeasurementPlan(model.Model, request, options);
        var consumers = plan.Wanted(model.Consumers);
        var blocks = model.Blocks.Where(b => request.Blocks?.Contains(b.Id) != false).ToList();
        bool predicts = request.Signals.Any(s => s.Kind == SignalKind.Retrieval);
        var tensors = consumers.Select(c => c.Activation).Concat(blocks.SelectMany(b => new[] { b.Input, b.Output }))
            .Concat(request.Signals.Select(s => s.Tensor)).Concat(request.Tensors.Select(t => t.Tensor))
            .Concat(predicts ? model.Model.Proto.Graph.Output.Select(o => o.Name) : []).ToHashSet(StringComparer.Ordinal);
        plan.Shapes = Graph.Shapes.Measure(model.Model, tensors, samples[0], cancellation);

        var sites = plan.FindSites(consumers, SampleBatches.OfOneShape(samples) ? samples.Count : 0);
        blocks.RemoveAll(b => !plan.IsComparable(b));
        if (predicts) plan.Next = plan.FindNext(samples[0]);
        var signals = plan.Observable();
        plan.Content = new(sites, blocks, signals);
        return plan;
    }

    /// <summary>The consumers that are asked for and whose tensors can be fetched.</summary>
    private List<Consumer> Wanted(IReadOnlyList<Consumer> consumers)
    {
        var asked = consumers.Where(c => Request.Consumers?.Contains(c.Id) != false || Request.Covariance.Contains(c.Id))
            .ToLookup(c => c.Node.Scope == 0);
        var inside = asked[false].ToList();
        if (inside.Count > 0)
            _notes.Add($"No statistics for {inside.Count} consumers inside subgraphs, whose tensors cannot be fetched: "
                + $"{string.Join(", ", inside.Take(3).Select(c => c.Node))}{(inside.Count > 3 ? ", …" : "")}.");
        return [.. asked[true]];
    }

    private IReadOnlyList<Site> FindSites(List<Consumer> consumers, int samples)
    {
        var weights = GraphFacts.WeightShapes(Model);
        var sites = new Sites(weights, Shapes, new(Options.PositionsPerSample, Options.RowsPerFeature, samples), _notes);
        foreach (var consumer in consumers) sites.Add(consumer, Request.Covariance.Contains(consumer.Id));
        foreach (var place in Request.Tensors) sites.Add(place);
        sites.NoteSpacing();
        foreach (var site in sites.All)
        {
            if (!site.Covariance || site.Features <= Options.CovarianceFeatures) continue;
            site.Covariance = false;
            _notes.Add($"No covariance for {site.Consumers[0].Node}: {site.Features} features are more than {Options.CovarianceFeatures}.");
        }
        return sites.All;
    }

    private bool IsComparable(Block b)
    {
        if (Shapes.TryGetValue(b.Input, out var i) && Shapes.TryGetValue(b.Output, out var o) && i.Length > 0 && i.SequenceEqual(o))
            return true;
        _notes.Add($"No similarity for block '{b.Name}': '{b.Input}' and '{b.Output}' differ in shape, or are not in the main graph.");
        return false;
    }

    /// <summary>The first output that predicts the next token.</summary>
    private NextToken? FindNext(IReadOnlyDictionary<string, NamedTensor> sample)
    {
        var targets = new Targets(Model);
        foreach (var output in Model.Proto.Graph.Output)
            if (Shapes.TryGetValue(output.Name, out var shape) && shape is [_, _, > 1]
                && targets.TokenInput(shape, [.. sample.Values]) is { } tokens) return new(tokens, output.Name);
        return null;
    }

    private List<UnitSignal> Observable()
    {
        bool ranges = (GraphFacts.StandardSet(Model.Proto)?.Version ?? 1) >= 11;
        return [.. Request.Signals.Where(s =>
        {
            string? obstacle = !Shapes.TryGetValue(s.Tensor, out var shape) || s.Axis >= shape.Length ? "it is not in the main graph"
                : s.Kind == SignalKind.Retrieval && Next is null
                    ? "the model has no output with one row of classes per token of an integer input whose tokens are these classes"
                : s.Kind == SignalKind.Retrieval && !HasTokenRows(shape, Shapes[Next!.Logits])
                    ? "it is no map [batch, heads, sequence, sequence] of the tokens that the model reads"
                : s.Kind != SignalKind.RouterUse && !ranges ? "positions are compared from operator set 11 on" : null;
            if (obstacle is not null) _notes.Add($"No statistics of '{s.Tensor}': {obstacle}.");
            return obstacle is null;
        })];
    }

    /// <summary>Whether a map has a row and a column for each token; heads may be on the first axis where there is no batch.</summary>
    private static bool HasTokenRows(long[] map, long[] logits)
        => map.Length >= 3 && map[^1] == logits[1] && map[^2] == logits[1] && (logits[0] == 1 || (map.Length > 3 && map[0] == logits[0]));
}
