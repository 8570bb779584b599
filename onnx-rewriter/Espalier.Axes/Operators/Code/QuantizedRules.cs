using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>
/// Quantised operators whose axes an attribute names (ONNX QuantizeLinear and DequantizeLinear; ONNX Runtime, docs/ContribOperators.md).
/// </summary>
internal static class QuantizedRules
{
    public static void QuantizeLinear(NodeContext context)
    {
        Linear(context, new(~0, 1, 2));
        // A removed channel's scale divides zero: it keeps its value in the masked model, so it must be a weight of the file.
        if (context.Input(1) is { IsParameter: false, Terms: { } computed })
            foreach (var term in computed) if (!term.IsOne) context.Freeze(term, "its scales are computed");
    }

    public static void DequantizeLinear(NodeContext context)
        => Linear(context, new(0, 1, 2));

    /// <summary>
    /// One scale for all, one per index of <c>axis</c>, or one per block of <c>axis</c> (operand and scale have the same rank then).
    /// </summary>
    private static void Linear(NodeContext context, QuantizedOperand quantized)
    {
        var x = context.Input(0)!.Terms!;
        context.Record.Quantized.Add(quantized);
        context.Output(0, x);
        context.Record.Zero = ZeroRule.First;
        long block = context.Int("block_size", 0);
        // One scale for all lies along no axis, and the attribute may then say what it likes.
        long stated = context.Int("axis", 1);
        int axis = stated >= -x.Length && stated < x.Length ? NodeContext.Axis(stated, x.Length) : x.Length;
        for (int k = 1; k <= 2; k++)
        {
            if (context.Input(k) is not { } operand) continue;
            if (operand.Terms is null)
            {
                context.FreezeAll(context.Input(0), $"the rank of operand {k} is not known");
                return;
            }
            if (operand.Terms.All(t => t.IsOne) && (block == 0 || operand.Terms.Length != x.Length)) continue;
            if (block == 0 && operand.Terms.Length == 1 && axis < x.Length) context.Same(x[axis], operand.Terms[0]);
            else if (block > 0 && operand.Terms.Length == x.Length)
            {
                for (int j = 0; j < x.Length; j++)
                {
                    if (j != axis) context.Same(x[j], operand.Terms[j]);
                    else Blocks(context, x[j], block, operand.Terms[j]);
                }
            }
            else
            {
                context.FreezeAll(operand, "its shape is neither that of an axis nor that of blocks");
                context.FreezeAll(context.Input(0), $"the shape of operand {k} is neither that of an axis nor that of blocks");
            }
        }
    }

    /// <summary>The axis is whole blocks, each with one entry on the other axis; the positions inside a block stay.</summary>
    public static void Blocks(NodeContext context, Term axis, long block, Term entries)
    {
        if (block <= 0) throw new MisfitException("its blocks have no elements");
        if (axis.Size is { } size && size % block == 0 && size / block == entries.Size
            && (block == 1 || context.Unifier.SplitMinor(axis, block) is not null))
        {
            if (block == 1)
            {
                context.Same(axis, entries);
                return;
            }
            var (major, minor) = context.Unifier.SplitMinor(axis, block)!.Value;
            context.Freeze(minor, "the positions inside a block have a meaning each");
            context.Same(major, entries);
            return;
        }
        context.Freeze(axis, $"it is not whole blocks of {block}");
        context.Freeze(entries, $"its axis is not whole blocks of {block}");
    }

    /// <summary>com.microsoft QLinearConcat: scale and zero point of the result, then operand, scale and zero point each.</summary>
    public static void QLinearConcat(NodeContext context)
    {
        var parts = Enumerable.Range(0, Math.Max(0, (context.Inputs.Length - 2) / 3)).Select(k => 2 + (3 * k)).ToList();
        if (parts.Count == 0
            || parts.Any(k => context.Input(k)?.Terms is null || context.Input(k)!.Terms!.Length != context.Input(parts[0])!.Terms!.Length))
        {
            context.Barrier("the ranks of its operands are not known, or differ");
            return;
        }
        context.Record.Quantized.Add(new(~0, 0, 1));
        foreach (int k in parts) context.Record.Quantized.Add(new(k, k + 1, k + 2));
        var first = context.Input(parts[0])!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", 1), first.Length);
        foreach (int part in parts.Skip(1))
            for (int k = 0; k < first.Length; k++)
                if (k != axis) context.Same(first[k], context.Input(part)!.Terms![k]);
        var terms = first.ToArray();
        terms[axis] = Term.Sum(parts.Select(p => context.Input(p)!.Terms![axis]));
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.Parts;
        context.Record.ZeroOperands = [.. parts];
        for (int k = 0; k < context.Inputs.Length; k++)
            if (!parts.Contains(k)) context.FreezeAll(context.Input(k), "a scale or zero point of the whole tensor");
    }

    /// <summary>com.microsoft QLinearSoftmax: <c>opset</c> says whether the axes from <c>axis</c> on are taken together.</summary>
    public static void QLinearSoftmax(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        context.Record.Quantized.Add(new(0, 1, 2));
        context.Record.Quantized.Add(new(~0, 3, 4));
        int axis = NodeContext.Axis(context.Int("axis", -1), x.Length);
        foreach (var term in context.Int("opset", 1) < 13 ? x[axis..] : [x[axis]])
            context.Inexact(term, "it is normalised over this axis, and a zeroed unit still carries exp(0)");
        context.Output(0, x);
    }

    public static void QLinearReduceMean(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        context.Record.Quantized.Add(new(0, 1, 2));
        context.Record.Quantized.Add(new(~0, 3, 4));
        var axes = (context.Ints("axes") is { Length: > 0 } given
            ? given.Select(a => NodeContext.Axis(a, x.Length))
            : Enumerable.Range(0, x.Length)).ToHashSet();
        bool keep = context.Int("keepdims", 1) == 1;
        foreach (int axis in axes) context.Inexact(x[axis], "a mean runs over this axis");
        context.Output(0,
            [.. x.Select((t, k) => (t, k)).Where(p => keep || !axes.Contains(p.k)).Select(p => axes.Contains(p.k) ? Term.One : p.t)]);
        context.Record.Zero = ZeroRule.First;
    }
}
