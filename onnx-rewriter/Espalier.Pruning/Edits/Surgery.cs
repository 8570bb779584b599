using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Makes the slim model by evaluating terms: every weight is gathered along every axis by what the axis's term keeps, every size is
/// re-derived, removed blocks are bypassed. Nothing here knows an operator by name but for writing sizes down.
/// </summary>
internal static class Surgery
{
    /// <summary>
    /// Applies a selection for as long as the slim model is used; where nothing is removed that is the dense model, which stays open.
    /// </summary>
    internal static T Use<T>(AxisAnalysis analysis, Selection selection, WeightEdits? edits, Func<SlimModel, T> use)
    {
        var slim = Apply(analysis, selection, edits);
        try
        {
            return use(slim);
        }
        finally
        {
            if (slim.Model != analysis.Model) slim.Model.Dispose();
        }
    }

    /// <summary>Applies a selection.</summary>
    /// <param name="analysis">The inference over the dense model.</param>
    /// <param name="selection">What to keep. Groups may be exact or inexact, not frozen.</param>
    /// <param name="edits">Weights that compensation changed.</param>
    /// <exception cref="EspalierException">The selection keeps nothing of a group, or touches a frozen one.</exception>
    public static SlimModel Apply(AxisAnalysis analysis, Selection selection, WeightEdits? edits = null)
    {
        edits ??= WeightEdits.Nothing;
        var kept = Kept(analysis, selection);
        if (kept.Count == 0 && selection.RemovedBlocks.IsEmpty && edits.Weights.Count == 0 && edits.AddedBiases.Count == 0
            && edits.Factors.Count == 0)
            return new(analysis.Model, new Dictionary<string, IReadOnlyDictionary<int, int[]>>());
        var clone = analysis.Model.Proto.Clone();
        var graph = new EditableGraph(analysis, clone);
        var slim = new SlimSizes(kept);
        var weights = new WeightSurgery(graph, slim, edits);
        var removed = weights.Apply();
        new SizeSurgery(graph, slim).Apply();
        new MeanSurgery(graph, slim).Apply();
        var sublayers = selection.RemovedBlocks.SelectMany(b => analysis.Blocks[b].Sublayers).Distinct().Order()
            .Select(s => analysis.Blocks[s]).ToList();
        var face = new InterfaceSurgery(graph, slim);
        face.Release(sublayers);
        Bypass(sublayers, graph);
        graph.RemoveDeadNodes();
        graph.UpdateShapes(slim);
        face.Close();
        foreach (var (name, gone) in face.Shrunk()) removed[name] = gone;
        return new(analysis.Model.Derive(clone), removed)
        {
            Interface = face.Changes,
            Renamed = face.Names,
            Bypassed = [.. sublayers.Select(s => new BlockBypass(s.Name, s.Branch, analysis.Nodes[s.Nodes[^1]].Proto.Output[0]))],
            Factored = weights.Factored,
            Copies = weights.Copies,
        };
    }

    private static Dictionary<Factor, ImmutableArray<int>> Kept(AxisAnalysis analysis, Selection selection)
    {
        var kept = new Dictionary<Factor, ImmutableArray<int>>();
        foreach (var (id, units) in selection.Kept)
        {
            var group = analysis.Groups[id];
            if (units.Length == group.Size) continue;
            if (group.Exactness == Exactness.Frozen) throw new EspalierException($"Group '{group.Name}' cannot be pruned. {group.Reason}");
            if (units.Length < group.MinKeep)
                throw new EspalierException($"Group '{group.Name}' must keep at least {group.MinKeep} of its {group.Size} units; the "
                    + $"selection keeps {units.Length}.");
            for (int k = 0; k < units.Length; k++)
                if (units[k] < 0 || units[k] >= group.Size || (k > 0 && units[k] <= units[k - 1]))
                    throw new ArgumentException($"Kept units of group '{group.Name}' must ascend within 0..{group.Size - 1}.",
                        nameof(selection));
            kept[group.Factor] = units;
        }
        return kept;
    }

    /// <summary>
    /// The summands of removed sublayers go; a sum of one is what is left, a sum of nothing goes itself. What made the summands
    /// is then dead.
    /// </summary>
    private static void Bypass(IReadOnlyList<Block> sublayers, EditableGraph graph)
    {
        if (sublayers.Count == 0) return;
        var branches = sublayers.ToLookup(s => s.Nodes[^1], s => s.Branch);
        var gone = new HashSet<string>(StringComparer.Ordinal);
        var renamed = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var record in graph.Analysis.State.Records.Where(r => r.Info.Scope == 0 && r.Info.Proto.OpType is "Add" or "Sum"))
        {
            var node = graph.Node(record.Info.Ordinal);
            // By place: surgery may have given this reader copies of its own.
            var dense = record.Info.Proto.Input;
            List<string> left = [.. node.Input.Where((_, k) => !gone.Contains(dense[k])
                && !branches[record.Info.Ordinal].Contains(dense[k]))];
            if (left.Count == node.Input.Count) continue;
            node.Input.Clear();
            node.Input.Add(left);
            if (left.Count == 0) gone.Add(record.Info.Proto.Output[0]);
            else if (left.Count == 1) renamed[node.Output[0]] = renamed.GetValueOrDefault(left[0], left[0]);
        }
        graph.Rename(renamed);
    }
}
