using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>The axes that an operator sums or normalises over.</summary>
internal static class NodeAxes
{
    /// <summary>Axes of the first operand, in rising order.</summary>
    /// <exception cref="NoGradientException">They are computed, or its rank is not known.</exception>
    public static IReadOnlyList<long> Of(GradientContext context)
    {
        int rank = context.InTerms(0).Length;
        string op = context.Node.OpType;
        if (op.StartsWith("Reduce", StringComparison.Ordinal)) return Reduced(context, rank);
        return op switch
        {
            "Softmax" or "LogSoftmax" or "BiasSoftmax" when context.Opset < 13 || op == "BiasSoftmax" => From(context.Int("axis", 1), rank),
            "Softmax" or "LogSoftmax" or "LpNormalization" or "CumSum" => [context.Axis(context.Int("axis", -1), rank)],
            "LayerNormalization" or "RMSNormalization" or "SimplifiedLayerNormalization" => From(context.Int("axis", -1), rank),
            "SkipLayerNormalization" or "SkipSimplifiedLayerNormalization" => [rank - 1],
            "MeanVarianceNormalization" => [.. (context.Ints("axes") ?? [0, 2, 3]).Select(a => (long)context.Axis(a, rank)).Order()],
            "BatchNormalization" => [0, .. From(2, rank)],
            "InstanceNormalization" or "GlobalMaxPool" => From(2, rank),
            _ => throw new InvalidOperationException($"{op} has no axes."),
        };
    }

    /// <summary>Axes of the first operand that the result lacks; null of what is no reduction.</summary>
    public static IReadOnlyList<long>? Dropped(GradientContext context)
        => !context.Node.OpType.StartsWith("Reduce", StringComparison.Ordinal) ? null
            : context.Int("keepdims", 1) == 1 ? []
            : Of(context);

    private static long[] Reduced(GradientContext context, int rank)
    {
        var stated = context.Integers("axes", 1);
        if (stated is null or []) return context.Int("noop_with_empty_axes", 0) == 1 ? [] : From(0, rank);
        return [.. stated.Select(a => (long)context.Axis(a, rank)).Distinct().Order()];
    }

    private static long[] From(long axis, int rank)
    {
        int from = (int)(axis < 0 ? axis + rank : axis);
        return [.. Enumerable.Range(from, rank - from).Select(a => (long)a)];
    }
}
