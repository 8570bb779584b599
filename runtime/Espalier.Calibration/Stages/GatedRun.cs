using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Runtime;

namespace Espalier.Calibration.Stages;

/// <summary>
/// A model under many settings of inputs that need not be given. Settings that begin to act at one node are run from there: what
/// comes before it is run once.
/// </summary>
/// <param name="gated">The model.</param>
/// <param name="batches">What it is run on.</param>
/// <param name="tally">Makes what compares.</param>
internal sealed class GatedRun(OnnxModel gated, IReadOnlyList<ExpectedBatch> batches, Func<DivergenceTally> tally, int threads,
    CancellationToken cancellation) : IGatedRun
{
    private readonly GraphParts _parts = new(gated);
    private readonly Dictionary<string, long[]> _shapes = gated.Proto.Graph.Input.Where(i => i.Type?.TensorType?.Shape is not null)
        .ToDictionary(i => i.Name, i => i.Type.TensorType.Shape.Dim.Select(d => d.DimValue).ToArray(), StringComparer.Ordinal);
    private readonly string[] _outputs = [.. gated.Proto.Graph.Output.Select(o => o.Name)];
    private List<IReadOnlyDictionary<string, NamedTensor>> _known = [.. batches.Select(_ => new Dictionary<string, NamedTensor>())];
    private ModelSession? _session;
    /// <summary>What the session takes: its inputs, and those that need not be given.</summary>
    private HashSet<string> _wanted = [];
    /// <summary>Nodes whose results are known, in the order of the graph.</summary>
    private int _cut;
    private bool _whole;

    /// <inheritdoc/>
    public double Divergence(IReadOnlyDictionary<string, float[]> settings)
    {
        int first = gated.Proto.Graph.Node.TakeWhile(n => !n.Reads().Any(settings.ContainsKey)).Count();
        Open(_whole || first == gated.Proto.Graph.Node.Count ? 0 : first);
        // What no output depends on is not in the graph that is run.
        NamedTensor[] gates = [.. settings.Where(s => _wanted.Contains(s.Key))
            .Select(s => new NamedTensor(s.Key, "float32", _shapes[s.Key], s.Value))];
        var found = tally();
        for (int b = 0; b < batches.Count; b++)
        {
            var known = _known[b];
            var given = batches[b].Inputs.Concat(known.Values).Where(t => _wanted.Contains(t.Name));
            var made = new Dictionary<string, NamedTensor>(_session!.Run([.. given, .. gates], cancellation), StringComparer.Ordinal);
            foreach (string output in _outputs.Where(known.ContainsKey)) made[output] = known[output];
            found.Add(batches[b].Expected, made, batches[b].Targets);
        }
        return found.Mean;
    }

    public void Dispose() => _session?.Dispose();

    /// <summary>Opens what follows a cut.</summary>
    private void Open(int cut)
    {
        if (_session is not null && cut == _cut) return;
        _session?.Dispose();
        _session = null;
        if (cut < _cut) _known = [.. batches.Select(_ => new Dictionary<string, NamedTensor>())];
        _cut = cut;
        if (cut > 0 && !Advance())
        {
            // What is no tensor (a sequence) cannot be kept: all of it is run.
            _whole = true;
            Open(0);
            return;
        }
        _session = Session([.. _outputs.Where(o => !_known[0].ContainsKey(o))]);
        _wanted = [.. _session.Inner.InputNames, .. _session.Inner.OverridableInitializerMetadata.Keys];
    }

    /// <summary>Runs up to the cut; false where what crosses it cannot be kept.</summary>
    private bool Advance()
    {
        var done = gated.Proto.Graph.Node.Take(_cut).ToHashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        string[] live = [.. _parts.Live(done, _outputs).Order(StringComparer.Ordinal)];
        string[] fresh = [.. live.Where(t => !_known[0].ContainsKey(t))];
        using var session = fresh.Length == 0 ? null : Session(fresh);
        if (session?.Outputs.Any(o => o.Dimensions is null) == true) return false;
        var wanted = session?.Inputs.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        _known = [.. _known.Select((known, b) =>
        {
            var made = session?.Run(batches[b].Inputs.Concat(known.Values).Where(t => wanted!.Contains(t.Name)), cancellation);
            return (IReadOnlyDictionary<string, NamedTensor>)live.ToDictionary(t => t, t => known.GetValueOrDefault(t) ?? made![t],
                StringComparer.Ordinal);
        })];
        return true;
    }

    private ModelSession Session(string[] targets)
    {
        var types = _known[0].ToDictionary(k => k.Key, k => ModelSide.TypeOf(k.Value.ElementType), StringComparer.Ordinal);
        var part = new Instrumentation(_parts.Extract(targets, types));
        foreach (string target in targets) part.Keep(target);
        using var copy = part.Derive(gated);
        return Sessions.Open(copy, threads);
    }
}
