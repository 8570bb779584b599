using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Espalier.Axes.Terms;

/// <summary>The structure of one axis: a sum (concatenation) of products (row-major, major first) of factors.</summary>
/// <remarks>Terms are immutable; what they mean grows more precise as their factors are unified and refined.</remarks>
internal abstract class Term
{
    /// <summary>Most segments of one axis, and most levels of sums and products inside each other: what has more is not followed.</summary>
    internal const int MaxParts = 1 << 12, MaxLevels = 64;

    /// <summary>The axis of size 1: the empty product.</summary>
    public static Term One { get; } = new ProductTerm([]);

    internal static Term Of(Factor factor) => factor.Size == 1 ? One : new FactorTerm(factor);

    internal static Term Sum(params IEnumerable<Term> parts)
    {
        var flat = ImmutableArray.CreateBuilder<Term>();
        foreach (var part in parts)
        {
            if (part is SumTerm sum) flat.AddRange(sum.Parts);
            else flat.Add(part);
        }
        return flat.Count == 1 ? flat[0] : new SumTerm(flat.ToImmutable());
    }

    internal static Term Product(params IEnumerable<Term> parts)
    {
        var flat = ImmutableArray.CreateBuilder<Term>();
        foreach (var part in parts)
        {
            if (part is ProductTerm product) flat.AddRange(product.Parts);
            else flat.Add(part);
        }
        return flat.Count switch { 0 => One, 1 => flat[0], _ => new ProductTerm(flat.ToImmutable()) };
    }

    /// <summary>The term with its outermost factor replaced by what it was refined to: never a refined factor.</summary>
    internal Term Resolved
    {
        get
        {
            var term = this;
            while (term is FactorTerm { Factor: var factor })
            {
                var root = factor.Root;
                if (root.Definition is null) return root == factor ? term : new FactorTerm(root);
                term = root.Definition;
            }
            return term;
        }
    }

    // A size that is known once does not change.
    private long? _size;

    /// <summary>
    /// The size; null where it depends on a dynamic dimension, or is more than 2⁶³. An empty concatenation has size 0.
    /// </summary>
    public long? Size => _size ??= SizeWith(false);

    /// <summary>
    /// The size with every dynamic dimension at its nominal size: what costs are stated for. Null where a dimension has none, because
    /// nothing says how large it is.
    /// </summary>
    internal long? Nominal => _size ?? SizeWith(true);

    private long? SizeWith(bool nominal)
    {
        var term = this;
        while (term is FactorTerm { Factor: var factor })
        {
            var root = factor.Root;
            // Also where it is refined: shared parts of a definition would be visited once for every use.
            if (root.Size is { } known) return known;
            if (root.Definition is null || (nominal && root.Nominal is not null)) return nominal ? root.Nominal : null;
            term = root.Definition;
        }
        var parts = term is SumTerm sum ? sum.Parts : ((ProductTerm)term).Parts;
        Int128 total = term is SumTerm ? 0 : 1;
        foreach (var part in parts)
        {
            if ((nominal ? part.Nominal : part.Size) is not { } size) return null;
            total = term is SumTerm ? total + size : total * size;
            if (total > long.MaxValue) return null;
        }
        return (long)total;
    }

    /// <summary>Levels of sums and products in the term as it is written, definitions of factors aside.</summary>
    internal virtual int Levels => 0;

    /// <summary>True where the term is the axis of size 1, however it is written.</summary>
    internal bool IsOne => Resolved is ProductTerm { Parts: [] } || Size == 1;

    // A long concatenation is asked for its factors at every node that it passes.
    private Factor[]? _leaves;
    private (IReadOnlyList<Factor> Of, HashSet<Factor> Factors)? _set;

    /// <summary>Whether the factor, which is refined no further, is among the leaves.</summary>
    internal bool Has(Factor factor)
    {
        var resolved = Resolved;
        if (resolved is FactorTerm leaf) return leaf.Factor == factor;
        var leaves = resolved.Leaves;
        if (leaves.Count <= 8) return leaves.Contains(factor);
        // The list is made anew when a factor in it was refined, and the set with it.
        if (resolved._set is not var (of, factors) || of != leaves) resolved._set = (of, factors) = (leaves, [.. leaves]);
        return factors.Contains(factor);
    }

    /// <summary>The unrefined factors in the term, each once, in order.</summary>
    public IReadOnlyList<Factor> Leaves
    {
        get
        {
            if (Resolved is var resolved && resolved != this) return resolved.Leaves;
            if (_leaves is { } known && Array.TrueForAll(known, f => f.Parent is null && f.Definition is null)) return known;
            var leaves = new List<Factor>();
            Collect(this, [], new(ReferenceEqualityComparer.Instance), leaves);
            return _leaves = [.. leaves];

            // A definition that is used twice has the same leaves.
            static void Collect(Term term, HashSet<Factor> seen, HashSet<Term> walked, List<Factor> leaves)
            {
                var resolved = term.Resolved;
                if (resolved is FactorTerm leaf)
                {
                    if (seen.Add(leaf.Factor)) leaves.Add(leaf.Factor);
                    return;
                }
                if (term is FactorTerm && !walked.Add(resolved)) return;
                var parts = resolved is SumTerm sum ? sum.Parts : ((ProductTerm)resolved).Parts;
                foreach (var part in parts) Collect(part, seen, walked, leaves);
            }
        }
    }

