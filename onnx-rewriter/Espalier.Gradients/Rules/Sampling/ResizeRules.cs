using Espalier.Gradients.Writing;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Rules.Sampling;

/// <summary>
/// Interpolation along an axis is a product with a matrix, and axes do not depend on each other: the gradient is that with the transposed
/// matrices. Where every element is only repeated, it is a sum over what repeats.
/// </summary>
internal static class ResizeRules
{
    public static void Resize(GradientContext context)
    {
        int rank = context.InTerms(0).Length;
        var method = Interpolation.Of(context);
        var factors = Factors(context, rank);
        string gradient = context.Gradient(0)!;
        for (int axis = 0; axis < rank; axis++)
        {
            if (factors?[axis] == 1) continue;
            long? known = context.InTerms(0)[axis].Size, given = context.OutTerms(0)[axis].Size;
            if (factors is null && known is not null && known == given) continue;
            gradient = Repeats(method, factors?[axis], known) is { } times
                ? context.Graph.Sum(context.Graph.Parted(gradient, axis, -1, times), [axis + 1], keep: false)
                : Along(context, gradient, axis, method, factors?[axis]);
        }
        context.Give(0, gradient);
        for (int k = 1; k < context.Record.Inputs.Length; k++) context.Refuse(k, "it says sizes, which are not followed");
    }

    private static string Along(GradientContext context, string gradient, int axis, Interpolation method, float? factor)
    {
        int rank = context.InTerms(0).Length;
        long from = context.InSizes(0, axis)[0], to = context.OutSizes(0, axis)[0];
        double[] matrix = method.Matrix(from, to, factor ?? to / (float)from);
        return context.Graph.Along(gradient, context.Graph.Numbers(matrix, [to, from], context.Type), axis, rank);
    }

    // How often every element stands there; null where that is not all.
    private static long? Repeats(Interpolation method, float? factor, long? size)
    {
        if (factor is not { } f || f != MathF.Floor(f) || f < 2 || !method.IsNearest) return null;
        // Positions that follow from the factor alone are the same for every size.
        if (size is null && method.CountsFromEnds) return null;
        long from = size ?? 5, to = from * (long)f;
        double[] matrix = method.Matrix(from, to, f);
        for (long o = 0; o < to; o++)
            if (matrix[(o * from) + (o / (long)f)] != 1) return null;
        return (long)f;
    }

    // A factor per axis; null where the sizes are stated.
    private static float[]? Factors(GradientContext context, int rank)
    {
        if (context.Text("keep_aspect_ratio_policy", "stretch") != "stretch") throw new NoGradientException("it keeps the ratio of its axes");
        float[]? stated = context.Node.Attribute.FirstOrDefault(a => a.Name == "scales") is { } attribute ? [.. attribute.Floats]
            : Constant(context, context.Node.OpType == "Upsample" || context.Opset < 11 ? 1 : 2);
        if (stated is null or []) return null;
        if (context.Ints("axes") is not { Length: > 0 } axes) return stated;
        var factors = Enumerable.Repeat(1f, rank).ToArray();
        foreach (var (i, axis) in axes.Index()) factors[context.Axis(axis, rank)] = stated[i];
        return factors;
    }

    private static float[]? Constant(GradientContext context, int operand)
    {
        if (!context.Has(operand)) return null;
        return context.Floats(operand) ?? throw new NoGradientException("its scales are computed");
    }
}
