using Espalier.Axes;
using Espalier.Axes.Graph;
using Espalier.Gradients.Writing;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Gradients;

/// <summary>Writes the model of the gradients: walks over the forward model from its outputs to its inputs.</summary>
internal sealed class BackwardBuilder
{
    private readonly AxisAnalysis _analysis;
    private readonly IReadOnlyList<string> _wanted;
    private readonly IReadOnlySet<string> _given;
    private readonly BackwardGraph _graph = new();
    private readonly Dictionary<string, List<string>> _parts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _stopped = new(StringComparer.Ordinal);

    /// <summary>Names of what a floating output depends on.</summary>
    private readonly HashSet<string> _live = new(StringComparer.Ordinal);

    private BackwardBuilder(AxisAnalysis analysis, IReadOnlyList<string> wanted, IReadOnlySet<string> given)
        => (_analysis, _wanted, _given) = (analysis, wanted, given);

    /// <summary>Writes the model.</summary>
    /// <param name="analysis">The forward model's axes.</param>
    /// <param name="wanted">Floating tensors of the main graph whose gradients are wanted: weights, inputs or what lies between.</param>
    /// <param name="given">Weights that are given at run time, so that they are inputs here too.</param>
    public static Backward Build(AxisAnalysis analysis, IEnumerable<string> wanted, IReadOnlySet<string>? given = null)
        => new BackwardBuilder(analysis, [.. wanted.Distinct()], given ?? new HashSet<string>()).Build();

