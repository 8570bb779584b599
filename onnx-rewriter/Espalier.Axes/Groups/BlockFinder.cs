using System.Collections.Immutable;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Groups;

/// <summary>
/// Finds what can be bypassed: in a sum of a stream and of what was computed from it, every such branch, with the nodes that nothing
/// else needs. Several branches of one sum may share a norm, and are added in any order: x + attention(n(x)) + mlp(n(x)).
/// </summary>
internal sealed class BlockFinder
{
    private readonly InferenceState _state;
    private readonly Dictionary<TensorState, List<int>> _readers = [];
    private readonly HashSet<TensorState> _results;
    private readonly bool _allowInterface;
    // Nodes that the searches may visit together: a sum of everything before it, again and again, would take the square of the graph.
    private long _visits;
    // By node, the last search that visited it, and the last that found it between its tensors.
    private readonly int[] _visited, _between;
    private int _search;

    public BlockFinder(InferenceState state, IEnumerable<TensorState> graphOutputs, bool allowInterface)
    {
        (_state, _results, _allowInterface) = (state, [.. graphOutputs], allowInterface);
        _visits = (64L * state.Records.Count) + (1 << 16);
        (_visited, _between) = (new int[state.Records.Count], new int[state.Records.Count]);
        foreach (var record in state.Records)
            foreach (var input in record.Inputs)
                if (input is not null)
                {
                    if (!_readers.TryGetValue(input, out var list)) _readers[input] = list = [];
                    list.Add(record.Info.Ordinal);
                }
    }

    /// <summary>Tensors of a residual stream: sums of a tensor and of what a product with weights made from it.</summary>
    public List<TensorState> Streams { get; } = [];

    /// <summary>A sum with a stream in it.</summary>
    private sealed record Residual(SumTree Tree, TensorState Stream, List<int> Region)
    {
        public List<Branch> Branches { get; } = [];
    }

    /// <summary>A summand that was computed from the stream, with the nodes that only it needs.</summary>
    private sealed record Branch(TensorState Tensor, NodeRecord Sum, List<int> Nodes, bool Mixes);

    /// <summary>Sublayers in graph order, then blocks made of them; names they get later.</summary>
    public List<Block> Find()
    {
        var residuals = SumTree.Find(_state.Records, _readers, _results).Select(Read).OfType<Residual>().ToList();
        var ordered = residuals.SelectMany(r => r.Branches.Select(b => (Residual: r, Branch: b)))
            .OrderBy(p => p.Branch.Sum.Info.Ordinal).ToList();
        var sublayers = new List<Block>();
        foreach (var (residual, branch) in ordered)
        {
            // The stream before and after: where the branch is added to another branch first, that is after all of them.
            bool direct = branch.Sum.Inputs.Any(i => i != branch.Tensor && i is not null && IsOf(residual, i));
            var before = direct ? branch.Sum.Inputs.First(i => i != branch.Tensor && i is not null && IsOf(residual, i))! : residual.Stream;
            var after = direct ? branch.Sum : residual.Tree.Root;
            sublayers.Add(new(sublayers.Count, before.Name, after.Outputs[0].Name, [.. branch.Nodes, branch.Sum.Info.Ordinal],
                [sublayers.Count])
            {
                Branch = branch.Tensor.Name,
                Mixes = branch.Mixes,
            });
        }
        return [.. sublayers, .. Blocks(residuals, [.. ordered.Select(p => p.Branch)], sublayers)];
    }

    /// <summary>Whether a summand is the stream, or a sum that the stream is in.</summary>
    private bool IsOf(Residual residual, TensorState tensor)
    {
        var open = new Stack<TensorState>([tensor]);
        while (open.TryPop(out var top))
        {
            if (top == residual.Stream) return true;
            if (top.Producer >= 0 && residual.Tree.Leaves.Exists(l => l.Sum.Info.Ordinal == top.Producer))
                foreach (var input in _state.Records[top.Producer].Inputs.OfType<TensorState>()) open.Push(input);
        }
        return false;
    }

