using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>Convolutions and their transposes, of any number of spatial axes.</summary>
internal static class ConvolutionRules
{
    public static void Conv(GradientContext context)
    {
        long[] kernel = context.InSizes(1, 2);
        var windows = Geometry.Of(context, context.InSizes(0, 2), context.OutSizes(0, 2), kernel);
        long group = context.Int("group", 1);
        string dy = context.Gradient(0)!;
        if (context.Wants(0)) context.Give(0, Transposed(context, dy, windows, group, context.InSizes(1)));
        if (context.Wants(1)) context.Give(1, Kernel(context.Graph, context.In(0), dy, windows, group, context.InSizes(1)));
        Bias(context, dy, windows.Rank);
    }

    public static void ConvTranspose(GradientContext context)
    {
        long[] kernel = context.InSizes(1, 2);
        // Its result is what the windows move over.
        var windows = Transposed(context, kernel);
        long group = context.Int("group", 1);
        string dy = context.Gradient(0)!;
        if (context.Wants(0)) context.Give(0, context.Graph.Op("Conv", [Enough(context.Graph, dy, windows), context.In(1)],
            [.. windows.Attributes(group)]));
        if (context.Wants(1)) context.Give(1, Kernel(context.Graph, dy, context.In(0), windows, group, context.InSizes(1)));
        Bias(context, dy, windows.Rank);
    }

    // Output padding are positions behind that no window reaches.
    private static string Enough(BackwardGraph graph, string dy, Geometry windows)
    {
        long[] missing = windows.Missing;
        if (missing.All(m => m <= 0)) return dy;
        return graph.Slice(dy, [.. missing.Select(_ => 0L)], [.. windows.In.Zip(missing, (n, m) => n - Math.Max(0, m))],
            [.. Enumerable.Range(2, windows.Rank).Select(a => (long)a)], [.. missing.Select(_ => 1L)]);
    }

    private static Geometry Transposed(GradientContext context, long[] kernel)
    {
        if (context.Text("auto_pad", "NOTSET").StartsWith("SAME", StringComparison.Ordinal)
            || context.Ints("output_shape") is { Length: > 0 })
            throw new NoGradientException("its pads follow from the shape of its result");
        return Geometry.Of(context, context.OutSizes(0, 2), context.InSizes(0, 2), kernel);
    }

    private static void Bias(GradientContext context, string dy, int rank)
    {
        if (context.Wants(2))
            context.Give(2, context.Graph.Sum(dy, [0, .. Enumerable.Range(2, rank).Select(a => (long)a)], keep: false));
    }

    /// <summary>
    /// The gradient of what the windows move over. Without steps and groups it is a convolution with the kernel reversed and its channels
    /// exchanged, which is faster than a transposed one.
    /// </summary>
    private static string Transposed(GradientContext context, string dy, Geometry windows, long group, long[] shape)
    {
        var (graph, weight) = (context.Graph, context.In(1));
        var reach = windows.Kernel.Zip(windows.Dilations, (k, d) => (k - 1) * d).ToArray();
        bool isPlain = windows.Strides.All(s => s == 1) && windows.Before.Zip(reach).All(p => p.First <= p.Second)
            && windows.After.Zip(reach).All(p => p.First <= p.Second);
        if (!isPlain)
        {
            var attributes = windows.Attributes(group);
            attributes.Add(BackwardGraph.Ints("output_padding", windows.Missing));
            return graph.Op("ConvTranspose", [dy, weight], [.. attributes]);
        }
        // [g, o, i, k] → [g, i, o, k].
        string exchanged = shape[0] == group && shape[1] == 1 ? weight
            : group == 1 ? graph.Transpose(weight, [1, 0, .. Enumerable.Range(2, windows.Rank)])
            : graph.Reshape(graph.Transpose(graph.Reshape(weight, [group, shape[0] / group, .. shape[1..]]),
                [0, 2, 1, .. Enumerable.Range(3, windows.Rank)]), [group * shape[1], shape[0] / group, .. shape[2..]]);
        if (windows.Kernel.Any(k => k > 1))
            exchanged = graph.Slice(exchanged, [.. reach.Select(_ => -1L)], [.. reach.Select(_ => long.MinValue)],
                [.. Enumerable.Range(2, windows.Rank).Select(a => (long)a)], [.. reach.Select(_ => -1L)]);
        var turned = windows with
        {
            Before = [.. reach.Zip(windows.Before, (r, p) => r - p)],
            After = [.. reach.Zip(windows.After, (r, p) => r - p)],
        };
        return graph.Op("Conv", [dy, exchanged], [.. turned.Attributes(group)]);
    }

