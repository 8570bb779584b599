using System.Collections.Immutable;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Groups;

/// <summary>Reads off the operators what the integers of weights stand for.</summary>
internal static class DequantizationFinder
{
    /// <summary>By name of the weight, as its first reader takes it.</summary>
    public static IReadOnlyDictionary<string, Dequantization> Find(InferenceState state)
    {
        var found = new Dictionary<string, Dequantization>(StringComparer.Ordinal);
        var readers = new Lazy<ILookup<TensorState, NodeRecord>>(() =>
            state.Records.SelectMany(r => r.Inputs.Where(i => i is not null).Select(i => (Input: i!, Record: r)))
                .ToLookup(p => p.Input, p => p.Record));
        foreach (var record in state.Records)
        {
            foreach (var packed in record.Packed)
                if (Weight(record, packed.Operand) is { } weight && Weight(record, packed.Scale) is { } scale)
                    found.TryAdd(weight.Name, new(scale.Name, Weight(record, packed.Point)?.Name, [], packed.Bits));
            foreach (var quantized in record.Quantized)
            {
                if (quantized.Operand < 0 || Weight(record, quantized.Operand) is not { } weight) continue;
                var scale = quantized.Scale == QuantizedOperand.None
                    ? FollowingScale(state, record, readers.Value)
                    : Weight(record, quantized.Scale);
                var point = Weight(record, quantized.Point);
                // A scale that the graph computes from its inputs says nothing of one unit against another only if there is one for all.
                if (scale is null && quantized.Scale != QuantizedOperand.None) continue;
                var shaped = scale is { } s && !IsOne(s) ? s : point is { } z && !IsOne(z) ? z : null;
                if (Axes(weight, shaped) is { } axes) found.TryAdd(weight.Name, new(scale?.Name, point?.Name, axes, 0));
            }
        }
        return found;
    }

    private static TensorState? Weight(NodeRecord record, int operand)
        => operand >= 0 && record.Inputs.ElementAtOrDefault(operand) is { IsParameter: true, Terms: not null } tensor ? tensor : null;

    private static bool IsOne(TensorState tensor) => tensor.Terms!.All(t => t.IsOne);

    /// <summary>Equal rank: axis by axis, in blocks. Else every axis lies along the one whose units it shares.</summary>
    private static ImmutableArray<int>? Axes(TensorState weight, TensorState? scale)
    {
        if (scale is null) return [];
        var (axes, terms) = (scale.Terms!, weight.Terms!);
        if (axes.Length == terms.Length) return [.. Enumerable.Range(0, axes.Length)];
        var along = ImmutableArray.CreateBuilder<int>();
        foreach (var axis in axes)
        {
            int from = along.Count == 0 ? 0 : along[^1] + 1;
            int at = Array.FindIndex(terms, Math.Min(from, terms.Length), t => t.Size == axis.Size
                && (axis.IsOne || t.Leaves.Any(axis.Leaves.Contains)));
            if (at < 0) return null;
            along.Add(at);
        }
        return along.ToImmutable();
    }

    /// <summary>Integer products have no scale: their result is cast and multiplied by the product of both scales.</summary>
    private static TensorState? FollowingScale(InferenceState state, NodeRecord record, ILookup<TensorState, NodeRecord> readers)
    {
        for (var result = record.Outputs[0]; ;)
        {
            if (readers[result].ToList() is not [var reader]) return null;
            switch (reader.Info.Proto.OpType)
            {
                case "Cast":
                    result = reader.Outputs[0];
                    break;
                case "Mul":
                    return Constant(reader.Inputs.FirstOrDefault(i => i != result));
                default:
                    return null;
            }
        }

        // The scale of the weight, itself or in a product with that of the activation.
        TensorState? Constant(TensorState? tensor)
            => tensor is { IsParameter: true, IsFloating: true, Terms: not null } ? tensor
                : tensor is { Producer: >= 0 } && state.Records[tensor.Producer] is { Info.Proto.OpType: "Mul" } product
                    ? product.Inputs.FirstOrDefault(i => i is { IsParameter: true, IsFloating: true, Terms: not null }) : null;
    }
}
