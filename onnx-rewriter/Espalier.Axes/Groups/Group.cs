using Espalier.Axes.Terms;

namespace Espalier.Axes.Groups;

/// <summary>Whether removing units of a group equals masking them.</summary>
internal enum Exactness
{
    /// <summary>The slim model computes what the dense model computes when every parameter of the removed units is zero.</summary>
    Exact,
    /// <summary>Units can be removed, but a normalisation or a sum over them changes.</summary>
    Inexact,
    /// <summary>Units cannot be removed.</summary>
    Frozen,
}

/// <summary>One place where a group occurs in a weight.</summary>
/// <param name="Tensor">Name of the weight: an initializer, or the output of a Constant or ConstantOfShape node.</param>
/// <param name="Axis">Axis of the weight.</param>
/// <param name="Term">Term of the axis.</param>
internal sealed record Occurrence(string Tensor, int Axis, Term Term);

/// <summary>A factor with every weight axis in which it occurs: coupled units that are removed together or not at all.</summary>
internal sealed class Group
{
    internal Group(int id, Factor factor) => (Id, Factor) = (id, factor);

    internal Group WithId(int id)
    {
        Id = id;
        return this;
    }

    /// <summary>Number of the group, by first occurrence in the graph; stable for the same model.</summary>
    public int Id { get; private set; }
    public Factor Factor { get; }
    /// <summary>Number of units.</summary>
    public int Size => checked((int)Factor.Size!.Value);
    /// <summary>Unique readable name: the modules that make the units, and what they are.</summary>
    public string Name { get; internal set; } = "";
    public Axis Kind { get; internal set; }
    public Exactness Exactness { get; internal set; }
    /// <summary>Why the group is inexact or frozen: operator, tensor and reason; null where it is exact.</summary>
    public string? Reason { get; internal set; }
    /// <summary>Fewest units that an operator allows (k of a TopK); at least 1.</summary>
    public int MinKeep { get; internal set; } = 1;
    /// <summary>Weight axes, in graph order.</summary>
    public IReadOnlyList<Occurrence> Occurrences
    {
        get => field ??= FindOccurrences?.Invoke() ?? [];
        internal set;
    }

    internal Func<IReadOnlyList<Occurrence>>? FindOccurrences { get; set; }

    /// <summary>Products that contract the group with a weight, in graph order.</summary>
    public IReadOnlyList<Consumer> Consumers { get; internal set; } = [];
    /// <summary>KV groups ↔ query heads per group.</summary>
    public Group? Partner { get; internal set; }
}
