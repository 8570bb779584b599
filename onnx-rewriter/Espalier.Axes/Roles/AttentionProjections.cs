using Espalier.Axes.Graph;

namespace Espalier.Axes.Roles;

/// <summary>
/// The products with weights that make queries, keys and values of attention. Of the product that makes the scores, keys are
/// the operand along whose free axis the softmax runs; values are what the softmax's result is multiplied with. Operators that
/// compute a whole attention name them by position. Names play no part.
/// </summary>
/// <param name="Queries">Ordinals of the nodes that make queries.</param>
/// <param name="Keys">Those that make keys.</param>
/// <param name="Values">Those that make values.</param>
internal sealed record AttentionProjections(IReadOnlySet<int> Queries, IReadOnlySet<int> Keys, IReadOnlySet<int> Values)
{
    /// <summary>Finds them.</summary>
    public static AttentionProjections Find(AxisAnalysis analysis)
    {
        HashSet<int> queries = [], keys = [], values = [];
        if (analysis.State is not { } state) return new(queries, keys, values);
        // What runs along the residual stream was made by other sublayers.
        var streams = analysis.Blocks.SelectMany(b => new[] { b.Input, b.Output }).ToHashSet(StringComparer.Ordinal);
        foreach (var record in state.Records)
        {
            if (record.Info.Proto.OpType is "MultiHeadAttention" or "GroupQueryAttention"
                || record.Info.Proto is { OpType: "Attention", Domain: "" or "ai.onnx" })
            {
                Made(record.Inputs.ElementAtOrDefault(0), queries);
                Made(record.Inputs.ElementAtOrDefault(1), keys);
                Made(record.Inputs.ElementAtOrDefault(2), values);
                continue;
            }
            if (OfActivations(record) is not var (left, right)) continue;
            foreach (var (map, other) in new[] { (left, right), (right, left) })
            {
                if (Upstream(map, r => r.Info.Proto.OpType == "Softmax") is not [var softmax, ..]
                    || softmax.Inputs[0] is not { Terms: { } terms } normalised) continue;
                if (Upstream(normalised, r => OfActivations(r) is not null
                    && r.Outputs[0].Terms?.Length == terms.Length) is not [var scores, ..]) continue;
                long axis = softmax.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? -1;
                if (axis < 0) axis += terms.Length;
                var along = scores.Contraction!.Axes.FirstOrDefault(a => a.Output == axis);
                if (along.Term is null || along.Left >= 0 == along.Right >= 0) continue;
                var (q, k) = along.Left >= 0
                    ? (scores.Contraction.Right, scores.Contraction.Left)
                    : (scores.Contraction.Left, scores.Contraction.Right);
                Made(scores.Inputs[q], queries);
                Made(scores.Inputs[k], keys);
                Made(other, values);
            }
        }
        return new(queries, keys, values);

        void Made(TensorState? tensor, HashSet<int> by)
        {
            if (tensor is not null)
                by.UnionWith(Upstream(tensor, r => r.Contraction is { } c && r.Inputs[c.Left]!.IsWeight != r.Inputs[c.Right]!.IsWeight)
                    .Select(r => r.Info.Ordinal));
        }

        // The nearest records of a kind, up to products and the residual stream.
        List<NodeRecord> Upstream(TensorState from, Predicate<NodeRecord> wanted)
        {
            var found = new List<NodeRecord>();
            var seen = new HashSet<TensorState>();
            var open = new Queue<TensorState>([from]);
            while (open.TryDequeue(out var tensor))
            {
                if (tensor.Producer < 0 || tensor.IsConstant || !seen.Add(tensor) || streams.Contains(tensor.Name)) continue;
                var record = state.Records[tensor.Producer];
                if (wanted(record)) found.Add(record);
                else if (record.Contraction is null)
                    foreach (var input in record.Inputs.OfType<TensorState>()) open.Enqueue(input);
            }
            return found;
        }
    }

    private static (TensorState Left, TensorState Right)? OfActivations(NodeRecord record)
        => record.Contraction is { } product && record.Inputs[product.Left] is { IsWeight: false } left
            && record.Inputs[product.Right] is { IsWeight: false } right ? (left, right) : null;
}
