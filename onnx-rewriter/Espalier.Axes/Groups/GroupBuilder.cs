using Espalier.Axes.Graph;
using Espalier.Axes.Inference;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Groups;

/// <summary>Collects factors into groups: where they occur in weights, what kind they are, and whether they may be removed.</summary>
internal sealed class GroupBuilder(AxisInference inference, IReadOnlyList<TensorState> streams, bool allowInterface)
{
    private readonly InferenceState _state = inference.State;
    private readonly Dictionary<Factor, Group> _groups = [];
    private readonly Dictionary<Factor, Role> _roles = [];
    private readonly Dictionary<Factor, TensorState> _firstWeight = [];

    public Dictionary<Factor, Mark> Frozen { get; } = [];
    public Dictionary<Factor, Mark> Inexact { get; } = [];
    private readonly Dictionary<Factor, long> _minKeep = [];

    /// <summary>Weights in the order in which nodes read them, each once.</summary>
    public List<TensorState> Parameters { get; } = [];

    public List<Group> Build()
    {
        Mark();
        var seen = new HashSet<TensorState>();
        foreach (var record in _state.Records)
            foreach (var tensor in record.Inputs.Concat(record.Outputs))
                if (tensor is { IsParameter: true, Terms: not null } && !tensor.Views.Exists(v => v.IsParameter) && seen.Add(tensor))
                    Parameters.Add(tensor);
        FreezeAmbiguousNames();
        FreezeUnknown();
        var axes = new HashSet<Term>(ReferenceEqualityComparer.Instance);
        foreach (var tensor in Parameters.Where(p => p.Value is null))
            foreach (var term in tensor.Terms!)
            {
                // Along a chain of concatenations many weights have the same long axis.
                if (!axes.Add(term.Resolved)) continue;
                foreach (var leaf in term.Leaves)
                    if (leaf.Size is >= 2 and <= int.MaxValue && !_groups.ContainsKey(leaf))
                    {
                        _groups[leaf] = new Group(_groups.Count, leaf);
                        _firstWeight[leaf] = tensor;
                    }
            }
        var occurrences = new Lazy<Dictionary<Factor, List<Occurrence>>>(Occurrences);
        CollectRoles();
        FreezeInterface();
        var groups = _groups.Values.OrderBy(g => g.Id).ToList();
        foreach (var group in groups)
        {
            group.FindOccurrences = () => occurrences.Value[group.Factor];
            group.Kind = KindOf(group.Factor);
            (group.Exactness, group.Reason) = Frozen.TryGetValue(group.Factor, out var frozen) ? (Exactness.Frozen, frozen.Reason)
                : Inexact.TryGetValue(group.Factor, out var inexact)
                    ? (Exactness.Inexact, inexact.Reason)
                    : (Exactness.Exact, (string?)null);
            group.MinKeep = (int)Math.Min(group.Size, _minKeep.GetValueOrDefault(group.Factor, 1));
        }
        Partners(groups);
        // Axes that no rule could ever mean, such as kernel windows, are listed with their reason but are no groups.
        return [.. groups.Where(g => g.Exactness != Exactness.Frozen || g.Kind != Axis.Other).Select((g, id) => g.WithId(id))];
    }

    /// <summary>The weight in which a group occurs first.</summary>
    public TensorState FirstWeight(Group group) => _firstWeight[group.Factor];

    /// <summary>Every place of every group: as many as the weights have factors, so they are listed when the first is asked for.</summary>
    private Dictionary<Factor, List<Occurrence>> Occurrences()
    {
        var occurrences = _groups.Keys.ToDictionary(f => f, _ => new List<Occurrence>());
        foreach (var tensor in Parameters)
            for (int axis = 0; axis < tensor.Terms!.Length; axis++)
                foreach (var leaf in tensor.Terms[axis].Leaves)
                    if (occurrences.TryGetValue(leaf, out var places)) places.Add(new(tensor.Name, axis, tensor.Terms[axis]));
        return occurrences;
    }

    private void Mark()
    {
        foreach (var mark in _state.Frozen.Where(m => m.Node >= 0))
            foreach (var leaf in mark.Term.Leaves) Frozen.TryAdd(leaf, mark);
        foreach (var mark in _state.Inexact)
            foreach (var leaf in mark.Term.Leaves)
            {
                Inexact.TryAdd(leaf, mark);
                _minKeep[leaf] = Math.Max(mark.MinKeep, _minKeep.GetValueOrDefault(leaf, 1));
            }
    }

    /// <summary>Shapes of the graph's inputs and outputs stay, but for what caches and states hold where that is allowed.</summary>
    private void FreezeInterface()
    {
        foreach (var mark in _state.Frozen.Where(m => m.Node < 0))
            foreach (var leaf in mark.Term.Leaves)
                if (!(allowInterface
                    && KindOf(leaf) is Axis.Heads or Axis.HeadDims or Axis.ValueDims or Axis.HiddenState))
                    Frozen.TryAdd(leaf, mark);
    }

