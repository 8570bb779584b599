using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>
/// Gives the masked model the slim model's inputs and outputs where those shrank: an input is spread over the units that the dense model
/// had, of which the removed ones get what the first unit gets, for they must not matter; of an output what is left is taken.
/// </summary>
internal static class MaskedInterface
{
    /// <summary>Adapts the graph.</summary>
    /// <param name="graph">The graph; it is changed.</param>
    /// <param name="removed">Axis → removed indices, by name of an input or output of the graph; other names are passed over.</param>
    /// <returns>The inputs and outputs that were adapted.</returns>
    public static HashSet<string> Adapt(GraphProto graph, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed)
    {
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var adapted = new HashSet<string>(StringComparer.Ordinal);
        foreach (var input in graph.Input.Where(i => removed.ContainsKey(i.Name) && !weights.Contains(i.Name)))
        {
            adapted.Add(input.Name);
            string whole = input.Name;
            var nodes = new List<NodeProto>();
            foreach (var (axis, gone) in removed[input.Name].OrderBy(a => a.Key))
            {
                var size = input.Type.TensorType.Shape.Dim[axis];
                var kept = Kept(size.DimValue, gone);
                size.DimValue = kept.Length;
                nodes.Add(Gather(graph, whole, whole = $"{whole}_whole{axis}", axis, [.. Enumerable.Range(0, (int)(kept.Length + gone.Length)).Select(k => (long)Math.Max(0, Array.IndexOf(kept, k)))]));
            }
            Rename(graph, input.Name, whole);
            for (int k = 0; k < nodes.Count; k++) graph.Node.Insert(k, nodes[k]);
        }
        foreach (var output in graph.Output.Where(o => removed.ContainsKey(o.Name)))
        {
            adapted.Add(output.Name);
            string whole = output.Name + "_whole", part = whole;
            Rename(graph, output.Name, whole);
            foreach (var node in graph.Node)
                for (int k = 0; k < node.Output.Count; k++) if (node.Output[k] == output.Name) node.Output[k] = whole;
            var axes = removed[output.Name].OrderBy(a => a.Key).ToList();
            for (int n = 0; n < axes.Count; n++)
            {
                var (axis, gone) = axes[n];
                var size = output.Type?.TensorType?.Shape?.Dim.ElementAtOrDefault(axis);
                if (size is not { HasDimValue: true }) throw new EspalierException($"The graph's output '{output.Name}' states no size for axis {axis}, of which units were removed.");
                var kept = Kept(size.DimValue, gone);
                size.DimValue = kept.Length;
                graph.Node.Add(Gather(graph, part, part = n == axes.Count - 1 ? output.Name : $"{part}{axis}", axis, [.. kept.Select(k => (long)k)]));
            }
        }
        return adapted;
    }

    private static int[] Kept(long size, int[] gone) => [.. Enumerable.Range(0, (int)size).Except(gone)];

    private static NodeProto Gather(GraphProto graph, string from, string to, int axis, long[] indices)
    {
        var tensor = new TensorProto { Name = to + "_indices", DataType = (int)TensorProto.Types.DataType.Int64, Dims = { indices.LongLength } };
        tensor.Int64Data.AddRange(indices);
        graph.Initializer.Add(tensor);
        return new NodeProto
        {
            OpType = "Gather", Name = to, Input = { from, tensor.Name }, Output = { to },
            Attribute = { new AttributeProto { Name = "axis", I = axis, Type = AttributeProto.Types.AttributeType.Int } },
        };
    }

    private static void Rename(GraphProto graph, string from, string to)
    {
        foreach (var node in graph.Node)
        {
            for (int k = 0; k < node.Input.Count; k++) if (node.Input[k] == from) node.Input[k] = to;
            foreach (var inner in node.Subgraphs()) Rename(inner, from, to);
        }
    }
}
