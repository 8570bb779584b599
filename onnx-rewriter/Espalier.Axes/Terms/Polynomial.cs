using System.Globalization;

namespace Espalier.Axes.Terms;

/// <summary>A size as a polynomial with integer coefficients in the dynamic factors. Immutable; compared by value.</summary>
internal sealed class Polynomial : IEquatable<Polynomial>
{
    // Key: numbers of the factors of a monomial, ascending, with repetition, joined by commas. Zero coefficients are not kept.
    private readonly SortedDictionary<string, (long Coefficient, Factor[] Factors)> _terms;

    private Polynomial(SortedDictionary<string, (long, Factor[])> terms) => _terms = terms;

    /// <summary>More monomials than this are not followed.</summary>
    private const int MaxMonomials = 64;

    // What is too large to be followed: equal to nothing, not even to itself.
    private static readonly Polynomial Unknown = new([]);

    /// <summary>False where the numbers are too large, or the monomials too many, to be followed.</summary>
    internal bool IsKnown => this != Unknown;

    /// <summary>Whether nothing has become known of its dynamic factors since it was made.</summary>
    internal bool IsCurrent
        => _terms.Values.All(t => Array.TrueForAll(t.Factors, f => f is { Parent: null, Definition: null, Size: null }));

    private static Polynomial Zero { get; } = new(new SortedDictionary<string, (long, Factor[])>(StringComparer.Ordinal));

    public static Polynomial Constant(long value) => Zero.Plus(value, []);

    /// <summary>One dynamic factor.</summary>
    public static Polynomial Variable(Factor factor) => Zero.Plus(1, [factor]);

    /// <summary>The value, where no dynamic factor is in it.</summary>
    public long? Value
        => !IsKnown ? null : _terms.Count == 0 ? 0 : _terms.Count == 1 && _terms.TryGetValue("", out var c) ? c.Coefficient : null;

    /// <summary>The monomials: coefficient and dynamic factors, in stable order.</summary>
    public IReadOnlyList<(long Coefficient, Factor[] Factors)> Monomials => [.. _terms.Values];

    /// <summary>The value with every dynamic factor at its nominal size; null where one has none.</summary>
    internal long? Nominal
        => IsKnown ? _terms.Values.Aggregate((long?)0, (sum, t) => sum
            + t.Factors.Aggregate((long?)t.Coefficient, (a, f) => a * Term.Of(f.Root).Nominal)) : null;

    /// <summary>The size of a term with the given sizes of its factors (null: dynamic).</summary>
    public static Polynomial Of(Term term, Func<Factor, long?> size)
    {
        // A definition may be used many times.
        Dictionary<Term, Polynomial>? known = null;
        return Evaluate(term);

        Polynomial Evaluate(Term term)
        {
            var resolved = term.Resolved;
            if (resolved is FactorTerm leaf) return size(leaf.Factor) is { } n ? Constant(n) : Variable(leaf.Factor);
            bool defined = term is FactorTerm;
            if (defined && known?.GetValueOrDefault(resolved) is { } found) return found;
            var value = resolved is SumTerm sum ? sum.Parts.Aggregate(Constant(0), (a, p) => a.Add(Evaluate(p)))
                : ((ProductTerm)resolved).Parts.Aggregate(Constant(1), (a, p) => a.Multiply(Evaluate(p)));
            if (defined) (known ??= new(ReferenceEqualityComparer.Instance))[resolved] = value;
            return value;
        }
    }

    public Polynomial Add(Polynomial other)
        => !other.IsKnown ? other : other._terms.Values.Aggregate(this, (a, t) => a.Plus(t.Coefficient, t.Factors));

    public Polynomial Subtract(Polynomial other)
        => !other.IsKnown ? other : other._terms.Values.Aggregate(this, (a, t) => a.Plus(unchecked(-t.Coefficient), t.Factors));

    public Polynomial Multiply(Polynomial other)
    {
        if (!IsKnown || !other.IsKnown || (long)_terms.Count * other._terms.Count > MaxMonomials) return Unknown;
        var result = Constant(0);
        foreach (var (c, f) in _terms.Values)
            foreach (var (d, g) in other._terms.Values)
                result = Math.BigMul(c, d) is var product && product >= long.MinValue && product <= long.MaxValue
                    ? result.Plus((long)product, [.. f, .. g]) : Unknown;
        return result;
    }

    /// <summary>
    /// Quotient, where the divisor is one monomial that divides every monomial; two constants divide as ONNX integers do,
    /// towards zero. Null otherwise.
    /// </summary>
    public Polynomial? Divide(Polynomial divisor)
    {
        if (Value is { } x && divisor.Value is { } y) return y is 0 or -1 ? (y == 0 ? null : Constant(0).Subtract(this)) : Constant(x / y);
        if (!IsKnown || divisor._terms.Count != 1) return null;
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
        if (coefficient == 0 || !IsKnown) return this;
        factors = [.. factors.OrderBy(f => f.Id)];
        string key = string.Join(",", factors.Select(f => f.Id.ToString(CultureInfo.InvariantCulture)));
        var terms = new SortedDictionary<string, (long Coefficient, Factor[] Factors)>(_terms, StringComparer.Ordinal);
        long before = terms.TryGetValue(key, out var old) ? old.Coefficient : 0, sum = unchecked(coefficient + before);
        if (((coefficient ^ sum) & (before ^ sum)) < 0) return Unknown;
        if (sum == 0) terms.Remove(key);
        else terms[key] = (sum, factors);
        return terms.Count > MaxMonomials ? Unknown : new(terms);
    }

    /// <inheritdoc/>
    public bool Equals(Polynomial? other)
        => other is not null && IsKnown && other.IsKnown && _terms.Count == other._terms.Count
            && _terms.All(t => other._terms.TryGetValue(t.Key, out var o) && o.Coefficient == t.Value.Coefficient);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Polynomial);

    /// <inheritdoc/>
    public override int GetHashCode() => _terms.Aggregate(17, (h, t) => HashCode.Combine(h, t.Key, t.Value.Coefficient));

    /// <inheritdoc/>
    public override string ToString()
        => !IsKnown
            ? "?"
            : _terms.Count == 0 ? "0" : string.Join(" + ", _terms.Values.Select(t => t.Coefficient.ToString(CultureInfo.InvariantCulture)
            + string.Concat(t.Factors.Select(f => "·" + (f.DimensionName ?? "f" + f.Id.ToString(CultureInfo.InvariantCulture))))));
}
