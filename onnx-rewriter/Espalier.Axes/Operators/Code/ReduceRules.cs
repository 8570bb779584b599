using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators with a statistic, an order or a sum over some axes.</summary>
internal static class ReduceRules
{
    public static void Reduce(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var given = context.AttributeOrInput("axes", 1);
        if (given is null && context.Input(1) is not null)
        {
            context.Barrier("its axes are computed");
            return;
        }
        bool nothing = given is null or [] && context.Int("noop_with_empty_axes", 0) == 1;
        var axes = (given is null or []
            ? Enumerable.Range(0, nothing ? 0 : x.Length)
            : given.Select(a => NodeContext.Axis(a, x.Length))).ToHashSet();
        bool keep = context.Int("keepdims", 1) == 1;
        string op = context.Node.OpType;
        foreach (int axis in axes)
        {
            // A sum of zeros is zero, and a mean is a sum that surgery divides anew; an extremum also compares.
            if (op is "ReduceSum" or "ReduceL1" or "ReduceL2" or "ReduceSumSquare" or "ReduceMean") context.Record.Sums.Add((x[axis], [0]));
            else context.Inexact(x[axis], "a statistic runs over this axis");
        }
        // The logarithm of a sum of zeros.
        if (op == "ReduceLogSum") context.Record.Poles = [0];
        if (op == "ReduceMean") context.Mean([.. axes.Order().Select(a => x[a])]);
        context.Output(0,
            [.. x.Select((t, k) => (t, k)).Where(p => keep || !axes.Contains(p.k)).Select(p => axes.Contains(p.k) ? Term.One : p.t)]);
        context.Record.Zero = op is "ReduceSum" or "ReduceL1" or "ReduceL2" or "ReduceSumSquare" or "ReduceMean" or "ReduceMax"
            or "ReduceMin" ? ZeroRule.First : ZeroRule.Never;
    }

    public static void Softmax(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        // Before operator set 13 the input is coerced to two dimensions, and the statistic runs over all axes from the given one.
        bool coerces = context.Opset < 13;
        int axis = NodeContext.Axis(context.Int("axis", coerces ? 1 : -1), x.Length);
        foreach (var term in coerces ? x[axis..] : [x[axis]])
            context.Inexact(term, "it is normalised over this axis, and a zeroed unit still carries exp(0)");
        context.Output(0, x);
    }

    /// <summary>
    /// LayerNormalization, RMSNormalization and SimplifiedLayerNormalization: a statistic over the axes from <c>axis</c> on.
    /// </summary>
    public static void LayerNormalization(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", -1), x.Length);
        if (context.Node.OpType == "LayerNormalization")
        {
            foreach (var term in x[axis..]) context.Inexact(term, "a statistic runs over this axis");
        }
        else
        {
            // A root mean square of zeros adds nothing: Zhang and Sennrich 2019, eq. 4.
            foreach (var term in x[axis..]) context.Record.Sums.Add((term, [0]));
            context.Mean(x[axis..], scale: 1);
        }
        for (int k = 1; k < context.Inputs.Length; k++)
        {
            if (context.Input(k)?.Terms is not { } scale) continue;
            for (int j = 1; j <= scale.Length && j <= x.Length; j++) if (!scale[^j].IsOne) context.Same(x[^j], scale[^j]);
        }
        context.Output(0, x);
        for (int k = 1; k < context.Record.Outputs.Length; k++) context.Output(k, [.. x.Select((t, j) => j < axis ? t : Term.One)]);
        context.Record.Zero = ZeroRule.Affine;
        context.Record.ZeroOperands = [1, 2];
    }

    public static void MeanVariance(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        foreach (int axis in NodeContext.Axes(context.Ints("axes") ?? [0, 2, 3], x.Length))
            context.Inexact(x[axis], "a statistic runs over this axis");
        // What does not vary has no standard deviation to be divided by.
        context.Record.Poles = [0];
        context.Output(0, x);
    }

    public static void LpNormalization(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        context.Record.Sums.Add((x[NodeContext.Axis(context.Int("axis", -1), x.Length)], [0]));
        context.Output(0, x);
        context.Record.Zero = ZeroRule.First;
    }

    public static void TopK(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", -1), x.Length);
        long? count = context.Attribute("k") is { } a ? a.I : context.Input(1)?.Value?.Numbers is [var k] ? k : null;
        if (context.Record.Outputs.Length > 1 && context.IsUsed(context.Record.Outputs[1].Name))
            context.Freeze(x[axis], "its positions become data");
        else context.Inexact(x[axis], "the largest are chosen over this axis, and a zeroed unit may be among them", count ?? 1);
        if (count is null) context.Freeze(x[axis], "how many are chosen is computed");
        var terms = x.ToArray();
        terms[axis] = context.Constant(count, "ordered by value");
        for (int output = 0; output < context.Record.Outputs.Length; output++) context.Output(output, terms);
    }

    public static void ArgExtremum(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", 0), x.Length);
        context.Freeze(x[axis], "its positions become data");
        context.Output(0, context.Int("keepdims", 1) == 1
            ? [.. x.Select((t, k) => k == axis ? Term.One : t)]
            : [.. x[..axis], .. x[(axis + 1)..]]);
    }

    /// <summary>ONNX CumSum, and other operators that keep the shape but order the positions of one axis.</summary>
    public static void CumSum(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var axis = context.Input(1)?.Value?.Numbers;
        foreach (var term in axis is [var a] ? [x[NodeContext.Axis(a, x.Length)]] : x)
            context.Freeze(term, "the order along this axis has a meaning");
        context.Output(0, x);
        context.Record.Zero = ZeroRule.First;
    }
}
