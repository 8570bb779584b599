using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators that take parts of an axis, or add some: a boundary refines the factors that it cuts.</summary>
internal static class SelectRules
{
    public static void Split(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", 0), x.Length), count = context.Record.Outputs.Length;
        long[]? sizes = context.AttributeOrInput("split", 1);
        if (sizes is null && x[axis].Size is { } total && context.Input(1) is null)
        {
            long each = (total + count - 1) / count;
            sizes = [.. Enumerable.Range(0, count).Select(k => Math.Min(each, total - (each * k)))];
        }
        Term?[]? parts = sizes?.Length == count ? context.Unifier.Partition(x[axis], sizes) : null;
        if (parts is null)
        {
            context.Freeze(x[axis], "split at boundaries that are not known");
            parts = [.. Enumerable.Range(0, count)
                .Select(k => context.Constant(sizes?.ElementAtOrDefault(k), "split at boundaries that are not known"))];
        }
        else if (context.Attribute("split") is not null || context.Opset < 13)
        {
            for (int k = 0; k < count; k++) context.UseAttribute("split", k, parts[k]!);
        }
        else if (context.Input(1) is not null) context.Use(1, parts);
        else context.State.SizeUses.Add(new(context.Info, 1, SizeTensor.Vector([.. sizes!.Select(n => new SizeValue.Literal(n))]), parts));
        for (int k = 0; k < count; k++)
        {
            var terms = x.ToArray();
            terms[axis] = parts[k]!;
            context.Output(k, terms);
        }
        context.Record.Zero = ZeroRule.First;
    }

