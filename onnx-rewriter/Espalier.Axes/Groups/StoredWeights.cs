using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Groups;

/// <summary>Follows an operand back to the weight of the file whose numbers it holds.</summary>
internal sealed class StoredWeights(InferenceState state, Lazy<IReadOnlyDictionary<string, Dequantization>> dequantizations)
{
    /// <summary>The weight, and for every axis of the operand that of the weight; null where the operand is computed otherwise.</summary>
    public (TensorState Weight, int[] Axes)? Of(TensorState operand)
    {
        if (operand.Terms is null) return null;
        int[] axes = [.. Enumerable.Range(0, operand.Terms.Length)];
        var tensor = operand;
        while (!tensor.IsParameter)
        {
            if (tensor.Producer < 0 || state.Records[tensor.Producer] is not { Inputs: [{ } from, ..] } record
                || record.Outputs[0] != tensor || record.Rule is null) return null;
            // Whether elements are only moved (OperatorTable.Moved) is not enough: every axis must be one of the weight.
            switch (record.Info.Proto.OpType)
            {
                case "Cast" or "Identity" or "QuantizeLinear" or "DequantizeLinear":
                    break;
                case "Transpose" when record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "perm")?.Ints is var order:
                    axes = [.. axes.Select(a => order is null or { Count: 0 } ? axes.Length - 1 - a : (int)order[a])];
                    break;
                default:
                    return null;
            }
            tensor = from;
        }
        return tensor.IsFloating || dequantizations.Value.TryGetValue(tensor.Name, out var meaning) && meaning.PackedBits == 0
            ? (tensor, axes)
            : null;
    }
}
