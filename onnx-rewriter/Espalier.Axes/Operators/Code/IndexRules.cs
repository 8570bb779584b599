using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators that read or write at positions that data choose: the indexed axes stay whole, the others pass.</summary>
internal static class IndexRules
{
    private const string Chosen = "its positions are chosen by data";

    /// <summary>ONNX GatherElements: the result has the shape of the indices, whose other axes run along those of the data.</summary>
    public static void GatherElements(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Terms is not { } index || index.Length != x.Length)
        {
            context.Barrier("the rank of its indices is not known");
            return;
        }
        int axis = NodeContext.Axis(context.Int("axis", 0), x.Length);
        context.Freeze(x[axis], Chosen);
        context.Output(0, [.. x.Select((t, k) => k == axis ? index[k] : Alongside(context, t, index[k]))]);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX ScatterElements and Scatter: a copy of the data with elements replaced along one axis.</summary>
    public static void ScatterElements(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Terms is not { } index || context.Input(2)?.Terms is not { } updates || index.Length != x.Length
            || updates.Length != x.Length)
        {
            context.Barrier("the ranks of its operands are not known");
            return;
        }
        int axis = NodeContext.Axis(context.Int("axis", 0), x.Length);
        for (int k = 0; k < x.Length; k++)
        {
            context.Same(index[k], updates[k]);
            if (k != axis) Alongside(context, x[k], index[k]);
        }
        context.Freeze(x[axis], Chosen);
        // A removed index would be a zero in the masked model, and write to the first position.
        context.Freeze(index[axis], "its elements are written to chosen positions");
        context.Output(0, x);
        context.Record.Zero = ZeroRule.All;
        context.Record.ZeroOperands = [0, 2];
    }

    // Indices may be shorter than the data along any axis; then they run along its beginning.
    private static Term Alongside(NodeContext context, Term data, Term index)
    {
        if (data.Size is not null && data.Size == index.Size) context.Same(data, index);
        else
        {
            context.Freeze(data, "only its beginning is indexed");
            context.Freeze(index, "runs along the beginning of an axis");
        }
        return index;
    }

    /// <summary>ONNX GatherND: the last axis of the indices holds positions of the leading axes of the data.</summary>
    public static void GatherND(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int batch = (int)context.Int("batch_dims", 0);
        if (context.Input(1)?.Terms is not [.., var last] || last.Size is not { } depth || batch + depth > x.Length)
        {
            context.Barrier("how many axes its indices reach is not known");
            return;
        }
        var index = context.Input(1)!.Terms!;
        for (int k = 0; k < batch; k++) context.Same(x[k], index[k]);
        foreach (var term in x[batch..(batch + (int)depth)]) context.Freeze(term, Chosen);
        context.Freeze(last, "a vector of positions");
        context.Output(0, [.. index[..^1], .. x[(batch + (int)depth)..]]);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX ScatterND: a copy of the data with slices replaced at positions of its leading axes.</summary>
    public static void ScatterND(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Terms is not [.., var last] || last.Size is not { } depth || depth > x.Length
            || context.Input(2)?.Terms is not { } updates)
        {
            context.Barrier("how many axes its indices reach is not known");
            return;
        }
        var index = context.Input(1)!.Terms!;
        context.Record.Zero = ZeroRule.Parts;
        context.Record.ZeroOperands = [0, 2];
        if (ScatterGrid(context, x, index, updates, (int)depth)) return;
        string reason = context.Input(1)!.IsConstant ? "its positions are constants that are listed one by one" : Chosen;
        foreach (var term in x[..(int)depth]) context.Freeze(term, reason);
        foreach (var term in index) context.Freeze(term, "its elements are written to chosen positions");
        if (updates.Length == index.Length - 1 + x.Length - (int)depth)
        {
            for (int k = 0; k < index.Length - 1; k++) context.Same(index[k], updates[k]);
            for (int k = (int)depth; k < x.Length; k++) context.Same(x[k], updates[k - (int)depth + index.Length - 1]);
        }
        else foreach (var term in (Term[])[.. x, .. updates]) context.Freeze(term, "its operands do not fit each other");
        context.Output(0, x);
    }

    /// <summary>
    /// Constant positions that are a grid, one list per axis (what <c>x[:, 4:12] = y</c> becomes): a list of runs is a part of its axis,
    /// and the updates along it are these units.
    /// </summary>
    private static bool ScatterGrid(NodeContext context, Term[] x, Term[] index, Term[] updates, int depth)
    {
        if (index.Length - 1 != depth || updates.Length != x.Length || context.Known(1) is not { DependsOnSizes: false } known
            || known.Numbers is not { } numbers) return false;
        var lists = new IndexList[depth];
        var order = new int[depth];
        for (int axis = 0; axis < depth; axis++)
        {
            if (x[axis].Size is not { } size || Along(known, numbers, axis) is not var (along, positions)) return false;
            long[] places = [.. positions.Select(p => p < 0 ? p + size : p)];
            if (lists[along] is not null || places.Any(p => p < 0 || p >= size) || places.Distinct().Count() != places.Length) return false;
            if (SelectRules.Selected(context, x[axis], size, places) is not { } part) return false;
            (lists[along], order[axis]) = (new(places, x[axis], part), along);
        }
        for (int along = 0; along < depth; along++) context.Same(lists[along].Result, updates[along]);
        for (int k = depth; k < x.Length; k++) context.Same(x[k], updates[k]);
        context.FreezeAll(context.Input(1), "a list of positions, which is written anew");
        context.Record.SizeOperands.Add(1);
        context.State.IndexUses.Add(new(context.Info, 1, lists, order));
        context.Output(0, x);
        return true;
    }

    /// <summary>
    /// The axis of the positions that one of their coordinates depends on, with its values; null where it depends on several.
    /// </summary>
    private static (int Along, long[] Positions)? Along(SizeTensor known, long[] numbers, int coordinate)
    {
        int depth = known.Dims[^1];
        if (numbers.Length == 0) return null;
        var strides = known.Strides;
        // The axis along which it changes from the first position on; it may be the only one.
        int along = -1;
        for (int axis = 0; axis < known.Rank - 1; axis++)
            if (known.Dims[axis] > 1 && numbers[coordinate] != numbers[strides[axis] + coordinate])
            {
                if (along >= 0) return null;
                along = axis;
            }
        if (along < 0) along = coordinate < known.Rank - 1 && known.Dims[coordinate] == 1 ? coordinate : Array.IndexOf(known.Dims[..^1], 1);
        if (along < 0) return null;
        long[] positions = [.. Enumerable.Range(0, known.Dims[along]).Select(k => numbers[(k * strides[along]) + coordinate])];
        for (int k = 0; k < numbers.Length / depth; k++)
            if (numbers[(k * depth) + coordinate] != positions[k * depth / strides[along] % known.Dims[along]]) return null;
        return (along, positions);
    }

    /// <summary>ONNX TensorScatter: a copy of a cache with a run of positions along one axis replaced.</summary>
    public static void TensorScatter(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Terms is not { } update || update.Length != x.Length)
        {
            context.Barrier("the rank of its update is not known");
            return;
        }
        int axis = NodeContext.Axis(context.Int("axis", -2), x.Length);
        for (int k = 0; k < x.Length; k++)
        {
            if (k != axis) context.Same(x[k], update[k]);
            else foreach (var term in (Term[])[x[k], update[k]]) context.Freeze(term, "positions of a cache");
        }
        context.Output(0, x);
        context.Record.Zero = ZeroRule.All;
        context.Record.ZeroOperands = [0, 1];
    }

    /// <summary>ONNX OneHot: a new axis whose positions are values of the indices.</summary>
    public static void OneHot(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", -1), x.Length + 1);
        long? depth = context.Input(1)?.Value?.Numbers is [var n] ? n : null;
        context.Output(0, [.. x[..axis], context.Constant(depth, "its positions are values of the indices"), .. x[axis..]]);
    }

    /// <summary>
    /// ONNX Compress: positions of one axis are kept where a condition holds; without an axis those of the flattened tensor.
    /// </summary>
    public static void Compress(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        context.Record.Zero = ZeroRule.First;
        if (context.Attribute("axis") is not { } given)
        {
            foreach (var term in x) context.Freeze(term, Chosen);
            context.Output(0, [context.Constant(null, Chosen)]);
            return;
        }
        int axis = NodeContext.Axis(given.I, x.Length);
        context.Freeze(x[axis], Chosen);
        context.Output(0, [.. x.Select((t, k) => k == axis ? context.Constant(null, Chosen) : t)]);
    }

    public static void NonZero(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        foreach (var term in x) context.Freeze(term, "its positions become data");
        context.Output(0,
            [context.Constant(x.Length, "a vector of positions"),
                context.Constant(null, "as many as there are elements that are not zero")]);
    }

    /// <summary>ONNX Unique: slices along an axis are compared as wholes, so that every axis takes part.</summary>
    public static void Unique(NodeContext context)
    {
        const string Compared = "its elements are compared with each other";
        var x = context.Input(0)!.Terms!;
        foreach (var term in x) context.Freeze(term, Compared);
        int axis = context.Attribute("axis") is { } a ? NodeContext.Axis(a.I, x.Length) : -1;
        context.Output(0, axis < 0
            ? [context.Constant(null, Compared)]
            : [.. x.Select((t, k) => k == axis ? context.Constant(null, Compared) : t)]);
        for (int k = 1; k < context.Record.Outputs.Length; k++) context.Output(k, [context.Constant(null, Compared)]);
    }

    /// <summary>ONNX ReverseSequence: positions of the time axis are reversed up to the length of each sequence.</summary>
    public static void ReverseSequence(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int batch = NodeContext.Axis(context.Int("batch_axis", 1), x.Length),
            time = NodeContext.Axis(context.Int("time_axis", 0), x.Length);
        context.Freeze(x[time], "the order along this axis has a meaning");
        if (context.Input(1)?.Terms is [var lengths]) context.Same(x[batch], lengths);
        context.Output(0, x);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX CumProd: after a zero all products are zero, but the first of an exclusive product is one.</summary>
    public static void CumProd(NodeContext context)
    {
        ReduceRules.CumSum(context);
        if (context.Int("exclusive", 0) != 0) context.Record.Zero = ZeroRule.Never;
    }

    /// <summary>com.microsoft.UnfoldTensor: windows along one axis become a new last axis.</summary>
    public static void Unfold(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("dim", -1), x.Length);
        long size = context.Int("size", 1), step = context.Int("step", 1);
        context.Freeze(x[axis], "positions of a window");
        var windows = context.Constant(x[axis].Size is { } n ? ((n - size) / step) + 1 : null, "positions of a window");
        context.Output(0, [.. x.Select((t, k) => k == axis ? windows : t), context.Constant(size, "positions in a window")]);
        context.Record.Zero = ZeroRule.First;
    }
}
