using System.Collections.Immutable;

namespace Espalier.Axes;

/// <summary>An unknown with a size: a node of a union-find forest, refined at most once into a sum or a product.</summary>
public sealed class Factor
{
    internal Factor(int id, long? size) => (Id, Size) = (id, size);

    /// <summary>Number, by creation.</summary>
    public int Id { get; }
    /// <summary>Size; null for a dynamic dimension.</summary>
    public long? Size { get; internal set; }
    internal Factor? Parent { get; set; }
    internal Term? Definition { get; set; }
}

/// <summary>The structure of one axis: a sum (concatenation) of products (row-major, major first) of factors.</summary>
public abstract class Term
{
    /// <summary>The unit of <paramref name="factor"/> at every index of the axis; −1 where the index lies in no unit of it.</summary>
    public int[] UnitMap(Factor factor) => throw new NotSupportedException();

    /// <summary>Indices of the axis that stay.</summary>
    /// <param name="kept">Kept units of a factor; null where it stays whole.</param>
    public int[] KeptIndices(Func<Factor, ImmutableArray<int>?> kept) => throw new NotSupportedException();
}
