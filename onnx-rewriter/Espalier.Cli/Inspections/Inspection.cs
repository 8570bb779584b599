using System.Text.Encodings.Web;
using System.Text.Json;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Cli.Host;
using Espalier.Onnx;
using Espalier.Pruning.Budgets;

namespace Espalier.Cli.Inspections;

/// <summary>What <c>inspect</c> shows, as plain values: the tables and the JSON say the same.</summary>
/// <param name="File">Name of the model's file.</param>
/// <param name="Opset">Version of the default operator set; 0 where none is imported.</param>
/// <param name="Nodes">Nodes, subgraphs included.</param>
/// <param name="Cost">Cost at the nominal sizes.</param>
/// <param name="ExactParameters">Parameters in at least one exact group.</param>
/// <param name="PrunableParameters">Parameters in at least one group that is not frozen.</param>
/// <param name="ExactMacs">Multiply-accumulates in at least one exact group.</param>
/// <param name="PrunableMacs">Multiply-accumulates in at least one group that is not frozen.</param>
/// <param name="Inputs">Name, element type and shape of every input.</param>
/// <param name="Outputs">The same of every output.</param>
/// <param name="Groups">Groups that can be pruned.</param>
/// <param name="Blocks">Blocks and sublayers.</param>
/// <param name="Frozen">Groups that cannot be pruned.</param>
internal sealed record Inspection(string File, long Opset, int Nodes, ModelCost Cost, long ExactParameters, long PrunableParameters,
    long ExactMacs, long PrunableMacs, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs,
    IReadOnlyList<InspectedGroup> Groups, IReadOnlyList<InspectedBlock> Blocks, IReadOnlyList<InspectedGroup> Frozen)
{
    /// <summary>Operators whose multiply-accumulates are not known, each with the reason: the figures lack them.</summary>
    public IReadOnlyList<string> UnknownMacs { get; init; } = [];
    /// <summary>What became of every parameter: these sum up to the parameters of the file.</summary>
    public IReadOnlyList<InspectedWeight> Weights { get; init; } = [];

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads the analysis.</summary>
    public static Inspection From(AxisAnalysis analysis)
    {
        var graph = analysis.Model.Proto.Graph;
        var weights = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var prunable = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen).Select(g => g.Id).ToHashSet();
        var exact = analysis.Groups.Where(g => g.Exactness == Exactness.Exact).Select(g => g.Id).ToHashSet();
        var parameters = new double[analysis.Groups.Count];
        foreach (var monomial in analysis.Cost.Monomials.Where(m => m.Unit == CostUnit.Parameters))
            foreach (int group in monomial.Groups.Distinct()) parameters[group] += Value(monomial);
        long In(CostUnit unit, HashSet<int> groups)
            => (long)analysis.Cost.Monomials.Where(m => m.Unit == unit && m.Groups.Any(groups.Contains)).Sum(Value);
        double Value(Monomial m) => m.Groups.Aggregate(m.Coefficient, (product, g) => product * analysis.Cost.GroupSizes[g]);

        var all = analysis.Groups.Select(g => new InspectedGroup(
            g.Id, g.Name, Camel(g.Kind), g.Size, Camel(g.Exactness), g.Reason, g.MinKeep,
            (long)parameters[g.Id],
            [.. g.Occurrences.Select(o => FormattableString.Invariant($"{o.Tensor}:{o.Axis}")).Distinct()])).ToList();
        return new Inspection(
            System.IO.Path.GetFileName(analysis.Model.Path ?? ""),
            analysis.Model.Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 0,
            analysis.Nodes.Count, FileCost.Before(analysis), In(CostUnit.Parameters, exact), In(CostUnit.Parameters, prunable),
            In(CostUnit.Macs, exact), In(CostUnit.Macs, prunable),
            [.. graph.Input.Where(i => !weights.Contains(i.Name)).Select(Signature)], [.. graph.Output.Select(Signature)],
            [.. all.Where(g => prunable.Contains(g.Id))],
            [.. analysis.Blocks.Select(b => Measure(analysis, b))],
            [.. all.Where(g => !prunable.Contains(g.Id))])
        {
            UnknownMacs = analysis.Cost.UnknownMacs,
            Weights = [.. analysis.Weights.Select(w => new InspectedWeight(w.Tensor, w.Elements, Camel(w.Standing), w.Groups, w.Reason))],
        };
    }

    /// <summary>The JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>The tables.</summary>
    public void Render(Terminal terminal) => InspectionTables.Write(terminal, this);

    private static InspectedBlock Measure(AxisAnalysis analysis, Block block)
    {
        var without = block.Sublayers.ToHashSet();
        long Saved(CostUnit unit) => (long)(analysis.Cost.Evaluate(unit) - analysis.Cost.Evaluate(unit, null, without));
        return new InspectedBlock(block.Id, block.Name, block.IsSublayer
            ? "sublayer"
            : "block", block.Nodes.Length, Saved(CostUnit.Parameters), Saved(CostUnit.Macs));
    }

    private static string Signature(ValueInfoProto value)
    {
        if (value.Type?.TensorType is not { } tensor) return $"{value.Name} (no tensor)";
        var shape = tensor.Shape is { } s
            ? string.Join(", ",
                s.Dim.Select(d => d.HasDimValue
                    ? d.DimValue.ToString(System.Globalization.CultureInfo.InvariantCulture)
                    : d.HasDimParam ? d.DimParam : "?"))
            : "…";
        return $"{value.Name} {((TensorProto.Types.DataType)tensor.ElemType).ToString().ToLowerInvariant()}[{shape}]";
    }

    private static string Camel<T>(T value) where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}

/// <summary>One group.</summary>
/// <param name="Id">Number.</param>
/// <param name="Name">Name, as rules and <c>--protect</c> match it.</param>
/// <param name="Kind">Kind.</param>
/// <param name="Size">Units.</param>
/// <param name="Exactness">exact, inexact or frozen.</param>
/// <param name="Reason">Why it is inexact or frozen.</param>
/// <param name="MinKeep">Fewest units that must stay.</param>
/// <param name="Parameters">Parameters that its units have a part in.</param>
/// <param name="Members">Weight axes, as <c>tensor:axis</c>.</param>
internal sealed record InspectedGroup(int Id, string Name, string Kind, int Size, string Exactness, string? Reason, int MinKeep,
    long Parameters, IReadOnlyList<string> Members);

/// <summary>One block or sublayer.</summary>
/// <param name="Id">Number.</param>
/// <param name="Name">Name.</param>
/// <param name="Kind">block or sublayer.</param>
/// <param name="Nodes">Nodes in it.</param>
/// <param name="Parameters">Parameters that its removal saves.</param>
/// <param name="Macs">Multiply-accumulates that its removal saves.</param>
internal sealed record InspectedBlock(int Id, string Name, string Kind, int Nodes, long Parameters, long Macs);

/// <summary>One stored tensor.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Parameters">Its elements.</param>
/// <param name="Standing">grouped, frozen, or unrelated: no weight of a product.</param>
/// <param name="Groups">Groups of which it holds units.</param>
/// <param name="Reason">Why nothing of it can be removed; null where something can.</param>
internal sealed record InspectedWeight(string Name, long Parameters, string Standing, IReadOnlyList<int> Groups, string? Reason);
