using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Sums;
using Espalier.Onnx;

namespace Espalier.Calibration.Stages;

/// <summary>
/// A dense model and a slim one side by side, stage by stage. Each stage starts from the activations that the one before kept, so
/// that all of them together run either model about once, however many there are; what a stage is to change runs once more.
/// </summary>
internal sealed class StagedRun : IStagedRun
{
    private readonly GraphParts _dense;
    private readonly IReadOnlyList<IReadOnlyList<FitPoint>> _stages;
    private readonly StageData _data;
    private readonly CalibrationOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly ModelSide _denseSide, _slimSide;
    private readonly TileProducts _products;
    private int _next;

    /// <param name="stages">What is observed at each stage.</param>
    /// <param name="data">The samples.</param>
    public StagedRun(OnnxModel dense, IReadOnlyList<IReadOnlyList<FitPoint>> stages, StageData data, CalibrationOptions options,
        CancellationToken cancellation)
    {
        (_dense, _stages, _data, _options, _cancellation) = (new(dense), stages, data, options, cancellation);
        (_denseSide, _slimSide) = (new(options.Threads, options.ActivationBytes), new(options.Threads, options.ActivationBytes));
        _products = new(options.Threads);
    }

    /// <summary>Told what is being run.</summary>
    public Action<WorkStep>? Progress { get; init; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<int, ErrorStatistics> Next(OnnxModel slim)
    {
        Progress?.Invoke(new("fitting layer by layer", _next, _stages.Count));
        var points = _stages[_next];
        var parts = new GraphParts(slim);
        if (_next > 0) _slimSide.RestartBefore(parts, _stages[_next - 1].Select(p => p.Consumer.Node.Proto.Output[0]));
        _next++;
        var observed = Observe(slim, [.. points.Where(p => parts.Has(p.Consumer.Activation)
            && (p.Output is null || parts.Has(p.Output.Tensor)))]);
        if (observed.Count == 0) return new Dictionary<int, ErrorStatistics>();
        using var left = _slimSide.Open(parts, [.. observed.SelectMany(o => o.Tensors)],
            [.. observed.SelectMany(o => o.Points).Where(p => p.Output?.Tensor != p.Consumer.Activation)
                .Select(p => p.Consumer.Activation)],
            [.. _stages.Skip(_next).SelectMany(s => s).SelectMany(p => new[] { p.Consumer.Activation, p.Output?.Tensor }).OfType<string>()
                .Where(parts.Has)],
            i => observed.ForEach(o => o.TapSlim(i)));
        var outputs = observed.SelectMany(o => o.Points).Select(p => p.Output?.Tensor).OfType<string>().ToList();
        using var whole = outputs.Count == 0 ? null : _denseSide.Open(_dense, outputs, outputs,
            [.. _stages.Skip(_next).SelectMany(s => s).Select(p => p.Output?.Tensor).OfType<string>()],
            i => observed.ForEach(o => o.TapDense(i)));
        for (int b = 0; b < _data.Batches.Count; b++)
        {
            var inputs = left.Reads(_data.Names) || whole?.Reads(_data.Names) == true ? _data.Batches[b] : [];
            var z = left.Run(b, [.. inputs, .. observed.SelectMany(o => o.SlimInputs(b))], _cancellation);
            var x = whole?.Run(b, [.. inputs, .. observed.SelectMany(o => o.DenseInputs(b))], _cancellation);
            foreach (var one in observed) one.Add(x, z, heldOut: b >= _data.Fitted);
        }
        left.Finish();
        whole?.Finish();
        return observed.SelectMany(o => o.Finish()).ToDictionary(r => r.Consumer, r => r.Statistics);
    }

    /// <summary>Sites of the slim model with the points that are read there.</summary>
    private List<ObservedSite> Observe(OnnxModel slim, IReadOnlyList<FitPoint> points)
    {
        // Positions are those of the dense model; how many features are left the slim model's weights say.
        var shapes = new Dictionary<string, long[]>(StringComparer.Ordinal);
        foreach (var consumer in points.Select(p => p.Consumer))
        {
            if (!_data.Shapes.TryGetValue(consumer.Activation, out var shape)) continue;
            shapes[consumer.Activation] = [.. shape];
            if (consumer.ActivationAxis >= 0 && consumer.ActivationAxis < shape.Length)
                shapes[consumer.Activation][consumer.ActivationAxis] = Sites.Unknown;
        }
        var sites = new Sites(GraphFacts.WeightShapes(slim), shapes,
            new(_options.PositionsPerSample, _options.RowsPerFeature, _data.Samples), []);
        foreach (var point in points) sites.Add(point.Consumer, true);
        // Experts and groups of a convolution are fitted to the dense model's statistics.
        return [.. sites.All.Where(s => s.BatchAxis < 0 && s.Window is null or { Groups: 1 } && s.Features <= _options.CovarianceFeatures)
            .Select((site, n) => new ObservedSite(site, n, [.. points.Where(p => site.Consumers.Contains(p.Consumer)
                && (p.Output is null || _data.Shapes.ContainsKey(p.Output.Tensor)))], _data.Shapes, _products, _cancellation))
            .Where(o => o.Points.Count > 0)];
    }

    public void Dispose()
    {
        _denseSide.Dispose();
        _slimSide.Dispose();
        _products.Dispose();
    }
}

/// <summary>The samples of a staged run.</summary>
/// <param name="Batches">Inputs by batch: those that are fitted to, then those that are held out.</param>
/// <param name="Fitted">How many of the batches are fitted to.</param>
/// <param name="Shapes">Shapes of the dense model's tensors on the first sample.</param>
/// <param name="Samples">Samples; 0 where they differ in shape.</param>
internal sealed record StageData(IReadOnlyList<IReadOnlyList<NamedTensor>> Batches, int Fitted, IReadOnlyDictionary<string, long[]> Shapes,
    int Samples)
{
    /// <summary>Names of the inputs.</summary>
    public IReadOnlyList<string> Names { get; } = [.. Batches.Take(1).SelectMany(b => b).Select(t => t.Name)];
}
