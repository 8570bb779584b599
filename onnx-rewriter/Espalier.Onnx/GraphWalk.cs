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
}
