using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;

namespace Espalier.Oracle;

/// <summary>Several zero points, one per index or block of some axes of the tensor that they belong to.</summary>
/// <param name="Strides">Per axis of the tensor: how far an index moves in <paramref name="Values"/>; 0 where it does not.</param>
/// <param name="Blocks">Per axis of the tensor: how many indices share one zero point.</param>
internal sealed record MaskFill(long[] Values, long[] Strides, long[] Blocks)
{
    /// <summary>One number for the whole tensor.</summary>
    public static MaskFill From(long value, int rank) => new([value], new long[rank], [.. Enumerable.Repeat(1L, rank)]);
}

/// <summary>
/// What "zero" is for the tensors of a model: for integers that are dequantised or multiplied, the zero point of the node that does so,
/// seen through nodes that only move elements; scales, zero points and divisors are never set to zero.
/// </summary>
/// <remarks>
/// Both lists of operators say what the table of operator rules says too. They are kept apart on purpose: a judge who looks up what the
/// judged looked up finds no mistake in it.
/// </remarks>
internal sealed class MaskRoles
{
    /// <summary>Which operands of a node are integers with which scale and zero point; −1 where there is none.</summary>
    private static readonly Dictionary<string, (int Data, int Scale, int Point)[]> Quantized = new(StringComparer.Ordinal)
    {
        ["QuantizeLinear"] = [(-1, 1, 2)],
        ["DequantizeLinear"] = [(0, 1, 2)],
        ["MatMulInteger"] = [(0, -1, 2), (1, -1, 3)],
        ["ConvInteger"] = [(0, -1, 2), (1, -1, 3)],
        ["QLinearMatMul"] = [(0, 1, 2), (3, 4, 5), (-1, 6, 7)],
        ["QLinearConv"] = [(0, 1, 2), (3, 4, 5), (-1, 6, 7)],
        ["QLinearAdd"] = [(0, 1, 2), (3, 4, 5), (-1, 6, 7)],
        ["QLinearMul"] = [(0, 1, 2), (3, 4, 5), (-1, 6, 7)],
        ["QLinearSigmoid"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearLeakyRelu"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearSoftmax"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearAveragePool"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearGlobalAveragePool"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearReduceMean"] = [(0, 1, 2), (-1, 3, 4)],
        ["QLinearWhere"] = [(1, 2, 3), (4, 5, 6), (-1, 7, 8)],
        ["MatMulIntegerToFloat"] = [(0, 2, 4), (1, 3, 5)],
        ["DynamicQuantizeMatMul"] = [(1, 2, 3)],
        ["QGemm"] = [(0, 1, 2), (3, 4, 5), (-1, 7, 8)],
        ["QAttention"] = [(0, 3, 6), (1, 4, 7)],
        ["QEmbedLayerNormalization"] = [(2, 8, 13), (3, 9, 14), (4, 10, 15), (5, 11, 16), (6, 12, 17)],
        ["DynamicQuantizeLSTM"] = [(1, 8, 9), (2, 10, 11)],
    };

    private static readonly HashSet<string> Movers = new(StringComparer.Ordinal)
    {
        "Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "GatherElements", "GatherND",
        "Expand", "Tile", "Dropout", "DepthToSpace", "SpaceToDepth", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "Pad", "Concat",
        "Max", "Min", "Where", "Resize", "Upsample",
    };

    /// <summary>
    /// A zero point as a reader demands it: a number, or the name of a constant with several and how they lie. Null: plain zero.
    /// </summary>
    private sealed record Demand(long? Value, string Points, string Layout, int Axis, long Block);

    private static readonly Demand Unknown = new(null, "", "", 0, 0);

    private readonly OnnxModel _model;
    private readonly Dictionary<string, TensorProto> _constants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<Demand?>> _demands = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unmasked = new(StringComparer.Ordinal);

    /// <param name="model">Reads the elements of zero points.</param>
    public MaskRoles(OnnxModel model, GraphProto graph)
    {
        _model = model;
        // Readers come after what they read: the walk goes backwards, graphs inside a node at its place.
        var open = new Stack<(GraphProto Graph, int Next)>();
        open.Push((graph, graph.Node.Count - 1));
        foreach (var inner in graph.WithSubgraphs())
        {
            foreach (var tensor in inner.Initializer) _constants[tensor.Name] = tensor;
            foreach (var node in inner.Node)
                if (node.ConstantTensor() is { } constant) _constants[node.Output[0]] = constant;
        }
        while (open.TryPop(out var at))
        {
            if (at.Next < 0) continue;
            open.Push((at.Graph, at.Next - 1));
            var node = at.Graph.Node[at.Next];
            Read(node);
            foreach (var inner in node.Subgraphs()) open.Push((inner, inner.Node.Count - 1));
        }
    }

    /// <summary>Whether the tensor keeps its values.</summary>
    public bool IsUnmasked(string name) => _unmasked.Contains(name);

    /// <summary>What stands for zero in a tensor of this shape; null for plain zero.</summary>
    public MaskFill? FillOf(string name, IReadOnlyList<long> dims)
    {
        if (!_demands.TryGetValue(name, out var demands) || demands.Count != 1 || demands.Single() is not { } demand) return null;
        if (demand.Value is { } value) return MaskFill.From(value, dims.Count);
        if (!_constants.TryGetValue(demand.Points, out var points)) return null;
        var content = _model.Content(points);
        var (strides, blocks) = (new long[dims.Count], Enumerable.Repeat(1L, dims.Count).ToArray());
        int[] axes = demand.Layout switch
        {
            "axis" => [demand.Axis < 0 ? demand.Axis + dims.Count : demand.Axis],
            // One row of zero points per direction, none along the inputs.
            "gates" => [0, 2],
            _ => [.. Enumerable.Range(0, content.Dims.Count)],
        };
        if (axes.Length != content.Dims.Count || axes.Any(a => a < 0 || a >= dims.Count)) return null;
        for (int k = axes.Length - 1, stride = 1; k >= 0; stride *= (int)content.Dims[k--])
        {
            if (content.Dims[k] == 1) continue;
            strides[axes[k]] = stride;
            if (content.Dims[k] != dims[axes[k]]) blocks[axes[k]] = Math.Max(1, demand.Block);
        }
        return new MaskFill(content.ToLongs(), strides, blocks);
    }

    private void Read(NodeProto node)
    {
        bool standard = node.Domain is "" or "ai.onnx";
        IReadOnlyList<(int Data, int Scale, int Point)> quantized = standard || node.Domain == "com.microsoft" ? Operands(node) : [];
        for (int k = 0; k < node.Input.Count; k++)
        {
            string name = node.Input[k];
            if (name.Length == 0) continue;
            bool divides = standard && k == 1 && node.OpType is "Div" or "Mod";
            if (divides || quantized.Any(q => q.Scale == k || q.Point == k)) _unmasked.Add(name);
            else if (quantized.FirstOrDefault(q => q.Data == k, (Data: -2, Scale: -2, Point: -2)) is ( >= 0, _, var point))
                DemandsOn(name).Add(PointOf(node, k, point));
            else if (standard && Moves(node, k))
            {
                foreach (string output in node.Output)
                {
                    if (_unmasked.Contains(output)) _unmasked.Add(name);
                    foreach (var demand in DemandsOn(output)) DemandsOn(name).Add(demand is { Value: null } ? Unknown : demand);
                }
            }
            else DemandsOn(name).Add(null);
        }
    }

    private static IReadOnlyList<(int Data, int Scale, int Point)> Operands(NodeProto node)
    {
        if (node.OpType != "QLinearConcat") return Quantized.GetValueOrDefault(node.OpType, []);
        int parts = Math.Max(0, (node.Input.Count - 2) / 3);
        return [(-1, 0, 1), .. Enumerable.Range(0, parts).Select(k => (2 + (3 * k), 3 + (3 * k), 4 + (3 * k)))];
    }

    private static bool Moves(NodeProto node, int operand) => Movers.Contains(node.OpType) && node.OpType switch
    {
        "Concat" or "Max" or "Min" => true,
        "Where" => operand > 0,
        "Resize" or "Upsample" => operand == 0 && node.Attribute.All(a => a.Name != "mode" || a.S.ToStringUtf8() == "nearest"),
        _ => operand == 0,
    };

    private Demand? PointOf(NodeProto node, int operand, int point)
    {
        if (point < 0 || point >= node.Input.Count || node.Input[point].Length == 0) return null;
        if (!_constants.TryGetValue(node.Input[point], out var tensor)) return Unknown;
        var type = (TensorProto.Types.DataType)tensor.DataType;
        var content = _model.Content(tensor);
        // Zero points of floating point numbers are zero (ONNX QuantizeLinear).
        if (!DataTypes.IsInteger(type))
            return DataTypes.IsFloat(type) && content.ToFloats().All(v => v == 0) ? null : Unknown;
        var values = content.ToLongs();
        if (Array.TrueForAll(values, v => v == 0)) return null;
        if (Array.TrueForAll(values, v => v == values[0])) return new(values[0], "", "", 0, 0);
        var (layout, axis) = (node.OpType, content.Dims.Count) switch
        {
            ("DequantizeLinear", 1) => ("axis", (int)Int(node, "axis", 1)),
            ("ConvInteger" or "QLinearConv", 1) => ("axis", 0),
            ("QGemm", 1) => ("axis", Int(node, "transB", 0) == 1 ? 0 : 1),
            ("DynamicQuantizeLSTM", 1) => ("axis", 0),
            ("DynamicQuantizeLSTM", _) => ("gates", 0),
            // Per row of the left operand of a product, per column of the right.
            ("MatMulInteger" or "QLinearMatMul", 1) => ("axis", operand == 0 ? -2 : -1),
            (_, 1) => ("axis", -1),
            _ => ("shape", 0),
        };
        return new(null, node.Input[point], layout, axis, Int(node, "block_size", 0));
    }

    private static long Int(NodeProto node, string name, long fallback)
        => node.Attribute.FirstOrDefault(a => a.Name == name)?.I ?? fallback;

    private HashSet<Demand?> DemandsOn(string name) => _demands.TryGetValue(name, out var set) ? set : _demands[name] = [];
}