    /// <summary>
    /// A block is a sum with attention in it, with the sums without that follow on the same stream; where there is no attention, every
    /// sum is one.
    /// </summary>
    private List<Block> Blocks(List<Residual> residuals, List<Branch> ordered, List<Block> sublayers)
    {
        var blocks = new List<Block>();
        var sums = residuals.Where(r => r.Branches.Count > 0).ToList();
        bool any = ordered.Exists(b => b.Mixes);
        for (int k = 0; k < sums.Count; k++)
        {
            if (any && !sums[k].Branches.Exists(b => b.Mixes)) continue;
            int end = k + 1;
            while (any && end < sums.Count && !sums[end].Branches.Exists(b => b.Mixes)
                && Origin(sums[end].Stream) == Origin(sums[end - 1].Tree.Root.Outputs[0])) end++;
            var members = sums[k..end].SelectMany(r => r.Branches).Select(b => sublayers[ordered.IndexOf(b)]).OrderBy(s => s.Id).ToList();
            blocks.Add(new(sublayers.Count + blocks.Count, sums[k].Stream.Name, sums[end - 1].Tree.Root.Outputs[0].Name,
                [.. sums[k..end].SelectMany(Nodes).Distinct().Order()], [.. members.Select(m => m.Id)]));
        }
        return blocks;
    }

    private static IEnumerable<int> Nodes(Residual residual)
        => residual.Region.Concat(residual.Branches.SelectMany(b => b.Nodes)).Concat(residual.Tree.Leaves.Select(l => l.Sum.Info.Ordinal));

    /// <summary>What a tensor was before constants were added to it or multiplied with it.</summary>
    private TensorState Origin(TensorState tensor) => Chain(tensor)[^1];

    private List<TensorState> Chain(TensorState tensor)
    {
        var chain = new List<TensorState> { tensor };
        while (tensor.Producer >= 0 && _state.Records[tensor.Producer] is var record
            && record.Info.Proto is
            {
                OpType: "Identity" or "Cast" or "Dropout" or "Add" or "Sub" or "Mul" or "Div",
                Domain: "" or "ai.onnx"
            }
            && record.Inputs.OfType<TensorState>().Where(i => !i.IsConstant).Take(2).ToList() is [var only]) chain.Add(tensor = only);
        return chain;
    }

    /// <summary>The stream of a sum, and its branches; null where no summand was computed from another.</summary>
    private Residual? Read(SumTree tree)
    {
        var root = tree.Root.Outputs[0];
        // The stream is there before what is computed from it.
        foreach (var stream in tree.Leaves.Select(l => l.Tensor).Distinct().OrderBy(t => t.Producer).Take(3))
        {
            if (!SumTree.HaveOneShape(stream, root)) continue;
            var others = tree.Leaves.Where(l => l.Tensor != stream).ToList();
            if (Region(Chain(stream), others.Select(l => l.Tensor)) is not { Count: > 0 } region) continue;
            var made = others.Where(l => IsBetween(l.Tensor.Producer)).ToList();
            if (!region.Any(Weighs)) continue;
            Streams.Add(root);
            var residual = new Residual(tree, stream, region);
            Branches(residual, made);
            return residual;
        }
        return null;
    }

    private bool Weighs(int node)
        => _state.Records[node].Contraction is { } c
            && (_state.Records[node].Inputs[c.Left]!.IsConstant || _state.Records[node].Inputs[c.Right]!.IsConstant);

    /// <summary>Nodes between a tensor and others, in graph order: those that the others need and that depend on it.</summary>
    /// <param name="from">The tensor, and what it was before.</param>
    private List<int> Region(List<TensorState> from, IEnumerable<TensorState> to)
    {
        _search++;
        var start = from.ToHashSet();
        var visited = new List<int>();
        var open = new Stack<TensorState>(to);
        while (open.TryPop(out var tensor))
        {
            int node = tensor.Producer;
            if (node <= from[^1].Producer || tensor.Scope != 0 || _visited[node] == _search || start.Contains(tensor)) continue;
            if (--_visits < 0) return [];
            _visited[node] = _search;
            visited.Add(node);
            foreach (var input in _state.Records[node].Inputs) if (input is not null) open.Push(input);
        }
        visited.Sort();
        var region = new List<int>();
        foreach (int k in visited)
        {
            if (!Array.Exists(_state.Records[k].Inputs, i => i is not null && (IsBetween(i.Producer) || start.Contains(i)))) continue;
            region.Add(k);
            _between[k] = _search;
        }
        return region;
    }

