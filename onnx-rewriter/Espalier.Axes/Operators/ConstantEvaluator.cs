using Espalier.Axes.Graph;
using Espalier.Axes.Sizes;

namespace Espalier.Axes.Operators;

/// <summary>
/// Numbers that follow from integer constants of the file alone, of any rank: computed when an operator asks for them, so that tensors
/// that are data keep their axes. The elements that one analysis may hold are bounded.
/// </summary>
internal sealed class ConstantEvaluator(InferenceState state)
{
    private const int MaxElements = 1 << 16, MaxTotal = 1 << 20;

    private readonly Dictionary<TensorState, SizeTensor?> _known = [];
    private int _total;

    /// <summary>The tensor's elements; null where they are not known.</summary>
    public SizeTensor? Of(TensorState tensor)
    {
        tensor = tensor.Source ?? tensor;
        if (tensor.Value is { } value) return value;
        // Producers before readers, without recursion: a chain of constants may be as long as the file.
        var open = new Stack<TensorState>([tensor]);
        while (open.TryPeek(out var top))
        {
            if (_known.ContainsKey(top) || top.Value is not null || !top.IsConstant)
            {
                open.Pop();
                continue;
            }
            var record = top.Data is null && top.Producer >= 0 ? state.Records[top.Producer] : null;
            var waiting = record?.Inputs.OfType<TensorState>().Select(i => i.Source ?? i)
                .Where(i => i.IsConstant && i.Value is null && !_known.ContainsKey(i)).ToList();
            if (waiting is { Count: > 0 })
            {
                // A tensor is computed from itself in no graph that was opened.
                foreach (var operand in waiting) open.Push(operand);
                continue;
            }
            open.Pop();
            Evaluate(top, record);
        }
        return _known.GetValueOrDefault(tensor);
    }

    private void Evaluate(TensorState tensor, NodeRecord? record)
    {
        _known[tensor] = null;
        int left = Math.Min(MaxElements, MaxTotal - _total);
        if (record is null)
        {
            if (tensor.Data is { } data)
                Keep(tensor, ConstantSizes.OfConstant(state.Model, data, left) ?? ConstantSizes.OfWhole(state.Model, data));
            return;
        }
        var inputs = record.Inputs.Select(i => i is null ? null : i.Value ?? _known.GetValueOrDefault(i.Source ?? i)).ToList();
        if (record.Inputs.Where((i, k) => i is not null && inputs[k] is null).Any()) return;
        if (record.Info.Proto.OpType == "ConstantOfShape") inputs.Add(ConstantSizes.Fill(state.Model, record.Info.Proto));
        var results = SizeOperators.Evaluate(record.Info.Proto, inputs, left);
        for (int k = 0; k < record.Outputs.Length; k++) Keep(record.Outputs[k], results?.ElementAtOrDefault(k));
    }

    private void Keep(TensorState tensor, SizeTensor? value)
    {
        _known[tensor] = value;
        _total += value?.Elements.Length ?? 0;
    }
}
