using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Operators.Table;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Roles;

/// <summary>
/// Of the places where a group occurs in weights, those with one meaning: what makes its units, and what only scales them.
/// </summary>
internal sealed class UnitPlaces
{
    private readonly AxisAnalysis _analysis;
    private readonly StoredWeights _stored;
    private readonly Lazy<HashSet<Factor>> _heads;
    private readonly Lazy<Places> _places;

    public UnitPlaces(AxisAnalysis analysis)
    {
        _analysis = analysis;
        _stored = new(analysis.State, new(() => analysis.Dequantizations));
        _places = new(Find);
        _heads = new(() => [.. analysis.Groups.Where(g => g.Kind is Axis.Heads or Axis.KeyValueGroups).Select(g => g.Factor)]);
    }

    /// <summary>Weights of products and convolutions that have the group on an output axis, each once.</summary>
    public IReadOnlyList<Occurrence> Producers(Group group) => Once(_places.Value.Producers[group.Factor]);

    /// <summary>The same with what they read and give, for those in the main graph.</summary>
    public IReadOnlyList<(Occurrence Weight, TensorAxis Input, TensorAxis Output)> Products(Group group)
        => [.. _places.Value.Products[group.Factor].DistinctBy(p => (p.Weight.Tensor, p.Weight.Axis, p.Output))];

    /// <summary>
    /// Products of two computed activations that contract the group, in the main graph: the group's axis in either operand, and
    /// beside it the axis of heads, where both have the same.
    /// </summary>
    public IReadOnlyList<(TensorAxis Left, TensorAxis Right, Term Term)> Contractions(Group group)
    {
        var found = new List<(TensorAxis, TensorAxis, Term)>();
        foreach (var record in _analysis.State.Records)
        {
            if (record.Info.Scope != 0 || record.Contraction is not { } product) continue;
            var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
            if (left.IsWeight || right.IsWeight || left.Terms is null || right.Terms is null) continue;
            var heads = product.Axes.FirstOrDefault(a => a is { Left: >= 0, Right: >= 0, Output: >= 0 }
                && left.Terms[a.Left].Size == right.Terms[a.Right].Size && a.Term.Leaves.Any(_heads.Value.Contains));
            var (l, r) = heads.Term is null ? (-1, -1) : (heads.Left, heads.Right);
            foreach (var axis in product.Axes.Where(a => a is { Left: >= 0, Right: >= 0, Output: < 0 } && a.Term.Has(group.Factor)))
                found.Add((new(left.Name, axis.Left, l), new(right.Name, axis.Right, r), axis.Term));
        }
        return found;
    }

    /// <summary>Scales of normalisations over the group's units; where there are none, constant vectors that multiply them.</summary>
    public IReadOnlyList<Occurrence> Scales(Group group)
        => Once(_places.Value.Norms[group.Factor]) is { Count: > 0 } norms ? norms : Once(_places.Value.Multipliers[group.Factor]);

    private static List<Occurrence> Once(IEnumerable<Occurrence> places) => [.. places.DistinctBy(o => (o.Tensor, o.Axis))];

    private sealed record Places(ILookup<Factor, Occurrence> Producers, ILookup<Factor, Occurrence> Norms,
        ILookup<Factor, Occurrence> Multipliers, ILookup<Factor, (Occurrence Weight, TensorAxis Input, TensorAxis Output)> Products);

    private Places Find()
    {
        var products = new List<(Factor Factor, (Occurrence, TensorAxis, TensorAxis) Place)>();
        List<(Factor Factor, Occurrence Place)> producers = [], norms = [], multipliers = [];
        foreach (var record in _analysis.State.Records)
        {
            if (record.Contraction is { } product) Produced(record, product, producers, products);
            else if (OperatorTable.AffineOf(record.Info.Proto) is var (scale, _)) Scaled(record.Inputs.ElementAtOrDefault(scale), norms);
            else if (record is { Info.Proto.OpType: "Mul", Inputs: [{ } left, { } right] } && left.IsConstant != right.IsConstant)
                Scaled(left.IsConstant ? left : right, multipliers);
        }
        return new(Lookup(producers), Lookup(norms), Lookup(multipliers), products.ToLookup(p => p.Factor, p => p.Place));

        static ILookup<Factor, Occurrence> Lookup(List<(Factor Factor, Occurrence Place)> places)
            => places.ToLookup(p => p.Factor, p => p.Place);
    }

    private void Produced(NodeRecord record, Contraction product, List<(Factor, Occurrence)> into,
        List<(Factor, (Occurrence, TensorAxis, TensorAxis))> products)
    {
        var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
        if (left.IsWeight == right.IsWeight) return;
        var factor = left.IsWeight ? left : right;
        if (_stored.Of(factor) is not var (weight, axes)) return;
        var activation = left.IsWeight ? right : left;
        int read = product.Axes.Where(a => a is { Left: >= 0, Right: >= 0, Output: < 0 }).Select(a => left.IsWeight ? a.Right : a.Left)
            .DefaultIfEmpty(-1).First();
        foreach (var (term, l, r, o) in product.Axes)
        {
            // What the activation has too is passed on (depthwise, stacked), not made.
            var (own, other) = left.IsWeight ? (l, r) : (r, l);
            if (own < 0 || other >= 0 || o < 0) continue;
            var place = new Occurrence(weight.Name, axes[own], factor.Terms![own]);
            foreach (var leaf in term.Leaves)
            {
                into.Add((leaf, place));
                if (record.Info.Scope == 0 && read >= 0)
                    products.Add((leaf, (place, new(activation.Name, read), new(record.Outputs[0].Name, o))));
            }
        }
    }

    private void Scaled(TensorState? operand, List<(Factor, Occurrence)> into)
    {
        if (operand is null || _stored.Of(operand) is not var (weight, axes)) return;
        int[] wide = [.. Enumerable.Range(0, operand.Terms!.Length).Where(a => !operand.Terms[a].IsOne)];
        if (wide is not [var axis]) return;
        foreach (var leaf in operand.Terms[axis].Leaves) into.Add((leaf, new(weight.Name, axes[axis], operand.Terms[axis])));
    }
}
