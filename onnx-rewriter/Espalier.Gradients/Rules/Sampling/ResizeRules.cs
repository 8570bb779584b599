using Espalier.Gradients.Writing;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Gradients.Rules.Sampling;

/// <summary>
/// Interpolation along an axis is a product with a matrix, and axes do not depend on each other: the gradient is that with the transposed
/// matrices. The operator itself, applied to the identity, gives the matrix, so that both read the same elements however the runtime
/// rounds. Where every element is only repeated, the gradient is a sum over what repeats.
/// </summary>
internal static class ResizeRules
{
    public static void Resize(GradientContext context)
    {
        Require(context);
        int rank = context.InTerms(0).Length;
        var factors = Factors(context, rank);
        string gradient = context.Gradient(0)!;
        for (int axis = 0; axis < rank; axis++)
        {
            if (factors?[axis] == 1) continue;
            long? known = context.InTerms(0)[axis].Size, given = context.OutTerms(0)[axis].Size;
            if (factors is null && known is not null && known == given) continue;
            gradient = Repeats(context, factors?[axis]) is { } times
                ? context.Graph.Sum(context.Graph.Parted(gradient, axis, -1, times), [axis + 1], keep: false)
                : context.Graph.Along(gradient, Matrix(context, axis, factors?[axis]), axis, rank);
        }
        context.Give(0, gradient);
        for (int k = 1; k < context.Record.Inputs.Length; k++) context.Refuse(k, "it says sizes, which are not followed");
    }

    private static void Require(GradientContext context)
    {
        if (context.Text("keep_aspect_ratio_policy", "stretch") != "stretch")
            throw new NoGradientException("it keeps the ratio of its axes");
        if (Coordinates(context) == "tf_crop_and_resize") throw new NoGradientException("it cuts out a region");
    }

    // Upsample, and Resize before operator set 11.
    private static bool IsOld(GradientContext context) => context.Node.OpType == "Upsample" || context.Opset < 11;

    private static string Coordinates(GradientContext context)
        => IsOld(context) ? "asymmetric" : context.Text("coordinate_transformation_mode", "half_pixel");

    private static string Rounding(GradientContext context, float? factor)
        => IsOld(context) ? factor < 1 ? "ceil" : "floor" : context.Text("nearest_mode", "round_prefer_floor");

    // A row for each element of the result, a column for each of the operand.
    private static string Matrix(GradientContext context, int axis, float? factor)
    {
        var graph = context.Graph;
        const int type = (int)DataType.Float;
        string size = graph.Size(context.In(0), axis);
        string identity = graph.Op("EyeLike", [graph.Zeros(graph.Concat(0, size, size), type)]);
        AttributeProto[] attributes =
        [
            BackwardGraph.Text("mode", context.Text("mode", "nearest") is var mode && mode == "bilinear" ? "linear" : mode),
            BackwardGraph.Text("coordinate_transformation_mode", Coordinates(context)),
            BackwardGraph.Text("nearest_mode", Rounding(context, factor)),
            BackwardGraph.Real("cubic_coeff_a", (float)context.Real("cubic_coeff_a", -0.75)),
            BackwardGraph.Int("exclude_outside", context.Int("exclude_outside", 0)),
            BackwardGraph.Int("antialias", context.Int("antialias", 0)),
        ];
        string matrix = factor is { } f ? graph.Op("Resize", [identity, "", graph.Numbers([f, 1], [2], type)], attributes)
            : graph.Op("Resize", [identity, "", "", graph.Concat(0, graph.Size(context.Out(0), axis), size)], attributes);
        return context.Type == type ? matrix : graph.Cast(matrix, context.Type);
    }

    // How often every element stands there; null where that is not all, or not sure.
    private static long? Repeats(GradientContext context, float? factor)
    {
        if (factor is not { } f || f != MathF.Floor(f) || f < 2 || context.Text("mode", "nearest") != "nearest") return null;
        string rounding = Rounding(context, f);
        return Coordinates(context) switch
        {
            "asymmetric" when rounding == "floor" => (long)f,
            "half_pixel" or "pytorch_half_pixel" or "half_pixel_symmetric"
                when rounding.StartsWith("round", StringComparison.Ordinal) => (long)f,
            _ => null,
        };
    }

    // A factor per axis; null where the sizes are stated.
    private static float[]? Factors(GradientContext context, int rank)
    {
        float[]? stated = context.Node.Attribute.FirstOrDefault(a => a.Name == "scales") is { } attribute ? [.. attribute.Floats]
            : Constant(context, IsOld(context) ? 1 : 2);
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
