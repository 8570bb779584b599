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
