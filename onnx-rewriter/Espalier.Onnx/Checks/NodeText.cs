using Espalier.Onnx.Limits;

namespace Espalier.Onnx.Checks;

/// <summary>Refusals of one file.</summary>
internal sealed class CheckFaults(string? path)
{
    public OnnxFormatException Fault(string what, string advice) => new(what, advice, path);

    public OnnxFormatException Twice(CheckedGraph graph, string name)
        => Fault($"the name '{name}' is defined twice{graph.Place}: {NodeText.Definers(graph, name)}",
            "Give every tensor a name of its own.");
}

/// <summary>Nodes in sentences, and the two that are no computation.</summary>
internal static class NodeText
{
    /// <summary>The function's name with its domain.</summary>
    public static string Format(FunctionProto function) => Operator(function.Domain, function.Name);

    /// <summary>The node by its name, else by what it makes, with its operator.</summary>
    public static string Format(NodeProto node)
    {
        var type = node.OpType.Length > 0 ? Operator(node.Domain, node.OpType) : "no operator";
        return node.Name.Length > 0 ? $"node '{node.Name}' ({type})"
            : node.Output.FirstOrDefault(o => o.Length > 0) is { } output ? $"the node that makes '{output}' ({type})"
            : $"a node without name and results ({type})";
    }

    /// <summary>An operator with its domain, where that is not the default one.</summary>
    public static string Operator(string domain, string type) => OperatorSchemas.Domain(domain).Length == 0 ? type : $"{domain}.{type}";

    public static bool IsConstant(NodeProto node) => node.OpType == "Constant" && OperatorSchemas.Domain(node.Domain).Length == 0;

    /// <summary>A node that reads and makes nothing, which ONNX Runtime drops from the model's own graph.</summary>
    public static bool IsNothing(CheckedGraph graph, NodeProto node) => graph.Outer is null && node.Input.Count == 0
        && node.Output.Count == 0;

    /// <summary>What defines a name, for one that is defined more than once.</summary>
    public static string Definers(CheckedGraph graph, string name)
    {
        var inputs = graph.Graph?.Input.Count(i => i.Name == name) ?? 0;
        var initializers = graph.Graph is { } proto
            ? proto.Initializer.Count(t => t.Name == name) + proto.SparseInitializer.Count(t => t.Values?.Name == name) : 0;
        List<string> all =
        [
            .. Enumerable.Repeat("an input", inputs), .. Enumerable.Repeat("an initializer", initializers),
            .. graph.Nodes.SelectMany(n => n.Output.Where(o => o == name).Select(_ => $"an output of {Described(n, name)}")),
        ];
        // A parameter of a function that is defined once more.
        return all.Count > 1 ? string.Join(" and ", all) : $"an input and {(all.Count == 1 ? all[0] : "another input")}";
    }

    private static string Described(NodeProto node, string name)
        => node.Name.Length > 0 || node.Output.First(o => o.Length > 0) != name ? Format(node)
            : $"a node without name ({Operator(node.Domain, node.OpType)})";
}
