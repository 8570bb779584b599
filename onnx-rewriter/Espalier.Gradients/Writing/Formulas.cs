using System.Runtime.InteropServices;
using Espalier.Onnx;
using Google.Protobuf;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Writing;

/// <summary>What rules write often, in one call each.</summary>
internal static class Formulas
{
    public static string Add(this BackwardGraph graph, string a, string b) => graph.Op("Add", [a, b]);

    public static string Sub(this BackwardGraph graph, string a, string b) => graph.Op("Sub", [a, b]);

    public static string Mul(this BackwardGraph graph, string a, string b) => graph.Op("Mul", [a, b]);

    public static string Div(this BackwardGraph graph, string a, string b) => graph.Op("Div", [a, b]);

    public static string MatMul(this BackwardGraph graph, string a, string b) => graph.Op("MatMul", [a, b]);

    public static string Concat(this BackwardGraph graph, int axis, params string[] parts)
        => parts.Length == 1 ? parts[0] : graph.Op("Concat", parts, BackwardGraph.Int("axis", axis));

    /// <summary>A part of one axis.</summary>
    public static string Part(this BackwardGraph graph, string x, long axis, long from, long to, long step = 1)
        => graph.Slice(x, [from], [to], [axis], [step]);

    /// <summary>The size of an axis, as a list of one.</summary>
    public static string Size(this BackwardGraph graph, string x, int axis)
        => graph.Op("Shape", [x], axis == -1 ? [BackwardGraph.Int("start", -1)]
            : [BackwardGraph.Int("start", axis), BackwardGraph.Int("end", axis + 1)]);

    /// <summary>The shape of another tensor.</summary>
    public static string Like(this BackwardGraph graph, string x, string other) => graph.Op("Reshape", [x, graph.Shape(other)]);

    /// <summary>An axis as two.</summary>
    public static string Parted(this BackwardGraph graph, string x, int axis, long first, long second)
        => Reshaped(graph, x, axis, axis + 1, [first, second]);

    /// <summary>An axis and the next one as one.</summary>
    public static string Merged(this BackwardGraph graph, string x, int axis) => Reshaped(graph, x, axis, axis + 2, [-1]);

    /// <summary>Zero to count − 1.</summary>
    public static string Counted(this BackwardGraph graph, string count) => graph.Op("Range", [graph.Integer(0),
        graph.Reshape(count), graph.Integer(1)]);

    /// <summary>A constant tensor of a floating type.</summary>
    public static string Numbers(this BackwardGraph graph, double[] values, long[] dims, int type)
    {
        bool isDouble = type == (int)DataType.Double;
        var tensor = new TensorProto
        {
            DataType = isDouble ? type : (int)DataType.Float,
            Dims = { dims },
            RawData = ByteString.CopyFrom(isDouble ? MemoryMarshal.AsBytes(values.AsSpan())
                : MemoryMarshal.AsBytes(Array.ConvertAll(values, v => (float)v).AsSpan())),
        };
        string constant = graph.Op("Constant", [], new AttributeProto
        {
            Name = "value",
            Type = AttributeProto.Types.AttributeType.Tensor,
            T = tensor,
        });
        return isDouble || type == (int)DataType.Float ? constant : graph.Cast(constant, type);
    }

    /// <summary>One where a comparison holds, zero elsewhere.</summary>
    public static string Mask(this BackwardGraph graph, string comparison, string a, string b, int type)
        => graph.Cast(graph.Op(comparison, [a, b]), type);

    /// <summary>Products with a matrix along an axis: of [from, to].</summary>
    public static string Along(this BackwardGraph graph, string x, string matrix, int axis, int rank)
    {
        if (axis == rank - 1) return graph.MatMul(x, matrix);
        if (axis == rank - 2) return graph.MatMul(graph.Transpose(matrix, [1, 0]), x);
        int[] order = [.. Enumerable.Range(0, rank).Where(a => a != axis), axis];
        int[] back = [.. Enumerable.Range(0, rank).Select(a => Array.IndexOf(order, a))];
        return graph.Transpose(graph.MatMul(graph.Transpose(x, order), matrix), back);
    }

    private static string Reshaped(BackwardGraph graph, string x, int from, int to, long[] sizes)
    {
        string shape = graph.Shape(x);
        string before = graph.Op("Slice", [shape, graph.Integers(0), graph.Integers(from)]);
        string after = graph.Op("Slice", [shape, graph.Integers(to), graph.Integers(long.MaxValue)]);
        return graph.Op("Reshape", [x, graph.Concat(0, before, graph.Integers(sizes), after)]);
    }
}
