using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>Pools of windows.</summary>
internal static class PoolRules
{
    /// <summary>To the element that was the largest, of several windows the sum.</summary>
    public static void MaxPool(GradientContext context)
    {
        if (context.Int("storage_order", 0) != 0) throw new NoGradientException("its indices count columns first");
        var graph = context.Graph;
        // Computed once more, for where the largest were.
        string indices = graph.Ops("MaxPool", 2, [context.In(0)], [.. context.Node.Attribute])[1];
        string shape = graph.Shape(context.In(0));
        string flat = graph.Op("ScatterElements", [graph.Zeros(graph.Reshape(graph.Op("Size", [context.In(0)]), 1), context.Type),
            graph.Reshape(indices, -1), graph.Reshape(context.Gradient(0)!, -1)], BackwardGraph.Text("reduction", "add"));
        context.Give(0, graph.Op("Reshape", [flat, shape]));
    }

    /// <summary>An equal part to every element of a window: a transposed convolution with ones.</summary>
    public static void AveragePool(GradientContext context)
    {
        var graph = context.Graph;
        long[] kernel = context.Ints("kernel_shape") ?? throw new NoGradientException("it has no kernel_shape");
        var windows = Geometry.Of(context, context.InSizes(0, 2), context.OutSizes(0, 2), kernel);
        long[] missing = windows.Missing;
        string counts = Counts(context, windows with { After = After(windows) }, missing);
        context.Give(0, Spread(context, graph.Op("Div", [context.Gradient(0)!, counts]), windows));
    }

    /// <summary>To every element of the operand what the windows have that it lies in.</summary>
    public static string Spread(GradientContext context, string part, Geometry windows)
    {
        var graph = context.Graph;
        string ones = graph.Op("Expand", [graph.Number(1, context.Type), graph.Integers([1, 1, .. windows.Kernel])]);
        var attributes = (windows with { After = After(windows) }).Attributes(1);
        attributes.Add(BackwardGraph.Ints("output_padding", [.. windows.Missing.Select(m => Math.Max(0, m))]));
        string flat = graph.Reshape(part, [-1, 1, .. windows.Out]);
        return graph.Op("Reshape", [graph.Op("ConvTranspose", [flat, ones], [.. attributes]), graph.Shape(context.In(0))]);
    }

    // A window that goes beyond the padding (ceil_mode): what it has too much is cut off by more padding.
    private static long[] After(Geometry windows) => [.. windows.After.Zip(windows.Missing, (a, m) => a + Math.Max(0, -m))];

    // How many elements each window has the mean of: the mean of a one for each that counts, times the size of the window.
    private static string Counts(GradientContext context, Geometry windows, long[] missing)
    {
        var graph = context.Graph;
        bool countsPads = context.Int("count_include_pad", 0) == 1;
        string product = graph.Number(1, context.Type);
        for (int axis = 0; axis < windows.Rank; axis++)
        {
            long low = countsPads ? -windows.Before[axis] : 0;
            // What lies beyond the stated padding never counts.
            long high = windows.In[axis] + (countsPads ? windows.After[axis] - Math.Max(0, -missing[axis]) : 0);
            var counts = new long[windows.Out[axis]];
            for (long position = 0; position < counts.Length; position++)
                for (long k = 0; k < windows.Kernel[axis]; k++)
                {
                    long at = (position * windows.Strides[axis]) - windows.Before[axis] + (k * windows.Dilations[axis]);
                    if (at >= low && at < high) counts[position]++;
                }
            long[] shape = [.. Enumerable.Repeat(1L, windows.Rank)];
            shape[axis] = -1;
            product = graph.Op("Mul", [product, graph.Cast(graph.Reshape(graph.Integers(counts), shape), context.Type)]);
        }
        return product;
    }
}
