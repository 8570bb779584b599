using System.Collections;

namespace Espalier.Axes.Terms;

/// <summary>
/// The factors for whose removed units a tensor is zero. Whole axes are kept as such: along a chain of concatenations every tensor
/// carries the factors of all before it, and to list them each time would take the square of the chain's length.
/// </summary>
internal sealed class ZeroSet : IEnumerable<Factor>
{
    private static readonly HashSet<Term> NoAxes = new(ReferenceEqualityComparer.Instance);
    private static readonly HashSet<Factor> NoFactors = [];

    // Most tensors of a graph of sizes have neither.
    private HashSet<Term> _axes = NoAxes;
    private HashSet<Factor> _factors = NoFactors;

    /// <summary>Whether there is any.</summary>
    public bool IsEmpty => _axes.Count == 0 && _factors.Count == 0;

    private HashSet<Term> Axes => _axes == NoAxes ? _axes = new(ReferenceEqualityComparer.Instance) : _axes;

    private HashSet<Factor> Factors => _factors == NoFactors ? _factors = [] : _factors;

    /// <summary>Adds every factor of the term.</summary>
    public void Add(Term term)
    {
        if (term.Resolved is FactorTerm leaf) Factors.Add(leaf.Factor);
        else Axes.Add(term.Resolved);
    }

    /// <summary>Whether the factor is in it.</summary>
    public bool Contains(Factor factor) => _factors.Contains(factor) || _axes.Any(a => a.Has(factor));

    /// <summary>
    /// Whether all factors of the term are known to be in it without asking for each; false says nothing unless the term is one factor.
    /// </summary>
    public bool Contains(Term term) => term.Resolved is FactorTerm leaf ? Contains(leaf.Factor) : _axes.Contains(term.Resolved);

    /// <summary>What is in both; the set itself where nothing is lost.</summary>
    public ZeroSet Intersect(ZeroSet other)
    {
        if (_axes.All(other._axes.Contains) && _factors.All(other.Contains)) return this;
        var both = new ZeroSet();
        foreach (var axis in _axes.Where(other._axes.Contains)) both.Axes.Add(axis);
        foreach (var factor in this.Where(other.Contains)) both.Factors.Add(factor);
        return both;
    }

    /// <inheritdoc/>
    public IEnumerator<Factor> GetEnumerator() => _factors.Concat(_axes.SelectMany(a => a.Leaves)).Distinct().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
