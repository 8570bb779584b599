using System.Collections.Immutable;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.Onnx.Payloads;

namespace Espalier.Axes.Costs;

/// <summary>Writes the cost of every operator as a product of terms, expanded into monomials in the sizes of prunable groups.</summary>
internal sealed class CostBuilder(IReadOnlyDictionary<Factor, Group> groups, IReadOnlyList<Group> all, IReadOnlyList<Block> blocks,
    IReadOnlyList<TensorState> outputs, IReadOnlyDictionary<Factor, Mark> frozen)
{
    // One operator's cost: more products of groups than this are not written out.
    private const int MaxMonomials = 1 << 20;

    private readonly Dictionary<Key, Monomial> _monomials = [];
    private readonly Dictionary<Term, List<(double, int[])>> _expanded = new(ReferenceEqualityComparer.Instance);
    private readonly SortedDictionary<int, string> _unknown = [];
    private readonly ImmutableArray<int> _sizes = [.. all.Select(g => g.Size)];

    /// <summary>What like monomials have in common; ordered by unit, sublayer, kind, then groups.</summary>
    private readonly record struct Key(CostUnit Unit, int Sublayer, bool Convolution, ImmutableArray<int> Groups) : IComparable<Key>
    {
        public bool Equals(Key other)
            => Unit == other.Unit && Sublayer == other.Sublayer && Convolution == other.Convolution
                && Groups.AsSpan().SequenceEqual(other.Groups.AsSpan());

        public override int GetHashCode()
        {
            int hash = HashCode.Combine(Unit, Sublayer, Convolution);
            foreach (int group in Groups) hash = HashCode.Combine(hash, group);
            return hash;
        }

        public int CompareTo(Key other)
        {
            int order = (Unit, Sublayer, Convolution).CompareTo((other.Unit, other.Sublayer, other.Convolution));
            return order != 0 ? order : Groups.AsSpan().SequenceCompareTo(other.Groups.AsSpan());
        }
    }

    /// <summary>The cost of a file: its tensors in the sizes of their groups, whatever else it stores as a constant.</summary>
    /// <param name="weights">Tensors of the file whose axes are known.</param>
    /// <param name="stored">What counts as parameters.</param>
    /// <param name="bytes">Bytes of the file.</param>
    public CostModel Build(IReadOnlyList<NodeRecord> records, IReadOnlyList<TensorState> weights,
        IReadOnlyList<StoredParameter> stored, long bytes)
    {
        var owners = new SublayerOwners(records, blocks, outputs);
        foreach (var record in records) Compute(record, owners);
        var known = Store(weights, stored, owners, _ => true);
        foreach (var other in stored.Where(p => p.Data is null || !known.Contains(p.Data)))
            Constant(CostUnit.Parameters, other.Elements, owners.OfResult(other.Name));
        Constant(CostUnit.Bytes, bytes - _monomials.Values.Where(m => m.Unit == CostUnit.Bytes)
            .Sum(m => m.Groups.Aggregate(m.Coefficient, (n, g) => n * all[g].Size)), -1);
        return Result();
    }

    /// <summary>The cost of some nodes, with the weights that they read or that nodes without activations compute for them.</summary>
    public CostModel Build(IReadOnlyList<NodeRecord> records, IReadOnlyList<TensorState> weights, IReadOnlyList<StoredParameter> stored,
        Func<NodeInfo, bool> nodes)
    {
        var owners = new SublayerOwners(records, blocks, outputs);
        foreach (var record in records.Where(r => nodes(r.Info))) Compute(record, owners);
        var read = new HashSet<TensorState>();
        var open = new Stack<TensorState>(records.Where(r => nodes(r.Info)).SelectMany(r => r.Inputs).OfType<TensorState>());
        while (open.TryPop(out var tensor))
        {
            tensor = tensor.Source ?? tensor;
            if (!read.Add(tensor) || tensor.IsParameter || !tensor.IsWeight || tensor.Producer < 0) continue;
            foreach (var input in records[tensor.Producer].Inputs.OfType<TensorState>()) open.Push(input);
        }
        Store(weights, stored, owners, t => read.Contains(t.Source ?? t));
        return Result();
    }

    /// <summary>The multiply-accumulates of every operator that has some, each for itself.</summary>
    public IEnumerable<(NodeRecord Record, CostModel Cost)> BuildEach(IReadOnlyList<NodeRecord> records)
    {
        var owners = new SublayerOwners(records, blocks, outputs);
        foreach (var record in records.Where(r => r.Macs.Count > 0))
        {
            _monomials.Clear();
            Compute(record, owners);
            yield return (record, Result());
        }
    }

    private CostModel Result()
        => new([.. _monomials.OrderBy(m => m.Key).Select(m => m.Value)], _sizes)
        { UnknownMacs = [.. _unknown.Values] };

    private void Compute(NodeRecord record, SublayerOwners owners)
    {
        if (record.Unpriced is { } unpriced) _unknown[record.Info.Ordinal] = unpriced;
        foreach (var product in record.Macs)
        {
            if (Unknown(product) is { } size) _unknown.TryAdd(record.Info.Ordinal, $"{record.Info}: {size}");
            else if (!Add(CostUnit.Macs, 1, product, owners.Of(record.Info.Ordinal), record.IsConvolution))
                _unknown.TryAdd(record.Info.Ordinal,
                    $"{record.Info}: its cost has more than {MaxMonomials} parts, one for every product of groups");
        }
    }

    /// <summary>Why the size of an axis is not known, not even nominally; null where it is.</summary>
    private string? Unknown(IEnumerable<Term> product)
    {
        foreach (var leaf in product.Where(t => t.Nominal is null).SelectMany(t => t.Leaves))
            if (leaf.Size is null && leaf.Nominal is null)
                return "it computes over an axis of unknown size, after "
                    + $"{frozen.GetValueOrDefault(leaf)?.Reason ?? "an operator without a rule"}";
        return null;
    }

    /// <summary>Adds weights in the sizes of their axes.</summary>
    /// <returns>The tensors of the file that were added.</returns>
    private HashSet<TensorProto> Store(IReadOnlyList<TensorState> weights, IReadOnlyList<StoredParameter> stored, SublayerOwners owners,
        Func<TensorState, bool> wanted)
    {
        var counted = stored.Select(p => p.Data).OfType<TensorProto>().ToHashSet<TensorProto>(ReferenceEqualityComparer.Instance);
        var known = new HashSet<TensorProto>(ReferenceEqualityComparer.Instance);
        foreach (var tensor in weights)
        {
            // A vector that several nodes read is in the file once.
            if (tensor.Data is not { } data || !wanted(tensor) || !known.Add(data)) continue;
            int owner = owners.Of(tensor.Source ?? tensor);
            if (counted.Contains(data)) Add(CostUnit.Parameters, 1, tensor.Terms!, owner, false);
            Add(CostUnit.Bytes, ElementBytes(tensor.ElementType), tensor.Terms!, owner, false);
        }
        return known;
    }

    private void Constant(CostUnit unit, double value, int owner)
    {
        if (value != 0) Add(unit, value, [], owner, false);
    }

    /// <summary>
    /// Several elements to a byte count as parts of it. What no width is known of (strings, newer types) counts nothing: a
    /// number would be made up.
    /// </summary>
    private static double ElementBytes(int type) => DataTypes.Bits((TensorProto.Types.DataType)type) / 8.0;

    private bool Add(CostUnit unit, double coefficient, IEnumerable<Term> factors, int sublayer, bool convolution)
    {
        var sum = new List<(double Coefficient, int[] Groups)> { (coefficient, []) };
        foreach (var factor in factors)
        {
            var parts = Expand(factor);
            if ((long)sum.Count * parts.Count > MaxMonomials) return false;
            sum = Times(sum, parts);
        }
        foreach (var (c, ids) in sum)
        {
            if (c == 0) continue;
            var sorted = ids.Order().ToImmutableArray();
            var padded = convolution ? sorted.Distinct().Where(g => all[g].Kind == Axis.Channels).ToImmutableArray() : [];
            var key = new Key(unit, sublayer, convolution, sorted);
            _monomials[key] = _monomials.TryGetValue(key, out var old)
                ? old with { Coefficient = old.Coefficient + c }
                : new(unit, c, sorted, sublayer, padded);
        }
        return true;
    }

    private static List<(double, int[])> Times(List<(double, int[])> a, List<(double, int[])> b)
        => [.. from x in a from y in b select (x.Item1 * y.Item1, (int[])[.. x.Item2, .. y.Item2])];

    private List<(double, int[])> Expand(Term term)
    {
        // An axis whose parts have no size of their own, not even nominally, may have one as a whole.
        if (term is FactorTerm { Factor.Root: { Size: null, Nominal: { } whole, Definition: { } parted } } && parted.Nominal is null)
            return [(whole, [])];
        var resolved = term.Resolved;
        if (resolved is FactorTerm leaf)
            return groups.TryGetValue(leaf.Factor, out var group) && group.Exactness != Exactness.Frozen
                ? [(1, [group.Id])]
                : [(leaf.Nominal ?? 1, [])];
        // A definition may be used many times; like products are one.
        if (_expanded.TryGetValue(resolved, out var known)) return known;
        var parts = resolved is SumTerm sum ? sum.Parts.SelectMany(Expand)
            : ((ProductTerm)resolved).Parts.Aggregate(new List<(double, int[])> { (1, []) }, (a, p) => a.Count > MaxMonomials
                ? a
                : Times(a, Expand(p)));
        return _expanded[resolved] = [.. parts.Select(p => (p.Item1, Groups: p.Item2.Order().ToImmutableArray()))
            .GroupBy(p => string.Join(' ', p.Groups), StringComparer.Ordinal)
            .Select(g => (g.Sum(p => p.Item1), g.First().Groups.ToArray()))];
    }
}
