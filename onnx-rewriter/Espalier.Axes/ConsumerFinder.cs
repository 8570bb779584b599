namespace Espalier.Axes;

/// <summary>Finds the products of an activation with a weight that contract prunable units.</summary>
internal static class ConsumerFinder
{
    public static List<Consumer> Find(InferenceState state, IReadOnlyDictionary<Factor, Group> groups, IEnumerable<TensorState> graphOutputs)
    {
        var readers = state.Records.SelectMany(r => r.Inputs.Where(i => i is not null).Select(i => (Input: i!, Record: r))).ToLookup(p => p.Input, p => p.Record);
        var results = graphOutputs.ToHashSet();
        var consumers = new List<Consumer>();
        foreach (var record in state.Records)
        {
            if (record.Contraction is not { } product || record.IsFused) continue;
            var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
            if (left.IsConstant == right.IsConstant) continue;
            bool weightRight = right.IsConstant;
            var (activation, weight) = weightRight ? (left, right) : (right, left);
            if (!weight.IsParameter || !weight.IsFloating) continue;
            var contracted = new List<(int Activation, int Weight)>();
            int outputAxis = -1;
            bool batched = false;
            foreach (var (_, l, r, o) in product.Axes)
            {
                var (a, w) = weightRight ? (l, r) : (r, l);
                if (w >= 0 && a >= 0 && o < 0) contracted.Add((a, w));
                else if (w >= 0 && a >= 0) batched = true;
                else if (w >= 0 && o >= 0) outputAxis = w;
            }
            if (contracted.Select(c => c.Weight).Distinct().Count() != 1 || outputAxis < 0) continue;
            var (activationAxis, parameterAxis) = contracted[0];
            var term = weight.Terms![parameterAxis];
            if (!term.Leaves.Any(l => groups.TryGetValue(l, out var g) && g.Exactness != Exactness.Frozen)) continue;
            string? bias = product.Bias >= 0 ? (record.Inputs[product.Bias] is { IsParameter: true } b ? b.Name : null) : FollowingBias(record, weight.Terms[outputAxis]);
            consumers.Add(new(consumers.Count, record.Info, record.IsConvolution ? ConsumerKind.Convolution : ConsumerKind.MatrixProduct, activation.Name, activationAxis,
                weight.Name, parameterAxis, outputAxis, term, batched, bias));
        }
        return consumers;

        // The constant of an Add that is the only reader of the product, one element per output channel.
        string? FollowingBias(NodeRecord record, Term output)
        {
            if (record.IsConvolution || results.Contains(record.Outputs[0]) || readers[record.Outputs[0]].ToList() is not [{ Info.Proto.OpType: "Add" } add]) return null;
            var other = add.Inputs.FirstOrDefault(i => i != record.Outputs[0]);
            if (other is not { IsParameter: true, IsFloating: true, Source: null, Terms: { } terms } || readers[other].Count() != 1) return null;
            var wide = terms.Where(t => !t.IsOne).ToList();
            return wide.Count == 1 && !terms[^1].IsOne && wide[0].Size == output.Size ? other.Name : null;
        }
    }
}
