using Espalier.Onnx;
using Espalier.Onnx.Payloads;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Writes factors into the graph: in front of every node that read the weight a product with the first, of which the node itself then
/// takes the second. Of a convolution the first keeps the window and all that goes with it, and the second is a matrix at each position.
/// </summary>
internal static class LowRankSurgery
{
    /// <summary>What the window of a convolution is made of; the node behind it has none.</summary>
    private static readonly HashSet<string> OfTheWindow = new(StringComparer.Ordinal)
    { "kernel_shape", "strides", "pads", "dilations", "auto_pad" };

    /// <summary>Replaces the weight.</summary>
    /// <param name="inputs">Inputs that are left.</param>
    /// <param name="outputs">Outputs that are left.</param>
    /// <returns>Names of both factors.</returns>
    public static (string Down, string Up) Apply(EditableGraph graph, LowRankFactors factors, int[] inputs, int[] outputs)
    {
        var (target, rank) = (factors.Target, factors.Rank);
        int dense = factors.Up.Length / rank, window = target.Positions;
        var (a, b) = (new float[inputs.Length * window * rank], new float[rank * outputs.Length]);
        for (int i = 0, at = 0; i < inputs.Length; i++)
            for (int w = 0; w < window; w++, at++)
                for (int r = 0; r < rank; r++)
                    a[target.RanksFirst ? (r * inputs.Length * window) + at : (at * rank) + r]
                        = factors.Down[(((inputs[i] * window) + w) * rank) + r];
        for (int r = 0; r < rank; r++)
            for (int o = 0; o < outputs.Length; o++)
                b[target.Transposed ? (o * rank) + r : (r * outputs.Length) + o] = factors.Up[(r * dense) + outputs[o]];
        int scope = target.Consumers[0].Node.Scope;
        string down = Add("_down", a, target.RanksFirst ? [rank, inputs.Length, .. target.Window] : [inputs.Length, rank]);
        string up = Add("_up", b, [.. target.Transposed ? [outputs.Length, rank] : (long[])[rank, outputs.Length],
            .. target.Window.Select(_ => 1L)]);
        foreach (var reader in target.Consumers)
        {
            var node = graph.Node(reader.Node.Ordinal);
            string activation = node.Input[1 - target.Operand], hidden = graph.FreshName($"{node.Output[0]}_rank");
            var first = EditableGraph.NewNode(target.IsConvolution ? node.OpType : "MatMul", $"{hidden}_{node.OpType}", hidden,
                target.IsLeft ? [down, activation] : [activation, down]);
            graph.InsertBefore(reader.Node.Ordinal, first);
            (node.Input[target.Operand], node.Input[1 - target.Operand]) = (up, hidden);
            if (target.IsConvolution) MoveWindow(node, first, target.Window.Count);
        }
        return (down, up);

        string Add(string suffix, float[] values, long[] dims)
        {
            string name = graph.FreshName(target.Weight + suffix);
            graph.AddInitializer(scope,
                graph.Analysis.Model.NewTensor(name, target.Type, dims, TensorContent.FromFloats(target.Type, values)));
            return name;
        }
    }

    private static void MoveWindow(NodeProto node, NodeProto first, int axes)
    {
        first.Attribute.Add(node.Attribute.Where(a => a.Name != "group").Select(a => a.Clone()));
        foreach (var attribute in node.Attribute.Where(a => OfTheWindow.Contains(a.Name)).ToList()) node.Attribute.Remove(attribute);
        var point = new AttributeProto { Name = "kernel_shape", Type = AttributeProto.Types.AttributeType.Ints };
        point.Ints.Add(Enumerable.Repeat(1L, axes));
        node.Attribute.Add(point);
    }
}
