using System.Collections.Immutable;
using System.Globalization;
using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>Writes down what slimming did.</summary>
internal static class ReportBuilder
{
    public static PruningReport Build(PruningPlan plan, AxisAnalysis analysis, Selection selection, SlimModel slim, WeightEdits edits, IEnumerable<string> notes)
    {
        var gone = DepthSelector.SublayersOf(analysis, selection.RemovedBlocks);
        double Size(int group) => selection.Kept.TryGetValue(group, out var kept) ? kept.Length : analysis.Cost.GroupSizes[group];
        double dense = analysis.Cost.PredictedTime();
        FactoredWeight[] factored = [.. edits.Factors.Select(f => Describe(f, slim))];
        long savedMacs = factored.Sum(f => f.MacsBefore - f.MacsAfter), savedParameters = factored.Sum(f => f.ParametersBefore - f.ParametersAfter);
        var after = Cost(analysis.Cost, slim.Model, AddedElements(analysis, selection, edits), Size, gone);
        return new PruningReport
        {
            Plan = plan,
            Before = Cost(analysis.Cost, analysis.Model, 0, null, null),
            After = after with { Macs = after.Macs - savedMacs, Parameters = after.Parameters - savedParameters },
            PredictedTimeRatio = dense > 0 ? (analysis.Cost.PredictedTime(Size, gone) - savedMacs) / dense : 1,
            Removed = new SortedDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>>(slim.Removed.ToDictionary(
                t => t.Key,
                t => (IReadOnlyDictionary<string, IReadOnlyList<int>>)new SortedDictionary<string, IReadOnlyList<int>>(
                    t.Value.ToDictionary(a => a.Key.ToString(CultureInfo.InvariantCulture), a => (IReadOnlyList<int>)a.Value), StringComparer.Ordinal)), StringComparer.Ordinal),
            Groups = [.. analysis.Groups.Where(g => g.Exactness != Exactness.Frozen).Select(g => Describe(analysis, g, selection, Slimmer.IsGone(analysis.Cost, g.Id, gone)))],
            Frozen = [.. analysis.Frozen.Select(f => new FrozenAxis(f.Tensor, f.Axis, f.Reason) { Chain = Short(analysis.ChainOf(f.Tensor, f.Axis)) })],
            Blocks = [.. analysis.Blocks.Where(b => selection.RemovedBlocks.Contains(b.Id)).Select(b => b.Name)],
            Bypassed = slim.Bypassed,
            Factored = factored,
            Interface = slim.Interface,
            Renamed = slim.Renamed,
            Notes = [.. notes.Concat(analysis.Cost.UnknownMacs.Select(u => $"multiply-accumulates that the figures lack: {u}")).Distinct(StringComparer.Ordinal)],
        };
    }

    private static GroupReport Describe(AxisAnalysis analysis, Group group, Selection selection, bool isGone)
    {
        var kept = isGone ? [] : selection.Kept.GetValueOrDefault(group.Id, [.. Enumerable.Range(0, group.Size)]);
        return new GroupReport(group.Name, PlanResolver.CamelCase(group.Kind), group.Size, kept.Length,
            group.Exactness == Exactness.Exact ? "exact" : $"inexact: {group.Reason}",
            [.. group.Occurrences.Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Tensor}:{o.Axis}")).Distinct()],
            [.. Enumerable.Range(0, group.Size).Except(kept)])
        {
            Chain = group.Exactness == Exactness.Exact || kept.Length < group.Size || group.Occurrences.Count == 0 ? [] : Short(analysis.ChainOf(group.Occurrences[0].Tensor, group.Factor)),
        };
    }

    private static FactoredWeight Describe(LowRankFactors factors, SlimModel slim)
    {
        var (down, up) = slim.Factored[factors.Target.Weight];
        var size = factors.Size!;
        long Of(CostUnit unit, int? rank) => (long)Math.Round(size.Cost(unit, rank));
        return new(factors.Target.Weight, factors.Target.Nodes, down, up, size.Inputs, size.Outputs, factors.Rank, factors.Error,
            Of(CostUnit.Parameters, null), Of(CostUnit.Parameters, factors.Rank), Of(CostUnit.Macs, null), Of(CostUnit.Macs, factors.Rank))
        {
            Distance = factors.Distance,
        };
    }

    /// <summary>Of a long chain the two ends: in a deep network thousands of steps lie between a weight and the output that froze it.</summary>
    private static IReadOnlyList<string> Short(IReadOnlyList<string> chain)
    {
        const int Most = 24;
        return chain.Count <= Most ? chain
            : [.. chain.Take(Most / 2), string.Create(CultureInfo.InvariantCulture, $"… {chain.Count - Most} more …"), .. chain.Skip(chain.Count - (Most / 2))];
    }

    /// <summary>Elements of the biases that compensation gave to consumers without one: the cost polynomial does not know them.</summary>
    private static long AddedElements(AxisAnalysis analysis, Selection selection, WeightEdits edits)
    {
        var keptOf = analysis.Groups.Where(g => selection.Kept.ContainsKey(g.Id)).ToDictionary(g => g.Factor, g => selection.Kept[g.Id]);
        return analysis.Consumers.Where(c => edits.AddedBiases.ContainsKey(c.Id))
            .Sum(c => (long)analysis.TermsOf(c.Parameter)![c.OutputAxis].KeptIndices(f => keptOf.TryGetValue(f, out var kept) ? kept : null).Length);
    }

    private static ModelCost Cost(CostModel cost, OnnxModel model, long added, Func<int, double>? size, IReadOnlySet<int>? gone) => new(
        (long)Math.Round(cost.Evaluate(CostUnit.Parameters, size, gone)) + added,
        (long)Math.Round(cost.Evaluate(CostUnit.Macs, size, gone)),
        model.ByteLength);
}
