using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;

namespace Espalier.Pruning;

/// <summary>Operator by operator, what a model costs before and after.</summary>
internal sealed class Layers
{
    private readonly AxisAnalysis _analysis;
    private readonly Selection _selection;
    private readonly SlimModel? _slim;
    private readonly HashSet<int> _gone;
    private readonly Dictionary<int, Consumer> _products;
    private readonly Dictionary<string, TensorState> _weights;
    private readonly Dictionary<Axes.Terms.Factor, Group> _groups;
    private readonly Dictionary<int, string> _blocks = [];
    private readonly Dictionary<string, FactoredWeight> _factored;

    private Layers(AxisAnalysis analysis, Selection selection, SlimModel? slim, IReadOnlyList<FactoredWeight> factored)
    {
        (_analysis, _selection, _slim) = (analysis, selection, slim);
        _gone = DepthSelector.SublayersOf(analysis, selection.RemovedBlocks);
        _products = analysis.Products.GroupBy(p => p.Node.Ordinal).ToDictionary(g => g.Key, g => g.First());
        _weights = analysis.Parameters.GroupBy(p => p.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        _groups = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen).ToDictionary(g => g.Factor);
        // The smallest region that holds a node comes last.
        foreach (var block in analysis.Blocks.OrderByDescending(b => b.Nodes.Length))
            foreach (int node in block.Nodes) _blocks[node] = block.Name;
        _factored = factored.GroupBy(f => f.Weight, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
    }

    /// <summary>Of a model of which nothing was removed.</summary>
    public static IReadOnlyList<LayerReport> Of(AxisAnalysis analysis) => new Layers(analysis, Selection.Everything, null, []).List();

    /// <param name="selection">What was kept.</param>
    /// <param name="slim">The slim model.</param>
    /// <param name="factored">Weights of it that became products of two.</param>
    public static IReadOnlyList<LayerReport> Of(AxisAnalysis analysis, Selection selection, SlimModel slim,
        IReadOnlyList<FactoredWeight> factored) => new Layers(analysis, selection, slim, factored).List();

    private IReadOnlyList<LayerReport> List() => [.. _analysis.CostOfEach().Select(each => Describe(each.Record, each.Cost))];

    private LayerReport Describe(NodeRecord record, CostModel cost)
    {
        double before = cost.Evaluate(CostUnit.Macs), after = cost.Evaluate(CostUnit.Macs, Size, _gone);
        var node = record.Info;
        var layer = new LayerReport
        {
            Node = node.Proto.Name.Length > 0 ? node.Proto.Name : node.Proto.Output.FirstOrDefault() ?? "",
            Operator = node.Proto.OpType,
            Block = _blocks.GetValueOrDefault(node.Ordinal, ""),
            MacsBefore = (long)Math.Round(before),
            MacsAfter = (long)Math.Round(after),
        };
        if (Weight(record) is not var (weight, axis)) return layer;
        bool isGone = after == 0 && before > 0;
        var removed = _slim?.Removed.GetValueOrDefault(weight.Name);
        long[] dense = [.. weight.Terms!.Select(t => t.Size ?? 0)];
        long[] left = [.. dense.Select((size, k) => isGone ? 0 : size - (removed?.GetValueOrDefault(k)?.Length ?? 0))];
        layer = layer with
        {
            Weight = _analysis.NameInFile(weight.Name),
            Units = (int)Math.Min(int.MaxValue, dense[axis]),
            Kept = (int)Math.Min(int.MaxValue, left[axis]),
            Groups = [.. weight.Terms![axis].Leaves.Select(l => _groups.GetValueOrDefault(l)?.Name).OfType<string>()],
            ParametersBefore = Elements(dense),
            ParametersAfter = Elements(left),
        };
        return isGone || !_factored.TryGetValue(weight.Name, out var two) ? layer : layer with
        {
            Rank = two.Rank,
            ParametersAfter = two.ParametersAfter,
            MacsAfter = two.MacsBefore > 0 ? (long)Math.Round(after / two.MacsBefore * two.MacsAfter) : layer.MacsAfter,
        };
    }

    private double Size(int group)
        => _selection.Kept.TryGetValue(group, out var kept) ? kept.Length : _analysis.Cost.GroupSizes[group];

    /// <summary>The weight of an operator, and its axis that becomes the outputs.</summary>
    private (TensorState Weight, int Axis)? Weight(NodeRecord record)
    {
        if (_products.TryGetValue(record.Info.Ordinal, out var product) && _weights.TryGetValue(product.Parameter, out var named)
            && Elements(named) is not null) return (named, product.OutputAxis);
        // Recurrent layers, fused attention, depthwise convolutions: of the largest weight the axis with most units.
        var weight = record.Inputs.OfType<TensorState>().Select(i => i.Source ?? i).Where(i => i.IsParameter && Elements(i) is not null)
            .MaxBy(i => Elements(i));
        if (weight is null || weight.Terms!.Length == 0) return null;
        int axis = Enumerable.Range(0, weight.Terms.Length)
            .MaxBy(k => (weight.Terms[k].Leaves.Any(_groups.ContainsKey), weight.Terms[k].Size, -k));
        return (weight, axis);
    }

    private static long? Elements(TensorState weight)
        => weight.Terms is { } terms && Array.TrueForAll(terms, t => t.Size is not null)
            ? Elements(terms.Select(t => t.Size!.Value))
            : null;

    /// <summary>A shape may claim more than a number holds: the greatest then.</summary>
    private static long Elements(IEnumerable<long> sizes) => (long)Math.Min(long.MaxValue, sizes.Aggregate(1.0, (n, size) => n * size));
}
