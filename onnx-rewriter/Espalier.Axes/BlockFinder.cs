using System.Collections.Immutable;

namespace Espalier.Axes;

/// <summary>
/// Finds what can be bypassed: for an Add of a stream and what was computed from it, the region in between, where nothing else enters
/// that depends on the stream and nothing leaves but through the Add.
/// </summary>
internal sealed class BlockFinder
{
    private readonly InferenceState _state;
    private readonly Dictionary<TensorState, List<int>> _readers = [];
    private readonly HashSet<TensorState> _results;
    private readonly bool _allowInterface;

    public BlockFinder(InferenceState state, IEnumerable<TensorState> graphOutputs, bool allowInterface)
    {
        (_state, _results, _allowInterface) = (state, [.. graphOutputs], allowInterface);
        foreach (var record in state.Records)
            foreach (var input in record.Inputs)
                if (input is not null)
                {
                    if (!_readers.TryGetValue(input, out var list)) _readers[input] = list = [];
                    list.Add(record.Info.Ordinal);
                }
    }

    /// <summary>Sublayers in graph order, then blocks made of them.</summary>
    public List<Block> Find()
    {
        var sublayers = new List<Block>();
        var attention = new List<bool>();
        foreach (var record in _state.Records)
        {
            // Inside a branch the region's values may be captured; only the main graph is searched.
            if (record.Info.Scope != 0 || record.Info.Proto.OpType is not ("Add" or "Sum") || record.Inputs is not [{ } a, { } b]) continue;
            var (stream, branch) = a.Producer < b.Producer ? (a, b) : (b, a);
            if (Region(stream, branch, record) is not { } region) continue;
            bool mixes = region.Any(k => _state.Records[k].Contraction is { } c && !_state.Records[k].Inputs[c.Left]!.IsConstant && !_state.Records[k].Inputs[c.Right]!.IsConstant);
            string prefix = CommonScope(region);
            string name = (prefix.Length > 0 ? prefix + "." : $"sublayer{sublayers.Count}.") + (mixes ? "attention" : "feedForward");
            attention.Add(mixes);
            sublayers.Add(new(sublayers.Count, name, true, stream.Name, record.Outputs[0].Name, [.. region, record.Info.Ordinal], [sublayers.Count]));
        }
        if (attention.All(x => !x)) sublayers = [.. sublayers.Select(s => s with { Name = s.Name.Replace(".feedForward", "", StringComparison.Ordinal) })];
        sublayers = Unique(sublayers);
        return [.. sublayers, .. Unique(Blocks(sublayers, attention))];
    }

    /// <summary>A block is an attention sublayer with the sublayers that follow it on the same stream; without attention, every sublayer is one.</summary>
    private static List<Block> Blocks(List<Block> sublayers, List<bool> attention)
    {
        var blocks = new List<Block>();
        bool any = attention.Contains(true);
        for (int k = 0; k < sublayers.Count; k++)
        {
            if (any && !attention[k]) continue;
            int end = k + 1;
            while (any && end < sublayers.Count && !attention[end] && sublayers[end].Input == sublayers[end - 1].Output) end++;
            var members = sublayers[k..end];
            string name = members.Count == 1 ? members[0].Name : members[0].Name[..members[0].Name.LastIndexOf('.')];
            blocks.Add(new(sublayers.Count + blocks.Count, name, false, members[0].Input, members[^1].Output,
                [.. members.SelectMany(m => m.Nodes)], [.. members.Select(m => m.Id)]));
        }
        return blocks;
    }

    private ImmutableArray<int>? Region(TensorState stream, TensorState branch, NodeRecord add)
    {
        if (branch.Producer < 0 || stream.IsConstant || branch.IsConstant || !SameShape(stream, add.Outputs[0])) return null;
        // Everything between the stream and the branch, backwards; then what of it depends on the stream, forwards.
        var visited = new SortedSet<int>();
        var open = new Stack<TensorState>([branch]);
        bool reached = false;
        while (open.TryPop(out var tensor))
        {
            if (tensor == stream)
            {
                reached = true;
                continue;
            }
            if (tensor.Producer <= stream.Producer || tensor.Scope != 0 || !visited.Add(tensor.Producer)) continue;
            foreach (var input in _state.Records[tensor.Producer].Inputs) if (input is not null) open.Push(input);
        }
        if (!reached) return null;
        var region = new List<int>();
        var inside = new HashSet<TensorState> { stream };
        foreach (int k in visited)
        {
            var record = _state.Records[k];
            if (!record.Inputs.Any(i => i is not null && inside.Contains(i))) continue;
            if (record.Info.Proto.Attribute.Any(x => x.G is not null)) return null;
            region.Add(k);
            foreach (var output in record.Outputs) inside.Add(output);
        }
        var members = region.ToHashSet();
        foreach (int k in region)
            foreach (var output in _state.Records[k].Outputs)
            {
                if (_results.Contains(output) && !(_allowInterface && ReadsCache(region, stream))) return null;
                foreach (int reader in _readers.GetValueOrDefault(output) ?? [])
                    if (!members.Contains(reader) && !(reader == add.Info.Ordinal && output == branch)) return null;
            }
        bool weighs = region.Any(k => _state.Records[k].Contraction is { } c && (_state.Records[k].Inputs[c.Left]!.IsConstant || _state.Records[k].Inputs[c.Right]!.IsConstant));
        return weighs ? [.. region] : null;
    }

    /// <summary>A result inside of the region may go with it only if an input goes too: the two halves of a cache.</summary>
    private bool ReadsCache(List<int> region, TensorState stream)
    {
        var members = region.ToHashSet();
        return region.SelectMany(k => _state.Records[k].Inputs).Any(i => i is { Producer: -1, IsConstant: false, Scope: 0, Terms.Length: > 1 } && i != stream
            && (_readers.GetValueOrDefault(i) ?? []).All(r => members.Contains(r) || _state.Records[r].Info.Proto.OpType == "Shape"));
    }

    private static bool SameShape(TensorState a, TensorState b)
        => a.Terms is { } x && b.Terms is { } y && x.Length == y.Length
            && x.Zip(y).All(p => Polynomial.Of(p.First, f => f.Size).Equals(Polynomial.Of(p.Second, f => f.Size)));

    private string CommonScope(IEnumerable<int> region)
    {
        string[]? common = null;
        foreach (int k in region)
        {
            string name = _state.Records[k].Info.Proto.Name;
            if (!name.Contains('/')) continue;
            var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries)[..^1];
            int n = common is null ? parts.Length : common.Zip(parts).TakeWhile(p => p.First == p.Second).Count();
            common = (common ?? parts)[..n];
        }
        return common is null ? "" : GroupBuilder.Clean(string.Join('/', common));
    }

    private static List<Block> Unique(List<Block> blocks)
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. blocks.Select(b =>
        {
            int n = seen[b.Name] = seen.GetValueOrDefault(b.Name) + 1;
            return n == 1 ? b : b with { Name = $"{b.Name}#{n}" };
        })];
    }
}
