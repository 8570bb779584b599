using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning;

/// <summary>
/// The dense model with every parameter of the removed units set to zero: what a slim model is compared with. Quantised weights are set to
/// their zero point; scales, zero points and divisors keep their values. Nothing else changes, so this model shares no code with surgery.
/// </summary>
public static class MaskedModel
{
    /// <summary>Masks a model.</summary>
    /// <param name="dense">The dense model; it stays as it is and must stay open while the result is used.</param>
    /// <param name="removed">Per tensor name (an initializer, or the output of a node without activations, such as Constant or
    /// ConstantOfShape): axis → removed indices. An element is zeroed when any of its indices is removed.</param>
    /// <param name="allowMissing">Whether names that the model does not have are passed over: those of removed blocks.</param>
    /// <returns>A model with the same nodes and shapes; only the masked tensors are new, and they are produced while writing.</returns>
    /// <exception cref="EspalierException">A tensor does not exist, an axis or index is out of range, or the element type has no zero.</exception>
    public static OnnxModel Of(OnnxModel dense, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed, bool allowMissing = false)
    {
        dense = FunctionInliner.Inline(dense);
        var edited = dense.Proto.Clone();
        SplitReaders(edited.Graph, removed, []);
        var found = MaskedInterface.Adapt(edited.Graph, removed);
        if (found.Count > 0) removed = removed.Where(r => !found.Contains(r.Key)).ToDictionary(r => r.Key, r => r.Value, StringComparer.Ordinal);
        var roles = new MaskRoles(dense, edited.Graph);
        var graphs = new Stack<GraphProto>();
        graphs.Push(edited.Graph);
        while (graphs.TryPop(out var graph))
        {
            MaskGraph(dense, graph, removed, roles, found);
            foreach (var attribute in graph.Node.SelectMany(n => n.Attribute))
            {
                if (attribute.G is not null) graphs.Push(attribute.G);
                foreach (var inner in attribute.Graphs) graphs.Push(inner);
            }
        }
        if (!allowMissing && removed.Keys.Where(name => !found.Contains(name)).Order(StringComparer.Ordinal).FirstOrDefault() is { } missing)
            throw new EspalierException($"The model has no tensor '{missing}', but its slices are to be removed. Was the report written for this model?");
        return dense.Derive(edited);
    }

    /// <summary>The key in a report for a shared vector of which this reader alone lost units.</summary>
    /// <param name="tensor">The vector.</param>
    /// <param name="output">First output of the node that reads it.</param>
    public static string ReaderKey(string tensor, string output) => $"{tensor} -> {output}";

    /// <summary>Gives readers that lost units of their own a copy of the vector, named by the key, which is then masked like any other.</summary>
    private static void SplitReaders(GraphProto graph, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed, Dictionary<string, TensorProto> outer)
    {
        if (!removed.Keys.Any(k => k.Contains(" -> ", StringComparison.Ordinal))) return;
        var visible = new Dictionary<string, TensorProto>(outer, StringComparer.Ordinal);
        foreach (var tensor in graph.Initializer) visible[tensor.Name] = tensor;
        foreach (var node in graph.Node)
        {
            if (WeightTable.ConstantOf(node) is { } constant) visible[node.Output[0]] = constant;
            for (int k = 0; k < node.Input.Count; k++)
            {
                string key = ReaderKey(node.Input[k], node.Output.FirstOrDefault() ?? "");
                if (!removed.ContainsKey(key) || !visible.TryGetValue(node.Input[k], out var shared)) continue;
                if (graph.Initializer.All(t => t.Name != key))
                {
                    var own = shared.Clone();
                    own.Name = key;
                    graph.Initializer.Add(own);
                }
                node.Input[k] = key;
            }
            foreach (var inner in node.Subgraphs()) SplitReaders(inner, removed, visible);
        }
    }

    private static void MaskGraph(OnnxModel dense, GraphProto graph, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed, MaskRoles roles, HashSet<string> found)
    {
        for (int i = 0; i < graph.Initializer.Count; i++)
        {
            if (!removed.TryGetValue(graph.Initializer[i].Name, out var axes)) continue;
            found.Add(graph.Initializer[i].Name);
            if (!roles.IsUnmasked(graph.Initializer[i].Name)) graph.Initializer[i] = MaskTensor(dense, graph.Initializer[i], graph.Initializer[i].Name, axes, roles);
        }
        for (int i = 0; i < graph.Node.Count; i++)
        {
            var node = graph.Node[i];
            for (int o = 0; o < node.Output.Count; o++)
            {
                string name = node.Output[o];
                if (name.Length == 0 || !removed.TryGetValue(name, out var axes)) continue;
                found.Add(name);
                if (roles.IsUnmasked(name)) continue;
                if (node.OpType == "Constant" && node.Domain is "" or "ai.onnx") MaskConstant(dense, node, name, axes, roles);
                else i += InsertMasks(dense, graph, i, o, axes);
            }
        }
    }

    private static TensorProto MaskTensor(OnnxModel dense, TensorProto tensor, string name, IReadOnlyDictionary<int, int[]> axes, MaskRoles roles)
    {
        var removed = RemovedFlags(name, [.. tensor.Dims], axes);
        var content = dense.Content(tensor);
        var masked = dense.NewTensor(tensor.Name, content.Type, tensor.Dims, new MaskedPayload(content.AsPayload(), [.. tensor.Dims], removed, ElementBits(content.Type, name), roles.FillOf(name, content.Dims)));
        if (tensor.HasDocString) masked.DocString = tensor.DocString;
        if (!tensor.HasName) masked.ClearName();
        return masked;
    }

