using Google.Protobuf.Collections;

namespace Espalier.Onnx.Graphs;

/// <summary>The graphs inside of nodes (ONNX IR, "Graphs": the bodies of If, Loop, Scan and their like).</summary>
internal static class GraphWalk
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

    /// <summary>
    /// Names that the graph's outputs need, of values that its nodes' own graphs capture too. Nodes may be in any order: not
    /// every exporter sorts them, and ONNX Runtime takes them so.
    /// </summary>
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
            foreach (string read in node.Reads())
                if (needed.Add(read)) open.Enqueue(read);
        }
        return needed;
    }

    /// <summary>Names that the node reads, those that graphs inside of it read too.</summary>
    public static IEnumerable<string> Reads(this NodeProto node)
    {
        ArgumentNullException.ThrowIfNull(node);
        var inner = node.Subgraphs().SelectMany(g => g.WithSubgraphs())
            .SelectMany(g => g.Output.Select(o => o.Name).Concat(g.Node.SelectMany(n => n.Input)));
        // An optional operand that is left out has an empty name.
        return node.Input.Concat(inner).Where(name => name.Length > 0);
    }

    /// <summary>
    /// The graph's nodes, each behind those that make what it reads; where that leaves a choice, as they stand in the file.
    /// </summary>
    public static IReadOnlyList<NodeProto> InOrder(this GraphProto graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var makers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int k = 0; k < graph.Node.Count; k++)
            foreach (string output in graph.Node[k].Output) makers[output] = k;
        var readers = graph.Node.Select(_ => new List<int>()).ToArray();
        int[] waits = new int[graph.Node.Count];
        for (int k = 0; k < graph.Node.Count; k++)
        {
            foreach (int maker in graph.Node[k].Reads().Where(makers.ContainsKey).Select(r => makers[r]).Distinct())
            {
                readers[maker].Add(k);
                waits[k]++;
            }
        }
        var ready = new PriorityQueue<int, int>(Enumerable.Range(0, waits.Length).Where(k => waits[k] == 0).Select(k => (k, k)));
        var order = new List<NodeProto>(waits.Length);
        while (ready.TryDequeue(out int next, out _))
        {
            order.Add(graph.Node[next]);
            foreach (int reader in readers[next])
                if (--waits[reader] == 0) ready.Enqueue(reader, reader);
        }
        return order;
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
