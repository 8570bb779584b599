using System.Collections.Immutable;
using Espalier.Axes.Costs;

namespace Espalier.Axes;

/// <summary>What the inference found of a stored tensor.</summary>
internal enum WeightStanding
{
    /// <summary>At least one of its axes holds units that can be removed.</summary>
    Grouped,
    /// <summary>It has an axis of two units or more, and all of them stay.</summary>
    Frozen,
    /// <summary>No weight of a product: it has no axis of two units, or no operator reads it as a weight.</summary>
    Unrelated,
}

/// <summary>One stored tensor in the account of a file.</summary>
/// <param name="Tensor">Its name in the file.</param>
/// <param name="Elements">Its elements, as <see cref="StoredParameters"/> counts them.</param>
/// <param name="Groups">Numbers of the groups of which it holds units that can be removed, ascending; empty for the others.</param>
/// <param name="Reason">Why no unit of it can be removed; null where one can.</param>
internal sealed record WeightEntry(string Tensor, long Elements, WeightStanding Standing, ImmutableArray<int> Groups, string? Reason);