    private static void MaskConstant(OnnxModel dense, NodeProto node, string name, IReadOnlyDictionary<int, int[]> axes, MaskRoles roles)
    {
        foreach (var attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value":
                    attribute.T = MaskTensor(dense, attribute.T, name, axes, roles);
                    return;
                case "value_floats":
                    ZeroList(attribute.Floats, RemovedFlags(name, [attribute.Floats.Count], axes)[0]);
                    return;
                case "value_ints":
                    ZeroList(attribute.Ints, RemovedFlags(name, [attribute.Ints.Count], axes)[0]);
                    return;
            }
        }
        throw new EspalierException($"The constant '{name}' holds no tensor whose elements can be set to zero.");
    }

    private static void ZeroList<T>(Google.Protobuf.Collections.RepeatedField<T> values, bool[]? removed) where T : struct
    {
        if (removed is null) return;
        for (int i = 0; i < values.Count; i++) if (removed[i]) values[i] = default;
    }

    /// <summary>After node <paramref name="index"/>: one Mul with a mask of zeros and ones per axis. Returns how many nodes were inserted.</summary>
    private static int InsertMasks(OnnxModel dense, GraphProto graph, int index, int output, IReadOnlyDictionary<int, int[]> axes)
    {
        var node = graph.Node[index];
        string name = node.Output[output];
        var (dims, type) = StaticShape(dense, graph, node, name);
        var removed = RemovedFlags(name, dims, axes);
        var inserted = new List<NodeProto>();
        string current = name + "/dense";
        node.Output[output] = current;
        foreach (int axis in Enumerable.Range(0, dims.Length).Where(a => removed[a] is not null))
        {
            var shape = Enumerable.Repeat(1L, dims.Length - axis).ToArray();
            shape[0] = dims[axis];
            var mask = dense.NewTensor($"{name}/mask{axis}", type, shape, MaskValues(type, removed[axis]!, name));
            graph.Initializer.Add(mask);
            var mul = new NodeProto { OpType = "Mul", Name = $"{name}/mask{axis}/mul" };
            mul.Input.AddRange([current, mask.Name]);
            mul.Output.Add(current = $"{name}/masked{axis}");
            inserted.Add(mul);
        }
        if (inserted.Count == 0) node.Output[output] = name;
        else inserted[^1].Output[0] = name;
        for (int i = 0; i < inserted.Count; i++) graph.Node.Insert(index + 1 + i, inserted[i]);
        return inserted.Count;
    }

    private static IPayload MaskValues(DataType type, bool[] removed, string name) => type switch
    {
        DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16 => TensorContent.FromFloats(type, [.. removed.Select(r => r ? 0f : 1f)]),
        DataType.Int64 => TensorContent.FromLongs([.. removed.Select(r => r ? 0L : 1L)]),
        _ => throw new EspalierException($"The tensor '{name}' of type {type} is computed by a node and cannot be masked."),
    };

    /// <summary>Shape and element type of the output of a node that depends on no activation.</summary>
    private static (long[] Dims, DataType Type) StaticShape(OnnxModel dense, GraphProto graph, NodeProto node, string name)
    {
        if (node.OpType == "ConstantOfShape" && node.Input.Count == 1)
        {
            var shape = graph.Initializer.FirstOrDefault(t => t.Name == node.Input[0])
                ?? graph.Node.FirstOrDefault(n => n.OpType == "Constant" && n.Output.Count > 0 && n.Output[0] == node.Input[0])?.Attribute.FirstOrDefault(a => a.Name == "value")?.T;
            if (shape is not null)
            {
                var value = node.Attribute.FirstOrDefault(a => a.Name == "value")?.T;
                return (dense.Content(shape).ToLongs(), value is null ? DataType.Float : (DataType)value.DataType);
            }
        }
        var info = graph.ValueInfo.FirstOrDefault(v => v.Name == name)?.Type?.TensorType;
        if (info?.Shape is { } known && known.Dim.All(d => d.HasDimValue))
            return ([.. known.Dim.Select(d => d.DimValue)], (DataType)info.ElemType);
        throw new EspalierException($"The tensor '{name}' comes out of {node.OpType} '{node.Name}' with a shape that the file does not state, so its slices cannot be masked.");
    }

    /// <summary>Per axis: which indices are removed; null where none is.</summary>
    private static bool[]?[] RemovedFlags(string name, long[] dims, IReadOnlyDictionary<int, int[]> axes)
    {
        var flags = new bool[]?[dims.Length];
        foreach (var (axis, indices) in axes.OrderBy(a => a.Key))
        {
            if (axis < 0 || axis >= dims.Length)
                throw new EspalierException($"Tensor '{name}' has {dims.Length} axes, but slices of axis {axis} are to be removed.");
            if (indices.Length == 0) continue;
            var flag = flags[axis] = new bool[checked((int)dims[axis])];
            foreach (int index in indices)
            {
                if (index < 0 || index >= flag.Length)
                    throw new EspalierException($"Axis {axis} of tensor '{name}' has {flag.Length} indices, but index {index} is to be removed.");
                flag[index] = true;
            }
        }
        return flags;
    }

    private static int ElementBits(DataType type, string name) => Onnx.ElementTypes.Bits(type) is > 0 and var bits ? bits
        : throw new EspalierException($"Tensor '{name}' has elements of type {type}, which cannot be set to zero one by one.");
}
