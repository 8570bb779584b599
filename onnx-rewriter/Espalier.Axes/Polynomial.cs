using System.Globalization;

namespace Espalier.Axes;

/// <summary>A size as a polynomial with integer coefficients in the dynamic factors. Immutable; compared by value.</summary>
public sealed class Polynomial : IEquatable<Polynomial>
{
    // Key: numbers of the factors of a monomial, ascending, with repetition, joined by commas. Zero coefficients are not kept.
    private readonly SortedDictionary<string, (long Coefficient, Factor[] Factors)> _terms;

    private Polynomial(SortedDictionary<string, (long, Factor[])> terms) => _terms = terms;

    private static Polynomial Zero { get; } = new(new SortedDictionary<string, (long, Factor[])>(StringComparer.Ordinal));

    /// <summary>A constant.</summary>
    public static Polynomial Constant(long value) => Zero.Plus(value, []);

    /// <summary>One dynamic factor.</summary>
    public static Polynomial Variable(Factor factor) => Zero.Plus(1, [factor]);

    /// <summary>The value, where no dynamic factor is in it.</summary>
    public long? Value => _terms.Count == 0 ? 0 : _terms.Count == 1 && _terms.TryGetValue("", out var c) ? c.Coefficient : null;

    /// <summary>The monomials: coefficient and dynamic factors, in stable order.</summary>
    public IReadOnlyList<(long Coefficient, Factor[] Factors)> Monomials => [.. _terms.Values];

    /// <summary>The size of a term with the given sizes of its factors (null: dynamic).</summary>
    public static Polynomial Of(Term term, Func<Factor, long?> size)
    {
        switch (term.Head)
        {
            case FactorTerm leaf: return size(leaf.Factor) is { } n ? Constant(n) : Variable(leaf.Factor);
            case SumTerm sum: return sum.Parts.Aggregate(Constant(0), (a, p) => a.Add(Of(p, size)));
            case ProductTerm product: return product.Parts.Aggregate(Constant(1), (a, p) => a.Multiply(Of(p, size)));
            default: throw new InvalidOperationException();
        }
    }

    /// <summary>Sum.</summary>
    public Polynomial Add(Polynomial other) => other._terms.Values.Aggregate(this, (a, t) => a.Plus(t.Coefficient, t.Factors));

    /// <summary>Difference.</summary>
    public Polynomial Subtract(Polynomial other) => other._terms.Values.Aggregate(this, (a, t) => a.Plus(-t.Coefficient, t.Factors));

    /// <summary>Product.</summary>
    public Polynomial Multiply(Polynomial other)
    {
        var result = Constant(0);
        foreach (var (c, f) in _terms.Values)
            foreach (var (d, g) in other._terms.Values)
                result = result.Plus(checked(c * d), [.. f, .. g]);
        return result;
    }

    /// <summary>Quotient, where the divisor is one monomial that divides every monomial; two constants divide as ONNX integers do, towards zero. Null otherwise.</summary>
    public Polynomial? Divide(Polynomial divisor)
    {
        if (Value is { } x && divisor.Value is { } y) return y == 0 ? null : Constant(x / y);
        if (divisor._terms.Count != 1) return null;
        var (c, f) = divisor._terms.Values.First();
        var result = Constant(0);
        foreach (var (d, g) in _terms.Values)
        {
            var left = g.ToList();
            if (d % c != 0 || !f.All(left.Remove)) return null;
            result = result.Plus(d / c, [.. left]);
        }
        return result;
    }

    private Polynomial Plus(long coefficient, Factor[] factors)
    {
        if (coefficient == 0) return this;
        factors = [.. factors.OrderBy(f => f.Id)];
        string key = string.Join(",", factors.Select(f => f.Id.ToString(CultureInfo.InvariantCulture)));
        var terms = new SortedDictionary<string, (long Coefficient, Factor[] Factors)>(_terms, StringComparer.Ordinal);
        long sum = checked(coefficient + (terms.TryGetValue(key, out var old) ? old.Coefficient : 0));
        if (sum == 0) terms.Remove(key);
        else terms[key] = (sum, factors);
        return new(terms);
    }

    /// <inheritdoc/>
    public bool Equals(Polynomial? other)
        => other is not null && _terms.Count == other._terms.Count
            && _terms.All(t => other._terms.TryGetValue(t.Key, out var o) && o.Coefficient == t.Value.Coefficient);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Polynomial);

    /// <inheritdoc/>
    public override int GetHashCode() => _terms.Aggregate(17, (h, t) => HashCode.Combine(h, t.Key, t.Value.Coefficient));

    /// <inheritdoc/>
    public override string ToString()
        => _terms.Count == 0 ? "0" : string.Join(" + ", _terms.Values.Select(t => t.Coefficient.ToString(CultureInfo.InvariantCulture)
            + string.Concat(t.Factors.Select(f => "·" + (f.DimensionName ?? "f" + f.Id.ToString(CultureInfo.InvariantCulture))))));
}
