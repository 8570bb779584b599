using Espalier.Axes.Graph;
using Espalier.Axes.Operators.Table;

namespace Espalier.Axes.Naming;

/// <summary>
/// Names that a person can write for weights that an exporter numbered: the module that reads the weight, and what it is there
/// (<c>encoder.0.up.weight</c>). A weight whose own name is readable needs none.
/// </summary>
internal static class WeightAliases
{
    /// <summary>By name of the weight; no two are alike, and none is the name of a tensor.</summary>
    public static Dictionary<string, string> Find(Modules modules, IReadOnlyList<NodeRecord> records, IEnumerable<string> tensors)
    {
        var found = new Dictionary<string, string[]>(StringComparer.Ordinal);
        foreach (var record in records)
            foreach (var (operand, role) in RolesIn(modules, record))
            {
                var (stored, module) = (modules.Stored(operand), modules.Readable(record));
                if (!stored.IsParameter || Modules.IsReadable(stored)) continue;
                string[] own = [.. new[] { module, NameText.IsNumbered(stored.Name) ? modules.Place(record) : null }.OfType<string>()];
                if (own.Length > 0) found.TryAdd(stored.Name, [.. own.Select(m => $"{m}.{role}")]);
            }
        var names = UniqueNames.Assign([.. found.Values], tensors.ToHashSet(StringComparer.Ordinal));
        // What is left when all names of two weights are alike would be numbers again.
        return found.Zip(names).Where(p => p.First.Value.Contains(p.Second))
            .ToDictionary(p => p.First.Key, p => p.Second, StringComparer.Ordinal);
    }

    private static IEnumerable<(TensorState Operand, string Role)> RolesIn(Modules modules, NodeRecord record)
    {
        if (record.Contraction is not null)
        {
            if (Modules.WeightOf(record) is { } weight) yield return (weight, "weight");
            if (modules.BiasOf(record) is { } bias) yield return (bias, "bias");
            yield break;
        }
        foreach (var (index, role) in Roles(record))
            if (record.Inputs.ElementAtOrDefault(index) is { } operand && Modules.IsWeight(operand)) yield return (operand, role);
    }

    private static IEnumerable<(int Operand, string Role)> Roles(NodeRecord record)
    {
        if (OperatorTable.AffineOf(record.Info.Proto) is var (scale, shift))
        {
            yield return (scale, "weight");
            if (shift >= 0) yield return (shift, "bias");
        }
        (int, string)[] others = record.Info.Proto.OpType switch
        {
            "BatchNormalization" => [(3, "running_mean"), (4, "running_var")],
            "LSTM" or "GRU" or "RNN" => [(1, "weight_ih"), (2, "weight_hh"), (3, "bias")],
            "Gather" => [(0, "weight")],
            "PRelu" => [(1, "weight")],
            _ => [],
        };
        foreach (var other in others) yield return other;
    }
}
