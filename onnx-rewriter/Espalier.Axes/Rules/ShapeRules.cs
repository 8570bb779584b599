namespace Espalier.Axes;

/// <summary>Operators that only regroup, permute, repeat or join axes.</summary>
internal static class ShapeRules
{
    public static void Transpose(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var order = context.Ints("perm") ?? [.. Enumerable.Range(0, x.Length).Reverse().Select(k => (long)k)];
        context.Output(0, [.. order.Select(k => x[k])]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Flatten(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        int axis = NodeContext.Axis(context.Int("axis", 1), x.Length);
        context.Output(0, [Term.Product(x[..axis]), Term.Product(x[axis..])]);
        context.Record.Zero = ZeroRule.First;
    }

    public static void Squeeze(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var axes = context.AttributeOrInput("axes", 1)?.Select(a => NodeContext.Axis(a, x.Length)).ToHashSet();
        if (axes is null && context.Input(1) is not null)
        {
            context.Barrier("its axes are computed");
            return;
        }
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
        var at = axes.Select(a => NodeContext.Axis(a, rank)).ToHashSet();
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
        terms[axis] = Term.Sum(parts.Select(p => p[axis]));
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.All;
    }

    /// <summary>ONNX Expand: axes of size 1 repeat; the others must agree.</summary>
    public static void Expand(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Value is not { } shape)
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
            terms[k] = axis.IsOne ? OfSize(context, shape.Elements[element]?.Dense) : axis;
            if (axis.IsOne && !terms[k].IsOne) context.State.Repeated.Add(terms[k]);
            required[element] = terms[k];
        }
        context.Use(1, required);
        context.Output(0, terms);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>An axis of the given size: the dynamic factor itself where the size is one, a fresh factor otherwise.</summary>
    public static Term OfSize(NodeContext context, Polynomial? size)
        => size?.Value is { } n ? context.Fresh(n)
            : size?.Monomials is [(1, [var factor])] ? Term.Of(factor)
            : context.Unifier.Fresh(null, null, size?.Monomials.Sum(m => m.Factors.Aggregate((long?)m.Coefficient, (a, f) => a * Term.Of(f).KnownSize) ?? null));

    public static void Tile(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        if (context.Input(1)?.Value?.Numbers is not { } repeats || repeats.Length != x.Length)
        {
            context.Barrier("its repeats are computed");
            return;
        }
        context.Output(0, [.. x.Select((t, k) => Term.Product(context.Constant(repeats[k], "repeated by a fixed count"), t))]);
        context.Record.Zero = ZeroRule.First;
    }

    /// <summary>ONNX Reshape: runs of axes with equal sizes are one index space; each run is unified as a product.</summary>
    public static void Reshape(NodeContext context)
    {
        var x = context.Input(0)!.Terms!;
        var target = context.Input(1)?.Value ?? (context.Ints("shape") is { } fixedShape ? new SizeTensor(1, [.. fixedShape.Select(n => new SizeValue.Literal(n))]) : null);
        if (target is null)
        {
            // The rank is known where the shape's length is; what its axes are is not.
            foreach (var term in x) context.Freeze(term, "reshaped to a shape that is computed from data");
            if (context.Input(1)?.Terms is [var length] && length.Size is { } rank)
                context.Output(0, [.. Enumerable.Range(0, (int)rank).Select(_ => context.Constant(null, "reshaped to a shape that is computed from data"))]);
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
            for (int k = j; k < b; k++) terms[k] = OfSize(context, sizes[k]);
            if (b > j) context.Same(whole, Term.Product(terms[j..b]!));
        }
    }
}
