using Espalier.Onnx;

namespace Espalier.Axes.Costs;

/// <summary>A graph or the body of a function, with what makes each of its values.</summary>
internal sealed class ValueScope
{
    private readonly Dictionary<string, NodeProto> _makers = new(StringComparer.Ordinal);
    private readonly HashSet<string> _given = new(StringComparer.Ordinal);

    public ValueScope(ValueScope? outer, NodeProto? holder, GraphProto graph)
        : this(outer, holder, graph, graph.Node, [.. graph.Input.Select(i => i.Name)], [.. graph.Output.Select(o => o.Name)])
    {
        _given.UnionWith(graph.Initializer.Select(t => t.Name));
        _given.UnionWith(graph.SparseInitializer.Select(s => s.Values?.Name ?? ""));
    }

    public ValueScope(FunctionProto function) : this(null, null, null, function.Node, function.Input, function.Output)
    {
    }

    private ValueScope(ValueScope? outer, NodeProto? holder, GraphProto? graph,
        IReadOnlyList<NodeProto> nodes, IReadOnlyList<string> inputs, IReadOnlyList<string> outputs)
    {
        (Outer, Holder, Graph, Nodes, Inputs, Outputs) = (outer, holder, graph, nodes, inputs, outputs);
        _given.UnionWith(inputs);
        foreach (var node in nodes)
            foreach (string output in node.Output) _makers[output] = node;
    }

    public ValueScope? Outer { get; }

    /// <summary>The node that holds the graph; null for the main graph and for functions.</summary>
    public NodeProto? Holder { get; }

    public GraphProto? Graph { get; }
    public IReadOnlyList<NodeProto> Nodes { get; }
    public IReadOnlyList<string> Inputs { get; }
    public IReadOnlyList<string> Outputs { get; }

    /// <summary>The node that makes a value of this scope; null for what is given to it.</summary>
    public NodeProto? Maker(string name) => _makers.GetValueOrDefault(name);

    /// <summary>The scope whose value a name is here.</summary>
    public ValueScope? Owner(string name)
    {
        var scope = this;
        while (scope is not null && !scope._makers.ContainsKey(name) && !scope._given.Contains(name)) scope = scope.Outer;
        return scope;
    }
}
