using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Results;
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
    /// <summary>
    /// Where the graph was cut on the way to the present cut. Fused kernels differ with the cuts, and sums with the kernels: so what is
    /// known goes by them, and where something is not, the same cuts are made as if nothing were.
    /// </summary>
    private readonly List<int> _cuts = [];

    /// <summary>Those of them that were made.</summary>
    private readonly List<int> _made = [];

    private readonly GraphParts _parts = new(gated);
    private readonly Dictionary<string, long[]> _shapes = gated.Proto.Graph.Input.Where(i => i.Type?.TensorType?.Shape is not null)
        .ToDictionary(i => i.Name, i => i.Type.TensorType.Shape.Dim.Select(d => d.DimValue).ToArray(), StringComparer.Ordinal);
    private readonly string[] _outputs = [.. gated.Proto.Graph.Output.Select(o => o.Name)];
    private List<IReadOnlyDictionary<string, NamedTensor>> _known = [.. batches.Select(_ => new Dictionary<string, NamedTensor>())];
    private ModelSession? _session;
    /// <summary>What the session takes: its inputs, and those that need not be given.</summary>
    private HashSet<string> _wanted = [];
    private bool _whole;

    /// <summary>Divergences of this model on these batches that are known; null for none.</summary>
    public KnownDivergences? Known { get; init; }

    /// <inheritdoc/>
    public double Divergence(IReadOnlyDictionary<string, float[]> settings)
    {
        int first = gated.Proto.Graph.Node.TakeWhile(n => !n.Reads().Any(settings.ContainsKey)).Count();
        Cut(_whole || first == gated.Proto.Graph.Node.Count ? 0 : first);
        if (Known is null) return Measure(settings);
        using var hash = new ContentHash();
        return Known.Get(hash.Add(string.Join(',', _cuts)).Add(settings).ToText(), () => Measure(settings));
    }

    /// <summary>Notes a cut; nothing is run before something is to be measured.</summary>
    private void Cut(int cut)
    {
        int last = _cuts.Count > 0 ? _cuts[^1] : 0;
        if (cut < last) _cuts.Clear();
        if (cut > 0 && cut != last) _cuts.Add(cut);
    }

    private double Measure(IReadOnlyDictionary<string, float[]> settings)
    {
        Make();
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

    public void Dispose()
    {
        _session?.Dispose();
        Known?.Dispose();
    }

    /// <summary>Opens what follows the last cut.</summary>
    private void Make()
    {
        bool goesOn = _made.SequenceEqual(_cuts.Take(_made.Count));
        if (_session is not null && goesOn && _made.Count == _cuts.Count) return;
        _session?.Dispose();
        _session = null;
        if (!goesOn) Restart();
        foreach (int cut in _cuts.Skip(_made.Count).ToArray())
        {
            _made.Add(cut);
            if (Advance(cut)) continue;
            // What is no tensor (a sequence) cannot be kept: all of it is run.
            _whole = true;
            _cuts.Clear();
            Restart();
            break;
        }
        _session = Session([.. _outputs.Where(o => !_known[0].ContainsKey(o))]);
        _wanted = [.. _session.Inner.InputNames, .. _session.Inner.OverridableInitializerMetadata.Keys];
    }

    private void Restart()
    {
        _made.Clear();
        _known = [.. batches.Select(_ => new Dictionary<string, NamedTensor>())];
    }

    /// <summary>Runs up to the cut; false where what crosses it cannot be kept.</summary>
    private bool Advance(int cut)
    {
        var done = gated.Proto.Graph.Node.Take(cut).ToHashSet<NodeProto>(ReferenceEqualityComparer.Instance);
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