    /// <summary>
    /// The gradient of a kernel with a channel per group: what the windows move over is convolved with dY, samples as the channels of a
    /// group, and steps and distances exchanged.
    /// </summary>
    private static string Depthwise(BackwardGraph graph, string over, string dy, Geometry windows, long[] shape)
    {
        long[] tail = [.. Enumerable.Range(2, windows.Rank).Select(a => (long)a)];
        int[] exchanged = [1, 0, .. Enumerable.Range(2, windows.Rank)];
        string samples = graph.Reshape(graph.Transpose(over, exchanged), [1, -1, .. windows.In]);
        var turned = windows with { Kernel = windows.Out, Strides = windows.Dilations, Dilations = windows.Strides };
        string product = graph.Op("Conv", [samples, graph.Transpose(dy, exchanged)], [.. turned.Attributes(shape[0])]);
        // What is left over behind the last window.
        product = graph.Slice(product, [.. tail.Select(_ => 0L)], windows.Kernel, tail, [.. tail.Select(_ => 1L)]);
        return graph.Reshape(product, shape);
    }

    /// <summary>
    /// The gradient of a kernel: for each of its positions the product of what the window sees there with dY, over all samples and
    /// positions. Channels come last, so that what is cut out lies together. The windows move over <paramref name="over"/>, and
    /// <paramref name="dy"/> has a value for each of their positions; the kernel's channels are those of dY, and those of a group of the
    /// other.
    /// </summary>
    private static string Kernel(BackwardGraph graph, string over, string dy, Geometry windows, long group, long[] shape)
    {
        int rank = windows.Rank;
        if (group == shape[0] && shape[1] == 1) return Depthwise(graph, over, dy, windows, shape);
        int[] last = [0, .. Enumerable.Range(2, rank), 1];
        long[] axes = [.. Enumerable.Range(1, rank).Select(a => (long)a)], ones = [.. axes.Select(_ => 1L)];
        string padded = graph.Pad(graph.Transpose(over, last), [0, .. windows.Before, 0, 0, .. windows.After, 0]);
        string values = graph.Transpose(dy, last);
        // Behind the last window something may be left over, and with ceil_mode a window may go beyond the padding.
        var parts = windows.Offsets().Select(offset => windows.IsPoint ? padded : graph.Slice(padded, offset,
            [.. offset.Select((o, i) => o + ((windows.Out[i] - 1) * windows.Strides[i]) + 1)], axes, windows.Strides)).ToList();
        var products = parts.Select(part => group == 1 ? Dense(part) : Grouped(part)).ToList();
        // [O, i] for each position of the window.
        string stacked = products.Count == 1 ? products[0]
            : graph.Op("Concat", [.. products.Select(p => graph.Unsqueeze(p, [2]))], BackwardGraph.Int("axis", 2));
        return graph.Reshape(stacked, shape);

        string Dense(string part) => graph.Op("Gemm", [graph.Reshape(values, -1, shape[0]), graph.Reshape(part, -1, shape[1])],
            BackwardGraph.Int("transA", 1));

        string Grouped(string part)
        {
            long each = shape[0] / group;
            string left = graph.Transpose(graph.Reshape(values, -1, group, each), [1, 2, 0]);
            string right = graph.Transpose(graph.Reshape(part, -1, group, shape[1]), [1, 0, 2]);
            return graph.Reshape(graph.Op("MatMul", [left, right]), shape[0], shape[1]);
        }
    }
}
