using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators;

namespace Espalier.Axes.Naming;

/// <summary>
/// Which module of the network a node is: by the name of its weight, else by the modules that its own name lies in, else by the name of
/// its bias. Where all of these are an exporter's numbers, it is called by its operator and its place among those in the graph.
/// </summary>
internal sealed class Modules
{
    private readonly InferenceState _state;
    private readonly Dictionary<TensorState, List<NodeRecord>> _readers = [];
    private readonly Dictionary<int, string?> _found = [];
    private readonly string[] _places;

    public Modules(InferenceState state)
    {
        _state = state;
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        _places = new string[state.Records.Count];
        for (int k = 0; k < _places.Length; k++)
        {
            string word = state.Records[k].Info.Proto.OpType.ToLowerInvariant();
            int place = counts[word] = counts.GetValueOrDefault(word, -1) + 1;
            _places[k] = string.Create(CultureInfo.InvariantCulture, $"{word}.{place}");
            foreach (var input in state.Records[k].Inputs.OfType<TensorState>())
            {
                if (!_readers.TryGetValue(input.Source ?? input, out var list)) _readers[input.Source ?? input] = list = [];
                list.Add(state.Records[k]);
            }
        }
    }

    /// <summary>Operator and place among those in the graph: <c>conv.12</c>.</summary>
    public string Place(NodeRecord record) => _places[record.Info.Ordinal];

    /// <summary>The module that a node is, by names that a person gave; null where there are none.</summary>
    public string? Readable(NodeRecord record)
    {
        if (!_found.TryGetValue(record.Info.Ordinal, out string? module))
            _found[record.Info.Ordinal] = module = Find(record);
        return module;
    }

    /// <summary>The modules that a node lies in: by its name, else by those of the weights that it alone reads.</summary>
    public string? ScopeOf(NodeRecord record)
        => NameText.ScopeOf(record.Info.Proto)
            ?? record.Inputs.OfType<TensorState>().Where(IsWeight).Select(Stored).Where(w => _readers[w].Count == 1)
                .Select(w => NameText.ModuleOf(w.Name)).FirstOrDefault(m => m is not null);

    /// <summary>The operand of a node that holds its weight: that of a product, or else the first that is a weight of the file.</summary>
    public static TensorState? WeightOf(NodeRecord record)
    {
        if (record.Contraction is not { } product) return record.Inputs.FirstOrDefault(i => i is not null && IsWeight(i));
        var (left, right) = (record.Inputs[product.Left]!, record.Inputs[product.Right]!);
        return IsWeight(right) ? right : IsWeight(left) ? left : null;
    }

    /// <summary>What is added to a product: an operand of its own, or the constant of the Add that alone reads it.</summary>
    public TensorState? BiasOf(NodeRecord record)
    {
        if (record.Contraction is not { } product) return null;
        if (product.Bias >= 0) return record.Inputs[product.Bias] is { IsConstant: true } own ? own : null;
        return record.Outputs is [var result, ..] && _readers.GetValueOrDefault(result) is [{ Info.Proto.OpType: "Add" } add]
            ? add.Inputs.FirstOrDefault(i => i is not null && IsWeight(i) && i.Terms?.Count(t => !t.IsOne) == 1) : null;
    }

    /// <summary>The first node that reads a weight, maybe cast, transposed or with a scale; null where none does.</summary>
    public NodeRecord? ReaderOf(TensorState weight)
    {
        var tensor = weight.Source ?? weight;
        while (_readers.GetValueOrDefault(tensor) is [var reader, ..])
        {
            if (!reader.Outputs.All(o => o.IsConstant)) return reader;
            tensor = reader.Outputs[0];
        }
        return null;
    }

    /// <summary>The tensor of the file behind an operand that is a weight, cast, transposed or with a scale.</summary>
    public TensorState Stored(TensorState operand)
    {
        var tensor = operand;
        while (!tensor.IsParameter && tensor.Producer >= 0 && _state.Records[tensor.Producer].Inputs is [{ IsConstant: true } from, ..])
            tensor = from;
        return tensor.Source ?? tensor;
    }

    /// <summary>
    /// The name of a weight that is a parameter of its module, without a word for what it is there; null where no person gave it, as to
    /// what a node makes of a shape.
    /// </summary>
    public static string? PlainName(TensorState weight)
        => weight.Data is not null && NameText.Unquantized(weight.Name) is var name && NameText.IsPlain(name) ? name : null;

    /// <summary>Whether a person can know the weight by its name in the file.</summary>
    public static bool IsReadable(TensorState weight) => NameText.ModuleOf(weight.Name) is not null || PlainName(weight) is not null;

    public static bool IsWeight(TensorState tensor) => tensor is { IsWeight: true, Value: null };

    private string? Find(NodeRecord record)
    {
        var weight = WeightOf(record) is { } operand ? Stored(operand) : null;
        if (weight is not null && NameText.ModuleOf(weight.Name) is { } module) return module;
        string? scope = NameText.ScopeOf(record.Info.Proto);
        // A parameter of the module itself, such as one of a stack of experts: decoder.0.experts.up.
        if (weight is not null && PlainName(weight) is { } plain && (scope is null || IsOwn(plain, scope))) return plain;
        return scope ?? (BiasOf(record) is { } bias && Stored(bias) is var stored && _readers.GetValueOrDefault(stored)?.Count == 1
            ? NameText.ModuleOf(stored.Name) : null);
    }

    private static bool IsOwn(string parameter, string scope)
        => parameter.StartsWith(scope + ".", StringComparison.Ordinal) && !parameter[(scope.Length + 1)..].Contains('.');
}
