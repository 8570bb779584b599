using System.Collections.Immutable;

namespace Espalier.Axes.Operators.Notation;

/// <summary>The pattern of one axis in the operator table.</summary>
internal abstract record AxisPattern
{
    /// <summary>Its variables and runs of axes, as clauses name them.</summary>
    public IEnumerable<string> Names => this switch
    {
        Variable v => [v.Name],
        Pack p => [p.Name.Length > 0 ? p.Name : "..."],
        Product p => p.Parts.SelectMany(part => part.Names),
        Sum s => s.Parts.SelectMany(part => part.Names),
        _ => [],
    };

    /// <summary>One axis with a name: <c>c</c>.</summary>
    public sealed record Variable(string Name) : AxisPattern;

    /// <summary>An axis of a fixed size: <c>1</c>, or in a product <c>4</c>.</summary>
    public sealed record Number(long Size) : AxisPattern;

    /// <summary>A product, major first: <c>(g o)</c>.</summary>
    public sealed record Product(ImmutableArray<AxisPattern> Parts) : AxisPattern;

    /// <summary>A concatenation: <c>[(h d) + (h w)]</c>.</summary>
    public sealed record Sum(ImmutableArray<AxisPattern> Parts) : AxisPattern;

    /// <summary>Any number of axes with a common name: <c>x...</c>; without a name they broadcast: <c>...</c>.</summary>
    public sealed record Pack(string Name) : AxisPattern;
}

/// <summary>One operand or result of a rule.</summary>
/// <param name="Optional"><c>?</c>: may be absent.</param>
/// <param name="Broadcast"><c>~</c>: may have fewer axes, or axes of size 1.</param>
/// <param name="Opaque"><c>*</c>: the rule says nothing of it; its factors are frozen.</param>
/// <param name="Ignored"><c>_</c>: neither its elements nor its axes matter.</param>
/// <param name="Absent"><c>-</c>: the line does not hold where it is there.</param>
internal sealed record OperandPattern(ImmutableArray<AxisPattern> Axes, bool Optional, bool Broadcast, bool Opaque, bool Ignored = false,
    bool Absent = false)
{
    public bool HasPack => Axes.Any(a => a is AxisPattern.Pack);

    public bool MatchesRank(int rank)
        => Opaque || Ignored || (HasPack ? rank >= Axes.Length - 1 : Broadcast ? rank <= Axes.Length : rank == Axes.Length);
}
