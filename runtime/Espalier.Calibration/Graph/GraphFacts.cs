using Espalier.Onnx;

namespace Espalier.Calibration.Graph;

/// <summary>What can be read off a file without running it.</summary>
internal static class GraphFacts
{
    /// <summary>Shapes of all weights of the main graph: initializers, and outputs of Constant and ConstantOfShape nodes.</summary>
    public static Dictionary<string, IReadOnlyList<long>> WeightShapes(OnnxModel model)
    {
        var shapes = new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal);
        var tensors = new Dictionary<string, TensorProto>(StringComparer.Ordinal);
        foreach (var tensor in model.Proto.Graph.Initializer)
        {
            shapes[tensor.Name] = tensor.Dims;
            tensors[tensor.Name] = tensor;
        }
        foreach (var node in model.Proto.Graph.Node)
        {
            if (node.OpType == "Constant" && node.Attribute("value")?.T is { } value)
            {
                shapes[node.Output[0]] = value.Dims;
                tensors[node.Output[0]] = value;
            }
            else if (node.OpType == "ConstantOfShape" && tensors.TryGetValue(node.Input[0], out var shape))
            {
                shapes[node.Output[0]] = model.Content(shape).ToLongs();
            }
        }
        return shapes;
    }

    /// <summary>Names of all tensors of the main graph.</summary>
    public static HashSet<string> Names(OnnxModel model)
    {
        var graph = model.Proto.Graph;
        return graph.Node.SelectMany(n => n.Output).Concat(graph.Input.Select(i => i.Name)).Concat(graph.Initializer.Select(i => i.Name))
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Inputs that a caller must give: graph inputs without an initializer.</summary>
    public static IReadOnlyList<ValueInfoProto> Inputs(OnnxModel model)
    {
        var weights = model.Proto.Graph.Initializer.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        return [.. model.Proto.Graph.Input.Where(i => !weights.Contains(i.Name))];
    }

    /// <summary>ONNX's name of an element type.</summary>
    public static string ElementName(int dataType) => (TensorProto.Types.DataType)dataType switch
    {
        TensorProto.Types.DataType.Float => "float32",
        TensorProto.Types.DataType.Double => "float64",
        TensorProto.Types.DataType.Bfloat16 => "bfloat16",
        var other => other.ToString().ToLowerInvariant(),
    };

    public static long Int(this NodeProto node, string name, long otherwise)
        => node.Attribute(name)?.I ?? otherwise;

    public static long[]? Ints(this NodeProto node, string name)
        => node.Attribute(name) is { } a ? [.. a.Ints] : null;

    public static AttributeProto? Attribute(this NodeProto node, string name) => node.Attribute.FirstOrDefault(a => a.Name == name);

    /// <summary>The set of ONNX's own operators that a model imports.</summary>
    public static OperatorSetIdProto? StandardSet(ModelProto model) => model.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx");
}
