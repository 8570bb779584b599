using Google.Protobuf.Collections;

namespace Espalier.Onnx;

/// <summary>The graphs inside of nodes (ONNX IR, "Graphs": the bodies of If, Loop, Scan and their like).</summary>
public static class GraphWalk
{
    /// <summary>The graphs that the node's attributes hold, in order.</summary>
    public static IEnumerable<GraphProto> Subgraphs(this NodeProto node)
    {
        foreach (var attribute in node.Attribute)
        {
            if (attribute.G is not null) yield return attribute.G;
            foreach (var graph in attribute.Graphs) yield return graph;
        }
    }

    /// <summary>The graph and every graph inside of its nodes, outer before inner.</summary>
    public static IEnumerable<GraphProto> WithSubgraphs(this GraphProto graph)
    {
        var open = new Queue<GraphProto>([graph]);
        while (open.TryDequeue(out var next))
        {
            yield return next;
            foreach (var inner in next.Node.SelectMany(n => n.Subgraphs())) open.Enqueue(inner);
        }
    }

    /// <summary>Names that the graph's outputs need, of values that its nodes' own graphs capture too. Nodes may be in any order: not every exporter sorts them, and ONNX Runtime takes them so.</summary>
    public static HashSet<string> Needed(this GraphProto graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var needed = graph.Output.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);
        var makers = new Dictionary<string, NodeProto>(StringComparer.Ordinal);
        foreach (var node in graph.Node)
            foreach (string output in node.Output) makers[output] = node;
        var (open, seen) = (new Queue<string>(needed), new HashSet<NodeProto>(ReferenceEqualityComparer.Instance));
        while (open.TryDequeue(out string? name))
        {
            if (!makers.TryGetValue(name, out var node) || !seen.Add(node)) continue;
            var inner = node.Subgraphs().SelectMany(g => g.WithSubgraphs()).ToList();
            foreach (string read in node.Input.Concat(inner.SelectMany(g => g.Output.Select(o => o.Name).Concat(g.Node.SelectMany(n => n.Input)))))
                // An optional operand that is left out has an empty name.
                if (read.Length > 0 && needed.Add(read)) open.Enqueue(read);
        }
        return needed;
    }

    /// <summary>Removes all other elements of a list.</summary>
    public static void Keep<T>(this RepeatedField<T> list, Predicate<T> kept)
    {
        ArgumentNullException.ThrowIfNull(list);
        ArgumentNullException.ThrowIfNull(kept);
        T[] left = [.. list.Where(x => kept(x))];
        if (left.Length == list.Count) return;
        list.Clear();
        list.AddRange(left);
    }
}
