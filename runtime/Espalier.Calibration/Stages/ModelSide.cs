using Espalier.Calibration.Arrays;
using Espalier.Calibration.Graph;
using Espalier.Onnx;
using Espalier.Runtime;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Espalier.Calibration.Stages;

/// <summary>One of two models that are run stage by stage: what is done, and the activations at its cut.</summary>
/// <param name="threads">Threads within an operator.</param>
/// <param name="memory">Most bytes of activations in memory.</param>
internal sealed class ModelSide(int threads, long memory) : IDisposable
{
    private readonly HashSet<string> _done = new(StringComparer.Ordinal);
    private SortedDictionary<string, Activation> _known = new(StringComparer.Ordinal);

    /// <summary>A tensor at the cut, batch by batch.</summary>
    /// <param name="Type">The number that ONNX has for its type of elements.</param>
    private sealed record Activation(int Type, TensorStore Batches);

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
        var types = _known.ToDictionary(k => k.Key, k => k.Value.Type);
        var instrumentation = new Instrumentation(parts.Extract([.. observed, .. fresh], types));
        instrument(instrumentation);
        foreach (string name in fresh) instrumentation.Keep(name);
        using var copy = instrumentation.Derive(parts.Model);
        return new(this, Sessions.Open(copy, threads), kept, memory / Math.Max(1, kept.Length));
    }

    /// <summary>Begins anew with the graph's inputs where what makes one of some tensors has run already.</summary>
    public void RestartBefore(GraphParts parts, IEnumerable<string> tensors)
    {
        var done = parts.Closure(_done);
        if (!tensors.Any(t => parts.IsMadeBy(t, done))) return;
        _done.Clear();
        Replace(new(StringComparer.Ordinal));
    }

    public void Dispose() => Replace(new(StringComparer.Ordinal));

    private void Replace(SortedDictionary<string, Activation> known)
    {
        foreach (var gone in _known.Where(k => !known.ContainsKey(k.Key))) gone.Value.Batches.Dispose();
        _known = known;
    }

    /// <summary>A stage that is being run.</summary>
    internal sealed class StageRun : IDisposable
    {
        private readonly ModelSide _side;
        private readonly ModelSession _session;
        private readonly HashSet<string> _inputs;
        private readonly string[] _fetched, _kept;
        private readonly long _memory;
        private SortedDictionary<string, Activation> _fresh = new(StringComparer.Ordinal);

        /// <param name="kept">What the next stage is to start from.</param>
        /// <param name="memory">Most bytes of each of these in memory.</param>
        public StageRun(ModelSide side, ModelSession session, string[] kept, long memory)
        {
            (_side, _session, _kept, _memory) = (side, session, kept, memory);
            _inputs = session.Inputs.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
            // What is no tensor (a sequence) has no signature: it is made again by the stages that need it.
            _fetched = [.. session.Outputs.Where(o => o.Dimensions is not null).Select(o => o.Name)];
        }

        /// <summary>Whether it reads one of some tensors.</summary>
        public bool Reads(IEnumerable<string> names) => names.Any(_inputs.Contains);

        /// <summary>Runs a batch; batches come in the same order in every stage.</summary>
        /// <param name="number">Its number.</param>
        /// <param name="inputs">The graph's inputs, with those of the instrumentation.</param>
        /// <returns>What is observed.</returns>
        public IReadOnlyDictionary<string, NamedTensor> Run(int number, IEnumerable<NamedTensor> inputs, CancellationToken cancellation)
        {
            var known = _side._known.Where(k => _inputs.Contains(k.Key)).SelectMany(k => k.Value.Batches.Borrow(number));
            var observed = new Dictionary<string, NamedTensor>(StringComparer.Ordinal);
            _session.Run(inputs.Where(t => _inputs.Contains(t.Name)).Concat(known), _fetched, (name, value) =>
            {
                if (_kept.Contains(name, StringComparer.Ordinal)) Keep(name, value);
                else observed[name] = OrtTensors.FromOrt(name, value);
            }, cancellation);
            return observed;
        }

        private void Keep(string name, OrtValue value)
        {
            var info = value.GetTensorTypeAndShape();
            string type = OrtTensors.NameOf(info.ElementDataType);
            if (!_fresh.TryGetValue(name, out var activation)) _fresh[name] = activation = new(TypeOf(type), new(_memory));
            // The elements of an array that is written to a file are never copied.
            if (info.ElementDataType == TensorElementType.Float)
                activation.Batches.Add(new(name, type, [.. info.Shape], Array.Empty<float>()), value.GetTensorDataAsSpan<float>());
            else activation.Batches.Add([OrtTensors.FromOrt(name, value)]);
        }

        /// <summary>The next stage starts from here.</summary>
        public void Finish()
        {
            var known = new SortedDictionary<string, Activation>(_fresh, StringComparer.Ordinal);
            foreach (string name in _kept)
                if (_side._known.TryGetValue(name, out var before)) known[name] = before;
            _fresh = new(StringComparer.Ordinal);
            _side.Replace(known);
        }

        public void Dispose()
        {
            _session.Dispose();
            foreach (var activation in _fresh.Values) activation.Batches.Dispose();
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
