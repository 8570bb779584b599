using System.Collections.Immutable;
using System.Globalization;

namespace Espalier.Axes;

/// <summary>An unknown with a size: a node of a union-find forest, refined at most once into a sum or a product.</summary>
public sealed class Factor
{
    internal Factor(int id, long? size) => (Id, Size) = (id, size);

    /// <summary>Number, by creation.</summary>
    public int Id { get; }
    /// <summary>Size; null for a dynamic dimension.</summary>
    public long? Size { get; internal set; }
    /// <summary>Name of the dynamic dimension in the graph's signature, where it has one.</summary>
    public string? DimensionName { get; internal set; }

    /// <summary>Size that stands for a dynamic dimension in costs.</summary>
    internal long? Nominal { get; set; }
    /// <summary>Whether a product with a weight makes it: a layer's own units, rather than a table's columns.</summary>
    internal bool IsProduced { get; set; }
    internal Factor? Parent { get; set; }
    internal Term? Definition { get; set; }

    /// <summary>The representative of everything that was unified with this factor.</summary>
    internal Factor Root
    {
        get
        {
            var root = this;
            while (root.Parent is { } parent) root = parent;
            for (var f = this; f.Parent is { } parent; f = parent) f.Parent = root == f ? null : root;
            return root;
        }
    }
}

/// <summary>The structure of one axis: a sum (concatenation) of products (row-major, major first) of factors.</summary>
/// <remarks>Terms are immutable; what they mean grows more precise as their factors are unified and refined.</remarks>
public abstract class Term
{
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
    internal Term Head
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

    /// <summary>The size; null where it depends on a dynamic dimension. An empty concatenation has size 0.</summary>
    public long? Size
    {
        get
        {
            switch (Head)
            {
                case FactorTerm leaf: return leaf.Factor.Size;
                case SumTerm sum:
                    long total = 0;
                    foreach (var part in sum.Parts)
                    {
                        if (part.Size is not { } size) return null;
                        total = checked(total + size);
                    }
                    return total;
                case ProductTerm product:
                    long all = 1;
                    foreach (var part in product.Parts)
                    {
                        if (part.Size is not { } size) return null;
                        all = checked(all * size);
                    }
                    return all;
                default: return null;
            }
        }
    }

    /// <summary>The size with every dynamic dimension at its nominal size; null where a part of it is known at run time alone.</summary>
    internal long? KnownSize => Leaves.Any(f => f is { Size: null, Nominal: null }) ? null : NominalSize;

    /// <summary>The size with every dynamic dimension at its nominal size: what costs are stated for. One stands for what is known at run time alone.</summary>
    internal long NominalSize => Head switch
    {
        FactorTerm leaf => leaf.Factor.Size ?? leaf.Factor.Nominal ?? 1,
        SumTerm sum => sum.Parts.Sum(p => p.NominalSize),
        ProductTerm product => product.Parts.Aggregate(1L, (a, p) => a * p.NominalSize),
        _ => 1,
    };

    /// <summary>True where the term is the axis of size 1, however it is written.</summary>
    internal bool IsOne => Head is ProductTerm { Parts: [] } || Size == 1;

    // A long concatenation is asked for its factors at every node that it passes.
    private Factor[]? _leaves;
    private (IReadOnlyList<Factor> Of, HashSet<Factor> Factors)? _set;

    /// <summary>Whether the factor, which is refined no further, is among the leaves.</summary>
    internal bool Has(Factor factor)
    {
        var head = Head;
        if (head is FactorTerm leaf) return leaf.Factor == factor;
        var leaves = head.Leaves;
        if (leaves.Count <= 8) return leaves.Contains(factor);
        // The list is made anew when a factor in it was refined, and the set with it.
        if (head._set is not var (of, factors) || of != leaves) head._set = (of, factors) = (leaves, [.. leaves]);
        return factors.Contains(factor);
    }

    /// <summary>The unrefined factors in the term, each once, in order.</summary>
    public IReadOnlyList<Factor> Leaves
    {
        get
        {
            if (Head is var head && head != this) return head.Leaves;
            if (_leaves is { } known && Array.TrueForAll(known, f => f.Parent is null && f.Definition is null)) return known;
            var seen = new HashSet<Factor>();
            var leaves = new List<Factor>();
            Collect(this, seen, leaves);
            return _leaves = [.. leaves];

            static void Collect(Term term, HashSet<Factor> seen, List<Factor> leaves)
            {
                switch (term.Head)
                {
                    case FactorTerm leaf: if (seen.Add(leaf.Factor)) leaves.Add(leaf.Factor); break;
                    case SumTerm sum: foreach (var part in sum.Parts) Collect(part, seen, leaves); break;
                    case ProductTerm product: foreach (var part in product.Parts) Collect(part, seen, leaves); break;
                }
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
            switch (term.Head)
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
    /// <exception cref="InvalidOperationException">The axis is dynamic.</exception>
    public int[] KeptIndices(Func<Factor, ImmutableArray<int>?> kept)
    {
        return Evaluate(this);

        int[] Evaluate(Term term)
        {
            switch (term.Head)
            {
                case FactorTerm leaf:
                    return kept(leaf.Factor) is { } units ? [.. units] : [.. Enumerable.Range(0, StaticSize(leaf))];
                case SumTerm sum:
                    var indices = new List<int>();
                    int offset = 0;
                    foreach (var part in sum.Parts)
                    {
                        foreach (int k in Evaluate(part)) indices.Add(offset + k);
                        offset += StaticSize(part);
                    }
                    return [.. indices];
                case ProductTerm product:
                    int[] major = [0];
                    foreach (var part in product.Parts)
                    {
                        var minor = Evaluate(part);
                        int size = StaticSize(part), at = 0;
                        var both = new int[major.Length * minor.Length];
                        foreach (int i in major)
                            foreach (int j in minor)
                                both[at++] = i * size + j;
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
        return Write(this, false);

        static string Write(Term term, bool inProduct)
        {
            switch (term.Head)
            {
                case FactorTerm { Factor: var f }:
                    return "f" + f.Id.ToString(CultureInfo.InvariantCulture) + "["
                        + (f.Size?.ToString(CultureInfo.InvariantCulture) ?? f.DimensionName ?? "?") + "]";
                case SumTerm sum:
                    string text = string.Join(" + ", sum.Parts.Select(p => Write(p, false)));
                    return inProduct ? $"({text})" : text;
                case ProductTerm { Parts: [] }: return "1";
                case ProductTerm product: return string.Join("·", product.Parts.Select(p => Write(p, true)));
                default: return "?";
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
}

internal sealed class ProductTerm(ImmutableArray<Term> parts) : Term
{
    public ImmutableArray<Term> Parts { get; } = parts;
}
