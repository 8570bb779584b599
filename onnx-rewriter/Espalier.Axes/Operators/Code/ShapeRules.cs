using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx.Limits;

namespace Espalier.Axes.Operators.Code;

/// <summary>Operators that only regroup, permute, repeat or join axes.</summary>
internal static class ShapeRules
{
    public static void Transpose(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var order = context.Ints("perm", x.Length) ?? [.. Enumerable.Range(0, x.Length).Reverse().Select(k => (long)k)];
        if (order.Distinct().Count(k => k >= 0 && k < x.Length) < x.Length)
            throw new MisfitException("its attribute perm is no order of the axes");
        context.Output(0, [.. order.Select(k => x[k])]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Flatten(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        long given = context.Int("axis", 1);
        int axis = given == x.Length ? x.Length : NodeContext.Axis(given, x.Length);
        context.Output(0, [Term.Product(x[..axis]), Term.Product(x[axis..])]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Squeeze(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var axes = context.AttributeOrInput("axes", 1) is { } listed ? NodeContext.Axes(listed, x.Length) : null;
        if (axes is null && context.Input(1) is not null)
        {
            context.Barrier("its axes are computed");
            return;
        }
        if (axes?.Any(a => x[a].Size > 1) == true) throw new MisfitException("it takes away an axis that has more than one position");
        context.Output(0, [.. x.Where((t, k) => axes is null ? !t.IsOne : !axes.Contains(k))]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Unsqueeze(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.AttributeOrInput("axes", 1) is not { } axes)
        {
            context.Barrier("its axes are computed");
            return;
        }
        int rank = x.Length + axes.Length;
        var at = NodeContext.Axes(axes, rank);
        var rest = new Queue<Term>(x);
        context.Output(0, [.. Enumerable.Range(0, rank).Select(k => at.Contains(k) ? Term.One : rest.Dequeue())]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Concat(NodeContext context)
    {
        var parts = context.Inputs.Where(i => i is not null).Select(i => i!.Terms!).ToList();
        if (parts.Any(p => p.Length != parts[0].Length))
        {
            context.Barrier("operands of different rank");
            return;
        }
        int axis = NodeContext.Axis(context.Int("axis", 1), parts[0].Length);
        foreach (var part in parts.Skip(1))
            for (int k = 0; k < part.Length; k++)
                if (k != axis) context.Same(parts[0][k], part[k]);
        var terms = parts[0].ToArray();
        // Doubled again and again, a concatenation would have as many segments as elements.
        int segments = parts.Sum(p => p[axis].Resolved is SumTerm sum ? sum.Parts.Length : 1);
        if (segments <= Term.MaxParts && (context.State.Segments += segments) <= InferenceState.MaxSegments)
            terms[axis] = Term.Sum(parts.Select(p => p[axis]));
        else
        {
            string reason = $"its concatenation has {segments} segments, which is too long to be followed";
            foreach (var part in parts) context.Freeze(part[axis], reason);
            var sizes = parts.Select(p => p[axis]).ToList();
            terms[axis] = context.Constant(Total(sizes.Select(t => t.Size)), reason, Total(sizes.Select(t => t.Nominal)));
        }
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.Parts;
    }

    private static long? Total(IEnumerable<long?> sizes)
    {
        Int128 total = 0;
        foreach (long? size in sizes)
        {
            if (size is null) return null;
            total += size.Value;
        }
        return total <= long.MaxValue ? (long)total : null;
    }

    /// <summary>ONNX Expand: axes of size 1 repeat; the others must agree.</summary>
    public static void Expand(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Known(1) is not { } shape)
        {
            context.Barrier("its shape is computed from data");
            return;
        }
        int rank = Math.Max(x.Length, shape.Elements.Length);
        var terms = new Term[rank];
        var required = new Term?[shape.Elements.Length];
        for (int k = 0; k < rank; k++)
        {
            var axis = k < rank - x.Length ? Term.One : x[k - (rank - x.Length)];
            int element = k - (rank - shape.Elements.Length);
            if (element < 0 || shape.Elements[element]?.Number is 1 or -1)
            {
                terms[k] = axis;
                continue;
            }
            terms[k] = axis.IsOne ? OfSize(context, shape.Elements[element]) : axis;
            if (axis.IsOne && !terms[k].IsOne) context.State.Repeated.Add(terms[k]);
            required[element] = terms[k];
        }
        context.Use(1, required);
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>An axis of the given size: the dynamic factor itself where the size is one, a fresh factor otherwise.</summary>
    public static Term OfSize(NodeContext context, SizeValue? size) => OfSize(context, size?.Dense, size?.Nominal);

    private static Term OfSize(NodeContext context, Polynomial? size, long? nominal)
        => size?.Value is { } n ? context.Fresh(n)
            : size?.Monomials is [(1, [var factor])] ? Term.Of(factor)
            : context.Unifier.Fresh(null, null, nominal ?? size?.Nominal);

    public static void Tile(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Known(1) is not { } repeats || repeats.Elements.Length != x.Length)
        {
            context.Barrier("its repeats are computed");
            return;
        }
        var terms = new Term[x.Length];
        var required = new Term?[x.Length];
        for (int k = 0; k < x.Length; k++)
        {
            var count = repeats.Elements[k];
            if (x[k].IsOne)
            {
                // An axis of size 1 that is repeated is expanded: the count follows what it meets.
                terms[k] = OfSize(context, count);
                if (terms[k].IsOne) continue;
                context.State.Repeated.Add(terms[k]);
                required[k] = terms[k];
            }
            else terms[k] = Term.Product(context.Constant(count?.Number, "repeated by a fixed count", count?.Nominal), x[k]);
        }
        context.Use(1, required);
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX Reshape: runs of axes with equal sizes are one index space; each run is unified as a product.</summary>
    public static void Reshape(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var target = context.Known(1)
            ?? (context.Ints("shape") is { } fixedShape ? SizeTensor.Vector([.. fixedShape.Select(n => new SizeValue.Literal(n))]) : null);
        if (target is null)
        {
            // The rank is known where the shape's length is; what its axes are is not.
            foreach (var term in x) context.Freeze(term, "reshaped to a shape that is computed from data");
            if (context.Input(1)?.Terms is [var length] && length.Size is { } rank && rank <= OnnxLimits.Default.Rank)
                context.Output(0,
                    [.. Enumerable.Range(0, (int)rank)
                        .Select(_ => context.Constant(null, "reshaped to a shape that is computed from data"))]);
            else context.Output(0, null);
            return;
        }
        bool zeroCopies = context.Int("allowzero", 0) == 0;
        int m = target.Elements.Length;
        var sizes = new Polynomial?[m];
        var required = new bool[m];
        int infer = -1, unknown = 0;
        for (int k = 0; k < m; k++)
        {
            var element = target.Elements[k];
            if (element is SizeValue.Literal { Value: 0 } && zeroCopies && k < x.Length) sizes[k] = Size(x[k]);
            else if (element?.Number == -1) infer = k;
            else
            {
                sizes[k] = element?.Dense;
                required[k] = true;
                if (sizes[k] is null) (infer, unknown) = (k, unknown + 1);
            }
        }
        // One size that is not known follows from the others.
        if (infer >= 0 && sizes.Count(s => s is null) == 1)
        {
            var total = x.Aggregate(Polynomial.Constant(1), (a, t) => a.Multiply(Size(t)));
            sizes[infer] = total.Divide(sizes.Where(s => s is not null).Aggregate(Polynomial.Constant(1), (a, s) => a.Multiply(s!)));
        }
        var terms = Align(context, x, sizes);
        context.Use(1, [.. terms.Select((t, k) => required[k] ? t : null)]);
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    private static Polynomial Size(Term term) => Polynomial.Of(term, f => f.Size);

    private static Term[] Align(NodeContext context, Term[] x, Polynomial?[] sizes)
    {
        var inputs = x.Select(Size).ToArray();
        var terms = new Term?[sizes.Length];
        int i = 0, j = 0, iEnd = x.Length, jEnd = sizes.Length;
        while (i < iEnd && j < jEnd && sizes[j] is not null && Run(ref i, ref j)) { }
        while (i < iEnd && j < jEnd && sizes[jEnd - 1] is { } last && last.Equals(inputs[iEnd - 1])) terms[--jEnd] = x[--iEnd];
        if (i < iEnd || j < jEnd) Join(i, iEnd, j, jEnd);
        return terms!;

        // One run from the left: as few axes as make the sizes equal. False where no run can be told.
        bool Run(ref int i, ref int j)
        {
            if (inputs[i].Equals(sizes[j]))
            {
                terms[j++] = x[i++];
                return true;
            }
            if (sizes[j]!.Value == 1)
            {
                terms[j++] = Term.One;
                return true;
            }
            if (inputs[i].Value == 1)
            {
                i++;
                return true;
            }
            int a = i + 1, b = j + 1;
            var (left, right) = (inputs[i], sizes[j]!);
            while (!left.Equals(right))
            {
                bool growInput = left.Value is { } l && right.Value is { } r ? l < r : right.Divide(left) is not null;
                bool growOutput = left.Value is { } l2 && right.Value is { } r2 ? l2 > r2 : left.Divide(right) is not null;
                if (growInput && a < iEnd) left = left.Multiply(inputs[a++]);
                else if (growOutput && b < jEnd && sizes[b] is { } next)
                {
                    right = right.Multiply(next);
                    b++;
                }
                else return false;
            }
            Join(i, a, j, b);
            (i, j) = (a, b);
            return true;
        }

        void Join(int i, int a, int j, int b)
        {
            var whole = Term.Product(x[i..a]);
            if (b - j == 1)
            {
                terms[j] = whole;
                return;
            }
            for (int k = j; k < b; k++) terms[k] = OfSize(context, sizes[k], null);
            if (b > j) context.Same(whole, Term.Product(terms[j..b]!));
        }
    }
}
