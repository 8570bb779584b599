using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Zeros;

/// <summary>
/// What the readers of a tensor take for zero. A quantised weight is masked with the zero point of the operator that dequantises or
/// multiplies it, seen through operators that only move elements; scales, zero points and divisors are not masked at all: a scale of
/// zero would divide by zero, and another zero point would make the weight nonzero.
/// </summary>
internal sealed class ZeroDemands
{
    private readonly Dictionary<TensorState, HashSet<ZeroPoint?>> _demands = [];
    private readonly HashSet<TensorState> _unmasked = [];

    public ZeroDemands(InferenceState state)
    {
        for (int n = state.Records.Count - 1; n >= 0; n--)
        {
            var record = state.Records[n];
            for (int k = 0; k < record.Inputs.Length; k++)
            {
                if (record.Inputs[k] is not { } operand) continue;
                // What one reader sees as its own is one tensor of the file.
                var tensor = operand.Source ?? operand;
                // The second operand that must not be zero divides.
                if ((k == 1 && record.Poles.Contains(1)) || record.Quantized.Any(q => q.Scale == k || q.Point == k)) _unmasked.Add(tensor);
                else if (record.Quantized.FirstOrDefault(q => q.Operand == k) is { } quantized)
                    Of(tensor).Add(ZeroPoint.Find(state.Model, record, quantized));
                else if (record.Moved?.Contains(k) == true)
                {
                    foreach (var output in record.Outputs)
                    {
                        if (_unmasked.Contains(output)) _unmasked.Add(tensor);
                        foreach (var point in Of(output)) Of(tensor).Add(point is { IsUniform: false } ? ZeroPoint.Unknown : point);
                    }
                }
                else Of(tensor).Add(null);
            }
        }
    }

    /// <summary>Whether the tensor keeps its values in the masked model.</summary>
    public bool IsUnmasked(TensorState tensor) => _unmasked.Contains(tensor.Source ?? tensor);

    /// <summary>
    /// The zero point that a weight is masked with; false where its readers demand several, or one that is not in the file.
    /// </summary>
    public bool TryPoint(TensorState tensor, out ZeroPoint? point)
    {
        var demands = Of(tensor);
        point = demands.FirstOrDefault();
        return demands.Count <= 1 && (point is null || point.Value is not null || point.Tensor is { Data: not null });
    }

    private HashSet<ZeroPoint?> Of(TensorState tensor)
    {
        tensor = tensor.Source ?? tensor;
        return _demands.TryGetValue(tensor, out var set) ? set : _demands[tensor] = [];
    }
}
