using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules;

/// <summary>Operators that only move elements: the gradient moves back.</summary>
internal static class ShapeRules
{
    /// <summary>Reshape, Flatten, Squeeze, Unsqueeze: the shape of the operand again.</summary>
    public static void Reshaped(GradientContext context)
        => context.Give(0, context.Graph.Op("Reshape", [context.Gradient(0)!, context.Graph.Shape(context.In(0))]));

    /// <summary>The axes in the order that undoes the one of the forward model.</summary>
    public static void Transpose(GradientContext context)
    {
        int rank = context.InTerms(0).Length;
        var order = context.Ints("perm") ?? [.. Enumerable.Range(0, rank).Reverse().Select(a => (long)a)];
        var back = new int[rank];
        foreach (var (i, axis) in order.Index()) back[axis] = i;
        context.Give(0, context.Graph.Transpose(context.Gradient(0)!, back));
    }

    /// <summary>The sum over the axes that repeat.</summary>
    public static void Expand(GradientContext context) => context.GiveSummed(0, context.Gradient(0)!, context.OutTerms(0));

    /// <summary>The sum over the repetitions, which come first in every axis.</summary>
    public static void Tile(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        // Shape (r₀, n₀, r₁, n₁, …), where repeats and sizes take turns.
        string pairs = graph.Op("Concat", [graph.Unsqueeze(context.In(1), [1]), graph.Unsqueeze(graph.Shape(context.In(0)), [1])],
            BackwardGraph.Int("axis", 1));
        string split = graph.Op("Reshape", [context.Gradient(0)!, graph.Reshape(pairs, -1)]);
        context.Give(0, graph.Sum(split, [.. Enumerable.Range(0, rank).Select(a => 2L * a)], keep: false));
    }

    /// <summary>Every operand gets its part.</summary>
    public static void Concat(GradientContext context)
    {
        var graph = context.Graph;
        int axis = context.Axis(context.Int("axis", 1), context.OutTerms(0).Length);
        string from = graph.Integers(0), axes = graph.Integers(axis);
        for (int k = 0; k < context.Record.Inputs.Length; k++)
        {
            // Parts that need no gradient count as well.
            string to = graph.Op("Add", [from, Size(context, k, axis)]);
            if (context.Wants(k)) context.Give(k, graph.Op("Slice", [context.Gradient(0)!, from, to, axes]));
            from = to;
        }
    }

    private static string Size(GradientContext context, int operand, int axis)
        => context.InTerms(operand)[axis].Size is { } size ? context.Graph.Integers(size)
            : context.Graph.Op("Slice", [context.Graph.Shape(context.In(operand)), context.Graph.Integers(axis),
                context.Graph.Integers(axis + 1)]);

    /// <summary>The parts together again; zeros where nothing depends on one.</summary>
    public static void Split(GradientContext context)
    {
        int axis = context.Axis(context.Int("axis", 0), context.InTerms(0).Length);
        context.Give(0, context.Graph.Op("Concat", [.. Enumerable.Range(0, context.Record.Outputs.Length).Select(context.GradientOrZero)],
            BackwardGraph.Int("axis", axis)));
    }

    /// <summary>Zeros around what was cut out; in steps, or from behind, positions say where each element came from.</summary>
    public static void Slice(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        long[] starts = Known("starts", 1), ends = Known("ends", 2);
        var axes = context.Integers("axes", 3)?.Select(a => context.Axis(a, rank)).ToArray() ?? [.. Enumerable.Range(0, starts.Length)];
        var steps = context.Integers("steps", 4) ?? [.. starts.Select(_ => 1L)];
        string gradient = context.Gradient(0)!, shape = graph.Shape(context.In(0));
        foreach (var (i, axis) in axes.Index())
        {
            // All positions of the axis, cut as the forward model cuts, are those that the elements came from.
            string size = graph.Op("Gather", [shape, graph.Integer(axis)]);
            string positions = graph.Slice(graph.Op("Range", [graph.Integer(0), size, graph.Integer(1)]), [starts[i]], [ends[i]], [0],
                [steps[i]]);
            gradient = Scattered(context, gradient, positions, size, axis, rank);
        }
        context.Give(0, gradient);

        long[] Known(string attribute, int operand)
            => context.Integers(attribute, operand) ?? throw new NoGradientException($"it has no {attribute}");
    }

    /// <summary>Rows of an axis at positions of a longer one, zero elsewhere; rows of one position add up.</summary>
    public static string Scattered(GradientContext context, string rows, string positions, string size, int axis, int rank)
    {
        var graph = context.Graph;
        // ScatterND writes along the first axis.
        int[] order = [axis, .. Enumerable.Range(0, rank).Where(a => a != axis)], back = [.. Enumerable.Range(0, rank)
            .Select(a => Array.IndexOf(order, a))];
        string first = graph.Transpose(rows, order);
        string shape = graph.Op("Concat", [graph.Unsqueeze(size, [0]), graph.Op("Slice", [graph.Shape(first), graph.Integers(1),
            graph.Integers(long.MaxValue)])], BackwardGraph.Int("axis", 0));
        string whole = graph.Op("ScatterND", [graph.Zeros(shape, context.Type), graph.Unsqueeze(positions, [-1]), first],
            BackwardGraph.Text("reduction", "add"));
        return graph.Transpose(whole, back);
    }

