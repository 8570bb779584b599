namespace Espalier.Axes.Terms;

/// <summary>
/// Makes factors and states equalities between terms. An equality of two axes says that index k of the one is index k of the
/// other; everything that follows from it (common refinement, equal parts) is recorded in the factors. Every step taken is
/// implied by the equality, so a failure half way leaves only true statements behind.
/// </summary>
internal sealed class Unifier
{
    private int _next;

    /// <summary>A new factor of the given size; the axis of size 1 has none.</summary>
    public Term Fresh(long? size, string? dimension = null, long? nominal = null)
        // What a file states below zero is no size.
        => size == 1 ? Term.One : Term.Of(new Factor(_next++, size < 0 ? null : size) { DimensionName = dimension, Nominal = nominal });

    /// <summary>States that two axes are one. False where they have no common refinement: then the caller freezes both.</summary>
    public bool Unify(Term a, Term b)
    {
        a = a.Resolved;
        b = b.Resolved;
        if (ReferenceEquals(a, b)) return true;
        if (a is FactorTerm f && b is FactorTerm g) return Union(f.Factor, g.Factor);
        if (a is FactorTerm left) return Define(left.Factor, b);
        if (b is FactorTerm right) return Define(right.Factor, a);
        return a is SumTerm || b is SumTerm ? UnifySums(a, b) : UnifyProducts(a, b);
    }

    private static bool Union(Factor a, Factor b)
    {
        if (a == b) return true;
        if (a.Size is { } x && b.Size is { } y && x != y) return false;
        // The older factor stays: numbers, and with them names and order, do not depend on the order of unions.
        var (root, child) = a.Id < b.Id ? (a, b) : (b, a);
        root.Size ??= child.Size;
        root.DimensionName ??= child.DimensionName;
        root.Nominal ??= child.Nominal;
        root.IsProduced |= child.IsProduced;
        root.Depth = Math.Max(root.Depth, child.Depth);
        child.Parent = root;
        return true;
    }

    private static bool Define(Factor factor, Term term)
    {
        var dynamic = new List<Factor>();
        foreach (var leaf in term.Leaves)
        {
            if (leaf == factor) return term.Resolved is ProductTerm p && p.Parts.Count(t => !t.IsOne) == 1;
            if (leaf.Size is null) dynamic.Add(leaf);
        }
        if (factor.Size is { } size)
        {
            if (term.Size is { } other)
            {
                if (size != other) return false;
            }
            else
            {
                // One unknown in a product of known size can be solved for; more leave the structure of the axis unknown.
                if (dynamic.Count != 1 || term.Resolved is not ProductTerm product) return false;
                if (product.Parts.Any(p => p.Size is null && p.Resolved is not FactorTerm) || product.Parts.Count(p => p.Size is null) != 1)
                    return false;
                if (Term.Product(product.Parts.Where(p => p.Size is not null)).Size is not (> 0 and var known) || size % known != 0)
                    return false;
                dynamic[0].Size = size / known;
            }
        }
        else if (term.IsOne)
        {
            return true; // A dynamic dimension may be 1 here; it stays what it is elsewhere.
        }
        if (!Deepen(factor, term)) return false;
        Settle(factor, term);
        factor.Definition = term;
        if (factor.IsProduced) MarkProduced(term);
        return true;
    }

    /// <summary>
    /// A dynamic axis and its parts have one nominal size: of a product, one part that has none has what the others leave.
    /// </summary>
    private static void Settle(Factor factor, Term term)
    {
        if (term.Nominal is null && factor.Nominal is { } all && term.Resolved is ProductTerm product)
        {
            var open = product.Parts.Where(p => p.Nominal is null).ToList();
            if (open is [{ Resolved: FactorTerm { Factor: var part } }]
                && Term.Product(product.Parts.Where(p => p != open[0])).Nominal is > 0 and var known)
                part.Nominal = Math.Max(1, all / known);
        }
        factor.Nominal = term.Nominal ?? factor.Nominal;
    }

