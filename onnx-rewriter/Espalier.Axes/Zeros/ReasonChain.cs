using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Zeros;

/// <summary>The shortest ways through the graph from tensors to the operators that froze their factors, or made them inexact.</summary>
/// <remarks>One walk per factor, from the reason outwards, serves every tensor that carries the factor.</remarks>
internal sealed class ReasonChain(InferenceState state)
{
    private readonly Lazy<Dictionary<TensorState, List<NodeRecord>>> _touching = new(() =>
    {
        var touching = new Dictionary<TensorState, List<NodeRecord>>();
        foreach (var record in state.Records)
            foreach (var tensor in Tensors(record))
                (touching.TryGetValue(tensor, out var list) ? list : touching[tensor] = []).Add(record);
        return touching;
    });

    // Per factor: from a tensor, the operator and the tensor that are one step nearer to the reason; null at the reason itself.
    private readonly Dictionary<Factor, Dictionary<TensorState, (TensorState? Next, NodeRecord? Record)>> _ways = [];

    /// <summary>
    /// Tensors and operators in turn, from <paramref name="from"/> to where <paramref name="mark"/> was made, every tensor on
    /// the way carrying the factor.
    /// </summary>
    public IReadOnlyList<string> Find(TensorState from, Factor factor, Mark mark)
    {
        if (!_ways.TryGetValue(factor, out var ways)) _ways[factor] = ways = Walk(factor, mark);
        if (!ways.ContainsKey(from)) return [];
        var steps = new List<string>();
        for (TensorState? tensor = from; tensor is not null;)
        {
            steps.Add($"tensor '{tensor.Name}'");
            var (next, record) = ways[tensor];
            if (record is not null) steps.Add(record.Info.ToString());
            tensor = next;
        }
        return steps;
    }

    private Dictionary<TensorState, (TensorState?, NodeRecord?)> Walk(Factor factor, Mark mark)
    {
        var ways = new Dictionary<TensorState, (TensorState?, NodeRecord?)>();
        var queue = new Queue<TensorState>();
        // The interface and weights are marked at their tensor, everything else at a node.
        if (mark.Node < 0)
        {
            foreach (var tensor in _touching.Value.Keys)
                if (tensor.Name == mark.Tensor) Reach(tensor, null, null);
        }
        else
        {
            foreach (var tensor in Tensors(state.Records[mark.Node])) Reach(tensor, null, state.Records[mark.Node]);
        }
        while (queue.TryDequeue(out var tensor))
            foreach (var record in _touching.Value.GetValueOrDefault(tensor) ?? [])
                foreach (var other in Tensors(record)) Reach(other, tensor, record);
        return ways;

        void Reach(TensorState tensor, TensorState? next, NodeRecord? record)
        {
            if (tensor.Terms?.Any(t => t.Has(factor)) == true && ways.TryAdd(tensor, (next, record))) queue.Enqueue(tensor);
        }
    }

    private static IEnumerable<TensorState> Tensors(NodeRecord record)
        => record.Inputs.OfType<TensorState>().Concat(record.Outputs).Distinct();
}
