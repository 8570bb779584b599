using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Stages;

/// <summary>One of two models that are run stage by stage: what is done, and the activations at its cut.</summary>
/// <param name="threads">Threads within an operator.</param>
/// <param name="memory">Most bytes of activations in memory.</param>
internal sealed class ModelSide(int threads, long memory) : IDisposable
{
    private readonly HashSet<string> _done = new(StringComparer.Ordinal);
    private Dictionary<string, int> _known = new(StringComparer.Ordinal);
    private TensorStore _store = new(memory);

    /// <summary>Begins a stage.</summary>
    /// <param name="parts">The model as it is now.</param>
    /// <param name="observed">Tensors that this stage looks at.</param>
    /// <param name="final">Tensors that are as they will be: what they are computed from is not run again.</param>
    /// <param name="later">What later stages look at.</param>
    /// <param name="instrument">Writes what is fetched.</param>
    public StageRun Open(GraphParts parts, IReadOnlyCollection<string> observed, IReadOnlyCollection<string> final,
        IReadOnlyCollection<string> later, Action<Instrumentation> instrument)
    {
        _done.UnionWith(final);
        var done = parts.Closure(_done);
        string[] kept = [.. parts.Live(done, later).Order(StringComparer.Ordinal)];
        string[] fresh = [.. kept.Where(k => !_known.ContainsKey(k))];
        var instrumentation = new Instrumentation(parts.Extract([.. observed, .. fresh], _known));
        instrument(instrumentation);
        foreach (string name in fresh) instrumentation.Keep(name);
        using var copy = instrumentation.Derive(parts.Model);
        return new(this, Sessions.Open(copy, threads), kept, new(memory));
    }

    /// <summary>Begins anew with the graph's inputs where what makes one of some tensors has run already.</summary>
    public void RestartBefore(GraphParts parts, IEnumerable<string> tensors)
    {
        var done = parts.Closure(_done);
        if (!tensors.Any(t => parts.IsMadeBy(t, done))) return;
        _done.Clear();
        _known = new(StringComparer.Ordinal);
        _store.Dispose();
        _store = new(memory);
    }

    public void Dispose() => _store.Dispose();

    /// <summary>A stage that is being run.</summary>
    internal sealed class StageRun : IDisposable
    {
        private readonly ModelSide _side;
        private readonly ModelSession _session;
        private readonly HashSet<string> _inputs;
        private readonly string[] _fetched, _kept;
        private TensorStore? _store;
        private Dictionary<string, int> _types = [];

        /// <param name="kept">What the next stage is to start from.</param>
        /// <param name="store">Takes it; goes with the run that does not finish.</param>
        public StageRun(ModelSide side, ModelSession session, IEnumerable<string> kept, TensorStore store)
        {
            (_side, _session, _store) = (side, session, store);
            _inputs = session.Inputs.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
            // What is no tensor (a sequence) has no signature: it is made again by the stages that need it.
            _fetched = [.. session.Outputs.Where(o => o.Dimensions is not null).Select(o => o.Name)];
            _kept = [.. kept.Where(k => side._known.ContainsKey(k) || _fetched.Contains(k, StringComparer.Ordinal))];
        }

        /// <summary>Runs a batch; batches come in the same order in every stage.</summary>
        /// <param name="number">Its number.</param>
        /// <param name="inputs">The graph's inputs, with those of the instrumentation.</param>
        public IReadOnlyDictionary<string, NamedTensor> Run(int number, IEnumerable<NamedTensor> inputs, CancellationToken cancellation)
        {
            var known = _side._store.Count == 0 ? [] : _side._store.Get(number).ToList();
            var outputs = _session.Run(inputs.Concat(known).Where(t => _inputs.Contains(t.Name)), _fetched, cancellation);
            var before = known.ToDictionary(t => t.Name, StringComparer.Ordinal);
            NamedTensor[] left = [.. _kept.Select(k => before.GetValueOrDefault(k) ?? outputs[k])];
            _store!.Add(left);
            if (number == 0) _types = left.ToDictionary(t => t.Name, t => TypeOf(t.ElementType), StringComparer.Ordinal);
            return outputs;
        }

        /// <summary>The next stage starts from here.</summary>
        public void Finish()
        {
            _side._store.Dispose();
            (_side._store, _side._known, _store) = (_store!, _types, null);
        }

        public void Dispose()
        {
            _session.Dispose();
            _store?.Dispose();
        }

    }

    /// <summary>The number that ONNX has for a type of elements.</summary>
    public static int TypeOf(string element) => (int)(element switch
    {
        "float32" => TensorProto.Types.DataType.Float,
        "float64" => TensorProto.Types.DataType.Double,
        _ => Enum.Parse<TensorProto.Types.DataType>(element, ignoreCase: true),
    });
}
