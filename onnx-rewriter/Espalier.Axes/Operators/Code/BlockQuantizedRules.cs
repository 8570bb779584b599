using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>
/// Weights in blocks that share a scale, several elements to a byte (ONNX Runtime, docs/ContribOperators.md). Zero of such a weight is
/// a scale of zero, so scales are masked like any weight; what is packed needs no mask.
/// </summary>
internal static class BlockQuantizedRules
{
    /// <summary>
    /// com.microsoft MatMulNBits: A [… K], B [N, blocks of K, bytes], scales [N · blocks], zero points [N · blocks] or packed per row.
    /// </summary>
    public static void MatMulNBits(NodeContext context)
    {
        var a = context.Input(0)!.Terms!;
        long n = context.Int("N", 0), k = context.Int("K", 0), block = context.Int("block_size", 0), bits = context.Int("bits", 4);
        if (context.Input(4) is not null)
        {
            context.Barrier("g_idx assigns columns to groups one by one");
            return;
        }
        if (a.Length == 0 || context.Input(1)?.Terms is not { Length: 3 } b || context.Input(2)?.Terms is not { } scales || n <= 0
            || block <= 0 || bits is not (2 or 4 or 8))
        {
            context.Barrier("operands or attributes that the rule does not read");
            return;
        }
        var (rows, blocks) = (b[0], b[1]);
        context.Freeze(b[2], "the positions inside a block have a meaning each");
        QuantizedRules.Blocks(context, a[^1], block, blocks);
        PerBlock(context, scales, rows, blocks);
        if (context.Input(3) is { Terms: { } points } zero)
        {
            if (Holds(zero, blocks.Size * rows.Size)) PerBlock(context, points, rows, blocks);
            else Packed(context, zero, rows, blocks, 8 / bits);
        }
        if (context.Input(5)?.Terms is [var bias]) context.Same(bias, rows);
        context.UseAttribute("N", -1, rows);
        context.UseAttribute("K", -1, a[^1]);
        context.Record.Packed.Add(new(1, 2, 3, (int)bits));
        Product(context, rows, a, blocks, 5);
    }

    private static void Product(NodeContext context, Term rows, Term[] a, Term blocks, int bias)
    {
        context.Output(0, [.. a[..^1], rows]);
        var record = context.Record;
        record.Macs.Add([.. a, rows]);
        record.Sums.Add((a[^1], [0, 2]));
        // The product is zero where the scales are: they stand for the weight.
        var axes = new List<(Term, int, int, int)> { (blocks, a.Length - 1, 1, -1), (rows, -1, 0, a.Length - 1) };
        for (int axis = 0; axis < a.Length - 1; axis++) axes.Add((a[axis], axis, -1, axis));
        record.Contraction = new(0, 1, context.Input(bias) is null ? -1 : bias, [.. axes.Where(x => !x.Item1.IsOne || x.Item4 >= 0)]);
        record.Zero = ZeroRule.Scaled;
    }

    private static bool Holds(TensorState tensor, long? count)
        => tensor.Terms is { } terms && count is not null && Term.Product(terms).Size == count;

    /// <summary>One entry per row and block, in one axis or two.</summary>
    private static void PerBlock(NodeContext context, Term[] entries, Term rows, Term blocks)
    {
        if (entries.Length == 2)
        {
            context.Same(entries[0], rows);
            context.Same(entries[1], blocks);
        }
        else if (entries.Length == 1) context.Same(entries[0], Term.Product(rows, blocks));
        else
        {
            foreach (var term in entries.Append(rows).Append(blocks)) context.Freeze(term, "scales of a shape that the rule does not read");
        }
    }

    /// <summary>Several entries per byte, each row ending at a byte: blocks go only with all that share their byte.</summary>
    private static void Packed(NodeContext context, TensorState tensor, Term rows, Term blocks, long perByte)
    {
        if (blocks.Size is { } count && rows.Size is { } n && Holds(tensor, n * ((count + perByte - 1) / perByte)))
        {
            Term bytes;
            if (count % perByte != 0)
            {
                context.Freeze(blocks, $"zero points are packed {perByte} to a byte, and a row's last byte is not full");
                bytes = context.Constant((count + perByte - 1) / perByte, "zero points are packed, and a row's last byte is not full");
            }
            else if (context.Unifier.SplitMinor(blocks, perByte) is var (major, minor))
            {
                context.Freeze(minor, $"zero points are packed {perByte} to a byte");
                bytes = major;
            }
            else
            {
                context.Freeze(blocks, $"zero points are packed {perByte} to a byte");
                bytes = context.Constant(count / perByte, "zero points are packed");
            }
            PerBlock(context, tensor.Terms!, rows, bytes);
            return;
        }
        context.FreezeAll(tensor, "zero points of a shape that the rule does not read");
        context.Freeze(blocks, "zero points of a shape that the rule does not read");
        context.Freeze(rows, "zero points of a shape that the rule does not read");
    }