    /// <summary>
    /// Notes how deep the leaves of a definition lie. False where sums and products would lie in each other so deep that walks over them
    /// would no longer be bounded.
    /// </summary>
    private static bool Deepen(Factor factor, Term term)
    {
        const int MaxDepth = 1000, MaxWalk = 1 << 17;
        var levels = new Dictionary<Term, int>(ReferenceEqualityComparer.Instance);
        var deepest = new Dictionary<Factor, int>();
        var open = new Stack<(Term, int)>([(term, factor.Depth + 1)]);
        for (int walked = 0; open.TryPop(out var top); walked++)
        {
            var (resolved, depth) = (top.Item1.Resolved, top.Item2);
            if (depth > MaxDepth || walked > MaxWalk) return false;
            if (resolved is FactorTerm leaf) deepest[leaf.Factor] = Math.Max(deepest.GetValueOrDefault(leaf.Factor), depth);
            else if (levels.GetValueOrDefault(resolved) < depth)
            {
                levels[resolved] = depth;
                foreach (var part in resolved is SumTerm sum ? sum.Parts : ((ProductTerm)resolved).Parts) open.Push((part, depth + 1));
            }
        }
        foreach (var (leaf, depth) in deepest) leaf.Depth = Math.Max(leaf.Depth, depth);
        return true;
    }

    /// <summary>The units of the axis come out of a product with a weight.</summary>
    public static void MarkProduced(Term term)
    {
        foreach (var leaf in term.Leaves) leaf.IsProduced = true;
    }

    private bool UnifySums(Term a, Term b)
    {
        var left = new Stack<Term>([a]);
        var right = new Stack<Term>([b]);
        while (true)
        {
            bool more = Next(left, out var x);
            if (Next(right, out var y) != more) return false;
            if (!more) return true;
            if (x.Size is { } n && y.Size is { } m)
            {
                if (n == m)
                {
                    if (!Unify(x, y)) return false;
                }
                else if (n < m)
                {
                    if (Cut(y, n) is not var (head, tail)) return false;
                    right.Push(tail);
                    if (!Unify(x, head)) return false;
                }
                else
                {
                    if (Cut(x, m) is not var (head, tail)) return false;
                    left.Push(tail);
                    if (!Unify(head, y)) return false;
                }
            }
            else
            {
                // Dynamic segments can only be matched one to one.
                if (left.Count != right.Count) return false;
                if (!Unify(x, y)) return false;
            }
        }

        static bool Next(Stack<Term> stack, out Term term)
        {
            while (stack.TryPop(out var top))
            {
                if (top.Resolved is SumTerm sum)
                {
                    for (int k = sum.Parts.Length - 1; k >= 0; k--) stack.Push(sum.Parts[k]);
                    continue;
                }
                if (top.Size == 0) continue;
                term = top.Resolved;
                return true;
            }
            term = Term.One;
            return false;
        }
    }

    /// <summary>The axis as two: the first <paramref name="at"/> indices and the rest; null where the structure is unknown there.</summary>
    public (Term Head, Term Tail)? Cut(Term term, long at)
    {
        term = term.Resolved;
        if (term.Size is not { } size || at < 0 || at > size) return null;
        if (at == 0) return (Empty, term);
        if (at == size) return (term, Empty);
        switch (term)
        {
            case FactorTerm leaf:
                var (first, second) = (Fresh(at), Fresh(size - at));
                return Define(leaf.Factor, Term.Sum(first, second)) ? (first, second) : null;
            case SumTerm sum:
                long offset = 0;
                for (int k = 0; k < sum.Parts.Length; k++)
                {
                    long end = offset + sum.Parts[k].Size!.Value;
                    if (at <= end)
                    {
                        if (Cut(sum.Parts[k], at - offset) is not var (head, tail)) return null;
                        return (Term.Sum([.. sum.Parts[..k], head]), Term.Sum([tail, .. sum.Parts[(k + 1)..]]));
                    }
                    offset = end;
                }
                return null;
            case ProductTerm product:
                var major = product.Parts[0];
                var rest = Term.Product(product.Parts[1..]);
                long inner = rest.Size!.Value, whole = at / inner, left = at % inner;
                if (Cut(major, whole) is not var (before, after)) return null;
                if (left == 0) return (Times(before, rest), Times(after, rest));
                // The cut falls inside one unit of the major factor: that unit becomes a copy of the rest, cut in turn.
                if (Cut(after, 1) is not var (_, beyond) || Cut(rest, left) is not var (restHead, restTail)) return null;
                return (Term.Sum(Times(before, rest), restHead), Term.Sum(restTail, Times(beyond, rest)));
            default: return null;
        }

        static Term Times(Term major, Term rest) => major.Size == 0 ? Empty : Term.Product(major, rest);
    }

