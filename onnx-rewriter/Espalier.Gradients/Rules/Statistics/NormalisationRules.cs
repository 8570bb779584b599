using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Statistics;

/// <summary>Statistics of groups, of neighbouring channels and of windows.</summary>
internal static class NormalisationRules
{
    /// <summary>
    /// Groups of channels are normalised as one. The scale is that of a channel from operator set 21 on, and that of a group before.
    /// </summary>
    public static void GroupNormalization(GradientContext context)
    {
        var graph = context.Graph;
        int type = context.Type, rank = context.InTerms(0).Length;
        long groups = context.Int("num_groups", 1);
        string x = Grouped(context.In(0)), dy = context.Gradient(0)!;
        string centred = graph.Sub(x, Mean(x));
        string variance = graph.Add(Mean(graph.Mul(centred, centred)), graph.Number(context.Real("epsilon", 1e-5), type));
        string factor = graph.Op("Reciprocal", [graph.Op("Sqrt", [variance])]);
        string normal = graph.Mul(centred, factor);
        bool isOfGroups = context.Opset < 21;
        long[] behind = [.. Enumerable.Range(2, rank - 2).Select(a => (long)a)];
        if (context.Wants(0))
        {
            string scaled = isOfGroups ? graph.Mul(Grouped(dy), graph.Unsqueeze(context.In(1), [1]))
                : Grouped(graph.Mul(dy, graph.Unsqueeze(context.In(1), [.. behind.Select(a => a - 1)])));
            string along = graph.Mul(normal, Mean(graph.Mul(scaled, normal)));
            context.Give(0, graph.Like(graph.Mul(factor, graph.Sub(graph.Sub(scaled, Mean(scaled)), along)), dy));
        }
        if (context.Wants(1)) context.Give(1, isOfGroups ? graph.Sum(graph.Mul(Grouped(dy), normal), [0, 2], keep: false)
            : graph.Sum(graph.Mul(dy, graph.Like(normal, dy)), [0, .. behind], keep: false));
        if (context.Wants(2)) context.Give(2, isOfGroups ? graph.Sum(Grouped(dy), [0, 2], keep: false)
            : graph.Sum(dy, [0, .. behind], keep: false));

        string Grouped(string tensor) => graph.Reshape(tensor, 0, groups, -1);
        string Mean(string tensor) => graph.Op("ReduceMean", [tensor, graph.Integers(2)]);
    }

    /// <summary>
    /// y = x·b^−β with b = bias + α/n · the sum of the squares of the neighbours: dx = dy·b^−β − 2αβ/n · x · the sum of dy·y/b over those
    /// whose neighbour x is.
    /// </summary>
    public static void LocalResponse(GradientContext context)
    {
        var graph = context.Graph;
        int type = context.Type, rank = context.InTerms(0).Length;
        long size = context.Int("size", 1), before = (size - 1) / 2, after = size - 1 - before;
        double alpha = context.Real("alpha", 1e-4), beta = context.Real("beta", 0.75);
        string x = context.In(0), dy = context.Gradient(0)!;
        string divided = graph.Add(graph.Mul(Neighbours(graph.Mul(x, x), before, after), graph.Number(alpha / size, type)),
            graph.Number(context.Real("bias", 1), type));
        string power = graph.Op("Pow", [divided, graph.Number(-beta, type)]);
        string part = Neighbours(graph.Div(graph.Mul(dy, context.Out(0)), divided), after, before);
        context.Give(0, graph.Sub(graph.Mul(dy, power), graph.Mul(graph.Mul(x, part), graph.Number(2 * alpha * beta / size, type))));

        string Neighbours(string tensor, long left, long right)
        {
            long[] pads = new long[2 * rank];
            (pads[1], pads[rank + 1]) = (left, right);
            string padded = graph.Pad(tensor, pads);
            string[] parts = [.. Enumerable.Range(0, (int)size).Select(k => graph.Part(padded, 1, k,
                k == size - 1 ? long.MaxValue : k - size + 1))];
            return parts.Length == 1 ? parts[0] : graph.Op("Sum", parts);
        }
    }

    /// <summary>y = (Σ|x|^p)^(1/p) over a window: dx = dy·y^(1−p) of all windows with x, times |x|^(p−1)·sign(x).</summary>
    public static void LpPool(GradientContext context)
    {
        var graph = context.Graph;
        long[] kernel = context.Ints("kernel_shape") ?? throw new NoGradientException("it has no kernel_shape");
        var windows = Geometry.Of(context, context.InSizes(0, 2), context.OutSizes(0, 2), kernel);
        string part = PoolRules.Spread(context, graph.Mul(context.Gradient(0)!, OfResult(context)), windows);
        context.Give(0, graph.Mul(part, OfOperand(context)));
    }

    /// <summary>The same with one window of all positions.</summary>
    public static void GlobalLpPool(GradientContext context)
        => context.Give(0, context.Graph.Mul(context.Graph.Mul(context.Gradient(0)!, OfResult(context)), OfOperand(context)));

    // y^(1−p); where y is 0 so is x.
    private static string OfResult(GradientContext context)
    {
        var graph = context.Graph;
        string y = context.Out(0), safe = graph.Add(y, graph.Mask("Equal", y, graph.Number(0, context.Type), context.Type));
        return graph.Op("Pow", [safe, graph.Number(1 - Power(context), context.Type)]);
    }

    private static string OfOperand(GradientContext context)
    {
        var graph = context.Graph;
        string x = context.In(0);
        if (Power(context) == 2) return x;
        return graph.Mul(graph.Op("Sign", [x]), graph.Op("Pow", [graph.Op("Abs", [x]), graph.Number(Power(context) - 1, context.Type)]));
    }

    private static long Power(GradientContext context) => context.Int("p", 2);
}
