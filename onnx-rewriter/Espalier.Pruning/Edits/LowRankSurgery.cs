using Espalier.Onnx.Payloads;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Edits;

/// <summary>
/// Writes factors into the graph: a MatMul with the first in front of every node that read the weight, which then reads the second.
/// </summary>
internal static class LowRankSurgery
{
    /// <summary>Replaces the weight.</summary>
    /// <param name="inputs">Inputs that are left.</param>
    /// <param name="outputs">Outputs that are left.</param>
    /// <returns>Names of both factors.</returns>
    public static (string Down, string Up) Apply(EditableGraph graph, LowRankFactors factors, int[] inputs, int[] outputs)
    {
        var (target, rank) = (factors.Target, factors.Rank);
        int dense = factors.Up.Length / rank;
        var (a, b) = (new float[inputs.Length * rank], new float[rank * outputs.Length]);
        for (int i = 0; i < inputs.Length; i++)
            for (int r = 0; r < rank; r++)
                a[target.IsLeft ? (r * inputs.Length) + i : (i * rank) + r] = factors.Down[(inputs[i] * rank) + r];
        for (int r = 0; r < rank; r++)
            for (int o = 0; o < outputs.Length; o++)
                b[target.Transposed ? (o * rank) + r : (r * outputs.Length) + o] = factors.Up[(r * dense) + outputs[o]];
        int scope = target.Consumers[0].Node.Scope;
        string down = Add("_down", a, target.IsLeft ? [rank, inputs.Length] : [inputs.Length, rank]);
        string up = Add("_up", b, target.Transposed ? [outputs.Length, rank] : [rank, outputs.Length]);
        foreach (var reader in target.Consumers)
        {
            var node = graph.Node(reader.Node.Ordinal);
            string activation = node.Input[1 - target.Operand], hidden = graph.FreshName($"{node.Output[0]}_rank");
            graph.InsertBefore(reader.Node.Ordinal,
                EditableGraph.NewNode("MatMul", hidden + "_MatMul", hidden, target.IsLeft ? [down, activation] : [activation, down]));
            (node.Input[target.Operand], node.Input[1 - target.Operand]) = (up, hidden);
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
}
