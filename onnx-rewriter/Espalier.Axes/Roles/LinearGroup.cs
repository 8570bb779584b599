using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Roles;

/// <summary>
/// A group whose units are coordinates: everything that has it is linear in vectors along it, up to a product that contracts it.
/// Such vectors can be written in another basis, with the inverse on the other side of the product, and nothing else changes:
/// the dimensions of queries and keys in a head, or of values and what reads them, where no rotation, norm or function lies between.
/// </summary>
/// <param name="Left">Queries; or the products that contract values.</param>
/// <param name="Right">Keys; or values.</param>
/// <param name="LeftReads">Whether the left side contracts the group with weights, and does not make it.</param>
internal sealed record LinearGroup(Group Group, LinearSide Left, LinearSide Right, bool LeftReads)
{
    /// <summary>The group as coordinates; null where something has no such form.</summary>
    public static LinearGroup? Find(AxisAnalysis analysis, Group group) => new LinearGroupFinder(analysis, group).Find();
}

/// <summary>One side of the product that contracts a linear group.</summary>
/// <param name="Products">Products with a weight that make the vectors, or contract them.</param>
/// <param name="Biases">Vectors that are added: weight and axis.</param>
internal sealed record LinearSide(IReadOnlyList<Consumer> Products, IReadOnlyList<(string Weight, int Axis)> Biases);

/// <summary>Walks over everything that has the group's axis.</summary>
internal sealed class LinearGroupFinder(AxisAnalysis analysis, Group group)
{
    private readonly List<NodeRecord> _makers = [], _readers = [], _meetings = [], _passes = [];
    private readonly List<(NodeRecord Record, TensorState Bias)> _biases = [];

    public LinearGroup? Find()
    {
        if (analysis.GraphOutputs.Any(Has) || analysis.GraphInputs.Any(Has)) return null;
        foreach (var record in analysis.State.Records)
        {
            if (record.Info.Proto.OpType is "Shape" or "Size" || !(record.Inputs.Any(Has) || record.Outputs.Any(Has))) continue;
            if (record.Info.Scope != 0 || !Classify(record)) return null;
        }
        if (_meetings is [var meeting] && _readers.Count == 0 && meeting.Contraction is { } product)
        {
            var (left, right) = (Upstream(meeting.Inputs[product.Left]!), Upstream(meeting.Inputs[product.Right]!));
            return left.Overlaps(right) || Side(_makers.Where(left.Contains), left) is not { } l
                || Side(_makers.Where(right.Contains), right) is not { } r || l.Products.Count + r.Products.Count != _makers.Count
                ? null
                : new(group, l, r, LeftReads: false);
        }
        if (_meetings.Count > 0 || _readers.Count == 0 || _makers.Count == 0) return null;
        return Side(_readers, new HashSet<NodeRecord>()) is { } reading && Side(_makers, _passes.ToHashSet()) is { } making
            ? new(group, reading, making, LeftReads: true)
            : null;
    }

    private bool Has(TensorState? tensor) => tensor?.Terms?.Any(t => t.Has(group.Factor)) == true;

    private bool Classify(NodeRecord record)
    {
        if (record.Contraction is { } product) return !record.IsFused && Contracts(record, product);
        var own = record.Inputs.OfType<TensorState>().Where(Has).ToList();
        var varying = own.Where(i => !i.IsConstant).ToList();
        if (varying.Count == 0)
        {
            // A weight on its way to where it is read: what is only moved is the weight still.
            return record.Outputs.All(o => o.IsWeight);
        }
        if (varying.Count != 1) return false;
        if (SumTree.IsAddition(record))
        {
            // Whatever is added must be written in the new basis too.
            if (record.Inputs.Length != 2 || own.Count != 2) return false;
            var bias = own.Single(i => i.IsConstant);
            if (bias is not { IsParameter: true, Source: null } || bias.Terms!.Count(t => t.Has(group.Factor)) != 1) return false;
            _biases.Add((record, bias));
            _passes.Add(record);
            return true;
        }
        if (!OperatorTable.IsLinear(record.Info.Proto) || record.Inputs[0] != varying[0] || own.Count != 1) return false;
        _passes.Add(record);
        return true;
    }

    private bool Contracts(NodeRecord record, Contraction product)
    {
        var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
        var along = product.Axes.Where(a => a.Term.Has(group.Factor)).ToList();
        if (along.Count != 1 || (product.Bias >= 0 && Has(record.Inputs[product.Bias]))) return false;
        var (_, l, r, o) = along[0];
        if (left.IsConstant == right.IsConstant)
        {
            if (left.IsConstant) return false;
            if (l >= 0 && r >= 0 && o < 0) _meetings.Add(record);
            else if (o >= 0 && (l >= 0) != (r >= 0)) _passes.Add(record);
            else return false;
            return true;
        }
        var (inActivation, inWeight) = right.IsConstant ? (l, r) : (r, l);
        if (inWeight < 0) return false;
        if (inActivation < 0 && o >= 0) _makers.Add(record);
        else if (inActivation >= 0 && o < 0) _readers.Add(record);
        else return false;
        return true;
    }

    /// <summary>The makers and what lies between them and a tensor.</summary>
    private HashSet<NodeRecord> Upstream(TensorState tensor)
    {
        var seen = new HashSet<NodeRecord>();
        var open = new Stack<TensorState>([tensor]);
        while (open.TryPop(out var at))
        {
            if (at.Producer < 0 || !Has(at) || !seen.Add(analysis.State.Records[at.Producer])
                || _makers.Contains(analysis.State.Records[at.Producer])) continue;
            foreach (var input in analysis.State.Records[at.Producer].Inputs)
                if (input is { IsConstant: false }) open.Push(input);
        }
        return seen;
    }

    private LinearSide? Side(IEnumerable<NodeRecord> products, IReadOnlySet<NodeRecord> between)
    {
        var found = new List<Consumer>();
        foreach (var record in products)
        {
            if (analysis.Products.FirstOrDefault(p => p.Node.Ordinal == record.Info.Ordinal)
                is not { Kind: ConsumerKind.MatrixProduct, Batched: false } product) return null;
            found.Add(product);
        }
        return found.Count == 0 ? null
            : new(found, [.. _biases.Where(b => between.Contains(b.Record))
                .Select(b => (b.Bias.Name, Array.FindIndex(b.Bias.Terms!, t => t.Has(group.Factor))))]);
    }
}