    /// <summary>The middle of the gradient; reflected or repeated elements add up.</summary>
    public static void Pad(GradientContext context)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        long[] pads = context.Integers(context.Opset < 2 ? "paddings" : "pads", 1) ?? throw new NoGradientException("it has no pads");
        var axes = context.Has(3)
            ? context.Integers("", 3)!.Select(a => context.Axis(a, rank)).ToArray()
            : [.. Enumerable.Range(0, rank)];
        string shape = graph.Shape(context.In(0)), gradient = context.Gradient(0)!;
        string mode = context.Text("mode", "constant");
        if (mode != "constant")
        {
            context.Give(0, Folded(context, mode, axes, pads));
            return;
        }
        // Negative pads cut elements off: these have no gradient.
        gradient = graph.Op("Pad", [gradient, graph.Integers([.. pads.Select(p => Math.Max(0, -p))]), "", graph.Integers(
            [.. axes.Select(a => (long)a)])]);
        foreach (var (i, axis) in axes.Index())
        {
            string from = graph.Integers(Math.Max(0, pads[i])), size = graph.Op("Slice", [shape, graph.Integers(axis),
                graph.Integers(axis + 1)]);
            gradient = graph.Op("Slice", [gradient, from, graph.Op("Add", [from, size]), graph.Integers(axis)]);
        }
        context.Give(0, gradient);
        // What was padded is the same number everywhere.
        if (context.Wants(2))
            context.Give(2, graph.Op("Reshape", [graph.Op("Sub", [All(context.Gradient(0)!), All(gradient)]), graph.Shape(context.In(2))]));

        string All(string x) => graph.Op("ReduceSum", [x], BackwardGraph.Int("keepdims", 0));
    }

    // Reflected and repeated elements: positions padded in the same way say what each is a copy of.
    private static string Folded(GradientContext context, string mode, int[] axes, long[] pads)
    {
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        string gradient = context.Gradient(0)!;
        foreach (var (i, axis) in axes.Index())
        {
            if (pads[i] == 0 && pads[i + axes.Length] == 0) continue;
            string size = graph.Op("Gather", [graph.Shape(context.In(0)), graph.Integer(axis)]);
            string positions = graph.Op("Pad", [graph.Counted(size), graph.Integers(pads[i], pads[i + axes.Length])],
                BackwardGraph.Text("mode", mode));
            gradient = Scattered(context, gradient, positions, size, axis, rank);
        }
        return gradient;
    }

    /// <summary>Without training nothing is dropped.</summary>
    public static void Dropout(GradientContext context)
    {
        if (context.Has(2) && !context.IsFalse(2)) throw new NoGradientException("it drops at random");
        context.Give(0, context.Gradient(0)!);
    }

    /// <summary>Blocks of pixels back into channels, or out of them: the other operator, in the order of the first.</summary>
    public static void DepthToSpace(GradientContext context)
    {
        var graph = context.Graph;
        long block = context.Int("blocksize", 1);
        long[] x = context.InSizes(0, 1);
        // n c (h r) (w q) → n c h r w q → n r q c h w, or n c r q h w.
        string parts = graph.Reshape(context.Gradient(0)!, -1, x[0] / (block * block), x[1], block, x[2], block);
        int[] order = context.Text("mode", "DCR") == "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
        context.Give(0, graph.Reshape(graph.Transpose(parts, order), -1, x[0], x[1], x[2]));
    }

    /// <summary>The other way.</summary>
    public static void SpaceToDepth(GradientContext context)
        => context.Give(0, context.Graph.Op("DepthToSpace", [context.Gradient(0)!], BackwardGraph.Int("blocksize",
            context.Int("blocksize", 1))));

    /// <summary>The triangle of the gradient.</summary>
    public static void Trilu(GradientContext context)
        => context.Give(0, context.Graph.Op("Trilu", context.Has(1) ? [context.Gradient(0)!, context.In(1)] : [context.Gradient(0)!],
            BackwardGraph.Int("upper", context.Int("upper", 1))));

    /// <summary>The sum from the other end.</summary>
    public static void CumSum(GradientContext context)
        => context.Give(0, context.Graph.Op("CumSum", [context.Gradient(0)!, context.In(1)],
            BackwardGraph.Int("exclusive", context.Int("exclusive", 0)), BackwardGraph.Int("reverse", 1 - context.Int("reverse", 0))));

    /// <summary>A cast between floating types casts back; to integers there is no gradient.</summary>
    public static void Cast(GradientContext context)
        => context.Give(0, context.Graph.Cast(context.Gradient(0)!, context.Record.Inputs[0]!.ElementType));
}
