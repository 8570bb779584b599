using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>ONNX Slice: axes are cut at the bounds; in steps of n an axis is a product with n.</summary>
internal sealed class SliceRule
{
    private readonly NodeContext _context;
    private readonly long[] _axes;
    private readonly long[]? _starts, _ends, _steps;
    private readonly Term[] _terms;
    // Per sliced axis: what is before it and up to its end, and the axis where a bound counts from its end and so moves with
    // everything behind it.
    private readonly Term?[] _first, _last, _startsFrom, _endsFrom;

    private SliceRule(NodeContext context, Term[] x, long[] axes, long[]? steps)
    {
        (_context, _axes, _steps, _terms) = (context, axes, steps, [.. x]);
        (_starts, _ends) = (context.AttributeOrInput("starts", 1), context.AttributeOrInput("ends", 2));
        (_first, _last) = (new Term?[axes.Length], new Term?[axes.Length]);
        (_startsFrom, _endsFrom) = (new Term?[axes.Length], new Term?[axes.Length]);
    }

    public static void Apply(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int count = context.AttributeOrInput("starts", 1)?.Length ?? context.Known(1)?.Elements.Length ?? -1;
        long[]? axes = context.AttributeOrInput("axes", 3)
            ?? (context.Input(3) is null && count >= 0 ? [.. Enumerable.Range(0, count).Select(k => (long)k)] : null);
        long[]? steps = context.Input(4) is null ? null : context.Known(4)?.Numbers ?? [];
        if (axes is null || steps?.Length == 0)
        {
            const string Computed = "sliced along axes that are computed from data";
            foreach (var term in x) context.Freeze(term, Computed);
            context.Output(0, [.. x.Select(_ => context.Constant(null, Computed))]);
            return;
        }
        var rule = new SliceRule(context, x, axes, steps);
        rule.Check(count);
        for (int k = 0; k < axes.Length; k++) rule.Cut(k, NodeContext.Axis(axes[k], x.Length));
        rule.Restate();
        context.Output(0, rule._terms);
        context.Record.Zero = ZeroRule.First;
    }

    private void Check(int count)
    {
        if (NodeContext.Axes(_axes, _terms.Length).Count != count
            || (_ends?.Length ?? _context.Known(2)?.Elements.Length ?? count) != count || (_steps?.Length ?? count) != count
            || _steps?.Contains(0) == true)
            throw new MisfitException("its bounds, axes and steps are not of one length, or it steps by 0");
    }

    private void Cut(int k, int axis)
    {
        var x = _terms[axis];
        long? start = _starts?[k] ?? _context.Known(1)?.Elements[k]?.Number, end = _ends?[k] ?? _context.Known(2)?.Elements[k]?.Number;
        long step = _steps?[k] ?? 1;
        if (step == 1 && start == 0 && end >= int.MaxValue) return;
        if (x.Size is { } size && start is { } first && end is { } last)
        {
            if (step == 1) Take(k, axis, size, first, last);
            else Step(axis, size, Length(size, first, last, step), Place(first, size), step);
            return;
        }
        // Of a dynamic axis the bounds may be known, and so is then the nominal size of what they leave.
        long? from = start ?? Nominal(1), to = end ?? Nominal(2);
        Constant(axis, null, "sliced at bounds that are not known",
            x.Nominal is { } all && from is { } a && to is { } b ? Length(all, a, b, step) : null);

        long? Nominal(int input) => _context.Known(input)?.Elements.ElementAtOrDefault(k)?.Nominal;
    }

    private void Take(int k, int axis, long size, long start, long end)
    {
        var x = _terms[axis];
        long from = Place(start, size), to = Math.Max(from, Place(end, size));
        if (_context.Unifier.Cut(x, to) is not var (head, _) || _context.Unifier.Cut(head, from) is not var (before, middle))
        {
            Constant(axis, to - from, "its structure has no boundary there");
            return;
        }
        _terms[axis] = middle;
        if (start < 0) _startsFrom[k] = x;
        if (end < 0) _endsFrom[k] = x;
        if (from > 0) _first[k] = before;
        if (to < size || end < size) _last[k] = Term.Sum(before, middle);
    }

    /// <summary>Every step-th index: the major part of a product whose minor part is the phase.</summary>
    private void Step(int axis, long size, long length, long from, long step)
    {
        if (step > 1 && from < step && length == size / step && _context.Unifier.SplitMinor(_terms[axis], step) is var (major, minor))
        {
            _context.Freeze(minor, "a slice steps over it");
            _terms[axis] = major;
        }
        else Constant(axis, length, $"sliced in steps of {step}");
    }

    /// <summary>Bounds are re-derived where they are.</summary>
    private void Restate()
    {
        if (_context.Attribute("starts") is null)
        {
            _context.Use(1, _first, _startsFrom);
            _context.Use(2, _last, _endsFrom);
            return;
        }
        for (int k = 0; k < _axes.Length; k++)
        {
            if (_first[k] is { } first) _context.UseAttribute("starts", k, first, _startsFrom[k]);
            if (_last[k] is { } last) _context.UseAttribute("ends", k, last, _endsFrom[k]);
        }
    }

    private void Constant(int axis, long? size, string reason, long? nominal = null)
    {
        _context.Freeze(_terms[axis], reason);
        _terms[axis] = _context.Constant(size, reason, nominal);
    }

    private static long Place(long bound, long size) => Math.Clamp(bound < 0 ? bound + size : bound, 0, size);

    /// <summary>How many positions a slice takes of an axis, bounds clamped as ONNX Slice does.</summary>
    private static long Length(long size, long start, long end, long step)
    {
        if (step > 0) return Math.Max(0, (Place(end, size) - Place(start, size) + step - 1) / step);
        long from = Math.Clamp(start < 0 ? start + size : start, -1, size - 1);
        long to = end < -size ? -1 : Math.Clamp(end < 0 ? end + size : end, -1, size - 1);
        return step == 0 ? 0 : Math.Max(0, (from - to - step - 1) / -step);
    }
}