    /// <summary>Whether the last search found a node.</summary>
    private bool IsBetween(int node) => node >= 0 && _between[node] == _search;

    /// <summary>Gives every node of the region to the branch that alone needs it.</summary>
    private void Branches(Residual residual, List<(TensorState Tensor, NodeRecord Sum)> made)
    {
        const int None = -1, Shared = -2;
        var owner = new Dictionary<int, int>();
        var rejected = new HashSet<int>();
        foreach (int k in residual.Region.AsEnumerable().Reverse())
        {
            int own = None;
            bool escapes = false;
            foreach (var output in _state.Records[k].Outputs)
            {
                escapes |= _results.Contains(output);
                foreach (int reader in _readers.GetValueOrDefault(output) ?? [])
                {
                    int branch = made.FindIndex(m => m.Tensor == output && m.Sum.Info.Ordinal == reader);
                    if (branch < 0 && !owner.TryGetValue(reader, out branch)) escapes = true;
                    else own = own == None || own == branch ? branch : Shared;
                }
            }
            owner[k] = own;
            if (own < 0) continue;
            bool cached = _allowInterface && escapes && ReadsCache(residual, own, owner);
            if ((escapes && !cached) || _state.Records[k].Info.Proto.Attribute.Any(a => a.G is not null)) rejected.Add(own);
        }
        for (int b = 0; b < made.Count; b++)
        {
            var nodes = residual.Region.Where(k => owner.GetValueOrDefault(k, None) == b).ToList();
            if (rejected.Contains(b) || !nodes.Exists(Weighs)) continue;
            bool mixes = nodes.Exists(k => _state.Records[k].Contraction is { } c
                && !_state.Records[k].Inputs[c.Left]!.IsConstant && !_state.Records[k].Inputs[c.Right]!.IsConstant);
            residual.Branches.Add(new(made[b].Tensor, made[b].Sum, [.. nodes.Concat(Preparing(nodes)).Order()], mixes));
        }
    }

    /// <summary>
    /// Nodes that only prepare weights of others: they transpose, dequantise or normalise what is constant, for these alone.
    /// </summary>
    private List<int> Preparing(List<int> nodes)
    {
        var members = nodes.ToHashSet();
        var added = new List<int>();
        var open = new Stack<int>(nodes);
        while (open.TryPop(out int node))
            foreach (var input in _state.Records[node].Inputs)
            {
                if (input is not { IsConstant: true, Producer: >= 0 } || members.Contains(input.Producer)) continue;
                var record = _state.Records[input.Producer];
                if (record.Outputs.Any(o => _results.Contains(o)
                    || (_readers.GetValueOrDefault(o) ?? []).Exists(r => !members.Contains(r)))) continue;
                members.Add(input.Producer);
                added.Add(input.Producer);
                open.Push(input.Producer);
            }
        return added;
    }

    /// <summary>A result inside of a branch may go with it only if an input goes too: the two halves of a cache.</summary>
    private bool ReadsCache(Residual residual, int branch, Dictionary<int, int> owner)
    {
        // A node whose readers are not yet all seen belongs to the branch that it can only belong to.
        var members = residual.Region.Where(k => !owner.TryGetValue(k, out int own) || own == branch).ToHashSet();
        return members.SelectMany(k => _state.Records[k].Inputs)
            .Any(i => i is { Producer: -1, IsConstant: false, Scope: 0, Terms.Length: > 1 } && i != residual.Stream
            && (_readers.GetValueOrDefault(i) ?? []).All(r => members.Contains(r) || _state.Records[r].Info.Proto.OpType == "Shape"));
    }
}
