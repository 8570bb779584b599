using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Planning;

namespace Espalier.Axes.Naming;

/// <summary>What things of a model are called, and which of them a pattern means.</summary>
internal sealed class NameTable
{
    private readonly IReadOnlyList<NodeRecord> _records;
    private readonly Modules _modules;
    private readonly Dictionary<string, string> _aliases;
    private readonly Dictionary<string, string> _tensors;
    private readonly Lazy<string?[]> _holders;

    /// <param name="blocks">With their names.</param>
    public NameTable(Modules modules, IReadOnlyList<NodeRecord> records, IEnumerable<string> tensors, IReadOnlyList<Block> blocks)
    {
        (_modules, _records, Blocks) = (modules, records, blocks);
        _aliases = WeightAliases.Find(modules, records, tensors);
        _tensors = _aliases.ToDictionary(a => a.Value, a => a.Key, StringComparer.Ordinal);
        _holders = new(Holders);
    }

    private IReadOnlyList<Block> Blocks { get; }

    /// <summary>By name of a weight, the name that a person can write for it; weights with readable names of their own have none.</summary>
    public IReadOnlyDictionary<string, string> Aliases => _aliases;

    /// <summary>The name that a person can write for a tensor: its alias, or its own name.</summary>
    public string Readable(string tensor) => _aliases.GetValueOrDefault(tensor, tensor);

    /// <summary>A tensor as texts name it: with its alias before the name in the file, where it has one.</summary>
    public string Describe(string tensor) => _aliases.TryGetValue(tensor, out string? alias) ? $"{alias} ({tensor})" : tensor;

    /// <summary>The tensor that an alias stands for; null for what is no alias.</summary>
    public string? TensorOf(string alias) => _tensors.GetValueOrDefault(alias);

    /// <summary>Whether a pattern names a weight, by its name or its alias.</summary>
    public bool Matches(string pattern, string tensor)
        => Glob.Matches(pattern, tensor) || (_aliases.TryGetValue(tensor, out string? alias) && Glob.Matches(pattern, alias));

    /// <summary>Whether a pattern names a group, or any weight of it.</summary>
    public bool Matches(string pattern, Group group)
        => Glob.Matches(pattern, group.Name) || group.Occurrences.Any(o => Matches(pattern, o.Tensor));

    /// <summary>
    /// Whether a pattern names a node: by its name in the file, by the modules that it lies in, or by a block or sublayer that it is in.
    /// </summary>
    public bool Matches(string pattern, NodeInfo node)
    {
        string name = node.Proto.Name.Length > 0 ? node.Proto.Name : node.Proto.Output.FirstOrDefault() ?? "";
        return Glob.Matches(pattern, name) || Glob.Matches(pattern, name.TrimStart('/')) || Glob.Matches(pattern, PathOf(node))
            || Blocks.Any(b => Glob.Matches(pattern, b.Name) && b.Nodes.Contains(node.Ordinal));
    }

    /// <summary>A node as a person can write it: the modules that it lies in, then its operator (<c>encoder.0.up.MatMul</c>).</summary>
    public string PathOf(NodeInfo node)
    {
        var record = _records[node.Ordinal];
        string? scope = NameText.ScopeOf(node.Proto) ?? _modules.Readable(record) ?? _modules.ScopeOf(record)
            ?? _holders.Value[node.Ordinal];
        return NameText.With(scope ?? "", node.Proto.OpType);
    }

    // By node, the sublayer that it is in, or else the block.
    private string?[] Holders()
    {
        var holders = new string?[_records.Count];
        foreach (var block in Blocks)
            foreach (int node in block.Nodes) holders[node] ??= block.Name;
        return holders;
    }
}
