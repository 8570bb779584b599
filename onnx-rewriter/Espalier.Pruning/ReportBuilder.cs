using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning;

/// <summary>Writes down what slimming did.</summary>
internal static class ReportBuilder
{
    public static PruningReport Build(PruningPlan plan, AxisAnalysis analysis, Selection selection, SlimModel slim, WeightEdits edits,
        IEnumerable<string> notes)
    {
        var gone = DepthSelector.SublayersOf(analysis, selection.RemovedBlocks);
        double Size(int group) => selection.Kept.TryGetValue(group, out var kept) ? kept.Length : analysis.Cost.GroupSizes[group];
        double dense = analysis.Cost.PredictedTime();
        FactoredWeight[] factored = [.. edits.Factors.Select(f => Describe(f, slim))];
        long savedMacs = factored.Sum(f => f.MacsBefore - f.MacsAfter);
        return new PruningReport
        {
            Plan = plan,
            Before = FileCost.Before(analysis),
            After = FileCost.After(analysis, slim.Model),
            PredictedTimeRatio = dense > 0 ? (analysis.Cost.PredictedTime(Size, gone) - savedMacs) / dense : 1,
            Removed = Removed(analysis, slim),
            Copies = [.. Copies(analysis, slim)],
            Groups = [.. analysis.Groups.Where(g => g.Exactness != Exactness.Frozen)
                .Select(g => Describe(analysis, g, selection, DepthSelector.IsGone(analysis.Cost, g.Id, gone)))],
            Layers = Layers.Of(analysis, selection, slim, factored),
            Frozen = [.. analysis.Frozen.Select(f =>
                new FrozenAxis(f.Tensor, f.Axis, f.Reason) { Chain = Short(analysis.ChainOf(f.Tensor, f.Axis)) })],
            Blocks = [.. analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).Select(b => b.Name)],
            Bypassed = slim.Bypassed,
            Factored = factored,
            Interface = slim.Interface,
            Renamed = slim.Renamed,
            Aliases = new SortedDictionary<string, string>(analysis.Names.Aliases.ToDictionary(), StringComparer.Ordinal),
            Notes = [.. notes.Concat(analysis.Cost.UnknownMacs.Select(u => $"multiply-accumulates that the figures lack: {u}"))
                .Distinct(StringComparer.Ordinal)],
        };
    }

    /// <summary>What tensors of the dense file lost, by the names that they have there.</summary>
    private static SortedDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>> Removed(AxisAnalysis analysis, SlimModel slim)
    {
        var copied = slim.Copies.SelectMany(c => c.Readers.Select(r => SlimModel.ReaderKey(c.Tensor, r))).ToHashSet(StringComparer.Ordinal);
        var before = slim.Renamed.Where(r => r.Slim is not null).ToDictionary(r => r.Slim!, r => r.Dense, StringComparer.Ordinal);
        return new(slim.Removed.Where(t => !copied.Contains(t.Key) && analysis.NameInFile(t.Key) == t.Key)
            .ToDictionary(t => before.GetValueOrDefault(t.Key, t.Key), t => ByAxis(t.Value)), StringComparer.Ordinal);
    }

    private static IEnumerable<TensorCopy> Copies(AxisAnalysis analysis, SlimModel slim)
        => slim.Copies.Select(c => new TensorCopy(c.Name, analysis.NameInFile(c.Tensor), c.Readers, ByAxis(c.Removed)))
            .Concat(slim.Removed.Where(t => analysis.NameInFile(t.Key) != t.Key)
                .Select(t => new TensorCopy(t.Key, analysis.NameInFile(t.Key), [], ByAxis(t.Value))))
            .OrderBy(c => c.Name, StringComparer.Ordinal);

    private static IReadOnlyDictionary<string, IReadOnlyList<int>> ByAxis(IReadOnlyDictionary<int, int[]> removed)
        => new SortedDictionary<string, IReadOnlyList<int>>(
        removed.ToDictionary(a => a.Key.ToString(CultureInfo.InvariantCulture), a => (IReadOnlyList<int>)a.Value), StringComparer.Ordinal);

    private static GroupReport Describe(AxisAnalysis analysis, Group group, Selection selection, bool isGone)
    {
        var kept = isGone ? [] : selection.Kept.GetValueOrDefault(group.Id, [.. Enumerable.Range(0, group.Size)]);
        return new GroupReport
        {
            Name = group.Name,
            Kind = group.Kind.CamelCase(),
            Size = group.Size,
            Kept = kept.Length,
            Exactness = group.Exactness == Exactness.Exact ? "exact" : $"inexact: {group.Reason}",
            Members = [.. group.Occurrences.Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Tensor}:{o.Axis}")).Distinct()],
            RemovedUnits = [.. Enumerable.Range(0, group.Size).Except(kept)],
            Chain = group.Exactness == Exactness.Exact || kept.Length < group.Size || group.Occurrences.Count == 0
                ? []
                : Short(analysis.ChainOf(group.Occurrences[0].Tensor, group.Factor)),
        };
    }

    private static FactoredWeight Describe(LowRankFactors factors, SlimModel slim)
    {
        var (down, up) = slim.Factored[factors.Target.Weight];
        var size = factors.Size!;
        long Cost(CostUnit unit, int? rank) => (long)Math.Round(size.Cost(unit, rank));
        return new()
        {
            Weight = factors.Target.Weight,
            Node = factors.Target.Nodes,
            Down = down,
            Up = up,
            Inputs = size.Inputs / factors.Target.Positions,
            Window = factors.Target.Positions,
            Outputs = size.Outputs,
            Rank = factors.Rank,
            Error = factors.Error,
            ParametersBefore = Cost(CostUnit.Parameters, null),
            ParametersAfter = Cost(CostUnit.Parameters, factors.Rank),
            MacsBefore = Cost(CostUnit.Macs, null),
            MacsAfter = Cost(CostUnit.Macs, factors.Rank),
            Distance = factors.Distance,
        };
    }

    /// <summary>
    /// Of a long chain the two ends: in a deep network thousands of steps lie between a weight and the output that froze it.
    /// </summary>
    private static IReadOnlyList<string> Short(IReadOnlyList<string> chain)
    {
        const int Most = 24;
        return chain.Count <= Most ? chain
            : [.. chain.Take(Most / 2), string.Create(CultureInfo.InvariantCulture, $"… {chain.Count - Most} more …"),
                .. chain.Skip(chain.Count - (Most / 2))];
    }
}
