using System.Collections.Immutable;

namespace Espalier.Axes.Groups;

/// <summary>A choice of what to keep.</summary>
/// <param name="Kept">Per group number: kept units, ascending; groups that are absent stay whole.</param>
/// <param name="RemovedBlocks">Numbers of removed blocks and sublayers.</param>
internal sealed record Selection(IReadOnlyDictionary<int, ImmutableArray<int>> Kept, ImmutableArray<int> RemovedBlocks)
{
    /// <summary>Everything stays.</summary>
    public static Selection Everything { get; } = new(new Dictionary<int, ImmutableArray<int>>(), []);
}
