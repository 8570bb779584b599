using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Table;

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
    public static AttentionProjections Find(AxisAnalysis analysis)
    {
        // What runs along the residual stream was made by other sublayers.
        var streams = analysis.Blocks.SelectMany(b => new[] { b.Input, b.Output }).ToHashSet(StringComparer.Ordinal);
        var upstream = new Upstream(analysis.State, t => t is { Producer: >= 0, IsConstant: false } && !streams.Contains(t.Name));
        HashSet<int> queries = [], keys = [], values = [];
        foreach (var record in analysis.State.Records)
            foreach (var (query, key, value) in Operands(upstream, record))
            {
                Made(query, queries);
                Made(key, keys);
                Made(value, values);
            }
        return new(queries, keys, values);

        void Made(TensorState? tensor, HashSet<int> by)
        {
            if (tensor is not null) by.UnionWith(upstream.Nearest(tensor, IsOfWeight).Select(r => r.Info.Ordinal));
        }
    }

    private static bool IsOfWeight(NodeRecord record)
        => record.Contraction is { } product && record.Inputs[product.Left]!.IsWeight != record.Inputs[product.Right]!.IsWeight;

    /// <summary>Queries, keys and values of an attention that a node computes, or that ends in it.</summary>
    private static IEnumerable<(TensorState? Query, TensorState? Key, TensorState? Value)> Operands(Upstream upstream, NodeRecord record)
    {
        if (OperatorTable.FactsOf(record.Info.Proto).FirstOrDefault(f => f.Attention is not null)?.Attention is var (at, with, of))
        {
            var inputs = record.Inputs;
            yield return (inputs.ElementAtOrDefault(at), inputs.ElementAtOrDefault(with), inputs.ElementAtOrDefault(of));
            yield break;
        }
        if (OfActivations(record) is not var (left, right)) yield break;
        foreach (var (map, other) in new[] { (left, right), (right, left) })
        {
            if (upstream.Nearest(map, r => r.Info.Proto.OpType == "Softmax") is not [var softmax, ..]
                || softmax.Inputs[0] is not { Terms: { } terms } normalised) continue;
            if (upstream.Nearest(normalised, r => OfActivations(r) is not null && r.Outputs[0].Terms?.Length == terms.Length)
                is not [var scores, ..]) continue;
            long axis = softmax.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? -1;
            if (axis < 0) axis += terms.Length;
            var product = scores.Contraction!;
            var along = product.Axes.FirstOrDefault(a => a.Output == axis);
            if (along.Term is null || along.Left >= 0 == along.Right >= 0) continue;
            var (query, key) = along.Left >= 0 ? (product.Right, product.Left) : (product.Left, product.Right);
            yield return (scores.Inputs[query], scores.Inputs[key], other);
        }
    }

    private static (TensorState Left, TensorState Right)? OfActivations(NodeRecord record)
        => record.Contraction is { } product && record.Inputs[product.Left] is { IsWeight: false } left
            && record.Inputs[product.Right] is { IsWeight: false } right ? (left, right) : null;
}
