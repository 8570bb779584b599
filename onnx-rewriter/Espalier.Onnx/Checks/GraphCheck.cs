using Espalier.Onnx.Limits;

namespace Espalier.Onnx.Checks;

/// <summary>
/// Checks what a model says against what ONNX allows, once, before anything relies on it: every name has one meaning and is made before it
/// is read, nodes are as the schemas of their operators say, graphs fit the nodes that hold them. It walks every node and name a bounded
/// number of times, without recursion, and looks at no weight but its shape. As strict as ONNX Runtime 1.31, whose rules it follows where
/// the specification leaves room, and stricter where that takes one of two meanings in silence (the README says where).
/// </summary>
internal sealed class GraphCheck
{
    private const string Again = "Export the model again; ONNX does not allow this.";

    private readonly ModelProto _model;
    private readonly CheckFaults _faults;
    private readonly ModelFunctions _functions;

    private GraphCheck(ModelProto model, string? path)
    {
        (_model, _faults) = (model, new(path));
        _functions = new(model, _faults);
    }

    /// <summary>Checks a model that has been read.</summary>
    /// <param name="model">Its messages; payloads may be tokens.</param>
    /// <param name="path">The file; null for bytes in memory.</param>
    /// <exception cref="OnnxFormatException">What is wrong, and where.</exception>
    public static void Run(ModelProto model, string? path, CancellationToken ct)
    {
        var check = new GraphCheck(model, path);
        check._functions.RequireEnd();
        foreach (var function in model.Functions)
        {
            check.All(new(function), function.Input, OperatorSets.From(function, check._faults), ct);
        }
        if (!model.HasIrVersion && model.Graph.Node.Any(n => n.Input.Count + n.Output.Count > 0))
        {
            throw check._faults.Fault("it does not say of which version of the format it is (ir_version)", "Export the model again.");
        }
        check.All(new(model.Graph), [], OperatorSets.From(model, check._faults), ct);
    }

    private void All(CheckedGraph root, IEnumerable<string> parameters, OperatorSets sets, CancellationToken ct)
    {
        var check = new NodeCheck(_faults, _functions, sets);
        foreach (var graph in Names(root, parameters))
        {
            ct.ThrowIfCancellationRequested();
            foreach (var node in graph.Nodes.Where(n => !NodeText.IsNothing(graph, n)))
            {
                check.Attributes(graph, node);
            }
        }
        Order(root);
        Walk(root, check, ct);
    }

    /// <summary>Gives the names of a graph and of all graphs inside of it their meaning.</summary>
    /// <returns>The graphs, outer before inner.</returns>
    private List<CheckedGraph> Names(CheckedGraph root, IEnumerable<string> parameters)
    {
        var all = new List<CheckedGraph>();
        foreach (var name in parameters)
        {
            Define(root, name, new(-1, -1));
        }
        var open = new Queue<CheckedGraph>([root]);
        while (open.TryDequeue(out var graph))
        {
            all.Add(graph);
            if (graph.Graph is { } proto)
            {
                Inputs(graph, proto);
                Initializers(graph, proto);
            }
            Made(graph);
            for (var node = 0; node < graph.Nodes.Count; node++)
            {
                foreach (var inner in NodeText.IsNothing(graph, graph.Nodes[node]) ? [] : InnerGraphs(graph, graph.Nodes[node]))
                {
                    graph.Add(node, inner);
                    open.Enqueue(inner);
                }
            }
        }
        return all;
    }

    private IEnumerable<CheckedGraph> InnerGraphs(CheckedGraph graph, NodeProto node)
    {
        foreach (var attribute in node.Attribute)
        {
            foreach (var inner in attribute.G is null ? attribute.Graphs : [attribute.G, .. attribute.Graphs])
            {
                var found = new CheckedGraph(inner, graph, node, attribute.Name);
                yield return inner.Name.Length > 0 ? found : throw _faults.Fault($"the graph{found.Place} has no name", Again);
            }
        }
    }

    private void Inputs(CheckedGraph graph, GraphProto proto)
    {
        foreach (var input in proto.Input)
        {
            if (graph.IsMain && input.Type is null)
            {
                throw _faults.Fault($"the graph input '{input.Name}' has no type", Again);
            }
            // Only the model's own inputs have shapes that hold; those of inner graphs are hints.
            var shape = graph.IsMain ? input.Type?.TensorType?.Shape : null;
            Define(graph, input.Name, new(-1, shape?.Dim.Count ?? -1));
        }
    }

