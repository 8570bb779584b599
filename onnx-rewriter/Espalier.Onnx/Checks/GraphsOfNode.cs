namespace Espalier.Onnx.Checks;

/// <summary>
/// Whether the graphs inside of a node take and give what the node does, and a constant holds one value: what numbers in a table cannot
/// say.
/// </summary>
internal static class GraphsOfNode
{
    /// <summary>What is wrong, as the rest of a sentence on the node; null when nothing is.</summary>
    public static string? Fault(NodeProto node, long set)
    {
        if (OperatorSchemas.Domain(node.Domain).Length > 0)
        {
            return null;
        }
        switch (node.OpType)
        {
            case "Constant":
                return node.Attribute.Count == 1 ? null : $"has {node.Attribute.Count} attributes; it must have the one that is its value";
            case "If":
                return node.Attribute.Select(a => Fault(a, 0, node.Output.Count)).FirstOrDefault(f => f is not null);
            case "Loop":
                // The body gets the step and the condition first, and gives the condition back first.
                return Fault(Body(node), node.Input.Count, node.Output.Count + 1);
            case "Scan":
                // Up to operator set 8 the first input was the lengths of the sequences.
                var given = node.Input.Count - (set < 9 ? 1 : 0);
                var sequences = node.Attribute.FirstOrDefault(a => a.Name == "num_scan_inputs")?.I ?? 0;
                return sequences < 1 || sequences > given ? $"scans {sequences} of {given} inputs"
                    : Fault(Body(node), given, node.Output.Count);
            default:
                return null;
        }
    }

    private static AttributeProto? Body(NodeProto node) => node.Attribute.FirstOrDefault(a => a.Name == "body");

    private static string? Fault(AttributeProto? attribute, int inputs, int outputs)
    {
        if (attribute?.G is not { } graph)
        {
            // It refers to an attribute of the function that the node is in.
            return null;
        }
        // Inputs with a default need not be given.
        var defaults = graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        return graph.Input.Count != inputs && graph.Input.Count(i => !defaults.Contains(i.Name)) != inputs
            ? $"gives {attribute.Name} {inputs} inputs where it takes {graph.Input.Count}"
            : graph.Output.Count != outputs ? $"takes {outputs} outputs of {attribute.Name}, which gives {graph.Output.Count}" : null;
    }
}
