using Espalier.Gradients.Writing;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Fused;

/// <summary>Products and convolutions that are fused with other operators.</summary>
internal static class FusedProducts
{
    /// <summary>transA exchanges the last two axes; transBatchA puts the first axis in front of the last but one before that.</summary>
    public static string MatMul(Expansion e)
    {
        string product = e.Graph.Op("MatMul", [Ordered("A", 0), Ordered("B", 1)]);
        return e.Scaled(product, e.Node.Real("alpha", 1));

        string Ordered(string side, int operand)
        {
            int rank = e.Node.InTerms(operand).Length;
            if (rank < 2) return e.In(operand);
            int[] order = [.. Enumerable.Range(0, rank)];
            // The batch of [m, b, k] lies before the last axis.
            if (e.Node.Int("transBatch" + side, 0) != 0) order = [.. order[1..^1], 0, rank - 1];
            if (e.Node.Int("trans" + side, 0) == 0) return e.Graph.Transpose(e.In(operand), order);
            return e.Graph.Transpose(e.In(operand), [.. order[..^2], order[^1], order[^2]]);
        }
    }

    public static string Gemm(Expansion e)
    {
        string[] operands = e.Node.Has(2) ? [e.In(0), e.In(1), e.In(2)] : [e.In(0), e.In(1)];
        string y = e.Graph.Op("Gemm", operands, e.Attributes("alpha", "beta", "transA", "transB"));
        string activation = e.Node.Text("activation", "");
        float[] parameters = [.. ((string[])["activation_alpha", "activation_beta", "activation_gamma"])
            .SelectMany(name => e.Attributes(name)).Select(a => a.F)];
        return FusedActivations.Apply(e, activation, y, parameters);
    }

    public static string Conv(Expansion e)
    {
        string[] operands = e.Node.Has(2) ? [e.In(0), e.In(1), e.In(2)] : [e.In(0), e.In(1)];
        string y = e.Graph.Op("Conv", operands, e.Attributes("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"));
        var parameters = e.Attributes("activation_params").SelectMany(a => a.Floats).ToList();
        return FusedActivations.Apply(e, e.Node.Text("activation", ""), e.Plus(y, 3), parameters);
    }

    public static string ConvTranspose(Expansion e)
    {
        var attributes = e.Attributes("dilations", "group", "kernel_shape", "output_padding", "strides").ToList();
        if (e.Node.Text("auto_pad", "NOTSET") != "NOTSET") throw new NoGradientException("its pads follow from the shape of its result");
        if (e.Node.Has(2)) attributes.Add(BackwardGraph.Ints("pads", e.Node.Integers("", 2)!));
        else attributes.AddRange(e.Attributes("pads"));
        string[] operands = e.Node.Has(3) ? [e.In(0), e.In(1), e.In(3)] : [e.In(0), e.In(1)];
        return e.Graph.Op("ConvTranspose", operands, [.. attributes]);
    }

    /// <summary>A depthwise convolution over what came before and the operand; the state is the end of these.</summary>
    public static string?[] CausalConv(Expansion e)
    {
        var graph = e.Graph;
        if (e.Node.Int("channels_last", 0) != 0 || e.Node.Int("state_window", 0) != 0 || e.Node.Int("ndim", 1) != 1)
            throw new NoGradientException("it has another layout");
        long[] weight = e.Node.InSizes(1);
        long before = weight[2] - 1;
        string x = e.Node.Has(3)
            ? graph.Op("Concat", [e.In(3), e.In(0)], BackwardGraph.Int("axis", 2))
            : graph.Pad(e.In(0), 0, 0, before, 0, 0, 0);
        string[] operands = e.Node.Has(2) ? [x, e.In(1), e.In(2)] : [x, e.In(1)];
        string y = graph.Op("Conv", operands, BackwardGraph.Int("group", weight[0]));
        y = FusedActivations.Apply(e, e.Node.Text("activation", "none"), y, []);
        return [y, before == 0 ? null : graph.Slice(x, [-before], [long.MaxValue], [2], [1])];
    }

    /// <summary>dX = -Yᵀ·dY·Yᵀ.</summary>
    public static void Inverse(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        string flipped = graph.Transpose(context.Out(0), [.. Enumerable.Range(0, rank - 2), rank - 1, rank - 2]);
        context.Give(0, graph.Op("Neg", [graph.Op("MatMul", [graph.Op("MatMul", [flipped, context.Gradient(0)!]), flipped])]));
    }

    public static string Distances(Expansion e)
    {
        if (e.Node.Text("metric", "sqeuclidean") != "sqeuclidean") throw new NoGradientException("at distance 0 it has a kink");
        string difference = e.Graph.Op("Sub", [e.Graph.Unsqueeze(e.In(0), [1]), e.Graph.Unsqueeze(e.In(1), [0])]);
        return e.Graph.Sum(e.Graph.Op("Mul", [difference, difference]), [2], keep: false);
    }

    /// <summary>Each block has a scale and a zero point; of 4 bits, the first of two numbers is the lower half of a byte.</summary>
    public static string BlockQuantized(Expansion e)
    {
        var graph = e.Graph;
        long k = e.Node.Int("K", 0), n = e.Node.Int("N", 0), block = e.Node.Int("block_size", 32), bits = e.Node.Int("bits", 4);
        if (bits is not (4 or 8)) throw new NoGradientException($"its numbers have {bits} bits");
        if (e.Node.Has(4)) throw new NoGradientException("it lists the group of every column");
        long blocks = (k + block - 1) / block;
        string values = graph.Reshape(Unpacked(e, e.In(1), bits), n, blocks, block);
        string zero = e.Number(bits == 4 ? 8 : 128);
        if (e.Node.Has(3))
        {
            zero = e.Node.Record.Inputs[3]!.IsFloating ? graph.Reshape(e.In(3), n, blocks, 1)
                : graph.Unsqueeze(graph.Slice(Unpacked(e, graph.Reshape(e.In(3), n, -1), bits), [0], [blocks], [1], [1]), [2]);
        }
        string weight = graph.Op("Mul", [graph.Op("Sub", [values, zero]), graph.Reshape(e.In(2), n, blocks, 1)]);
        // Behind the last column the last block is empty.
        weight = graph.Slice(graph.Reshape(weight, n, blocks * block), [0], [k], [1], [1]);
        return e.Plus(graph.Op("MatMul", [e.In(0), graph.Transpose(weight, [1, 0])]), 5);
    }

    // Numbers of 4 bits, two of a byte along the last axis of a matrix.
    private static string Unpacked(Expansion e, string bytes, long bits)
    {
        var graph = e.Graph;
        if (bits == 8) return graph.Cast(bytes, e.Type);
        string whole = graph.Cast(bytes, (int)DataType.Int32), sixteen = graph.Cast(graph.Integer(16), (int)DataType.Int32);
        string high = graph.Op("Div", [whole, sixteen]), low = graph.Op("Mod", [whole, sixteen]);
        string pairs = graph.Op("Concat", [graph.Unsqueeze(low, [-1]), graph.Unsqueeze(high, [-1])], BackwardGraph.Int("axis", -1));
        return graph.Cast(graph.Op("Reshape", [pairs, graph.Integers([0, -1])]), e.Type);
    }
}
