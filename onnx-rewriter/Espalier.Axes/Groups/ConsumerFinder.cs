using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Operators.Table;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.Axes.Groups;

/// <summary>Finds the products of an activation with a weight that contract prunable units.</summary>
internal sealed class ConsumerFinder
{
    private readonly InferenceState _state;
    private readonly StoredWeights _stored;
    private readonly ILookup<TensorState, NodeRecord> _readers;
    private readonly HashSet<TensorState> _results;

    private ConsumerFinder(InferenceState state, IEnumerable<TensorState> graphOutputs,
        Lazy<IReadOnlyDictionary<string, Dequantization>> dequantizations)
    {
        (_state, _stored, _results) = (state, new(state, dequantizations), [.. graphOutputs]);
        _readers = state.Records.SelectMany(r => r.Inputs.Where(i => i is not null).Select(i => (Input: i!, Record: r)))
            .ToLookup(p => p.Input, p => p.Record);
    }

    public static List<Consumer> Find(InferenceState state, IReadOnlyDictionary<Factor, Group> groups,
        IEnumerable<TensorState> graphOutputs,
        Lazy<IReadOnlyDictionary<string, Dequantization>> dequantizations)
        => Find(state, graphOutputs, dequantizations, 0, contracted => IsPrunable(contracted, groups));

    /// <summary>The products that contract nothing that may go, numbered from <paramref name="first"/> on.</summary>
    public static List<Consumer> FindOthers(InferenceState state, IReadOnlyDictionary<Factor, Group> groups,
        IEnumerable<TensorState> graphOutputs,
        Lazy<IReadOnlyDictionary<string, Dequantization>> dequantizations, int first)
        => Find(state, graphOutputs, dequantizations, first, contracted => !IsPrunable(contracted, groups));

    private static bool IsPrunable(Term contracted, IReadOnlyDictionary<Factor, Group> groups)
        => contracted.Leaves.Any(l => groups.TryGetValue(l, out var g) && g.Exactness != Exactness.Frozen);

    private static List<Consumer> Find(InferenceState state, IEnumerable<TensorState> graphOutputs,
        Lazy<IReadOnlyDictionary<string, Dequantization>> dequantizations, int first, Predicate<Term> counts)
    {
        var finder = new ConsumerFinder(state, graphOutputs, dequantizations);
        var consumers = new List<Consumer>();
        foreach (var record in state.Records)
            if (finder.Of(record, counts, first + consumers.Count) is { } consumer) consumers.Add(consumer);
        return consumers;
    }

    private Consumer? Of(NodeRecord record, Predicate<Term> counts, int id)
    {
        if (record.Contraction is not { } product || record.IsFused) return null;
        var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
        if (left.IsConstant == right.IsConstant) return null;
        bool weightRight = right.IsConstant;
        var (activation, factor) = weightRight ? (left, right) : (right, left);
        // Statistics of integers would be those of codes, not of numbers.
        if (DataTypes.IsInteger((TensorProto.Types.DataType)activation.ElementType) || _stored.Of(factor) is not { } stored) return null;
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
        if (contracted.Select(c => c.Weight).Distinct().Count() != 1 || outputAxis < 0) return null;
        var (activationAxis, parameterAxis) = contracted[0];
        var term = factor.Terms![parameterAxis];
        if (!counts(term)) return null;
        var own = product.Bias >= 0 ? record.Inputs[product.Bias] : null;
        string? bias = own is not null ? _stored.Of(own)?.Weight.Name : FollowingBias(record, factor.Terms[outputAxis]);
        return new(id, record.Info, record.IsConvolution ? ConsumerKind.Convolution : ConsumerKind.MatrixProduct)
        {
            Activation = activation.Name,
            ActivationAxis = activationAxis,
            Parameter = stored.Weight.Name,
            ParameterAxis = stored.Axes[parameterAxis],
            OutputAxis = stored.Axes[outputAxis],
            Contracted = term,
            Batched = batched,
            Bias = bias,
            HasComputedBias = own is not null && bias is null,
            BiasScale = BiasScale(record.Info.Proto),
        };
    }

    private static double BiasScale(NodeProto node)
    {
        var (product, added) = OperatorTable.FactsOf(node).FirstOrDefault(f => f.Scaled is not null)?.Scaled ?? ("", null);
        double alpha = Factor(product), beta = Factor(added);
        return beta == 0 ? 0 : alpha / beta;

        double Factor(string? attribute) => node.Attribute.FirstOrDefault(a => a.Name == attribute)?.F ?? 1;
    }

    /// <summary>The constant of an Add that is the only reader of the product, one element per output channel.</summary>
    private string? FollowingBias(NodeRecord record, Term output)
    {
        if (record.IsConvolution || _results.Contains(record.Outputs[0])
            || _readers[record.Outputs[0]].ToList() is not [{ Info.Proto.OpType: "Add" } add]) return null;
        if (add.Inputs.FirstOrDefault(i => i != record.Outputs[0]) is not { Source: null, Terms: { } terms } other
            || _readers[other].Count() != 1) return null;
        if (_stored.Of(other) is not { Weight: { Source: null } weight } || _readers[weight].Count() != 1) return null;
        var wide = terms.Where(t => !t.IsOne).ToList();
        return wide.Count == 1 && !terms[^1].IsOne && wide[0].Size == output.Size ? weight.Name : null;
    }
}
