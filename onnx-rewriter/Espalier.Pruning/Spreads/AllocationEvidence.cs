using System.Collections.Immutable;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// What allocations look at besides scores and cost: measurements by which groups differ. What an allocation does not read may be null.
/// </summary>
public sealed record AllocationEvidence
{
    /// <summary>Divergence of the outputs under a choice of kept units, compensated.</summary>
    public Func<IReadOnlyDictionary<int, ImmutableArray<int>>, double>? Divergence { get; init; }

    /// <summary>Measured time of one run under a choice of kept units.</summary>
    public Func<IReadOnlyDictionary<int, ImmutableArray<int>>, ModelTime>? Time { get; init; }

    /// <summary>
    /// By group number: how much the sublayers that its weights are in change their input; see <see cref="BlockSimilarity"/>.
    /// </summary>
    public IReadOnlyDictionary<int, double>? BlockChange { get; init; }

    /// <summary>By group number: how large the weights of its units are.</summary>
    public IReadOnlyDictionary<int, UnitMagnitudes>? Magnitudes { get; init; }

    /// <summary>By group number: divergence of the outputs when its weights are shaken; see <see cref="ZerothOrder"/>.</summary>
    public IReadOnlyDictionary<int, double>? Sensitivity { get; init; }

    /// <summary>Parts of the model with bounds of their own.</summary>
    internal IReadOnlyList<Component> Components { get; init; } = [];

    /// <summary>What stands in the way of a budget that no choice meets.</summary>
    internal Obstacles? Obstacles { get; init; }

    /// <summary>Whether an allocation reads <see cref="Sensitivity"/>.</summary>
    public static bool NeedsSensitivity(Allocation allocation) => allocation == Allocation.ZerothOrder;

    /// <summary>Whether an allocation reads <see cref="BlockChange"/>.</summary>
    public static bool NeedsBlocks(Allocation allocation)
        => allocation is Allocation.ImportanceLinear or Allocation.ImportanceSigmoid or Allocation.ImportanceSoftmax;

    /// <summary>Whether it measures that by the mean angle, as CFSP does; otherwise by the mean cosine.</summary>
    public static bool NeedsAngles(Allocation allocation) => allocation == Allocation.ImportanceSigmoid;

    /// <summary>Whether an allocation reads <see cref="Magnitudes"/>.</summary>
    public static bool NeedsMagnitudes(Allocation allocation) => allocation is Allocation.PqIndex or Allocation.GlobalMagnitude;

    /// <summary>Whether an allocation reads <see cref="Divergence"/> where a budget is to be spread.</summary>
    public static bool NeedsDivergence(Allocation allocation)
        => allocation is Allocation.Divergence or Allocation.Search or Allocation.Latency;
}
