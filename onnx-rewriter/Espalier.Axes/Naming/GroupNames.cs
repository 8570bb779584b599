using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Naming;

/// <summary>
/// Names groups by where they lie and what they are: after the one module that makes their units, or after the innermost scope of all
/// that do, with the kind (<c>encoder.0.attention.heads</c>). Units that several modules share by their nature (heads, experts, width …)
/// lie in the scope of all that make or read them.
/// </summary>
internal sealed class GroupNames
{
    private readonly Modules _modules;
    private readonly IReadOnlyList<NodeRecord> _records;
    private readonly Dictionary<Factor, Group> _groups;
    private readonly Dictionary<Group, List<NodeRecord>> _members = [];

    private GroupNames(Modules modules, IReadOnlyList<NodeRecord> records, IReadOnlyList<Group> groups)
        => (_modules, _records, _groups) = (modules, records, groups.ToDictionary(g => g.Factor));

    /// <param name="first">By group, the weight in which it occurs first.</param>
    public static void Assign(Modules modules, IReadOnlyList<NodeRecord> records, IReadOnlyList<Group> groups,
        Func<Group, TensorState> first)
    {
        var naming = new GroupNames(modules, records, groups);
        naming.Collect();
        var names = UniqueNames.Assign([.. groups.Select(g => naming.Candidates(g, first))], new HashSet<string>(StringComparer.Ordinal));
        foreach (var (group, name) in groups.Zip(names)) group.Name = name;
    }

    /// <summary>Whether the units belong to several modules together, and so to the scope round them.</summary>
    private static bool IsShared(Axis kind)
        => kind is Axis.Heads or Axis.KeyValueGroups or Axis.HeadDims or Axis.ValueDims or Axis.Experts or Axis.Width;

    /// <summary>The products with a weight that make the units of each group; of shared ones those that read them too.</summary>
    private void Collect()
    {
        foreach (var record in _records)
        {
            if (record.Contraction is not { } product) continue;
            var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
            foreach (var (term, l, r, o) in product.Axes)
            {
                bool ofWeight = (right.IsWeight && r >= 0) || (left.IsWeight && l >= 0);
                if (!ofWeight) continue;
                bool made = o >= 0 && (l < 0 || r < 0);
                foreach (var leaf in term.Leaves)
                    if (_groups.TryGetValue(leaf, out var group) && (made || IsShared(group.Kind))) Add(group, record);
            }
        }
    }

    private void Add(Group group, NodeRecord record)
    {
        if (!_members.TryGetValue(group, out var list)) _members[group] = list = [];
        if (list.Count == 0 || list[^1] != record) list.Add(record);
    }

    private List<string> Candidates(Group group, Func<Group, TensorState> first)
    {
        string kind = Words.Camel(group.Kind);
        var records = _members.GetValueOrDefault(group) ?? [];
        if (records.Count == 0 && !IsShared(group.Kind)) return Alone(kind, NameOf(first(group)));
        List<string> readable = [.. records.Select(_modules.Readable).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (IsShared(group.Kind))
        {
            // An operator that is a whole attention is no product: its weight says where it lies.
            if (NameOf(first(group)) is { } own && !readable.Contains(own)) readable.Insert(0, own);
            if (readable.Count == 0) return [kind];
            string scope = NameText.Common(readable);
            return [NameText.With(scope, kind), NameText.With(readable[0], kind)];
        }
        if (readable.Count == 0) return Alone(kind, _modules.Place(records[0]));
        string common = NameText.Common(readable);
        return readable.Count == 1 || common.Length == 0 ? Alone(kind, readable[0])
            : [NameText.With(common, kind), .. Alone(kind, readable[0])];
    }

    private static List<string> Alone(string kind, string? module) => module is null ? [kind] : [module, NameText.With(module, kind)];

    /// <summary>The module of a weight: by its own name, or by the node that reads it.</summary>
    private string? NameOf(TensorState weight)
        => NameText.ModuleOf(weight.Name) ?? Modules.PlainName(weight)
            ?? (_modules.ReaderOf(weight) is { } reader ? _modules.Readable(reader) : null);
}
