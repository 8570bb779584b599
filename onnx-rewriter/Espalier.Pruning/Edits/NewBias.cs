using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.Pruning.Edits;

/// <summary>Gives a product a bias that has none.</summary>
internal static class NewBias
{
    /// <summary>Writes it.</summary>
    /// <param name="bias">One number per output channel that is left.</param>
    /// <returns>Name of the new weight.</returns>
    public static string Write(EditableGraph graph, Consumer consumer, float[] bias)
    {
        string name = graph.FreshName($"{consumer.Node.Proto.Output[0]}_bias");
        var type = (TensorProto.Types.DataType)graph.Analysis.State.Records[consumer.Node.Ordinal].Outputs[0].ElementType;
        if (!DataTypes.IsFloat(type)) type = TensorProto.Types.DataType.Float;
        graph.AddInitializer(consumer.Node.Scope,
            graph.Analysis.Model.NewTensor(name, type, [bias.Length], TensorContent.FromFloats(type, bias)));
        var node = graph.Node(consumer.Node.Ordinal);
        if (consumer.Kind == ConsumerKind.Convolution || node.OpType == "Gemm")
        {
            while (node.Input.Count < 3) node.Input.Add("");
            node.Input[2] = name;
            return name;
        }
        // The weight is the right operand, so that its output is the last axis of the result.
        string product = graph.FreshName($"{node.Output[0]}_product");
        var add = EditableGraph.NewNode("Add", product + "_Add", node.Output[0], product, name);
        node.Output[0] = product;
        graph.InsertAfter(consumer.Node.Ordinal, add);
        return name;
    }
}
