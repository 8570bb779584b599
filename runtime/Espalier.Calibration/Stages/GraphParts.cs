using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Calibration.Stages;

/// <summary>Which nodes of a main graph are needed for what, and the part of it that computes some tensors from others.</summary>
internal sealed class GraphParts
{
    private readonly Dictionary<string, NodeProto> _makers = new(StringComparer.Ordinal);
    /// <summary>Tensors that depend on the graph's inputs.</summary>
    private readonly HashSet<string> _variable = new(StringComparer.Ordinal);

    public GraphParts(OnnxModel model)
    {
        Model = model;
        var graph = model.Proto.Graph;
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        _variable.UnionWith(graph.Input.Select(i => i.Name).Where(n => !weights.Contains(n)));
        foreach (var node in graph.Node)
        {
            foreach (string output in node.Output) _makers[output] = node;
            if (node.Reads().Any(_variable.Contains)) _variable.UnionWith(node.Output);
        }
    }

    public OnnxModel Model { get; }

    public bool Has(string tensor) => _makers.ContainsKey(tensor) || _variable.Contains(tensor);

    public bool IsMadeBy(string tensor, IReadOnlySet<NodeProto> nodes)
        => _makers.TryGetValue(tensor, out var maker) && nodes.Contains(maker);

    /// <summary>Nodes that tensors are computed by, back to the graph's inputs or to what is known.</summary>
    public HashSet<NodeProto> Closure(IEnumerable<string> tensors, Predicate<string>? known = null)
    {
        var nodes = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        var open = new Stack<string>(tensors);
        while (open.TryPop(out string? name))
        {
            if (known?.Invoke(name) == true || !_makers.TryGetValue(name, out var node) || !nodes.Add(node)) continue;
            foreach (string read in node.Reads()) open.Push(read);
        }
        return nodes;
    }

    /// <summary>Tensors that some nodes make and that are needed later: read by other nodes, or wanted themselves.</summary>
    /// <param name="done">Nodes whose results are there.</param>
    /// <param name="wanted">What is computed later.</param>
    public HashSet<string> Live(IReadOnlySet<NodeProto> done, IReadOnlyCollection<string> wanted)
    {
        var later = Closure(wanted, name => IsMadeBy(name, done));
        return later.SelectMany(n => n.Reads()).Concat(wanted).Where(t => _variable.Contains(t) && IsMadeBy(t, done))
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The part of the graph that computes tensors from known ones and from the graph's inputs.</summary>
    /// <param name="known">Element types by tensor, as ONNX numbers them.</param>
    /// <returns>A graph of its own without outputs; its nodes and weights are the model's.</returns>
    public ModelProto Extract(IReadOnlyCollection<string> targets, IReadOnlyDictionary<string, int> known)
    {
        var graph = Model.Proto.Graph;
        var nodes = Closure(targets, known.ContainsKey);
        var read = nodes.SelectMany(n => n.Reads()).Concat(targets).ToHashSet(StringComparer.Ordinal);
        var part = new ModelProto { IrVersion = Model.Proto.IrVersion, Graph = new GraphProto { Name = "stage" } };
        part.OpsetImport.AddRange(Model.Proto.OpsetImport);
        part.Functions.AddRange(Model.Proto.Functions);
        part.Graph.Node.AddRange(graph.Node.Where(nodes.Contains));
        part.Graph.Initializer.AddRange(graph.Initializer.Where(t => read.Contains(t.Name)));
        part.Graph.SparseInitializer.AddRange(graph.SparseInitializer.Where(t => read.Contains(t.Values.Name)));
        part.Graph.Input.AddRange(graph.Input.Where(i => read.Contains(i.Name)));
        foreach (var (name, type) in known.Where(k => read.Contains(k.Key) && graph.Input.All(i => i.Name != k.Key))
            .OrderBy(k => k.Key, StringComparer.Ordinal))
            part.Graph.Input.Add(new ValueInfoProto
            { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = type } } });
        return part;
    }
}