    /// <summary>The axis as consecutive parts of the given sizes; null where the structure is unknown at a boundary.</summary>
    public Term[]? Partition(Term term, IReadOnlyList<long> sizes)
    {
        // At once, where nothing is known of the axis: one definition, not one inside of the other.
        if (term.Resolved is FactorTerm { Factor: { Size: { } size } factor } && sizes.Count > 1 && sizes.All(s => s > 0)
            && sizes.Sum() == size)
        {
            Term[] parts = [.. sizes.Select(s => Fresh(s))];
            return Define(factor, Term.Sum(parts)) ? parts : null;
        }
        var cut = new Term[sizes.Count];
        var rest = term;
        for (int k = 0; k < cut.Length; k++)
        {
            if (Cut(rest, sizes[k]) is not var (head, tail)) return null;
            (cut[k], rest) = (head, tail);
        }
        return cut;
    }

    /// <summary>The axis of size 0.</summary>
    public static Term Empty { get; } = new SumTerm([]);

    private bool UnifyProducts(Term a, Term b)
    {
        var left = Parts(a);
        var right = Parts(b);
        while (true)
        {
            if (left.Count == 0 || right.Count == 0) return left.Concat(right).All(t => t.IsOne);
            if (left.Count == 1 || right.Count == 1)
            {
                var (x, y) = (Term.Product(left), Term.Product(right));
                if (x.Resolved is FactorTerm || y.Resolved is FactorTerm || left.Count == right.Count) return Unify(x, y);
            }
            if (MatchEnd(left, right, last: true) || MatchEnd(left, right, last: false)) continue;
            return Unroll(left, right);
        }

        static List<Term> Parts(Term term)
        {
            var parts = new List<Term>();
            Collect(term, parts);
            return parts;

            static void Collect(Term term, List<Term> parts)
            {
                if (term.Resolved is ProductTerm product) foreach (var part in product.Parts) Collect(part, parts);
                else if (!term.IsOne) parts.Add(term.Resolved);
            }
        }
    }

    /// <summary>
    /// No divisor is common (channel shuffle of 4·34 read as 34·4): the shorter major factor is taken unit by unit, each a copy of the
    /// rest, and the copies are matched as a concatenation. Longer factors are not unrolled: the axis stays whole.
    /// </summary>
    private bool Unroll(List<Term> left, List<Term> right)
    {
        const int MaxUnrolled = 16, MaxSize = 4096;
        if (Term.Product(left).Size is not <= MaxSize || Term.Product(right).Size is not <= MaxSize) return false;
        var (copied, other) = left[0].Size <= right[0].Size ? (left, right) : (right, left);
        if (copied.Count < 2 || copied[0].Size is not <= MaxUnrolled) return false;
        var rest = copied[0];
        long count = rest.Size!.Value;
        for (long k = 1; k < count; k++)
        {
            if (Cut(rest, 1) is not var (_, tail)) return false;
            rest = tail;
        }
        var copy = Term.Product(copied[1..]);
        return UnifySums(Term.Sum(Enumerable.Repeat(copy, (int)count)), Term.Product(other));
    }