    /// <summary>The unit of <paramref name="factor"/> at every index of the axis; −1 where the index lies in no unit of it.</summary>
    /// <exception cref="InvalidOperationException">The axis is dynamic.</exception>
    public int[] UnitMap(Factor factor)
    {
        var root = factor.Root;
        return Map(this);

        int[] Map(Term term)
        {
            switch (term.Resolved)
            {
                case FactorTerm leaf:
                    var own = new int[StaticSize(leaf)];
                    for (int k = 0; k < own.Length; k++) own[k] = leaf.Factor == root ? k : -1;
                    return own;
                case SumTerm sum:
                    return [.. sum.Parts.SelectMany(Map)];
                case ProductTerm product:
                    int[] major = [-1];
                    foreach (var part in product.Parts)
                    {
                        var minor = Map(part);
                        var both = new int[major.Length * minor.Length];
                        for (int i = 0, at = 0; i < major.Length; i++)
                            for (int j = 0; j < minor.Length; j++, at++)
                                both[at] = major[i] >= 0 ? major[i] : minor[j];
                        major = both;
                    }
                    return major;
                default: throw new InvalidOperationException();
            }
        }
    }

    /// <summary>Indices of the axis that stay: the term, evaluated.</summary>
    /// <param name="kept">Kept units of a factor; null where it stays whole.</param>
    /// <param name="size">Sizes of factors in a run; null for those of the file.</param>
    /// <exception cref="InvalidOperationException">The axis is dynamic, and no run says how large it is.</exception>
    public int[] KeptIndices(Func<Factor, ImmutableArray<int>?> kept, Func<Factor, long?>? size = null)
    {
        return Evaluate(this);

        int SizeOf(Term term) => size is null ? StaticSize(term)
            : checked((int)(Polynomial.Of(term, size).Value
                ?? throw new InvalidOperationException($"The axis {term} has no size in the run.")));

        int[] Evaluate(Term term)
        {
            switch (term.Resolved)
            {
                case FactorTerm leaf:
                    return kept(leaf.Factor) is { } units ? [.. units] : [.. Enumerable.Range(0, SizeOf(leaf))];
                case SumTerm sum:
                    var indices = new List<int>();
                    int offset = 0;
                    foreach (var part in sum.Parts)
                    {
                        foreach (int k in Evaluate(part)) indices.Add(offset + k);
                        offset += SizeOf(part);
                    }
                    return [.. indices];
                case ProductTerm product:
                    int[] major = [0];
                    foreach (var part in product.Parts)
                    {
                        var minor = Evaluate(part);
                        int length = SizeOf(part), at = 0;
                        var both = new int[major.Length * minor.Length];
                        foreach (int i in major)
                            foreach (int j in minor)
                                both[at++] = i * length + j;
                        major = both;
                    }
                    return major;
                default: throw new InvalidOperationException();
            }
        }
    }

    private static int StaticSize(Term term)
        => checked((int)(term.Size ?? throw new InvalidOperationException($"The axis {term} is dynamic.")));

    /// <summary>The term in the design's notation, e.g. <c>f3[12]·f4[64]</c>.</summary>
    public override string ToString()
    {
        const int Longest = 400;
        var text = new StringBuilder();
        Write(this, false);
        return text.Length > Longest ? text.ToString(0, Longest) + "…" : text.ToString();

        void Write(Term term, bool inProduct)
        {
            if (text.Length > Longest) return;
            switch (term.Resolved)
            {
                case FactorTerm { Factor: var f }:
                    text.Append('f').Append(CultureInfo.InvariantCulture, $"{f.Id}").Append('[')
                        .Append(f.Size?.ToString(CultureInfo.InvariantCulture) ?? f.DimensionName ?? "?").Append(']');
                    break;
                case SumTerm sum:
                    if (inProduct) text.Append('(');
                    Join(sum.Parts, " + ", false);
                    if (inProduct) text.Append(')');
                    break;
                case ProductTerm { Parts: [] }: text.Append('1'); break;
                case ProductTerm product: Join(product.Parts, "·", true); break;
            }
        }

        void Join(ImmutableArray<Term> parts, string between, bool inProduct)
        {
            for (int k = 0; k < parts.Length && text.Length <= Longest; k++)
            {
                if (k > 0) text.Append(between);
                Write(parts[k], inProduct);
            }
        }
    }
}

internal sealed class FactorTerm(Factor factor) : Term
{
    public Factor Factor { get; } = factor;
}

internal sealed class SumTerm(ImmutableArray<Term> parts) : Term
{
    public ImmutableArray<Term> Parts { get; } = parts;
    internal override int Levels { get; } = 1 + (parts.Max(p => (int?)p.Levels) ?? 0);
}

internal sealed class ProductTerm(ImmutableArray<Term> parts) : Term
{
    public ImmutableArray<Term> Parts { get; } = parts;
    internal override int Levels { get; } = 1 + (parts.Max(p => (int?)p.Levels) ?? 0);
}
