namespace Espalier.Axes;

/// <summary>The shortest way through the graph from a tensor to the operator that froze one of its factors, or made it inexact.</summary>
internal static class ReasonChain
{
    /// <summary>Operators and tensors from <paramref name="from"/> to where <paramref name="mark"/> was made, every tensor on the way carrying the factor.</summary>
    public static IReadOnlyList<string> Find(InferenceState state, TensorState from, Factor factor, Mark mark)
    {
        var touching = new Dictionary<TensorState, List<NodeRecord>>();
        foreach (var record in state.Records)
            foreach (var tensor in Tensors(record))
                (touching.TryGetValue(tensor, out var list) ? list : touching[tensor] = []).Add(record);
        var came = new Dictionary<TensorState, (TensorState Tensor, NodeRecord Record)>();
        var seen = new HashSet<TensorState> { from };
        var queue = new Queue<TensorState>([from]);
        while (queue.TryDequeue(out var tensor))
        {
            // The interface is marked at its tensor, everything else at a node.
            if (mark.Node < 0 && mark.Reason.Contains($"'{tensor.Name}'", StringComparison.Ordinal)) return Path(tensor, null);
            foreach (var record in touching.GetValueOrDefault(tensor) ?? [])
            {
                if (record.Info.Ordinal == mark.Node) return Path(tensor, record);
                foreach (var next in Tensors(record))
                {
                    if (next.Terms?.Any(t => t.Leaves.Contains(factor)) != true || !seen.Add(next)) continue;
                    came[next] = (tensor, record);
                    queue.Enqueue(next);
                }
            }
        }
        return [];

        IReadOnlyList<string> Path(TensorState end, NodeRecord? last)
        {
            var steps = new List<string>();
            if (last is not null) steps.Add(last.Info.ToString());
            for (var tensor = end; ;)
            {
                steps.Add($"tensor '{tensor.Name}'");
                if (!came.TryGetValue(tensor, out var step)) break;
                steps.Add(step.Record.Info.ToString());
                tensor = step.Tensor;
            }
            steps.Reverse();
            return steps;
        }

        static IEnumerable<TensorState> Tensors(NodeRecord record) => record.Inputs.OfType<TensorState>().Concat(record.Outputs).Distinct();
    }
}
