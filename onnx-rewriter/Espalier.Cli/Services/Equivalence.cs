using System.Collections.Immutable;
using System.Globalization;
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

    /// <summary>The same for what a report removed.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="report">The report.</param>
    /// <param name="edits">Weights that stand for others: products of factors.</param>
    /// <exception cref="EspalierException">The report names what the model does not have.</exception>
    public static OnnxModel Masked(AxisAnalysis analysis, PruningReport report, WeightEdits edits)
    {
        var blocks = Blocks(analysis, report);
        var stepped = Stepped(analysis, blocks, edits);
        // Caches of layers behind a removed one are numbered anew.
        var removed = Removed(analysis, report).ToDictionary(r => stepped.Renamed.GetValueOrDefault(r.Key, r.Key), r => r.Value, StringComparer.Ordinal);
        return MaskedModel.Of(stepped.Model, removed, allowMissing: !blocks.IsEmpty);
    }

    private static SlimModel Stepped(AxisAnalysis analysis, ImmutableArray<int> blocks, WeightEdits edits)
        => Surgery.Apply(analysis, Axes.Selection.Everything with { RemovedBlocks = blocks.IsDefault ? [] : blocks }, edits);

    /// <summary>What a report removed of tensors, and of copies that readers got, as masking takes it.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="report">The report.</param>
    /// <exception cref="MalformedFileException">The report names an axis that is no number.</exception>
    public static Dictionary<string, IReadOnlyDictionary<int, int[]>> Removed(AxisAnalysis analysis, PruningReport report)
    {
        var removed = report.Removed.ToDictionary(t => t.Key, t => ByAxis(t.Key, t.Value), StringComparer.Ordinal);
        foreach (var copy in report.Copies)
        {
            // What came with the body of a function has its own name once the call is inlined.
            if (copy.Readers.Count == 0) removed[copy.Name] = ByAxis(copy.Name, copy.Removed);
            foreach (string reader in copy.Readers)
            {
                string tensor = analysis.Nodes.FirstOrDefault(n => n.Proto.Output.FirstOrDefault() == reader)?.Proto.Input.FirstOrDefault(i => analysis.NameInFile(i) == copy.Tensor)
                    ?? throw new EspalierException($"The model has no operator that makes '{reader}' from '{copy.Tensor}'. Was the report written for this model?");
                removed[MaskedModel.ReaderKey(tensor, reader)] = ByAxis(copy.Name, copy.Removed);
            }
        }
        return removed;

        static IReadOnlyDictionary<int, int[]> ByAxis(string tensor, IReadOnlyDictionary<string, IReadOnlyList<int>> axes) => axes.ToDictionary(
            a => int.TryParse(a.Key, NumberStyles.None, CultureInfo.InvariantCulture, out var axis) ? axis : throw new MalformedFileException($"The report names axis '{a.Key}' of '{tensor}'."),
            a => a.Value.ToArray());
    }

    /// <summary>The dense model with removed slices zeroed and removed blocks bypassed.</summary>
    /// <param name="analysis">The dense model.</param>
    /// <param name="removed">Tensor → axis → removed indices.</param>
    /// <param name="blocks">Removed blocks.</param>
    /// <param name="edits">Weights that stand for others: products of factors.</param>
    public static OnnxModel Masked(AxisAnalysis analysis, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> removed, ImmutableArray<int> blocks, WeightEdits edits)
    {
        var stepped = Stepped(analysis, blocks, edits).Model;
        return MaskedModel.Of(stepped, removed, allowMissing: !blocks.IsDefaultOrEmpty);
    }

    /// <summary>The numbers of the blocks that a report removed.</summary>
    public static ImmutableArray<int> Blocks(AxisAnalysis analysis, PruningReport report) =>
        [.. report.Blocks.Select(name => analysis.Blocks.FirstOrDefault(b => b.Name == name)?.Id
            ?? throw new EspalierException($"The model has no block '{name}'. Was the report written for this model?"))];
}
