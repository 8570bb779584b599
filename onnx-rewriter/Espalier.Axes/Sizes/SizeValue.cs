using Espalier.Axes.Terms;

namespace Espalier.Axes.Sizes;

/// <summary>One element of an integer tensor that is computed from sizes: an expression over sizes of terms, of bounded length.</summary>
internal abstract record SizeValue
{
    /// <summary>
    /// Longest expression: what takes more operations is not known. So an evaluation takes bounded time, and no deep recursion.
    /// </summary>
    public const int MaxSteps = 256;

    private const int MostRecomputed = 8;

    /// <summary>A number that stands in the file.</summary>
    public sealed record Literal(long Value) : SizeValue;

    /// <summary>The size of an axis, as Shape gives it.</summary>
    public sealed record Extent(Term Term) : SizeValue
    {
        public override bool DependsOnSizes => true;
    }

    /// <summary>Arithmetic on integers; <see cref="Quotient"/> is a division of real numbers.</summary>
    public sealed record Binary(string Operator, SizeValue Left, SizeValue Right) : SizeValue
    {
        public override bool DependsOnSizes { get; } = Left.DependsOnSizes || Right.DependsOnSizes;
        public override int Steps { get; } = Left.Steps + Right.Steps + 1;
    }

    /// <summary>The division of real numbers, known where it leaves no rest.</summary>
    public const string Quotient = "Quotient";

    /// <summary>The division of real numbers, rounded up.</summary>
    public const string Ceiling = "Ceiling";

    /// <summary>True where a size is in it, so that pruning can change the value.</summary>
    public virtual bool DependsOnSizes => false;

    /// <summary>Operands and operations in it.</summary>
    public virtual int Steps => 1;

    /// <summary>The factors whose sizes are in it.</summary>
    public IEnumerable<Factor> Leaves => this switch
    {
        Extent e => e.Term.Leaves,
        Binary b => b.Left.Leaves.Concat(b.Right.Leaves),
        _ => [],
    };

    /// <summary>The operation applied to two values, simplified; null where the expression would become too long.</summary>
    public static SizeValue? Combine(string op, SizeValue a, SizeValue b)
    {
        if (a is Literal && b is Literal) return new Binary(op, a, b).Dense?.Value is { } number ? new Literal(number) : null;
        // A chain of additions of numbers is one addition, however long it is.
        if (op is "Add" or "Sub" && b is Literal { Value: var n })
        {
            long signed = op == "Sub" ? -n : n;
            if (signed == 0) return a;
            if (a is Binary { Operator: "Add", Left: var rest, Right: Literal { Value: var m } })
                return Combine("Add", rest, new Literal(unchecked(m + signed)));
            return Bounded("Add", a, new Literal(signed));
        }
        return (op, a, b) switch
        {
            ("Add", Literal, _) => Combine("Add", b, a),
            ("Mul", Literal { Value: 1 }, _) => b,
            ("Mul" or "Div" or Quotient or Ceiling, _, Literal { Value: 1 }) => a,
            // A size is never negative: the exporter's test for −1 is decided without knowing it.
            ("Equal", Extent, Literal { Value: < 0 }) or ("Equal", Literal { Value: < 0 }, Extent) => new Literal(0),
            _ => Bounded(op, a, b),
        };
    }

    private static SizeValue? Bounded(string op, SizeValue a, SizeValue b) => a.Steps + b.Steps < MaxSteps ? new Binary(op, a, b) : null;

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
                    case Quotient: return a.Divide(b) is { } whole && whole.Multiply(b).Equals(a) ? whole : null;
                }
                if (a.Value is not { } x || b.Value is not { } y) return a.Equals(b) ? Same(binary.Operator, a) : null;
                return Compute(binary.Operator, x, y) is { } number ? Polynomial.Constant(number) : null;
            default: return null;
        }

        static Polynomial? Same(string op, Polynomial value) => op switch
        {
            "Min" or "Max" => value,
            "Equal" or "GreaterOrEqual" or "LessOrEqual" => Polynomial.Constant(1),
            "Greater" or "Less" => Polynomial.Constant(0),
            _ => null,
        };
    }

    private static long? Compute(string op, long x, long y) => op switch
    {
        "Mod" => y == 0 ? null : ((x % y) + y) % y,
        Ceiling => y == 0 ? null : (x / y) + (x % y != 0 && (x < 0) == (y < 0) ? 1 : 0),
        "Min" => Math.Min(x, y),
        "Max" => Math.Max(x, y),
        "Equal" => x == y ? 1 : 0,
        "Greater" => x > y ? 1 : 0,
        "GreaterOrEqual" => x >= y ? 1 : 0,
        "Less" => x < y ? 1 : 0,
        "LessOrEqual" => x <= y ? 1 : 0,
        "And" => x != 0 && y != 0 ? 1 : 0,
        "Or" => x != 0 || y != 0 ? 1 : 0,
        _ => null,
    };

    private Polynomial? _dense;

    /// <summary>The value in the dense model.</summary>
    public Polynomial? Dense
    {
        get
        {
            // What is short is computed as fast as it is remembered, and graphs of sizes have many of them.
            if (Steps <= MostRecomputed) return Evaluate(f => f.Size) is { IsKnown: true } now ? now : null;
            // Known sizes never change; a dynamic factor may be refined or become another's.
            if (_dense is { } known && known.IsCurrent) return known;
            return _dense = Evaluate(f => f.Size) is { IsKnown: true } value ? value : null;
        }
    }

    /// <summary>The number, where it is one.</summary>
    public long? Number => this is Literal l ? l.Value : Dense?.Value;

    /// <summary>The number that costs are stated for: every dynamic dimension at its nominal size.</summary>
    public long? Nominal => Evaluate(f => f.Size ?? f.Nominal)?.Value;
}
