using Espalier.Gradients.Writing;

namespace Espalier.Gradients.Rules.Sequences;

/// <summary>Products of all before, determinants and Fourier transforms.</summary>
internal static class TransformRules
{
    /// <summary>
    /// dx = the sum of dY·y over all that x is a factor of, divided by x. Where x is the first zero, y counts without it; behind it
    /// nothing has a gradient.
    /// </summary>
    public static void CumProd(GradientContext context)
    {
        var graph = context.Graph;
        int type = context.Type, rank = context.InTerms(0).Length;
        if (context.Integers("", 1) is not [var stated]) throw new NoGradientException("its axis is computed");
        int axis = context.Axis(stated, rank);
        long size = context.InSizes(0, axis)[0];
        bool isExclusive = context.Int("exclusive", 0) != 0, isReverse = context.Int("reverse", 0) != 0;
        string x = context.In(0), zeros = graph.Mask("Equal", x, graph.Number(0, type), type);
        string before = Sum(zeros, isReverse, false);
        string first = graph.Mul(zeros, graph.Mask("Equal", before, graph.Number(1, type), type));
        string without = graph.Add(x, first);
        string product = without;
        // Doubling: the product of the last 1, 2, 4, … elements.
        for (long k = 1; k < size; k *= 2) product = graph.Mul(product, Shifted(product, k));
        if (isExclusive) product = Shifted(product, 1);
        string dy = context.Gradient(0)!;
        string ordinary = graph.Div(Behind(context.Out(0)), graph.Add(x, zeros));
        string none = graph.Mask("Equal", before, graph.Number(0, type), type);
        context.Give(0, graph.Add(graph.Mul(ordinary, none), graph.Mul(Behind(product), first)));

        string Sum(string tensor, bool reverse, bool exclusive) => graph.Op("CumSum", [tensor, graph.Integer(axis)],
            BackwardGraph.Int("reverse", reverse ? 1 : 0), BackwardGraph.Int("exclusive", exclusive ? 1 : 0));
        string Behind(string y) => Sum(graph.Mul(dy, y), !isReverse, isExclusive);

        // Ones come in.
        string Shifted(string tensor, long by)
        {
            long[] pads = new long[2 * rank];
            pads[isReverse ? rank + axis : axis] = by;
            string padded = graph.Op("Pad", [tensor, graph.Integers(pads), graph.Number(1, type)]);
            return isReverse ? graph.Part(padded, axis, by, long.MaxValue) : graph.Part(padded, axis, 0, size);
        }
    }

    /// <summary>Cofactors of matrices of up to three rows.</summary>
    public static void Det(GradientContext context)
    {
        int rank = context.InTerms(0).Length;
        long n = context.InSizes(0, rank - 1)[0];
        if (n > 3) throw new NoGradientException("only matrices of up to three rows are followed");
        var graph = context.Graph;
        string x = context.In(0), dy = graph.Unsqueeze(context.Gradient(0)!, [-1, -2]);
        string cofactors = n switch
        {
            1 => graph.Op("Pow", [x, graph.Number(0, context.Type)]),
            2 => graph.Mul(Turned(x, [1, 0], [1, 0]), graph.Numbers([1, -1, -1, 1], [2, 2], context.Type)),
            // Rows and columns in turn: signs come right of themselves.
            _ => graph.Sub(graph.Mul(Turned(x, [1, 2, 0], [1, 2, 0]), Turned(x, [2, 0, 1], [2, 0, 1])),
                graph.Mul(Turned(x, [1, 2, 0], [2, 0, 1]), Turned(x, [2, 0, 1], [1, 2, 0]))),
        };
        context.Give(0, graph.Mul(dy, cofactors));

        string Turned(string tensor, long[] rows, long[] columns) => graph.Op("Gather", [graph.Op("Gather", [tensor, graph.Integers(rows)],
            BackwardGraph.Int("axis", rank - 2)), graph.Integers(columns)], BackwardGraph.Int("axis", rank - 1));
    }

    /// <summary>The conjugate transform; what a real operand lacks is dropped, what one side lacks are zeros.</summary>
    public static void Dft(GradientContext context)
    {
        if (context.Has(1)) throw new NoGradientException("it transforms another number of elements than there are");
        var graph = context.Graph;
        int rank = context.InTerms(0).Length;
        long stated = context.Opset < 20 ? context.Int("axis", 1) : context.Integers("", 2) is [var a] ? a : -2;
        int axis = context.Axis(stated, rank);
        long size = context.InSizes(0, axis)[0];
        bool isInverse = context.Int("inverse", 0) != 0, isOneSided = context.Int("onesided", 0) != 0;
        if (isInverse && isOneSided) throw new NoGradientException("its operand is one side of a spectrum");
        string gradient = context.Gradient(0)!;
        if (isOneSided) gradient = Whole(graph, gradient, axis, rank, size);
        gradient = Back(graph, gradient, axis, size, isInverse, context.Type);
        context.Give(0, context.InSizes(0, rank - 1)[0] == 1 ? graph.Part(gradient, rank - 1, 0, 1) : gradient);
    }

    // The side that is not there has no gradient.
    private static string Whole(BackwardGraph graph, string gradient, int axis, int rank, long size)
    {
        long[] pads = new long[2 * rank];
        pads[rank + axis] = size - ((size / 2) + 1);
        return graph.Pad(gradient, pads);
    }

    private static string Back(BackwardGraph graph, string gradient, int axis, long size, bool isInverse, int type)
    {
        string back = graph.Op("DFT", [gradient, "", graph.Integer(axis)], BackwardGraph.Int("inverse", isInverse ? 0 : 1));
        return graph.Mul(back, graph.Number(isInverse ? 1.0 / size : size, type));
    }

    /// <summary>Frames of a real signal: each is transformed back, weighed by the window, and added where it lies.</summary>
    public static void Stft(GradientContext context)
    {
        var graph = context.Graph;
        if (context.InTerms(0).Length == 3 && context.InSizes(0, 2)[0] != 1) throw new NoGradientException("its signal is complex");
        if (context.Integers("", 1) is not [var step]) throw new NoGradientException("the step of its frames is computed");
        long frames = context.OutSizes(0, 1)[0];
        long length = context.Has(2) ? context.InSizes(2)[0]
            : context.Integers("", 3) is [var l] ? l : throw new NoGradientException("the length of its frames is computed");
        string gradient = context.Gradient(0)!;
        if (context.Int("onesided", 1) != 0) gradient = Whole(graph, gradient, 2, 4, length);
        // [B, frames, length] of the real parts.
        string frame = graph.Op("Squeeze", [graph.Part(Back(graph, gradient, 2, length, false, context.Type), 3, 0, 1), graph.Integers(3)]);
        string positions = graph.Integers([.. Enumerable.Range(0, (int)frames).SelectMany(f => Enumerable.Range(0, (int)length)
            .Select(k => (f * step) + k))]);
        string signal = graph.Reshape(context.In(0), 0, -1);
        if (context.Wants(2))
        {
            string seen = graph.Reshape(graph.Op("Gather", [signal, positions], BackwardGraph.Int("axis", 1)), 0, frames, length);
            context.Give(2, graph.Sum(graph.Mul(frame, seen), [0, 1], keep: false));
        }
        if (!context.Wants(0)) return;
        string weighed = graph.Merged(context.Has(2) ? graph.Mul(frame, context.In(2)) : frame, 1);
        string size = graph.Op("Gather", [graph.Shape(signal), graph.Integer(1)]);
        context.Give(0, graph.Like(ShapeRules.Scattered(context, weighed, positions, size, 1, 2), context.In(0)));
    }
}