    /// <summary>Takes equal ends off both products, splitting the larger at the size of the smaller.</summary>
    private bool MatchEnd(List<Term> left, List<Term> right, bool last)
    {
        var (x, y) = last ? (left[^1].Resolved, right[^1].Resolved) : (left[0].Resolved, right[0].Resolved);
        if (x is ProductTerm || y is ProductTerm)
        {
            Splice(left, x, last);
            Splice(right, y, last);
            return true;
        }
        if (x.Size is { } n && y.Size is { } m)
        {
            if (n == m)
            {
                if (!Unify(x, y)) return false;
                Drop(left, last);
                Drop(right, last);
                return true;
            }
            if (n > m) return Split(left, x, m, right, y);
            return Split(right, y, n, left, x);
        }
        // Dynamic ends: the same one, or the only dynamic ones of products whose rest is of one size. Of more than one, none
        // needs to be another.
        if (x.Size is not null || y.Size is not null) return false;
        bool same = x is FactorTerm f && y is FactorTerm g ? f.Factor == g.Factor : ReferenceEquals(x, y);
        if (!same && !(Alone(left) is { } rest && Alone(right) == rest && Unify(x, y))) return false;
        Drop(left, last);
        Drop(right, last);
        return true;

        bool Split(List<Term> large, Term whole, long size, List<Term> small, Term part)
        {
            if (size == 0 || whole.Size!.Value % size != 0) return false;
            if (SplitMinor(whole, last ? size : whole.Size!.Value / size) is not var (major, minor)) return false;
            if (!Unify(last ? minor : major, part)) return false;
            large[last ? large.Count - 1 : 0] = last ? major : minor;
            Drop(small, last);
            return true;
        }

        static long? Alone(List<Term> parts)
            => parts.Count(t => t.Size is null) == 1 ? Term.Product(parts.Where(t => t.Size is not null)).Size : null;

        static void Drop(List<Term> list, bool last) => list.RemoveAt(last ? list.Count - 1 : 0);

        static void Splice(List<Term> list, Term end, bool last)
        {
            if (end is not ProductTerm product) return;
            Drop(list, last);
            list.InsertRange(last ? list.Count : 0, product.Parts);
        }
    }

    /// <summary>The axis as a product whose minor part has the given size; null where a boundary lies across.</summary>
    public (Term Major, Term Minor)? SplitMinor(Term term, long minorSize)
    {
        term = term.Resolved;
        if (term.Size is not { } size || minorSize <= 0 || size % minorSize != 0) return null;
        if (minorSize == 1) return (term, Term.One);
        if (minorSize == size) return (Term.One, term);
        switch (term)
        {
            case FactorTerm leaf:
                var (major, minor) = (Fresh(size / minorSize), Fresh(minorSize));
                return Define(leaf.Factor, Term.Product(major, minor)) ? (major, minor) : null;
            case SumTerm sum:
                Term? common = null;
                var majors = new List<Term>();
                foreach (var part in sum.Parts)
                {
                    if (part.Size == 0) continue;
                    if (SplitMinor(part, minorSize) is not var (high, low)) return null;
                    if (common is null) common = low;
                    else if (!Unify(common, low)) return null;
                    majors.Add(high);
                }
                return (Term.Sum(majors), common ?? Term.One);
            case ProductTerm product:
                var end = product.Parts[^1];
                var rest = Term.Product(product.Parts[..^1]);
                long endSize = end.Size!.Value;
                if (endSize == minorSize) return (rest, end);
                if (endSize > minorSize)
                    return SplitMinor(end, minorSize) is var (high2, low2) ? (Term.Product(rest, high2), low2) : null;
                if (minorSize % endSize != 0) return null;
                return SplitMinor(rest, minorSize / endSize) is var (high3, low3) ? (high3, Term.Product(low3, end)) : null;
            default: return null;
        }
    }
}
