using Espalier.Onnx;

namespace Espalier.Axes.Graph;

/// <summary>One node with its place: nodes of subgraphs come right after the node that holds them.</summary>
/// <param name="Ordinal">Number in the walk over the model, subgraphs included; the same for every clone of the model.</param>
/// <param name="Proto">The node as it stands in the file.</param>
/// <param name="Scope">Number of the graph that holds it: 0 for the main graph.</param>
internal sealed record NodeInfo(int Ordinal, NodeProto Proto, int Scope)
{
    /// <summary>Operator and name, as messages give them.</summary>
    public override string ToString() => $"{Proto.OpType} '{(Proto.Name.Length > 0 ? Proto.Name : Proto.Output.FirstOrDefault() ?? "")}'";
}