    public static void Slice(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        bool attributes = context.Attribute("starts") is not null;
        var starts = context.AttributeOrInput("starts", 1);
        var ends = context.AttributeOrInput("ends", 2);
        int count = starts?.Length ?? context.Known(1)?.Elements.Length ?? -1;
        var axes = context.AttributeOrInput("axes", 3)
            ?? (context.Input(3) is null && count >= 0 ? [.. Enumerable.Range(0, count).Select(k => (long)k)] : null);
        var steps = context.Input(4) is null ? null : context.Known(4)?.Numbers ?? [];
        if (axes is null || steps?.Length == 0)
        {
            foreach (var term in x) context.Freeze(term, "sliced along axes that are computed from data");
            context.Output(0, [.. x.Select(_ => context.Constant(null, "sliced along axes that are computed from data"))]);
            return;
        }
        if (NodeContext.Axes(axes, x.Length).Count != count
            || (ends?.Length ?? context.Known(2)?.Elements.Length ?? count) != count || (steps?.Length ?? count) != count
            || steps?.Contains(0) == true)
            throw new MisfitException("its bounds, axes and steps are not of one length, or it steps by 0");
        var terms = x.ToArray();
        var first = new Term?[axes.Length];
        var last = new Term?[axes.Length];
        // Bounds that count from the end move with everything behind them.
        var startsFrom = new Term?[axes.Length];
        var endsFrom = new Term?[axes.Length];
        for (int k = 0; k < axes.Length; k++)
        {
            int axis = NodeContext.Axis(axes[k], x.Length);
            long? start = starts?[k] ?? context.Known(1)?.Elements[k]?.Number, end = ends?[k] ?? context.Known(2)?.Elements[k]?.Number;
            long step = steps?[k] ?? 1;
            if (step == 1 && start == 0 && end >= int.MaxValue) continue;
            if (x[axis].Size is not { } size || start is null || end is null)
            {
                // Of a dynamic axis the bounds may be known, and so is then the nominal size of what they leave.
                long? nominal = x[axis].Nominal is { } all && Bound(1) is { } a && Bound(2) is { } b ? Length(all, a, b, step) : null;
                context.Freeze(x[axis], "sliced at bounds that are not known");
                terms[axis] = context.Constant(null, "sliced at bounds that are not known", nominal);
                continue;

                long? Bound(int input) => (input == 1 ? start : end) ?? context.Known(input)?.Elements.ElementAtOrDefault(k)?.Nominal;
            }
            var (from, to) = (Place(start.Value, size), Place(end.Value, size));
            if (step == 1)
            {
                to = Math.Max(from, to);
                if (context.Unifier.Cut(x[axis], to) is not var (head, _) || context.Unifier.Cut(head, from) is not var (before, middle))
                {
                    Constant(context, terms, axis, to - from, "its structure has no boundary there");
                    continue;
                }
                terms[axis] = middle;
                if (start < 0) startsFrom[k] = x[axis];
                if (end < 0) endsFrom[k] = x[axis];
                if (from > 0) first[k] = before;
                if (to < size || end < size) last[k] = Term.Sum(before, middle);
            }
            else
            {
                long length = Length(size, start.Value, end.Value, step);
                if (step > 1 && from < step && length == size / step && context.Unifier.SplitMinor(x[axis], step) is var (major, minor))
                {
                    // Every step-th index: the major part of a product whose minor part is the phase.
                    context.Freeze(minor, "a slice steps over it");
                    terms[axis] = major;
                }
                else Constant(context, terms, axis, length, $"sliced in steps of {step}");
            }
        }
        if (attributes)
        {
            for (int k = 0; k < axes.Length; k++)
            {
                if (first[k] is { } f) context.UseAttribute("starts", k, f, startsFrom[k]);
                if (last[k] is { } l) context.UseAttribute("ends", k, l, endsFrom[k]);
            }
        }
        else
        {
            context.Use(1, first, startsFrom);
            context.Use(2, last, endsFrom);
        }
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    private static long Place(long bound, long size) => Math.Clamp(bound < 0 ? bound + size : bound, 0, size);

    /// <summary>How many positions a slice takes of an axis, bounds clamped as ONNX Slice does.</summary>
    private static long Length(long size, long start, long end, long step)
    {
        if (step > 0) return Math.Max(0, (Place(end, size) - Place(start, size) + step - 1) / step);
        long from = Math.Clamp(start < 0 ? start + size : start, -1, size - 1), to = end < -size
            ? -1
            : Math.Clamp(end < 0 ? end + size : end, -1, size - 1);
        return step == 0 ? 0 : Math.Max(0, (from - to - step - 1) / -step);
    }

    private static void Constant(NodeContext context, Term[] terms, int axis, long? size, string reason)
    {
        context.Freeze(terms[axis], reason);
        terms[axis] = context.Constant(size, reason);
    }

    public static void Gather(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", 0), x.Length);
        context.Record.Zero = ZeroRule.First;
        if (context.Input(1)?.Value is { Rank: 0, Numbers: [var at] } && TakesOne(context, x[axis], at))
        {
            context.Output(0, [.. x[..axis], .. x[(axis + 1)..]]);
            return;
        }
        if (Part(context, x[axis]) is { } part)
        {
            context.Output(0, [.. x[..axis], part, .. x[(axis + 1)..]]);
            return;
        }
        context.Freeze(x[axis], Chosen(context));
        if (context.Input(1)?.Terms is { } chosen) context.Output(0, [.. x[..axis], .. chosen, .. x[(axis + 1)..]]);
        else context.Barrier("the rank of its indices is not known");
    }

    private static string Chosen(NodeContext context) => context.Input(1)?.IsConstant == true ? "its positions are listed one by one"
        : "its positions are chosen by data";

    /// <summary>
    /// ArrayFeatureExtractor of ai.onnx.ml: Gather along the last axis, of which the indices make one axis whatever their shape is. A
    /// vector counts as one row.
    /// </summary>
    public static void ArrayFeatureExtractor(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        Term[] rows = x.Length == 1 ? [Term.One] : x[..^1];
        context.Record.Zero = ZeroRule.First;
        if (context.Input(1)?.Value is { Numbers: [var at] } && TakesOne(context, x[^1], at)) context.Output(0, [.. rows, Term.One]);
        else if (Part(context, x[^1], flat: true) is { } part) context.Output(0, [.. rows, part]);
        else
        {
            context.Freeze(x[^1], Chosen(context));
            context.Output(0, [.. rows, context.Input(1)?.Terms is { } chosen ? Term.Product(chosen)
                : context.Constant(null, Chosen(context))]);
        }
    }

    /// <summary>One position of an axis: it stays, and its index moves with what is before it. False where the axis has no boundary
    /// there.</summary>
    private static bool TakesOne(NodeContext context, Term axis, long index)
    {
        if (axis.Size is not { } size) return false;
        long at = index < 0 ? index + size : index;
        if (context.Unifier.Cut(axis, at + 1) is not var (head, _) || context.Unifier.Cut(head, at) is not var (before, one)) return false;
        foreach (var leaf in one.Leaves) context.Freeze(Term.Of(leaf), "its only unit is taken by index");
        context.Use(1, [before]);
        return true;
    }

    /// <summary>What constant indices select of an axis, where that has a structure: they are written anew.</summary>
    private static Term? Part(NodeContext context, Term axis, bool flat = false)
    {
        if (axis.Size is not { } size || Indices(context, size, flat) is not { } indices
            || Selected(context, axis, size, indices) is not { } part) return null;
        context.Record.SizeOperands.Add(1);
        context.FreezeAll(context.Input(1), "a list of positions, which is written anew");
        context.State.IndexUses.Add(new(context.Info, 1, [new(indices, axis, part)]));
        return part;
    }

    /// <summary>Constant indices, counted from the front: a vector, or (flat) of any shape.</summary>
    private static long[]? Indices(NodeContext context, long size, bool flat)
    {
        if (context.Input(1) is not { Terms: { } axes } operand || (axes.Length != 1 && !flat)) return null;
        long[]? indices = context.Known(1) is { DependsOnSizes: false } known ? known.Numbers
            : operand.Data is { } data && data.Dims.All(d => d > 0) && DataTypes.IsInteger((DataType)data.DataType)
                ? context.State.Model.Content(data).ToLongs() : null;
        return indices?.All(n => n >= -size && n < size) == true ? [.. indices.Select(n => n < 0 ? n + size : n)] : null;
    }

    /// <summary>
    /// What a list of indices selects: a product whose factors change places (a channel shuffle), or a few runs, each a part of the axis.
    /// Null for a list without structure.
    /// </summary>
    public static Term? Selected(NodeContext context, Term axis, long size, long[] indices)
    {
        if (indices.LongLength == size)
        {
            for (long major = 2; major <= size / 2; major++)
            {
                if (size % major != 0) continue;
                long minor = size / major;
                if (!indices.Select((n, k) => n == (k % major * minor) + (k / major)).All(b => b)) continue;
                return context.Unifier.SplitMinor(axis, minor) is var (high, low) ? Term.Product(low, high) : null;
            }
        }
        var runs = new List<(long From, long To)>();
        foreach (long n in indices)
        {
            if (runs.Count > 0 && runs[^1].To == n) runs[^1] = (runs[^1].From, n + 1);
            else runs.Add((n, n + 1));
        }
        // Runs of one unit each would leave no two units that can be told from each other.
        if (2 * runs.Count > indices.Length) return null;
        var parts = new List<Term>();
        foreach (var (from, to) in runs)
        {
            if (context.Unifier.Cut(axis, to) is not var (head, _) || context.Unifier.Cut(head, from) is not var (_, part)) return null;
            parts.Add(part);
        }
        return Term.Sum(parts);
    }

    /// <summary>
    /// ONNX Pad: padding is concatenated; constant zeros are units like others, and as many as the partner of an Add needs.
    /// </summary>
    public static void Pad(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        bool attribute = context.Attribute("pads") is not null;
        var pads = context.AttributeOrInput("pads", 1);
        var axes = context.Known(3)?.Numbers ?? (context.Input(3) is null ? [.. Enumerable.Range(0, x.Length).Select(k => (long)k)] : null);
        if (pads is null || axes is null || pads.Length != 2 * axes.Length)
        {
            const string Computed = "padded by amounts that are computed from data";
            foreach (var term in x) context.Freeze(term, Computed);
            var amounts = axes?.Length == x.Length ? context.Known(1) : null;
            context.Output(0, [.. x.Select((t, k) => context.Constant(null, Computed, amounts?.Elements.Length != 2 * x.Length ? null
                : t.Nominal + amounts.Elements[k]?.Nominal + amounts.Elements[k + x.Length]?.Nominal))]);
            context.Record.Zero = ZeroRule.First;
            return;
        }
        context.Record.Fill = context.Text("mode", "constant") == "constant" ? Fill(context) : null;
        bool zeros = context.Record.Fill == 0;
        var terms = x.ToArray();
        var required = new Term?[pads.Length];
        for (int k = 0; k < axes.Length; k++)
        {
            int axis = NodeContext.Axis(axes[k], x.Length);
            long before = pads[k], after = pads[k + axes.Length];
            if (before == 0 && after == 0) continue;
            if (!zeros || before < 0 || after < 0 || x[axis].Size is not { } size)
            {
                context.Freeze(x[axis], "padded along this axis");
                terms[axis] = context.Constant(x[axis].Size + before + after, "padded along this axis", x[axis].Nominal + before + after);
                continue;
            }
            var parts = new List<Term> { x[axis] };
            if (before > 0) parts.Insert(0, Filler(before, k));
            if (after > 0) parts.Add(Filler(after, k + axes.Length));
            terms[axis] = Term.Sum(parts);
        }
        if (attribute)
        {
            for (int k = 0; k < pads.Length; k++)
                if (required[k] is { } term) context.UseAttribute("pads", k, term);
        }
        else context.Use(1, required);
        context.Output(0, terms);
        // What is filled in must be zero too: the zero point, for a quantised tensor.
        context.Record.Zero = ZeroRule.First;

        Term Filler(long size, int element)
        {
            var term = context.Fresh(size);
            required[element] = term.IsOne ? null : term;
            context.Record.ZeroTerms.Add(term);
            return term;
        }
    }

    private static double Fill(NodeContext context)
    {
        if (context.Attribute("value") is { } value) return value.F;
        if (context.Input(2) is not { } fill) return 0;
        return context.Floats(fill.Data) is [var v] ? v : double.NaN;
    }
}