    private void Initializers(CheckedGraph graph, GraphProto proto)
    {
        // An initializer may share its name with an input, whose default it is; before IR version 4 it had to.
        var inputs = proto.Input.Select(i => i.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, rank) in proto.Initializer.Select(t => (t.Name, t.Dims.Count))
            .Concat(proto.SparseInitializer.Select(t => (t.Values?.Name ?? "", t.Dims.Count))))
        {
            if (inputs.Remove(name))
            {
                graph.Redefine(name, new(-1, rank));
            }
            else if (!graph.Define(name, new(-1, rank)))
            {
                graph.MakeUnclear(name);
            }
            else if (!graph.IsMain && _model.IrVersion < 4)
            {
                throw _faults.Fault($"the initializer '{name}'{graph.Place} is not among the inputs of its graph",
                    "Before IR version 4 it must be; export the model again.");
            }
        }
    }

    private void Made(CheckedGraph graph)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var k = 0; k < graph.Nodes.Count; k++)
        {
            var node = graph.Nodes[k];
            var constant = NodeText.IsConstant(node);
            if (!constant && node.Name.Length > 0 && !names.Add(node.Name))
            {
                throw _faults.Fault($"two nodes have the name '{node.Name}'{graph.Place}", "Give every node a name of its own, or none.");
            }
            // A constant of the model's own graph is there before the first node.
            var rank = constant && node.Attribute is [{ } value] ? value.T?.Dims.Count ?? value.SparseTensor?.Dims.Count ?? -1 : -1;
            foreach (var output in node.Output.Where(o => o.Length > 0))
            {
                Define(graph, output, new(constant && graph.IsMain ? -1 : k, rank));
            }
        }
    }

    private void Define(CheckedGraph graph, string name, Definition definition)
    {
        if (!graph.Define(name, definition))
        {
            throw _faults.Twice(graph, name);
        }
    }

    private static void Walk(CheckedGraph root, NodeCheck check, CancellationToken ct)
    {
        var open = new Stack<CheckedGraph>([root]);
        for (var nodes = 0; open.TryPeek(out var graph); nodes++)
        {
            if (nodes % 4096 == 0)
            {
                ct.ThrowIfCancellationRequested();
            }
            if (graph.Next() is var at && at < 0)
            {
                check.Outputs(graph);
                open.Pop();
                continue;
            }
            var node = graph.Nodes[at];
            if (NodeText.IsNothing(graph, node))
            {
                continue;
            }
            check.Operands(graph, node);
            foreach (var inner in graph.Inner(at).Reverse())
            {
                open.Push(inner);
            }
        }
    }

    /// <summary>Finds the maker of everything that is read, and for the model's own graph the order of its nodes.</summary>
    private void Order(CheckedGraph root)
    {
        var order = new NodeOrder(root.Nodes.Count);
        for (var holder = 0; holder < root.Nodes.Count; holder++)
        {
            if (!NodeText.IsNothing(root, root.Nodes[holder]))
            {
                foreach (var (graph, node, name) in Reads(root, holder))
                {
                    var found = graph.Find(name, out var definition)
                        ?? throw _faults.Fault($"{NodeText.Format(node)}{graph.Place} reads '{name}', which nothing makes",
                            "Add what makes it, or export the model again.");
                    if (found == root && definition.Maker >= 0)
                    {
                        order.Needs(definition.Maker);
                    }
                }
            }
            order.Next();
        }
        if (!root.IsMain)
        {
            return;
        }
        if (order.Sort(out var cycle) is not { } sorted)
        {
            var name = Reads(root, cycle.Node).First(r => r.Graph.Find(r.Name, out var d) == root && d.Maker == cycle.Needed).Name;
            var reader = NodeText.Format(root.Nodes[cycle.Node]);
            throw _faults.Fault($"{reader} reads '{name}', which is computed from its own results: the graph has a cycle", Again);
        }
        root.SetOrder(sorted);
    }

    /// <summary>The names that a node reads, and those that the nodes of its graphs do.</summary>
    private static IEnumerable<(CheckedGraph Graph, NodeProto Node, string Name)> Reads(CheckedGraph root, int holder)
    {
        var open = new Stack<(CheckedGraph, int)>([(root, holder)]);
        while (open.TryPop(out var next))
        {
            var (graph, at) = next;
            foreach (var name in graph.Nodes[at].Input.Where(i => i.Length > 0))
            {
                yield return (graph, graph.Nodes[at], name);
            }
            foreach (var inner in graph.Inner(at))
            {
                for (var k = inner.Nodes.Count - 1; k >= 0; k--)
                {
                    open.Push((inner, k));
                }
            }
        }
    }
}
