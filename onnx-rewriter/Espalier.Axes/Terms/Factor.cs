namespace Espalier.Axes.Terms;

/// <summary>An unknown with a size: a node of a union-find forest, refined at most once into a sum or a product.</summary>
internal sealed class Factor
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
    /// <summary>Levels of sums and products above it, in all definitions that it is in. Kept of factors that are not refined.</summary>
    internal int Depth { get; set; }

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
