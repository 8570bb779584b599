namespace Espalier.Onnx.Checks;

/// <summary>
/// Where a name of a graph comes from: the node that makes it, or -1 for what is there before the first node, and its rank, or -1.
/// </summary>
internal readonly record struct Definition(int Maker, int Rank);

/// <summary>
/// A graph, or the body of a function, while it is checked: what its names mean, and how far the walk over its nodes has come. A graph
/// inside of a node sees the names of the graphs around it that exist when the node runs.
/// </summary>
internal sealed class CheckedGraph
{
    private readonly Dictionary<string, Definition> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<int, List<CheckedGraph>> _inner = [];
    private readonly HashSet<string> _unclear = new(StringComparer.Ordinal);
    private int[]? _order, _position;

    private readonly NodeProto? _holder;
    private readonly string? _within;

    /// <summary>The model's own graph.</summary>
    public CheckedGraph(GraphProto graph) => (Graph, Nodes, Outputs) = (graph, graph.Node, [.. graph.Output.Select(o => o.Name)]);

    /// <summary>A graph that an attribute of a node holds.</summary>
    public CheckedGraph(GraphProto graph, CheckedGraph outer, NodeProto holder, string attribute)
        : this(graph) => (Outer, IsInFunction, _holder, _within) = (outer, outer.IsInFunction, holder, attribute);

    /// <summary>The body of a function.</summary>
    public CheckedGraph(FunctionProto function)
        => (Nodes, Outputs, IsInFunction, _within) = (function.Node, [.. function.Output], true, NodeText.Format(function));

    /// <summary>Null for the body of a function.</summary>
    public GraphProto? Graph { get; }
    public IReadOnlyList<NodeProto> Nodes { get; }
    public IReadOnlyList<string> Outputs { get; }
    public CheckedGraph? Outer { get; }
    public bool IsInFunction { get; }

    /// <summary>The model's own graph, whose nodes may be in any order.</summary>
    public bool IsMain => Outer is null && !IsInFunction;

    /// <summary>
    /// Where it is, as the end of a sentence; empty for the model's own graph. Made only when something is wrong: names may be long.
    /// </summary>
    public string Place
    {
        get
        {
            var place = "";
            for (var graph = this; graph?._within is { } within; graph = graph.Outer)
            {
                place += graph._holder is { } holder ? $" in {within} of {NodeText.Format(holder)}" : $" in function '{within}'";
            }
            return place;
        }
    }

    /// <summary>How many nodes have been begun.</summary>
    public int Begun { get; private set; }

    /// <summary>A name, unless it is taken.</summary>
    public bool Define(string name, Definition definition) => _names.TryAdd(name, definition);

    /// <summary>A name that is taken gets another meaning.</summary>
    public void Redefine(string name, Definition definition) => _names[name] = definition;

    /// <summary>
    /// The name stands for two initializers. That is a fault where it is read: ONNX Runtime takes the last one, other tools the first.
    /// </summary>
    public void MakeUnclear(string name) => _unclear.Add(name);

    public bool IsUnclear(string name) => _unclear.Contains(name);

    public bool Defines(string name) => _names.ContainsKey(name);

    /// <summary>Adds a graph that an attribute of a node holds.</summary>
    public void Add(int holder, CheckedGraph inner) => (_inner.TryGetValue(holder, out var list) ? list : _inner[holder] = []).Add(inner);

    public IReadOnlyList<CheckedGraph> Inner(int holder) => _inner.TryGetValue(holder, out var list) ? list : [];

    /// <summary>The order in which the nodes are walked; without it, that of the file.</summary>
    public void SetOrder(int[] order)
    {
        (_order, _position) = (order, new int[order.Length]);
        for (var k = 0; k < order.Length; k++)
        {
            _position[order[k]] = k;
        }
    }

    /// <summary>The next node; -1 after the last.</summary>
    public int Next()
    {
        if (Begun == Nodes.Count)
        {
            return -1;
        }
        var node = _order?[Begun] ?? Begun;
        Begun++;
        return node;
    }

    /// <summary>The graph that gives the name its meaning here, whether or not its maker has run; null where nothing does.</summary>
    public CheckedGraph? Find(string name, out Definition definition)
    {
        for (var graph = this; graph is not null; graph = graph.Outer)
        {
            if (graph._names.TryGetValue(name, out definition))
            {
                return graph;
            }
        }
        definition = default;
        return null;
    }

    /// <summary>The same among what has been made before the node that has been begun last.</summary>
    public CheckedGraph? FindMade(string name, out Definition definition)
    {
        for (var graph = this; graph is not null; graph = graph.Outer)
        {
            if (graph._names.TryGetValue(name, out definition) && graph.HasRun(definition.Maker))
            {
                return graph;
            }
        }
        definition = default;
        return null;
    }

    private bool HasRun(int node) => node < 0 || (_position?[node] ?? node) < Begun - 1;
}
