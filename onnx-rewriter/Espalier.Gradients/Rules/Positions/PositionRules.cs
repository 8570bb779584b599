using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Positions;

/// <summary>Operators that move, choose or place elements.</summary>
internal static class PositionRules
{
    /// <summary>What was chosen goes where it was; without an axis all elements are one row.</summary>
    public static void Compress(GradientContext context)
    {
        var graph = context.Graph;
        bool isFlat = context.Node.Attribute.All(a => a.Name != "axis");
        int rank = isFlat ? 1 : context.InTerms(0).Length, axis = isFlat ? 0 : context.Axis(context.Int("axis", 0), rank);
        string x = context.In(0), positions = graph.Reshape(graph.Op("NonZero", [context.In(1)]), -1);
        string size = isFlat ? graph.Op("Size", [x]) : graph.Op("Gather", [graph.Shape(x), graph.Integer(axis)]);
        string gradient = ShapeRules.Scattered(context, context.Gradient(0)!, positions, size, axis, rank);
        context.Give(0, isFlat ? graph.Like(gradient, x) : gradient);
    }

    /// <summary>What was cropped is padded with zeros at the same place, and what was padded is cropped.</summary>
    public static void CenterCropPad(GradientContext context)
        => context.Give(0, context.Graph.Op("CenterCropPad", [context.Gradient(0)!, context.Graph.Shape(context.In(0))]));

    /// <summary>The order that undoes itself.</summary>
    public static void ReverseSequence(GradientContext context)
        => context.Give(0, context.Graph.Op("ReverseSequence", [context.Gradient(0)!, context.In(1)],
            BackwardGraph.Int("batch_axis", context.Int("batch_axis", 1)), BackwardGraph.Int("time_axis", context.Int("time_axis", 0))));

    /// <summary>Updates lie one behind the other in the cache of their sample, from a position on.</summary>
    public static void TensorScatter(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length, axis = context.Axis(context.Int("axis", -2), rank);
        int[] order = [0, axis, .. Enumerable.Range(1, rank - 1).Where(a => a != axis)];
        int[] back = [.. Enumerable.Range(0, rank).Select(a => Array.IndexOf(order, a))];
        string dy = graph.Transpose(context.Gradient(0)!, order), update = graph.Shape(graph.Transpose(context.In(1), order));
        string at = graph.Unsqueeze(graph.Counted(graph.Size(context.In(1), axis)), [0]);
        if (context.Has(2)) at = graph.Add(graph.Unsqueeze(context.In(2), [1]), at);
        if (context.Text("mode", "linear") == "circular") at = graph.Op("Mod", [at, graph.Size(context.In(0), axis)]);
        string shape = graph.Concat(0, graph.Op("Slice", [update, graph.Integers(0), graph.Integers(2)]));
        string sample = graph.Unsqueeze(graph.Counted(graph.Size(context.In(1), 0)), [1]);
        string positions = graph.Concat(2, Full(sample), Full(at));
        if (context.Wants(0))
            context.Give(0, graph.Transpose(graph.Op("ScatterND", [dy, positions, graph.Zeros(update, context.Type)]), back));
        if (context.Wants(1)) context.Give(1, graph.Transpose(graph.Op("GatherND", [dy, positions]), back));

        string Full(string rows) => graph.Unsqueeze(graph.Op("Expand", [rows, shape]), [2]);
    }

    /// <summary>Every element is read from where it was put. Windows that overlap might put several there.</summary>
    public static void MaxUnpool(GradientContext context)
    {
        if (context.Has(2)) throw new NoGradientException("the shape of its result is stated, which its positions may not count in");
        long[] kernel = context.Ints("kernel_shape") ?? [], strides = context.Ints("strides") ?? [.. kernel.Select(_ => 1L)];
        if (kernel.Zip(strides).Any(w => w.First > w.Second)) throw new NoGradientException("its windows overlap");
        var graph = context.Graph;
        context.Give(0, graph.Op("Gather", [graph.Reshape(context.Gradient(0)!, -1), context.In(1)]));
    }

    /// <summary>The value of what is hit has the sum over the hits, the other one the rest.</summary>
    public static void OneHot(GradientContext context)
    {
        var graph = context.Graph;
        string dy = context.Gradient(0)!;
        string hits = graph.Op("OneHot", [context.In(0), context.In(1), graph.Numbers([0, 1], [2], context.Type)],
            BackwardGraph.Int("axis", context.Int("axis", -1)));
        string on = All(graph.Mul(dy, hits));
        context.Give(2, graph.Concat(0, graph.Sub(All(dy), on), on));

        string All(string tensor) => graph.Reshape(graph.Op("ReduceSum", [tensor]), 1);
    }

    /// <summary>Every position of a block is read by a convolution with a kernel that is 1 there.</summary>
    public static void Col2Im(GradientContext context)
    {
        var graph = context.Graph;
        long[] block = context.Integers("", 2)!;
        long count = block.Aggregate(1L, (p, n) => p * n);
        var kernel = new double[count * count];
        for (long k = 0; k < count; k++) kernel[(k * count) + k] = 1;
        long[] ones = [.. block.Select(_ => 1L)], none = new long[2 * block.Length];
        string image = graph.Op("Unsqueeze", [graph.Merged(context.Gradient(0)!, 0), graph.Integers(1)]);
        string blocks = graph.Op("Conv", [image, graph.Numbers(kernel, [count, 1, .. block], context.Type)],
            BackwardGraph.Ints("kernel_shape", block), Stated("strides", ones), Stated("dilations", ones), Stated("pads", none));
        context.Give(0, graph.Like(blocks, context.In(0)));

        Onnx.AttributeProto Stated(string name, long[] otherwise)
            => BackwardGraph.Ints(name, context.Ints(name) is { Length: > 0 } values ? values : otherwise);
    }

    /// <summary>y = (x − zero point)·scale, where x are integers.</summary>
    public static void Dequantize(GradientContext context)
    {
        if (context.Int("block_size", 0) != 0) throw new NoGradientException("its scales are those of blocks");
        var graph = context.Graph;
        int type = context.Type, rank = context.InTerms(0).Length, scales = context.InTerms(1).Length;
        bool isOfAxis = scales == 1 && rank > 0 && !context.InTerms(1)[0].IsOne;
        int axis = context.Axis(context.Int("axis", 1), rank);
        string x = graph.Cast(context.In(0), type);
        if (context.Has(2))
        {
            string zero = graph.Cast(context.In(2), type);
            x = graph.Sub(x, isOfAxis ? graph.Unsqueeze(zero, [.. Enumerable.Range(1, rank - axis - 1).Select(a => (long)a)])
                : graph.Reshape(zero));
        }
        long[] others = [.. Enumerable.Range(0, rank).Where(a => !isOfAxis || a != axis).Select(a => (long)a)];
        context.Give(1, graph.Like(graph.Sum(graph.Mul(context.Gradient(0)!, x), others, keep: false), context.In(1)));
    }
}
