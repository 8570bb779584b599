using Espalier.Axes;
using Espalier.Axes.Graph;
using Espalier.Axes.Inference;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;

namespace Espalier.Pruning.Edits;

/// <summary>A clone of the dense graph that surgery edits, with the nodes and weights of the analysis found again in it.</summary>
internal sealed class EditableGraph
{
    private readonly ModelProto _model;
    private readonly List<NodeProto> _nodes = [];
    // Messages compare by value; two equal nodes are still two.
    private readonly Dictionary<NodeProto, GraphProto> _home = new(ReferenceEqualityComparer.Instance);
    private readonly List<GraphProto> _scopes = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<int, List<NodeProto>> _before = [];
    private readonly Dictionary<int, List<NodeProto>> _after = [];
    private readonly HashSet<string> _liveBefore;
    // What surgery itself made must be needed too: it may have been made for a branch that then went.
    private readonly HashSet<string> _fresh = new(StringComparer.Ordinal);

    public EditableGraph(AxisAnalysis analysis, ModelProto clone)
    {
        (Analysis, _model) = (analysis, clone);
        Walk(clone.Graph);
        _liveBefore = clone.Graph.Needed();
    }

    public AxisAnalysis Analysis { get; }

    public NodeProto Node(int ordinal) => _nodes[ordinal];

    // The same walk as the inference's: a node, then the graphs that it holds.
    private void Walk(GraphProto graph)
    {
        _scopes.Add(graph);
        foreach (var tensor in graph.Initializer) _names.Add(tensor.Name);
        foreach (var value in graph.Input) _names.Add(value.Name);
        foreach (var node in graph.Node)
        {
            _nodes.Add(node);
            _home[node] = graph;
            foreach (string output in node.Output) _names.Add(output);
            if (!Subgraphs.IsFollowed(node)) continue;
            foreach (var attribute in node.Attribute) if (attribute.G is not null) Walk(attribute.G);
        }
    }

    public string FreshName(string stem)
    {
        string name = stem;
        for (int n = 2; !_names.Add(name); n++) name = $"{stem}_{n}";
        _fresh.Add(name);
        return name;
    }

    public bool IsOutput(TensorState tensor) => _scopes[tensor.Scope].Output.Any(o => o.Name == tensor.Name);

