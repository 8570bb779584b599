namespace Espalier.Axes;

/// <summary>One element of a small integer tensor that is computed from sizes: an expression over sizes of terms.</summary>
internal abstract record SizeValue
{
    /// <summary>A number that stands in the file.</summary>
    public sealed record Literal(long Value) : SizeValue;

    /// <summary>The size of an axis, as Shape gives it.</summary>
    public sealed record Extent(Term Term) : SizeValue;

    /// <summary>Integer arithmetic.</summary>
    public sealed record Binary(string Operator, SizeValue Left, SizeValue Right) : SizeValue;

    /// <summary>True where a size is in it, so that pruning can change the value.</summary>
    public bool DependsOnSizes => this switch
    {
        Extent => true,
        Binary b => b.Left.DependsOnSizes || b.Right.DependsOnSizes,
        _ => false,
    };

    /// <summary>The factors whose sizes are in it.</summary>
    public IEnumerable<Factor> Leaves => this switch
    {
        Extent e => e.Term.Leaves,
        Binary b => b.Left.Leaves.Concat(b.Right.Leaves),
        _ => [],
    };

    /// <summary>The value for given sizes of factors; null where it is not a polynomial in the dynamic ones.</summary>
    public Polynomial? Evaluate(Func<Factor, long?> size)
    {
        switch (this)
        {
            case Literal literal: return Polynomial.Constant(literal.Value);
            case Extent extent: return Polynomial.Of(extent.Term, size);
            case Binary binary:
                if (binary.Left.Evaluate(size) is not { } a || binary.Right.Evaluate(size) is not { } b) return null;
                switch (binary.Operator)
                {
                    case "Add": return a.Add(b);
                    case "Sub": return a.Subtract(b);
                    case "Mul": return a.Multiply(b);
                    case "Div": return a.Divide(b);
                }
                if (a.Value is not { } x || b.Value is not { } y) return a.Equals(b) ? Same(binary.Operator, a) : null;
                return binary.Operator switch
                {
                    "Mod" => y == 0 ? null : Polynomial.Constant(((x % y) + y) % y),
                    "Min" => Polynomial.Constant(Math.Min(x, y)),
                    "Max" => Polynomial.Constant(Math.Max(x, y)),
                    "Equal" => Polynomial.Constant(x == y ? 1 : 0),
                    "Greater" => Polynomial.Constant(x > y ? 1 : 0),
                    "Less" => Polynomial.Constant(x < y ? 1 : 0),
                    _ => null,
                };
            default: return null;
        }

        static Polynomial? Same(string op, Polynomial value) => op switch
        {
            "Min" or "Max" => value,
            "Equal" => Polynomial.Constant(1),
            _ => null,
        };
    }

    /// <summary>The value in the dense model.</summary>
    public Polynomial? Dense => Evaluate(f => f.Size);

    /// <summary>The number, where it is one.</summary>
    public long? Number => this is Literal l ? l.Value : Dense?.Value;
}

/// <summary>A tracked tensor of rank 0 or 1.</summary>
/// <param name="Rank">0 or 1.</param>
/// <param name="Elements">Per element; null where nothing is known of it.</param>
internal sealed record SizeTensor(int Rank, SizeValue?[] Elements)
{
    /// <summary>More elements than this are data, not sizes.</summary>
    public const int MaxElements = 64;

    public bool DependsOnSizes => Elements.Any(e => e?.DependsOnSizes == true);

    /// <summary>The numbers, where every element is one.</summary>
    public long[]? Numbers
    {
        get
        {
            var numbers = new long[Elements.Length];
            for (int k = 0; k < numbers.Length; k++)
            {
                if (Elements[k]?.Number is not { } n) return null;
                numbers[k] = n;
            }
            return numbers;
        }
    }
}
