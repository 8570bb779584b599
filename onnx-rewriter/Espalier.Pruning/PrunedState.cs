using System.Collections.Immutable;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Spreads;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning;

/// <summary>What the steps before have left.</summary>
/// <param name="Selection">Units that are left.</param>
/// <param name="Statistics">Statistics of the slim model, in the dense layout: nothing varies where units are gone.</param>
internal sealed record PrunedState(Selection Selection, CalibrationStatistics? Statistics, PrunedWeights Weights)
{
    /// <summary>What <see cref="AllocationEvidence.BlockChange"/> was in each of the steps.</summary>
    public IReadOnlyList<IReadOnlyDictionary<int, double>> BlockChanges { get; init; } = [];

    /// <summary>What is gone does not come back, however many units a step would leave.</summary>
    public IReadOnlyDictionary<int, ImmutableArray<int>> Within(IReadOnlyDictionary<int, ImmutableArray<int>> kept)
    {
        var left = new Dictionary<int, ImmutableArray<int>>(kept);
        foreach (var (group, own) in Selection.Kept)
            left[group] = kept.TryGetValue(group, out var wished) ? [.. wished.Where(own.Contains)] : own;
        return left;
    }

    /// <summary>Units that are gone score less than all others.</summary>
    public void Forget(int group, double[] scores)
    {
        if (!Selection.Kept.TryGetValue(group, out var kept)) return;
        var stays = kept.ToHashSet();
        for (int u = 0; u < scores.Length; u++) scores[u] = stays.Contains(u) ? Math.Max(scores[u], double.Epsilon) : 0;
    }
}
