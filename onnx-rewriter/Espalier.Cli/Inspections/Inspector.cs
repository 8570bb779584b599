using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Budgets;

namespace Espalier.Cli.Inspections;

/// <summary>Reads off an analysis what <c>inspect</c> shows.</summary>
internal static class Inspector
{
    public static Inspection Inspect(AxisAnalysis analysis)
    {
        var graph = analysis.Model.Proto.Graph;
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var prunable = Ids(analysis, g => g.Exactness != Exactness.Frozen);
        var exact = Ids(analysis, g => g.Exactness == Exactness.Exact);
        var groups = Groups(analysis);
        return new Inspection
        {
            File = Path.GetFileName(analysis.Model.Path ?? ""),
            Opset = analysis.Model.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 0,
            Nodes = analysis.Nodes.Count,
            Cost = FileCost.Before(analysis),
            ExactParameters = CostIn(analysis, CostUnit.Parameters, exact),
            PrunableParameters = CostIn(analysis, CostUnit.Parameters, prunable),
            ExactMacs = CostIn(analysis, CostUnit.Macs, exact),
            PrunableMacs = CostIn(analysis, CostUnit.Macs, prunable),
            Inputs = [.. graph.Input.Where(i => !weights.Contains(i.Name)).Select(Signature)],
            Outputs = [.. graph.Output.Select(Signature)],
            Groups = [.. groups.Where(g => prunable.Contains(g.Id))],
            Blocks = [.. analysis.Blocks.Select(b => Measure(analysis, b))],
            Frozen = [.. groups.Where(g => !prunable.Contains(g.Id))],
            UnknownMacs = analysis.Cost.UnknownMacs,
            Weights =
            [
                .. analysis.Weights.Select(w => new InspectedWeight(w.Tensor, analysis.Names.Aliases.GetValueOrDefault(w.Tensor),
                    w.Elements, Words.Camel(w.Standing), w.Groups, w.Reason)),
            ],
        };
    }

    private static HashSet<int> Ids(AxisAnalysis analysis, Func<Group, bool> which) => [.. analysis.Groups.Where(which).Select(g => g.Id)];

    private static List<InspectedGroup> Groups(AxisAnalysis analysis)
    {
        var parameters = new double[analysis.Groups.Count];
        foreach (var monomial in analysis.Cost.Monomials.Where(m => m.Unit == CostUnit.Parameters))
            foreach (int group in monomial.Groups.Distinct()) parameters[group] += Value(analysis, monomial);
        return [.. analysis.Groups.Select(g => new InspectedGroup
        {
            Id = g.Id,
            Name = g.Name,
            Kind = Words.Camel(g.Kind),
            Size = g.Size,
            Exactness = Words.Camel(g.Exactness),
            Reason = g.Reason,
            MinKeep = g.MinKeep,
            Parameters = (long)parameters[g.Id],
            Members = [.. g.Occurrences.Select(o => FormattableString.Invariant($"{o.Tensor}:{o.Axis}")).Distinct()],
        })];
    }

    private static long CostIn(AxisAnalysis analysis, CostUnit unit, HashSet<int> groups)
        => (long)analysis.Cost.Monomials.Where(m => m.Unit == unit && m.Groups.Any(groups.Contains)).Sum(m => Value(analysis, m));

    private static double Value(AxisAnalysis analysis, Monomial monomial)
        => monomial.Groups.Aggregate(monomial.Coefficient, (product, g) => product * analysis.Cost.GroupSizes[g]);

    private static InspectedBlock Measure(AxisAnalysis analysis, Block block)
    {
        var without = block.Sublayers.ToHashSet();
        long Saved(CostUnit unit) => (long)(analysis.Cost.Evaluate(unit) - analysis.Cost.Evaluate(unit, null, without));
        return new InspectedBlock(block.Id, block.Name, block.IsSublayer ? "sublayer" : "block", block.Nodes.Length,
            Saved(CostUnit.Parameters), Saved(CostUnit.Macs));
    }

    private static string Signature(ValueInfoProto value)
    {
        if (value.Type?.TensorType is not { } tensor) return $"{value.Name} (no tensor)";
        string shape = tensor.Shape is { } s ? string.Join(", ", s.Dim.Select(Size)) : "…";
        return $"{value.Name} {((TensorProto.Types.DataType)tensor.ElemType).ToString().ToLowerInvariant()}[{shape}]";
    }

    private static string Size(TensorShapeProto.Types.Dimension dimension)
        => dimension.HasDimValue ? dimension.DimValue.ToString(CultureInfo.InvariantCulture)
            : dimension.HasDimParam ? dimension.DimParam
            : "?";
}