    /// <summary>
    /// com.microsoft MatMulBnb4: A [… K], B the N rows of K elements packed two to a byte, absmax one per block of the flat B.
    /// </summary>
    public static void MatMulBnb4(NodeContext context)
    {
        var a = context.Input(0)!.Terms!;
        long n = context.Int("N", 0), k = context.Int("K", 0), block = context.Int("block_size", 0);
        if (a.Length == 0 || n <= 0 || k <= 0 || block <= 0 || block % 2 != 0 || k % block != 0 || context.Int("transB", 1) != 1
            || context.Input(1) is not { } b || !Holds(b, n * k / 2) || context.Input(2)?.Terms is not [var absmax]
            || absmax.Size != n * (k / block))
        {
            context.Barrier("operands or attributes that the rule does not read, or rows that are not whole blocks");
            return;
        }
        var (rows, blocks) = (context.Fresh(n), context.Fresh(k / block));
        QuantizedRules.Blocks(context, a[^1], block, blocks);
        context.Same(absmax, Term.Product(rows, blocks));
        context.Same(Term.Product(b.Terms!),
            Term.Product(rows, blocks, context.Constant(block / 2, "the positions inside a block have a meaning each")));
        context.UseAttribute("N", -1, rows);
        context.UseAttribute("K", -1, a[^1]);
        Product(context, rows, a, blocks, int.MaxValue);
    }

    /// <summary>com.microsoft GatherBlockQuantized: rows of a table in blocks, dequantised as they are read.</summary>
    public static void GatherBlockQuantized(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        long bits = context.Int("bits", 4), block = context.Int("block_size", 128);
        if (x.Length == 0 || context.Input(1)?.Terms is not { } chosen || context.Input(2)?.Terms is not { } scales
            || scales.Length != x.Length)
        {
            context.Barrier("operands that the rule does not read");
            return;
        }
        int axis = NodeContext.Axis(context.Int("gather_axis", 0), x.Length),
            quantized = NodeContext.Axis(context.Int("quantize_axis", 1), x.Length);
        // Bytes hold several elements along the last axis.
        bool packed = context.Input(0)!.ElementType == (int)Onnx.TensorProto.Types.DataType.Uint8 && bits < 8;
        if (axis == quantized || (packed && quantized != x.Length - 1))
        {
            context.Barrier("blocks along an axis that the rule does not read");
            return;
        }
        context.Freeze(x[axis], "its positions are chosen by data");
        var terms = x.ToArray();
        for (int k = 0; k < x.Length; k++)
        {
            if (k != quantized) context.Same(x[k], scales[k]);
            else if (!packed) QuantizedRules.Blocks(context, x[k], block, scales[k]);
            else
            {
                long perByte = 8 / bits;
                QuantizedRules.Blocks(context, x[k], block / perByte, scales[k]);
                terms[k] = Term.Product(x[k], context.Constant(perByte, "the positions inside a block have a meaning each"));
            }
        }
        if (context.Input(3) is { Terms: { } points } zero)
        {
            if (points.Length != x.Length)
            {
                context.FreezeAll(context.Input(0), "zero points of a shape that the rule does not read");
                context.FreezeAll(zero, "zero points of a shape that the rule does not read");
            }
            else
            {
                for (int k = 0; k < x.Length; k++)
                {
                    if (k != quantized || points[k].Size == scales[k].Size) context.Same(points[k], scales[k]);
                    else if (packed && scales[k].Size % (8 / bits) == 0) QuantizedRules.Blocks(context, scales[k], 8 / bits, points[k]);
                    else
                    {
                        context.Freeze(points[k], "zero points are packed, and a row's last byte is not full");
                        context.Freeze(scales[k], "zero points are packed, and a row's last byte is not full");
                    }
                }
            }
        }
        context.Output(0, [.. terms[..axis], .. chosen, .. terms[(axis + 1)..]]);
        context.Record.Zero = ZeroRule.All;
        context.Record.ZeroOperands = [2];
    }
}
