using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Operators.Code;

/// <summary>Transforms, windows, grids and random sources: operators along positions.</summary>
internal static class SignalRules
{
    /// <summary>ONNX DFT: linear along one axis; the others, but for the last of real and imaginary parts, pass.</summary>
    public static void Dft(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        // Operator set 20 made the attribute, which is 1 by default, an operand, which is −2.
        bool attribute = context.Opset < 20;
        if (!attribute && context.Input(2) is not null && context.Input(2)!.Value?.Numbers is not [_])
        {
            context.Barrier("its axis is computed");
            return;
        }
        int axis = NodeContext.Axis(attribute ? context.Int("axis", 1) : context.Input(2)?.Value?.Numbers?[0] ?? -2, x.Length);
        bool inverse = context.Int("inverse", 0) != 0, oneSided = context.Int("onesided", 0) != 0;
        long? length = context.Input(1) is { } given ? given.Value?.Numbers is [var n] ? n : null
            : oneSided && inverse ? 2 * (x[axis].Size - 1) : x[axis].Size;
        context.Freeze(x[axis], "a transform runs along this axis");
        context.Freeze(x[^1], "real and imaginary parts");
        var terms = x.ToArray();
        terms[axis] = context.Constant(oneSided && !inverse ? (length / 2) + 1 : length, "frequencies or positions of a signal");
        terms[^1] = context.Constant(oneSided && inverse ? 1 : 2, "real and imaginary parts");
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX STFT: frames of a signal, each transformed.</summary>
    public static void Stft(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        foreach (var term in x.Skip(1)) context.Freeze(term, "positions of a signal");
        long? window = context.Input(3)?.Value?.Numbers is [var n]
            ? n
            : context.Input(3) is null && context.Input(2)?.Terms is [var w] ? w.Size : null;
        long? step = context.Input(1)?.Value?.Numbers is [var m] ? m : null;
        context.Output(0, [x[0], context.Constant(((x.ElementAtOrDefault(1)?.Size - window) / step) + 1, "frames of a signal"),
            context.Constant(context.Int("onesided", 1) != 0 ? (window / 2) + 1 : window, "frequencies"),
            context.Constant(2, "real and imaginary parts")]);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX HannWindow, HammingWindow, BlackmanWindow: one axis of a given size.</summary>
    public static void Window(NodeContext context)
        => context.Output(0, [context.Constant(context.Input(0)?.Value?.Numbers is [var n] ? n : null, "positions of a window")]);

    public static void MelWeights(NodeContext context)
    {
        long? bins = context.Input(0)?.Value?.Numbers is [var n] ? n : null;
        long? length = context.Input(1)?.Value?.Numbers is [var m] ? m : null;
        context.Output(0, [context.Constant((length / 2) + 1, "frequencies"), context.Constant(bins, "frequency bands")]);
    }

    /// <summary>ONNX RandomNormal and RandomUniform: the shape is an attribute.</summary>
    public static void Random(NodeContext context)
        => context.Output(0, [.. (context.Ints("shape") ?? []).Select(n => context.Constant(n, "random numbers"))]);

    /// <summary>ONNX AffineGrid: a grid of positions for each matrix of the batch.</summary>
    public static void AffineGrid(NodeContext context)
    {
        if (context.Input(0)!.Terms is not [var batch, var rows, var columns] || context.Input(1)?.Value is not { } size
            || size.Elements.Length < 3)
        {
            context.Barrier("its size is computed from data");
            return;
        }
        context.Freeze(rows, "a matrix of coordinates");
        context.Freeze(columns, "a matrix of coordinates");
        var required = new Term?[size.Elements.Length];
        required[0] = batch.Size is null ? null : batch;
        context.Use(1, required);
        context.Output(0, [batch, .. size.Elements.Skip(2).Select(e => context.Constant(e?.Number, "positions of a grid")),
            context.Constant(size.Elements.Length - 2, "coordinates")]);
    }

    /// <summary>ONNX CenterCropPad: axes that keep their size pass.</summary>
    public static void CenterCropPad(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var axes = context.Ints("axes") ?? [.. Enumerable.Range(0, x.Length).Select(k => (long)k)];
        if (context.Input(1)?.Value is not { } size || size.Elements.Length != axes.Length)
        {
            context.Barrier("its size is computed from data");
            return;
        }
        var terms = x.ToArray();
        var required = new Term?[axes.Length];
        for (int k = 0; k < axes.Length; k++)
        {
            int axis = NodeContext.Axis(axes[k], x.Length);
            var wanted = size.Elements[k]?.Dense;
            if (wanted is not null && wanted.Equals(Polynomial.Of(x[axis], f => f.Size)))
            {
                required[k] = x[axis];
                continue;
            }
            context.Freeze(x[axis], "cropped or padded along this axis");
            terms[axis] = context.Constant(wanted?.Value, "cropped or padded along this axis");
        }
        context.Use(1, required);
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX Col2Im: channels times positions of a block are summed into an image per channel.</summary>
    public static void Col2Im(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (x.Length != 3 || context.Input(1)?.Value is not { } image || context.Input(2)?.Value?.Numbers is not { } block)
        {
            context.Barrier("its shapes are computed from data");
            return;
        }
        long positions = block.Aggregate(1L, (a, b) => a * b);
        context.Freeze(x[2], "positions of an image");
        if (x[1].Size is not { } size || positions <= 0 || size % positions != 0)
        {
            context.Freeze(x[1], "how it divides into channels is not known");
            context.Output(0,
                [x[0], context.Constant(null, "how it divides into channels is not known"),
                    .. image.Elements.Select(e => context.Constant(e?.Number, "positions of an image"))]);
            return;
        }
        var channels = context.Fresh(size / positions);
        context.Same(x[1], Term.Product(channels, context.Constant(positions, "positions of a block")));
        context.Use(1, new Term?[image.Elements.Length]);
        context.Use(2, new Term?[block.Length]);
        context.Output(0, [x[0], channels, .. image.Elements.Select(e => context.Constant(e?.Number, "positions of an image"))]);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>
    /// RotaryEmbedding of both domains: dimension j of a head turns with dimension j + p (interleaved: 2j with 2j + 1), by the angle in
    /// column j of the caches; dimensions beyond <c>rotary_embedding_dim</c> pass.
    /// </summary>
    public static void Rotary(NodeContext context)
    {
        bool standard = context.Node.Domain is "" or "ai.onnx";
        var x = context.Input(0)!.Terms!;
        var (cos, sin, positions) = standard
            ? (context.Input(1), context.Input(2), context.Input(3))
            : (context.Input(2), context.Input(3), context.Input(1));
        if (x.Length is not (3 or 4) || cos?.Terms is not [.., var angles] || sin?.Terms is not [.., var sines]
            || angles.Size is not { } half || x[^1].Size is not { } width
            || (positions is not null && positions.Terms is null))
        {
            context.Barrier("the sizes of its operands are not known");
            return;
        }
        context.Same(angles, sines);
        long heads = context.Int("num_heads", 0), rotated = context.Int("rotary_embedding_dim", 0), sizeOfHead = x.Length == 4 ? width
            : heads > 0 ? width / heads : rotated == 0 ? 2 * half : -1;
        if (sizeOfHead <= 0 || width % sizeOfHead != 0 || half * 2 > sizeOfHead || (rotated > 0 ? rotated : sizeOfHead) != 2 * half)
        {
            context.Freeze(x[^1], "how it divides into heads and angles is not known");
            context.Freeze(angles, "how it divides into heads and angles is not known");
            context.Output(0, x);
            return;
        }
        var pair = context.Constant(2, "the two parts of a rotation");
        var turned = context.Int("interleaved", 0) != 0 ? Term.Product(angles, pair) : Term.Product(pair, angles);
        var head = 2 * half == sizeOfHead ? turned : Term.Sum(turned, context.Fresh(sizeOfHead - (2 * half)));
        if (rotated > 0) context.UseAttribute("rotary_embedding_dim", -1, turned);
        if (x.Length == 4) context.Same(x[3], head);
        else
        {
            var count = context.Fresh(width / sizeOfHead);
            context.Same(x[2], Term.Product(count, head));
            if (heads > 0 && !count.IsOne) context.UseAttribute("num_heads", -1, count);
        }
        var (batch, length) = (x[0], x[^2]);
        if (positions is null)
        {
            if (cos.Terms.Length == 3)
                foreach (var (a, b) in (ReadOnlySpan<(TensorState, int)>)[(cos, 0), (sin!, 0)]) context.Same(batch, a.Terms![b]);
            foreach (var cache in (TensorState[])[cos, sin!])
                if (cache.Terms!.Length > 1) context.Same(x.Length == 4 ? x[2] : x[1], cache.Terms[^2]);
        }
        else
        {
            foreach (var cache in (TensorState[])[cos, sin!])
                foreach (var term in cache.Terms![..^1]) context.Freeze(term, "its positions are chosen by data");
            context.FreezeAll(positions, "positions of a sequence");
        }
        context.Freeze(length, "positions of a sequence");
        context.Output(0, x);
        context.Record.Zero = ZeroRule.First;
    }
}
