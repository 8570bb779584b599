using System.Security.Cryptography;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Oracle;

/// <summary>
/// Sets removed slices of the weights of a graph to zero, those of quantised weights to their zero point; scales, zero points and
/// divisors keep their values. Readers of a shared vector that lost units of their own get a copy of it.
/// </summary>
/// <param name="dense">The dense model, which has the elements.</param>
/// <param name="removed">Per tensor: axis → removed indices.</param>
internal sealed class SliceMasks(OnnxModel dense, Slices removed)
{
    private readonly HashSet<string> _found = new(StringComparer.Ordinal);
    private readonly List<(IPayload Before, IPayload After)> _masked = [];
    private bool _written;
    private MaskRoles? _roles;

    /// <summary>Whether an element changed by <see cref="Apply"/>: false where all of them were zero already.</summary>
    public bool ChangedSomething => _written || _masked.Exists(m => !Hash(m.Before).AsSpan().SequenceEqual(Hash(m.After)));

    private static byte[] Hash(IPayload payload)
    {
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write)) payload.CopyTo(stream);
        return hash.Hash!;
    }

    /// <summary>Masks the graph and those inside of its nodes.</summary>
    /// <exception cref="EspalierException">A tensor does not exist, an axis or index is out of range, or the element type has no
    /// zero.</exception>
    public void Apply(GraphProto graph)
    {
        SplitReaders(graph, []);
        _roles = new MaskRoles(dense, graph);
        foreach (var inner in graph.WithSubgraphs().ToList()) MaskGraph(inner);
        if (removed.Keys.Where(name => !_found.Contains(name)).Order(StringComparer.Ordinal).FirstOrDefault() is { } missing)
            throw new EspalierException($"The model has no tensor '{missing}', but its slices are to be removed. "
                + "Was the report written for this model?");
    }

    /// <summary>
    /// Gives readers that lost units of their own a copy of the vector, named by the key, which is then masked like any other.
    /// </summary>
    private void SplitReaders(GraphProto graph, Dictionary<string, TensorProto> outer)
    {
        if (!removed.Keys.Any(k => k.Contains(" -> ", StringComparison.Ordinal))) return;
        var visible = new Dictionary<string, TensorProto>(outer, StringComparer.Ordinal);
        foreach (var tensor in graph.Initializer) visible[tensor.Name] = tensor;
        foreach (var node in graph.Node)
        {
            if (node.ConstantTensor() is { } constant) visible[node.Output[0]] = constant;
            for (int k = 0; k < node.Input.Count; k++)
            {
                string key = $"{node.Input[k]} -> {node.Output.FirstOrDefault()}";
                if (!removed.ContainsKey(key) || !visible.TryGetValue(node.Input[k], out var shared)) continue;
                if (graph.Initializer.All(t => t.Name != key))
                {
                    var own = shared.Clone();
                    own.Name = key;
                    graph.Initializer.Add(own);
                }
                node.Input[k] = key;
            }
            foreach (var inner in node.Subgraphs()) SplitReaders(inner, visible);
        }
    }

    private void MaskGraph(GraphProto graph)
    {
        for (int i = 0; i < graph.Initializer.Count; i++)
        {
            string name = graph.Initializer[i].Name;
            if (!removed.TryGetValue(name, out var axes)) continue;
            _found.Add(name);
            if (!_roles!.IsUnmasked(name)) graph.Initializer[i] = MaskTensor(graph.Initializer[i], name, axes);
        }
        for (int i = 0; i < graph.Node.Count; i++)
        {
            var node = graph.Node[i];
            for (int o = 0; o < node.Output.Count; o++)
            {
                string name = node.Output[o];
                if (name.Length == 0 || !removed.TryGetValue(name, out var axes)) continue;
                _found.Add(name);
                if (_roles!.IsUnmasked(name)) continue;
                if (node.OpType == "Constant" && node.Domain is "" or "ai.onnx") MaskConstant(node, name, axes);
                else i += InsertMasks(graph, i, o, axes);
            }
        }
    }

    private TensorProto MaskTensor(TensorProto tensor, string name, IReadOnlyDictionary<int, int[]> axes)
    {
        var flags = RemovedFlags(name, [.. tensor.Dims], axes);
        var content = dense.Content(tensor);
        var (bits, fill) = (ElementBits(content.Type, name), _roles!.FillOf(name, content.Dims));
        var payload = new MaskedPayload(content.AsPayload(), [.. tensor.Dims], flags, bits, fill);
        _masked.Add((content.AsPayload(), payload));
        var masked = dense.NewTensor(tensor.Name, content.Type, tensor.Dims, payload);
        if (tensor.HasDocString) masked.DocString = tensor.DocString;
        if (!tensor.HasName) masked.ClearName();
        return masked;
    }

    private void MaskConstant(NodeProto node, string name, IReadOnlyDictionary<int, int[]> axes)
    {
        foreach (var attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value":
                    attribute.T = MaskTensor(attribute.T, name, axes);
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

    private void ZeroList<T>(Google.Protobuf.Collections.RepeatedField<T> values, bool[]? removed) where T : struct
    {
        _written = true;
        if (removed is null) return;
        for (int i = 0; i < values.Count; i++) if (removed[i]) values[i] = default;
    }

    /// <summary>
    /// After node <paramref name="index"/>: one Mul with a mask of zeros and ones per axis. Returns how many nodes were inserted.
    /// </summary>
    private int InsertMasks(GraphProto graph, int index, int output, IReadOnlyDictionary<int, int[]> axes)
    {
        _written = true;
        var node = graph.Node[index];
        string name = node.Output[output];
        var (dims, type) = StaticShape(graph, node, name);
        var flags = RemovedFlags(name, dims, axes);
        var inserted = new List<NodeProto>();
        string current = name + "/dense";
        node.Output[output] = current;
        foreach (int axis in Enumerable.Range(0, dims.Length).Where(a => flags[a] is not null))
        {
            var shape = Enumerable.Repeat(1L, dims.Length - axis).ToArray();
            shape[0] = dims[axis];
            var mask = dense.NewTensor($"{name}/mask{axis}", type, shape, MaskValues(type, flags[axis]!, name));
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
        DataType.Float or DataType.Double or DataType.Float16 or DataType.Bfloat16
            => TensorContent.FromFloats(type, [.. removed.Select(r => r ? 0f : 1f)]),
        DataType.Int64 => TensorContent.FromLongs([.. removed.Select(r => r ? 0L : 1L)]),
        _ => throw new EspalierException($"The tensor '{name}' of type {type} is computed by a node and cannot be masked."),
    };

    /// <summary>Shape and element type of the output of a node that depends on no activation.</summary>
    private (long[] Dims, DataType Type) StaticShape(GraphProto graph, NodeProto node, string name)
    {
        if (node.OpType == "ConstantOfShape" && node.Input.Count == 1)
        {
            var shape = graph.Initializer.FirstOrDefault(t => t.Name == node.Input[0])
                ?? graph.Node.FirstOrDefault(n => n.Output.Count > 0 && n.Output[0] == node.Input[0])?.ConstantTensor();
            if (shape is not null)
            {
                var value = node.Attribute.FirstOrDefault(a => a.Name == "value")?.T;
                return (dense.Content(shape).ToLongs(), value is null ? DataType.Float : (DataType)value.DataType);
            }
        }
        var info = graph.ValueInfo.FirstOrDefault(v => v.Name == name)?.Type?.TensorType;
        if (info?.Shape is { } known && known.Dim.All(d => d.HasDimValue))
            return ([.. known.Dim.Select(d => d.DimValue)], (DataType)info.ElemType);
        throw new EspalierException($"The tensor '{name}' comes out of {node.OpType} '{node.Name}' with a shape that the file "
            + "does not state, so its slices cannot be masked.");
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
                    throw new EspalierException($"Axis {axis} of tensor '{name}' has {flag.Length} indices, but index {index} is to go.");
                flag[index] = true;
            }
        }
        return flags;
    }

    private static int ElementBits(DataType type, string name) => DataTypes.Bits(type) is > 0 and var bits ? bits
        : throw new EspalierException($"Tensor '{name}' has elements of type {type}, which cannot be set to zero one by one.");
}
