using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;

namespace Espalier.Axes.Naming;

/// <summary>
/// Names blocks after the innermost scope of their nodes, and sublayers after theirs, or after the block's with what they are
/// (<c>encoder.0.attention</c>). A block that is one sublayer has its name.
/// </summary>
internal sealed class BlockNames
{
    private readonly IReadOnlyList<Block> _blocks;
    private readonly bool _anyMixes;
    private readonly string?[] _scopes;
    private readonly int[] _holders;

    private BlockNames(Modules modules, IReadOnlyList<NodeRecord> records, IReadOnlyList<Block> blocks)
    {
        _blocks = blocks;
        _anyMixes = blocks.Any(b => b.Mixes);
        _scopes = new string?[blocks.Count];
        _holders = new int[blocks.Count];
        Array.Fill(_holders, -1);
        // The last node of a sublayer adds it to the stream, which is the module round it.
        foreach (var s in blocks.Where(b => b.IsSublayer))
            _scopes[s.Id] = Common(s.Nodes[..^1].Select(n => modules.ScopeOf(records[n])));
        foreach (var b in blocks.Where(b => !b.IsSublayer))
        {
            _scopes[b.Id] = Common(b.Sublayers.Select(s => _scopes[s]));
            foreach (int s in b.Sublayers) _holders[s] = b.Id;
        }
    }

    /// <summary>The same blocks with names.</summary>
    public static IReadOnlyList<Block> Assign(Modules modules, IReadOnlyList<NodeRecord> records, IReadOnlyList<Block> blocks)
    {
        var naming = new BlockNames(modules, records, blocks);
        var (first, taken) = (blocks.Count(b => b.IsSublayer), new HashSet<string>(StringComparer.Ordinal));
        var names = new string[blocks.Count];
        Name(blocks.Where(b => !b.IsSublayer), b => naming.OfBlock(b, b.Id - first));
        Name(blocks.Where(b => b.IsSublayer && !naming.IsAlone(b)), s => naming.OfSublayer(s, names));
        foreach (var s in blocks.Where(b => b.IsSublayer && naming.IsAlone(b))) names[s.Id] = names[naming._holders[s.Id]];
        return [.. blocks.Select(b => b with { Name = names[b.Id] })];

        void Name(IEnumerable<Block> some, Func<Block, IReadOnlyList<string>> candidates)
        {
            var list = some.ToList();
            foreach (var (block, name) in list.Zip(UniqueNames.Assign([.. list.Select(candidates)], taken))) names[block.Id] = name;
        }
    }

    private bool IsAlone(Block sublayer) => _holders[sublayer.Id] >= 0 && _blocks[_holders[sublayer.Id]].Sublayers.Length == 1;

    private string[] OfBlock(Block block, int place)
    {
        string? scope = _scopes[block.Id];
        string word = block.Sublayers.Length == 1 ? WordOf(_blocks[block.Sublayers[0]]) : "";
        return scope is null ? [Numbered("block", place)] : word.Length > 0 ? [NameText.With(scope, word)] : [scope, scope + ".block"];
    }

    private string[] OfSublayer(Block sublayer, string[] names)
    {
        string word = WordOf(sublayer) is { Length: > 0 } known ? known : "branch";
        string? scope = _scopes[sublayer.Id];
        if (_holders[sublayer.Id] < 0) return [scope is null ? Numbered("sublayer", sublayer.Id) : NameText.With(scope, word)];
        string own = NameText.With(names[_holders[sublayer.Id]], word);
        return scope is null || scope == _scopes[_holders[sublayer.Id]] ? [own] : [scope, own];
    }

    private string WordOf(Block sublayer) => sublayer.Mixes ? "attention" : _anyMixes ? "feedForward" : "";

    private static string? Common(IEnumerable<string?> scopes)
        => NameText.Common(scopes.OfType<string>()) is { Length: > 0 } scope ? scope : null;

    private static string Numbered(string word, int place) => string.Create(CultureInfo.InvariantCulture, $"{word}.{place}");
}
