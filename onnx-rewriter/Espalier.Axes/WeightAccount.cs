using System.Collections.Immutable;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Axes;

/// <summary>Says of every parameter of a file what became of it, each once: the elements sum up to the parameters of the file.</summary>
internal sealed class WeightAccount
{
    private readonly AxisAnalysis _analysis;
    private readonly Dictionary<Factor, Group> _prunable;
    private readonly ILookup<string, (string Tensor, int Axis, string Reason)> _frozen;
    private readonly Dictionary<TensorProto, List<TensorState>> _byData = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(string Name, string Shape), List<TensorState>> _byName = [];

    private WeightAccount(AxisAnalysis analysis)
    {
        _analysis = analysis;
        _prunable = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen).ToDictionary(g => g.Factor);
        _frozen = analysis.Frozen.ToLookup(f => f.Tensor, StringComparer.Ordinal);
        foreach (var tensor in analysis.Parameters)
        {
            if (tensor.Data is not { } data) continue;
            Add(_byData, data, tensor);
            Add(_byName, Key(analysis.NameInFile(tensor.Name), data), tensor);
        }

        static void Add<T>(Dictionary<T, List<TensorState>> map, T key, TensorState tensor) where T : notnull
        {
            if (!map.TryGetValue(key, out var list)) map[key] = list = [];
            list.Add(tensor);
        }
    }

    /// <summary>The entries, in the order of the file.</summary>
    public static IReadOnlyList<WeightEntry> List(AxisAnalysis analysis)
    {
        var account = new WeightAccount(analysis);
        return [.. StoredParameters.List(analysis.File.Proto).Select(account.Entry)];
    }

    private static (string, string) Key(string name, TensorProto data) => (name, string.Join(',', data.Dims));

    private WeightEntry Entry(StoredParameter stored)
    {
        var tensors = Tensors(stored.Data, stored.Name);
        int[] groups = [.. tensors.SelectMany(t => t.Terms!).SelectMany(t => t.Leaves)
            .Select(f => _prunable.GetValueOrDefault(f)).OfType<Group>().Select(g => g.Id).Distinct().Order()];
        if (groups.Length > 0) return new(stored.Name, stored.Elements, WeightStanding.Grouped, [.. groups], null);
        if (stored.Elements < 2) return Unrelated("it has fewer than two elements");
        string? reason = stored.Data is null ? $"Constant '{stored.Name}': a constant that is not a tensor"
            : tensors.SelectMany(t => _frozen[t.Name]).Select(f => f.Reason).FirstOrDefault();
        return reason is null ? Unrelated(Unread(stored.Name)) : new(stored.Name, stored.Elements, WeightStanding.Frozen, [], reason);

        WeightEntry Unrelated(string why) => new(stored.Name, stored.Elements, WeightStanding.Unrelated, [], why);
    }

    // Bodies of functions are in the analysed model once for every call, as messages of their own.
    private List<TensorState> Tensors(TensorProto? data, string name)
        => data is null ? [] : _byData.GetValueOrDefault(data) ?? _byName.GetValueOrDefault(Key(name, data)) ?? [];

    private string Unread(string name)
        => _analysis.Nodes.FirstOrDefault(n => n.Proto.Input.Any(i => _analysis.NameInFile(i) == name)) is { } reader
            ? $"{reader} reads it as numbers" : "no operator of the graph reads it";
}