    /// <summary>Branches of an If may use one name for two weights; such a weight cannot be named in a report, so it stays whole.</summary>
    private void FreezeAmbiguousNames()
    {
        var counts = inference.Tensors.GroupBy(t => t.Name, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var tensor in Parameters.Where(p => counts.Contains(p.Name)))
            foreach (var leaf in tensor.Terms!.SelectMany(t => t.Leaves))
                Frozen.TryAdd(leaf, new(Term.Of(leaf), $"weight '{tensor.Name}': several subgraphs use this name", Tensor: tensor.Name));
    }

    /// <summary>
    /// Weights of which no part can be taken: of a type whose bytes are not known, or with longer axes than
    /// any has elements.
    /// </summary>
    private void FreezeUnknown()
    {
        foreach (var tensor in Parameters)
        {
            var type = (DataType)tensor.ElementType;
            string? reason = tensor.Data is not null && type != DataType.String && DataTypes.Bits(type) == 0
                ? "its elements are of a type that is not known"
                : tensor.Terms!.Any(t => t.Size > int.MaxValue) ? "it has more positions than can be told apart" : null;
            if (reason is null) continue;
            foreach (var leaf in tensor.Terms!.SelectMany(t => t.Leaves))
                Frozen.TryAdd(leaf, new(Term.Of(leaf), $"weight '{tensor.Name}': {reason}", Tensor: tensor.Name));
        }
    }

    private void CollectRoles()
    {
        foreach (var (role, term) in _state.Roles) Add(term, role);
        foreach (var term in _state.Repeated) Add(term, Role.Repeated);
        foreach (var stream in streams)
            foreach (var term in stream.Terms ?? []) Add(term, Role.Stream);
        foreach (var record in _state.Records)
        {
            if (record is { Rule: not null, Info.Proto.OpType: "Gather" }
                && record.Inputs[0] is { IsParameter: true, Terms: { } rows }
                && NodeAxis(record) is var axis && axis >= 0 && axis < rows.Length)
                Add(rows[axis], Role.Rows);
            if (record.Contraction is not { } product) continue;
            var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
            int rank = record.Outputs[0].Terms?.Length ?? 0;
            foreach (var (term, l, r, o) in product.Axes)
            {
                if (!left.IsWeight && !right.IsWeight)
                    Add(term, o < 0 ? Role.HeadDims : (l >= 0 && r >= 0) || o < rank - 2 ? Role.Batch : Role.ValueDims);
                else
                {
                    bool ofWeight = (right.IsWeight && r >= 0) || (left.IsWeight && l >= 0);
                    if (!ofWeight) continue;
                    if (record.IsConvolution && o >= 0) Add(term, Role.ConvOut);
                    else if (o >= 0 && l >= 0 && r >= 0) Add(term, Role.Stacked);
                    else Add(term, o >= 0 ? Role.ProductOut : Role.Read);
                }
            }
        }

        void Add(Term term, Role role)
        {
            foreach (var leaf in term.Leaves) _roles[leaf] = _roles.GetValueOrDefault(leaf) | role;
        }
    }

    private static int NodeAxis(NodeRecord record)
    {
        long axis = record.Info.Proto.Attribute.FirstOrDefault(a => a.Name == "axis")?.I ?? 0;
        return (int)(axis < 0 ? axis + record.Inputs[0]!.Terms!.Length : axis);
    }

    private Axis KindOf(Factor factor)
    {
        var roles = _roles.GetValueOrDefault(factor);
        bool Has(Role role) => roles.HasFlag(role);
        if (Has(Role.Hidden)) return Axis.HiddenState;
        if (Has(Role.Stacked)) return Axis.Experts;
        if (!Has(Role.ProductOut) && !Has(Role.ConvOut) && !Has(Role.Heads))
            return Has(Role.Rows) ? Axis.EmbeddingRows : Axis.Other;
        if (Has(Role.Heads) || Has(Role.Batch)) return Axis.Heads;
        if (Has(Role.HeadDims)) return Axis.HeadDims;
        if (Has(Role.ValueDims)) return Axis.ValueDims;
        if (Has(Role.Stream) && (Inexact.ContainsKey(factor) || !Has(Role.ConvOut))) return Axis.Width;
        return Has(Role.ConvOut) ? Axis.Channels : Axis.Neurons;
    }

    /// <summary>
    /// In a product of two activations, a shared axis kv·r of which r is only repeated on one side: KV groups and their query heads.
    /// </summary>
    private void Partners(List<Group> groups)
    {
        foreach (var record in _state.Records)
        {
            var terms = record.Grouped is { } grouped ? [grouped]
                : record.Contraction is { } product && !record.Inputs[product.Left]!.IsWeight && !record.Inputs[product.Right]!.IsWeight
                    ? record.Outputs[0].Terms
                    : null;
            foreach (var term in terms ?? [])
            {
                var leaves = term.Leaves.Where(l => _groups.TryGetValue(l, out var g) && g.Kind == Axis.Heads).ToList();
                var repeated = leaves.Where(l => _roles[l].HasFlag(Role.Repeated)).ToList();
                if (repeated.Count != 1 || leaves.Count != 2) continue;
                var queries = _groups[repeated[0]];
                var kv = _groups[leaves.Single(l => l != repeated[0])];
                (queries.Partner, kv.Partner) = (kv, queries);
            }
        }
        foreach (var group in groups.Where(g => g.Partner is not null && !_roles[g.Factor].HasFlag(Role.Repeated)))
            group.Kind = Axis.KeyValueGroups;
    }
}
