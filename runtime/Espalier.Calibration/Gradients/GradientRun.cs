using Espalier.Axes;
using Espalier.Calibration.Graph;
using Espalier.Gradients;
using Espalier.Gradients.Writing;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Calibration.Gradients;

/// <summary>
/// A model that is run forwards and backwards. What the way back reads are outputs of the way forth, which stay in the runtime's memory.
/// Weights that are trained are inputs of both, so that they change between runs.
/// </summary>
internal sealed class GradientRun : IDisposable
{
    private readonly OnnxModel _forwardModel;
    private readonly InferenceSession _forward;
    private readonly InferenceSession? _backward;
    private readonly string[] _outputs;
    private readonly RunOptions _options = new();
    private readonly Dictionary<string, OrtValue> _weights = new(StringComparer.Ordinal);

    /// <param name="wanted">Floating tensors of the main graph whose gradients are wanted.</param>
    /// <param name="trained">Float32 weights that change between runs.</param>
    /// <param name="threads">Threads within an operator; 0 for as many as there are cores.</param>
    public GradientRun(AxisAnalysis analysis, IEnumerable<string> wanted, IEnumerable<string>? trained = null, int threads = 0)
    {
        string[] changing = [.. trained ?? []];
        Backward = BackwardBuilder.Build(analysis, wanted, changing.ToHashSet(StringComparer.Ordinal));
        var proto = analysis.Model.Proto.Clone();
        _outputs = [.. proto.Graph.Output.Select(o => o.Name)];
        foreach (string name in changing) Open(analysis, proto, name);
        var given = proto.Graph.Input.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        foreach (string read in Backward.Reads.Where(r => !given.Contains(r) && !_outputs.Contains(r)))
            proto.Graph.Output.Add(new ValueInfoProto { Name = read });
        _forwardModel = analysis.Model.Derive(proto);
        _forward = Session(_forwardModel, threads);
        _backward = Backward.Gradients.Count > 0 ? Session(Backward.Model, threads) : null;
    }

    /// <summary>What is computed backwards, and what is not.</summary>
    public Backward Backward { get; }

    /// <summary>Weights that are trained; what is written into them is what the next run reads.</summary>
    public Dictionary<string, float[]> Weights { get; } = new(StringComparer.Ordinal);

    /// <summary>Runs both ways.</summary>
    /// <param name="inputs">The model's inputs.</param>
    /// <param name="seed">Given the model's outputs, the gradient of the loss by each of them (row-major float32); outputs that it does
    /// not depend on may be absent.</param>
    /// <param name="use">Given the gradients by tensor, which are valid until it returns.</param>
    public void Run(IReadOnlyDictionary<string, OrtValue> inputs,
        Func<IReadOnlyDictionary<string, OrtValue>, IReadOnlyDictionary<string, float[]>> seed,
        Action<IReadOnlyDictionary<string, OrtValue>> use)
    {
        var known = WithWeights(inputs);
        using var made = _forward.Run(_options, Only(known, _forward), _forward.OutputNames);
        foreach (var (i, name) in _forward.OutputNames.Index()) known[name] = made[i];
        var seeds = seed(_outputs.ToDictionary(o => o, o => known[o]));
        var owned = new List<OrtValue>();
        try
        {
            foreach (var (output, input) in Backward.Seeds)
            {
                var shape = known[output].GetTensorTypeAndShape();
                float[] values = seeds.GetValueOrDefault(output) ?? new float[shape.ElementCount];
                owned.Add(known[input] = OrtValue.CreateTensorValueFromMemory(values, shape.Shape));
            }
            if (_backward is null) return;
            using var gradients = _backward.Run(_options, Only(known, _backward), _backward.OutputNames);
            var byOutput = _backward.OutputNames.Index().ToDictionary(o => o.Item, o => gradients[o.Index], StringComparer.Ordinal);
            use(Backward.Gradients.ToDictionary(g => g.Key, g => byOutput[g.Value], StringComparer.Ordinal));
        }
        finally
        {
            foreach (var value in owned) value.Dispose();
        }
    }

    /// <summary>Runs forwards alone.</summary>
    public void Forward(IReadOnlyDictionary<string, OrtValue> inputs, Action<IReadOnlyDictionary<string, OrtValue>> use)
    {
        using var made = _forward.Run(_options, Only(WithWeights(inputs), _forward), _outputs);
        use(_outputs.Index().ToDictionary(o => o.Item, o => made[o.Index], StringComparer.Ordinal));
    }

    private Dictionary<string, OrtValue> WithWeights(IReadOnlyDictionary<string, OrtValue> inputs)
    {
        var known = new Dictionary<string, OrtValue>(inputs, StringComparer.Ordinal);
        foreach (var (name, value) in _weights) known[name] = value;
        return known;
    }

    private static Dictionary<string, OrtValue> Only(Dictionary<string, OrtValue> known, InferenceSession session)
        => session.InputNames.ToDictionary(n => n, n => known[n], StringComparer.Ordinal);

    /// <summary>Makes a weight an input that must be given.</summary>
    private void Open(AxisAnalysis analysis, ModelProto proto, string name)
    {
        var tensor = proto.Graph.Initializer.First(t => t.Name == name);
        proto.Graph.Initializer.Remove(tensor);
        if (!proto.Graph.Input.Any(i => i.Name == name)) proto.Graph.Input.Add(tensor.ToInput());
        Weights[name] = analysis.Model.Content(tensor).ToFloats();
        _weights[name] = OrtValue.CreateTensorValueFromMemory(Weights[name], [.. tensor.Dims]);
    }

    private static InferenceSession Session(OnnxModel model, int threads)
    {
        using var options = Sessions.Options(threads);
        return new(Sessions.Bytes(model), options);
    }

    public void Dispose()
    {
        _forward.Dispose();
        _backward?.Dispose();
        foreach (var value in _weights.Values) value.Dispose();
        _options.Dispose();
        _forwardModel.Dispose();
        Backward.Model.Dispose();
    }
}
