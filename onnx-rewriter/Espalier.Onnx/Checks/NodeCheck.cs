using Espalier.Onnx.Limits;

namespace Espalier.Onnx.Checks;

/// <summary>The nodes of one graph, or of one function, against what they may read and against the schemas of their operators.</summary>
internal sealed class NodeCheck(CheckFaults faults, ModelFunctions functions, OperatorSets sets)
{
    private const string Again = "Export the model again; the operator does not allow this.";

    /// <summary>What the node says of itself: its operator and its attributes.</summary>
    public void Attributes(CheckedGraph graph, NodeProto node)
    {
        if (node.OpType.Length == 0)
        {
            throw Bad(graph, node, "has no operator", Again);
        }
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var attribute in node.Attribute)
        {
            if (!names.Add(attribute.Name))
            {
                throw Bad(graph, node, $"has the attribute '{attribute.Name}' twice", Again);
            }
            if (AttributeCheck.Fault(attribute, graph.IsInFunction) is { } fault)
            {
                throw Bad(graph, node, fault, Again);
            }
        }
        if (Schema(graph, node) is { } schema)
        {
            Attributes(graph, node, schema, names);
        }
    }

    /// <summary>What the node reads and makes. In a graph inside of a node, the makers must stand before it.</summary>
    public void Operands(CheckedGraph graph, NodeProto node)
    {
        foreach (var name in node.Input.Where(i => i.Length > 0))
        {
            if (graph.FindMade(name, out _) is not { } maker)
            {
                throw Bad(graph, node, $"reads '{name}' before it is made",
                    "Put the nodes of a graph inside of a node, or of a function, in the order in which they run.");
            }
            RequireOneMeaning(maker, name);
        }
        Shadows(graph, node);
        if (functions.IsCall(node, graph))
        {
            return;
        }
        if (Schema(graph, node) is { } schema)
        {
            Operands(graph, node, schema);
            if (GraphsOfNode.Fault(node, sets.Version(node, () => graph.Place)) is { } fault)
            {
                throw Bad(graph, node, fault, Again);
            }
        }
    }

    /// <summary>Whether a graph makes what it gives back, whose nodes have been checked.</summary>
    public void Outputs(CheckedGraph graph)
    {
        foreach (var name in graph.Outputs)
        {
            RequireOneMeaning(graph, name);
            if (!graph.Defines(name))
            {
                var outer = graph.Outer is not null && graph.Find(name, out _) is not null;
                throw faults.Fault(outer ? $"the output '{name}'{graph.Place} is a tensor of the graph around it"
                    : $"nothing makes the output '{name}'{graph.Place}",
                    outer ? "Put an Identity between them." : "Add what makes it, or export the model again.");
            }
        }
    }

    /// <summary>Null where the operator is not known: a function of the model, a custom operator, one of a later operator set.</summary>
    private OperatorSchema? Schema(CheckedGraph graph, NodeProto node)
    {
        var set = sets.Version(node, () => graph.Place);
        if (functions.IsOf(node) || OperatorSchemas.Find(node.Domain, node.OpType, set) is not { } schema)
        {
            return null;
        }
        return !schema.IsDeprecated ? schema
            : throw Bad(graph, node, $"is of an operator that is gone since operator set {schema.Since}; the model imports {set}",
                "Export the model with the operator that replaced it.");
    }

    /// <summary>The operator with the set that is imported.</summary>
    private string Operator(CheckedGraph graph, NodeProto node)
        => $"{NodeText.Operator(node.Domain, node.OpType)} of operator set {sets.Version(node, () => graph.Place)}";

    private void Attributes(CheckedGraph graph, NodeProto node, OperatorSchema schema, HashSet<string> names)
    {
        foreach (var attribute in node.Attribute)
        {
            if (!schema.Attributes.TryGetValue(attribute.Name, out var stated))
            {
                // Two underscores mark what tools keep for themselves.
                if (!schema.IsOpen && !attribute.Name.StartsWith("__", StringComparison.Ordinal))
                {
                    throw Bad(graph, node, $"has the attribute '{attribute.Name}', which {Operator(graph, node)} does not have", Again);
                }
            }
            else if (stated.Kind != attribute.Type)
            {
                throw Bad(graph, node,
                    $"has the attribute '{attribute.Name}' as {AttributeCheck.Word(attribute.Type)}; "
                    + $"in {Operator(graph, node)} it is {AttributeCheck.Word(stated.Kind)}", Again);
            }
        }
        foreach (var (name, stated) in schema.Attributes)
        {
            if (stated.IsRequired && !names.Contains(name))
            {
                throw Bad(graph, node, $"has no attribute '{name}', which {Operator(graph, node)} needs", Again);
            }
        }
    }

    private void Operands(CheckedGraph graph, NodeProto node, OperatorSchema schema)
    {
        if (!schema.Inputs.Takes(node.Input.Count))
        {
            throw Bad(graph, node, $"has {Number(node.Input.Count, "input")}; {Operator(graph, node)} has {schema.Inputs.Count}", Again);
        }
        var outputs = schema.OutputsOf(node.Output.Count)
            ?? throw Bad(graph, node, $"has {Number(node.Output.Count, "output")}; {Operator(graph, node)} has {schema.OutputCounts}",
                Again);
        for (var k = 0; k < node.Input.Count; k++)
        {
            var (name, operand) = (node.Input[k], schema.Inputs[k]);
            if (name.Length == 0 && operand.Use == OperandUse.Required)
            {
                throw Bad(graph, node, $"leaves out input {k}, which {Operator(graph, node)} needs", Again);
            }
            if (name.Length > 0 && graph.FindMade(name, out var made) is not null && made.Rank >= 0 && !operand.Fits(made.Rank))
            {
                throw Bad(graph, node, $"reads '{name}' of rank {made.Rank} as input {k}; {Operator(graph, node)} wants {operand.Ranks}",
                    Again);
            }
        }
        for (var k = 0; k < node.Output.Count; k++)
        {
            if (node.Output[k].Length == 0 && outputs[k].Use == OperandUse.Required)
            {
                throw Bad(graph, node, $"leaves out output {k}, which {Operator(graph, node)} always gives", Again);
            }
        }
    }

    /// <summary>A node inside of a graph inside of a node may not make a name that means something already where it stands.</summary>
    private void Shadows(CheckedGraph graph, NodeProto node)
    {
        foreach (var name in node.Output.Where(o => o.Length > 0))
        {
            if (graph.Outer?.FindMade(name, out _) is { } outer)
            {
                throw Bad(graph, node, $"makes '{name}', which is already a tensor of the graph around it{outer.Place}",
                    "Give every tensor a name of its own.");
            }
        }
    }

    private void RequireOneMeaning(CheckedGraph graph, string name)
    {
        if (graph.IsUnclear(name))
        {
            throw faults.Twice(graph, name);
        }
    }

    private OnnxFormatException Bad(CheckedGraph graph, NodeProto node, string what, string advice)
        => faults.Fault($"{NodeText.Format(node)}{graph.Place} {what}", advice);

    private static string Number(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";
}