    private Backward Build()
    {
        var seeds = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var output in _analysis.GraphOutputs.Where(o => o.IsFloating))
        {
            seeds[output.Name] = _graph.Input("seed/" + output.Name, output);
            Add(output.Name, seeds[output.Name]);
            _live.Add(output.Name);
        }
        var reached = Reached();
        foreach (var record in _analysis.State.Records.Where(r => r.Info.Scope == 0).Reverse()) Visit(record, reached);
        var gradients = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var zero = new List<string>();
        foreach (string name in _wanted.Order(StringComparer.Ordinal))
        {
            if (_stopped.ContainsKey(name)) continue;
            if (Total(name) is not { } total) zero.Add(name);
            else _graph.Output(gradients[name] = "gradient/" + name, total);
        }
        var (model, reads) = Model();
        return new(model, reads, seeds, gradients, zero,
            _wanted.Where(_stopped.ContainsKey).ToDictionary(w => w, w => _stopped[w]));
    }

    /// <summary>Names of what depends on a tensor whose gradient is wanted.</summary>
    private HashSet<string> Reached()
    {
        var reached = _wanted.ToHashSet(StringComparer.Ordinal);
        foreach (var record in _analysis.State.Records.Where(r => r.Info.Scope == 0))
            if (record.Inputs.Any(i => i is { } input && reached.Contains(input.Name)) || Reads(record, reached))
                reached.UnionWith(record.Outputs.Select(o => o.Name));
        return reached;
    }

    // Graphs of a node read tensors of the main graph by name.
    private bool Reads(NodeRecord record, HashSet<string> reached)
        => Outer(record).Any(i => reached.Contains(i.Name));

    private IEnumerable<TensorState> Outer(NodeRecord record) => record.Body is not { } body ? []
        : _analysis.State.Records.Where(r => r.Info.Ordinal > record.Info.Ordinal && r.Info.Ordinal < body.End)
            .SelectMany(r => r.Inputs).OfType<TensorState>().Where(i => i.Scope == 0);

    private void Visit(NodeRecord record, HashSet<string> reached)
    {
        if (!record.Outputs.Any(o => _live.Contains(o.Name))) return;
        _live.UnionWith(record.Inputs.OfType<TensorState>().Concat(Outer(record)).Select(i => i.Name));
        var operands = record.Inputs.Select(i => i is { IsFloating: true } && reached.Contains(i.Name)).ToArray();
        var outer = Outer(record).Where(i => i.IsFloating && reached.Contains(i.Name)).ToList();
        if (!operands.Contains(true) && outer.Count == 0) return;
        if (record.Outputs.FirstOrDefault(o => _stopped.ContainsKey(o.Name)) is { } behind)
        {
            Stop(_stopped[behind.Name]);
            return;
        }
        var results = record.Outputs.Select(o => Total(o.Name)).ToArray();
        try
        {
            if (results.All(r => r is null))
            {
                if (!Rounds(record)) return;
                throw new NoGradientException("it rounds to integers, on which an output depends");
            }
            if (outer.Count > 0 || record.Info.Proto.Attribute.Any(a => a.G is not null || a.Graphs.Count > 0))
                throw new NoGradientException("what its graphs compute is not followed backwards");
            var context = new GradientContext(_graph, _analysis.State, record, results, operands)
            {
                Follow = (inner, tensors) => Build(inner, tensors),
            };
            GradientRules.Find(record.Info.Proto, record.Opset)(context);
            foreach (var (operand, gradient) in context.Given) Add(record.Inputs[operand]!.Name, gradient);
            foreach (var (operand, reason) in context.Refused)
                _stopped.TryAdd(record.Inputs[operand]!.Name, Message(record.Inputs[operand]!, reason));
        }
        catch (NoGradientException e)
        {
            var reader = record.Inputs.Zip(operands).FirstOrDefault(p => p.Second).First ?? outer[0];
            Stop(Message(reader, e.Message));
        }

        string Message(TensorState tensor, string reason) => $"tensor '{tensor.Name}': {record.Info} has no gradient: {reason}";

        void Stop(string reason)
        {
            foreach (var (operand, _) in record.Inputs.Zip(operands).Where(p => p.Second)) _stopped.TryAdd(operand!.Name, reason);
            foreach (var operand in outer) _stopped.TryAdd(operand.Name, reason);
        }
    }

    // What an operator says of its operands, such as their sizes, does not change with them; what it rounds does, in steps.
    private bool Rounds(NodeRecord record) => !GradientRules.IsConstantBetweenSteps(record.Info.Proto, record.Opset)
        && record.Outputs.Any(o => !o.IsFloating && o.ElementType != (int)TensorProto.Types.DataType.Bool && _live.Contains(o.Name));

    private void Add(string tensor, string gradient)
    {
        if (!_parts.TryGetValue(tensor, out var parts)) _parts[tensor] = parts = [];
        parts.Add(gradient);
    }

    private string? Total(string tensor)
    {
        if (!_parts.TryGetValue(tensor, out var parts)) return null;
        if (parts.Count > 1) _parts[tensor] = parts = [_graph.Op("Sum", [.. parts])];
        return parts[0];
    }

    private (OnnxModel Model, IReadOnlyList<string> Reads) Model()
    {
        var forward = _analysis.Model.Proto;
        var proto = new ModelProto { IrVersion = 10, ProducerName = "espalier", Graph = _graph.Proto };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = BackwardGraph.Opset });
        var needed = proto.Graph.Needed();
        proto.Graph.Node.Keep(n => n.Output.Any(needed.Contains));
        var used = proto.Graph.Node.SelectMany(n => n.Input).ToHashSet(StringComparer.Ordinal);
        var weights = forward.Graph.Initializer.Where(t => used.Contains(t.Name) && !_given.Contains(t.Name)).ToList();
        proto.Graph.Initializer.AddRange(weights);
        var inside = weights.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var reads = _graph.Reads.Values.Where(t => used.Contains(t.Name) && !inside.Contains(t.Name))
            .OrderBy(t => t.Name, StringComparer.Ordinal).ToList();
        foreach (var tensor in reads)
            proto.Graph.Input.Add(new ValueInfoProto { Name = tensor.Name, Type = BackwardGraph.TypeOf(tensor) });
        return (_analysis.Model.Derive(proto), [.. reads.Select(t => t.Name)]);
    }
}
