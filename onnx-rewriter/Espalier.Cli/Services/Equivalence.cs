using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Cli.Services;

/// <summary>The two sides of the oracle: what a report removed, and the dense model with that masked.</summary>
internal static class Equivalence
{
    /// <summary>What a report removed, as a selection.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="report">The report.</param>
    /// <param name="exactOnly">Leave groups whole whose removal is not equal to masking.</param>
    /// <exception cref="EspalierException">The report names a group or block that the model does not have.</exception>
    public static Selection Selection(AxisAnalysis analysis, PruningReport report, bool exactOnly)
    {
        var groups = analysis.Groups.ToDictionary(g => g.Name, StringComparer.Ordinal);
        var kept = new SortedDictionary<int, ImmutableArray<int>>();
        // A group of which nothing stays went with a removed block.
        foreach (var pruned in report.Groups.Where(g => g.Kept > 0 && g.Kept < g.Size))
        {
            if (!groups.TryGetValue(pruned.Name, out var group) || group.Size != pruned.Size)
                throw new EspalierException($"The model has no group '{pruned.Name}' of {pruned.Size} units. Was the report written for this model?");
            if (exactOnly && group.Exactness != Exactness.Exact) continue;
            kept[group.Id] = [.. Enumerable.Range(0, group.Size).Except(pruned.RemovedUnits)];
        }
        return new Selection(kept, Blocks(analysis, report));
    }

    /// <summary>The dense model with removed slices zeroed and removed blocks bypassed.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="removed">Tensor → axis → removed indices.</param>
    /// <param name="blocks">Removed blocks.</param>
    /// <param name="edits">Weights that stand for others: products of factors.</param>
    public static OnnxModel Masked(AxisAnalysis analysis, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed, ImmutableArray<int> blocks, WeightEdits edits)
    {
        var stepped = Surgery.Apply(analysis, Axes.Selection.Everything with { RemovedBlocks = blocks.IsDefault ? [] : blocks }, edits).Model;
        return MaskedModel.Of(stepped, removed, allowMissing: !blocks.IsDefaultOrEmpty);
    }

    /// <summary>The numbers of the blocks that a report removed.</summary>
    public static ImmutableArray<int> Blocks(AxisAnalysis analysis, PruningReport report) =>
        [.. report.Blocks.Select(name => analysis.Blocks.FirstOrDefault(b => b.Name == name)?.Id
            ?? throw new EspalierException($"The model has no block '{name}'. Was the report written for this model?"))];
}