    /// <summary>
    /// Adds a constant to a graph. Before IR version 4 an initializer of a body would have to be an input of
    /// it: there it is a node.
    /// </summary>
    public void AddInitializer(int scope, TensorProto tensor)
    {
        if (scope == 0 || _model.IrVersion >= 4)
        {
            _scopes[scope].Initializer.Add(tensor);
            return;
        }
        var node = NewNode("Constant", tensor.Name, tensor.Name);
        tensor.ClearName();
        node.Attribute.Add(new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor });
        _scopes[scope].Node.Insert(0, node);
    }

    /// <summary>Adds a list of integers under a name like the one given.</summary>
    /// <returns>Its name.</returns>
    public string AddLongs(int scope, string stem, long[] values, TensorProto.Types.DataType type = TensorProto.Types.DataType.Int64)
        => AddNumbers(scope, stem, values, [values.Length], type);

    /// <summary>Adds whole numbers of any shape and type.</summary>
    /// <returns>The tensor's name.</returns>
    public string AddNumbers(int scope, string stem, long[] values, int[] dims, TensorProto.Types.DataType type)
    {
        string name = FreshName(stem);
        var payload = DataTypes.IsInteger(type) ? TensorContent.FromLongs(type, values)
            : TensorContent.FromFloats(type, [.. values.Select(v => (float)v)]);
        AddInitializer(scope, Analysis.Model.NewTensor(name, type, [.. dims.Select(d => (long)d)], payload));
        return name;
    }

    public static NodeProto NewNode(string op, string name, string output, params IEnumerable<string> inputs)
        => new() { OpType = op, Name = name, Input = { inputs }, Output = { output } };

    public void InsertBefore(int ordinal, NodeProto node) => Pending(_before, ordinal).Add(node);

    public void InsertAfter(int ordinal, NodeProto node) => Pending(_after, ordinal).Add(node);

    private static List<NodeProto> Pending(Dictionary<int, List<NodeProto>> where, int ordinal)
        => where.TryGetValue(ordinal, out var list) ? list : where[ordinal] = [];

    public void ReplaceConstant(TensorState tensor, TensorProto replacement)
    {
        if (tensor.Producer >= 0)
        {
            Node(tensor.Producer).Attribute.First(a => a.Name == "value").T = replacement;
            return;
        }
        var initializers = _scopes[tensor.Scope].Initializer;
        for (int k = 0; k < initializers.Count; k++)
            if (initializers[k].Name == tensor.Name) initializers[k] = replacement;
    }

    public void Rename(Dictionary<string, string> renamed)
    {
        foreach (var node in _nodes.Concat(_before.Values.Concat(_after.Values).SelectMany(n => n)))
            for (int k = 0; k < node.Input.Count; k++)
                if (renamed.TryGetValue(node.Input[k], out var other)) node.Input[k] = other;
        foreach (var graph in _scopes)
        {
            foreach (var output in graph.Output)
            {
                if (!renamed.TryGetValue(output.Name, out var other)) continue;
                // The graph's result keeps its name: the Add that made it becomes an Identity of the stream.
                var producer = _nodes.FirstOrDefault(n => n.Output.Contains(output.Name));
                if (producer is null) continue;
                producer.OpType = "Identity";
                producer.Input.Clear();
                producer.Input.Add(other);
            }
        }
    }

    /// <summary>Removes the nodes and initializers that the edits left unused; what was unused before stays.</summary>
    public void RemoveDeadNodes()
    {
        Insert();
        var live = _model.Graph.Needed();
        AddReadByUnused(live);
        _model.Graph.Node.Keep(n => n.Output.Any(live.Contains) || !n.Output.Any(o => _liveBefore.Contains(o) || _fresh.Contains(o)));
        _model.Graph.Initializer.Keep(t => live.Contains(t.Name) || !(_liveBefore.Contains(t.Name) || _fresh.Contains(t.Name)));
        var initializers = _model.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        // Old files list initializers as inputs too: such an input goes with its initializer.
        var dense = Analysis.Model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        _model.Graph.Input.Keep(i => !dense.Contains(i.Name) || initializers.Contains(i.Name));
    }

    /// <summary>
    /// What nodes read that were unused before, and stay, stays with them: surgery made it, or nothing else
    /// reads it any more.
    /// </summary>
    private void AddReadByUnused(HashSet<string> live)
    {
        var makers = _model.Graph.Node.SelectMany(n => n.Output.Where(o => o.Length > 0).Select(o => (o, n)))
            .ToDictionary(p => p.o, p => p.n, StringComparer.Ordinal);
        bool Stays(NodeProto n) => !n.Output.Any(o => live.Contains(o) || _liveBefore.Contains(o) || _fresh.Contains(o));
        var open = new Stack<string>(_model.Graph.Node.Where(Stays).SelectMany(n => n.Reads()));
        while (open.TryPop(out string? name))
        {
            if (!live.Add(name) || !makers.TryGetValue(name, out var maker)) continue;
            foreach (string input in maker.Reads()) open.Push(input);
        }
    }

    public bool HasInterface(string name) => _model.Graph.Input.Concat(_model.Graph.Output).Any(v => v.Name == name);

    public void RemoveOutputs(HashSet<string> names) => _model.Graph.Output.Keep(o => !names.Contains(o.Name));

    /// <summary>Of these inputs, removes those that nothing reads any more.</summary>
    public List<string> RemoveUnreadInputs(HashSet<string> names)
    {
        var live = _model.Graph.Needed();
        var gone = _model.Graph.Input.Select(i => i.Name).Where(n => names.Contains(n) && !live.Contains(n)).ToList();
        _model.Graph.Input.Keep(i => !gone.Contains(i.Name));
        return gone;
    }

    /// <summary>Gives inputs and outputs other names, all at once.</summary>
    public void RenameInterface(IReadOnlyDictionary<string, string> names)
    {
        if (names.Count > 0) Rename(_model.Graph);

        void Rename(GraphProto graph)
        {
            foreach (var value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo))
                value.Name = names.GetValueOrDefault(value.Name, value.Name);
            foreach (var node in graph.Node)
            {
                for (int k = 0; k < node.Input.Count; k++) node.Input[k] = names.GetValueOrDefault(node.Input[k], node.Input[k]);
                for (int k = 0; k < node.Output.Count; k++) node.Output[k] = names.GetValueOrDefault(node.Output[k], node.Output[k]);
                foreach (var inner in node.Subgraphs()) Rename(inner);
            }
        }
    }

    private void Insert()
    {
        var pending = _before.Keys.Concat(_after.Keys).Distinct()
            .ToDictionary(o => Node(o), o => o, (IEqualityComparer<NodeProto>)ReferenceEqualityComparer.Instance);
        foreach (var graph in pending.Keys.Select(n => _home[n])
            .Distinct((IEqualityComparer<GraphProto>)ReferenceEqualityComparer.Instance).ToList())
        {
            var nodes = graph.Node.ToList();
            graph.Node.Clear();
            foreach (var node in nodes)
            {
                bool edited = pending.TryGetValue(node, out int ordinal);
                if (edited) graph.Node.AddRange(_before.GetValueOrDefault(ordinal) ?? []);
                graph.Node.Add(node);
                if (edited) graph.Node.AddRange(_after.GetValueOrDefault(ordinal) ?? []);
            }
        }
    }

    /// <summary>Shapes that the file states of intermediate values and of initializers among the inputs.</summary>
    public void UpdateShapes(SlimSizes slim)
    {
        var tensors = Analysis.State.Records.SelectMany(r => r.Inputs.OfType<TensorState>().Concat(r.Outputs))
            .GroupBy(t => (t.Scope, t.Name)).ToDictionary(g => g.Key, g => g.First());
        for (int scope = 0; scope < _scopes.Count; scope++)
        {
            foreach (var info in _scopes[scope].ValueInfo.Concat(_scopes[scope].Input).Concat(_scopes[scope].Output))
            {
                if (info.Type?.TensorType?.Shape is not { } shape || !tensors.TryGetValue((scope, info.Name), out var tensor)
                    || tensor.Terms?.Length != shape.Dim.Count) continue;
                for (int axis = 0; axis < shape.Dim.Count; axis++)
                    if (slim.Touches(tensor.Terms[axis]) && shape.Dim[axis].HasDimValue && slim.Of(tensor.Terms[axis]).Value is { } size)
                        shape.Dim[axis].DimValue = size;
            }
        }
    }
}
