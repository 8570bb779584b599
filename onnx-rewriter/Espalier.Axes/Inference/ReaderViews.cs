using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Onnx;

namespace Espalier.Axes.Inference;

/// <summary>
/// What several nodes only happen to share is no reason to couple them. A vector that several nodes read (exporters write equal biases,
/// scales and slopes once) is read as several vectors, and gets copies where their units differ. A table that is looked up once and added
/// in every layer (relative position biases, ALiBi, rotary caches) stays whole, and each reader takes the units that it needs.
/// </summary>
internal sealed class ReaderViews(InferenceState state)
{
    private readonly Dictionary<string, int> _uses = new(StringComparer.Ordinal);

    /// <summary>Counts the readers of every name; graphs inside nodes included.</summary>
    public void Count(GraphProto graph)
    {
        foreach (var node in graph.Node)
            foreach (string input in node.Input) _uses[input] = _uses.GetValueOrDefault(input) + 1;
    }

    /// <summary>The operands as this node sees them: vectors of the file that other nodes read too are its own.</summary>
    public void Vectors(NodeRecord record)
    {
        for (int k = 0; k < record.Inputs.Length; k++)
        {
            if (record.Inputs[k] is not { IsParameter: true, Value: null, Data: { } data, Terms.Length: > 0 } tensor || !IsShared(tensor))
                continue;
            if (data.Dims.Count(d => d > 1) != 1) continue;
            record.Inputs[k] = View(tensor, record, k, [.. data.Dims.Select(d => state.Unifier.Fresh(d))]);
        }
    }

    /// <summary>Axes of shared tables that this operator would only broadcast become its own.</summary>
    public void Tables(NodeRecord record)
    {
        if (record.Inputs is not [{ Terms: { } left }, { Terms: { } right }]
            || record.Info.Proto.OpType is not ("Add" or "Sub" or "Mul" or "Div" or "Max" or "Min")) return;
        Table(record, 0, left, right);
        Table(record, 1, right, left);
    }

    private void Table(NodeRecord record, int operand, Term[] own, Term[] other)
    {
        var tensor = record.Inputs[operand]!;
        if (!IsShared(tensor) || tensor.Source is not null || tensor.Value is not null || !IsBroadcast(own, other)) return;
        Term[]? terms = null;
        for (int k = 1; k <= own.Length && k <= other.Length; k++)
        {
            if (other[^k].IsOne || own[^k].Size is not >= 2 || own[^k].Leaves.Any(l => l.Size is null || l.IsProduced)
                || Same(own[^k], other[^k])) continue;
            terms ??= [.. own];
            terms[^k] = state.Unifier.Fresh(own[^k].Size);
            state.Taken.Add(new(record.Info, operand, own.Length - k, terms[^k]));
            state.Frozen.Add(new(own[^k], $"'{tensor.Name}' is shared by several operators, each of which takes its own part",
                Node: record.Info.Ordinal));
        }
        if (terms is not null) record.Inputs[operand] = View(tensor, record, operand, terms, isParameter: false);
    }

    private bool IsShared(TensorState tensor) => _uses.GetValueOrDefault(tensor.Name) > 1;

    /// <summary>Something of the other operand is repeated over: this one is the smaller.</summary>
    private static bool IsBroadcast(Term[] own, Term[] other)
        => own.Length < other.Length || Enumerable.Range(1, other.Length).Any(k => own[^k].IsOne && !other[^k].IsOne);

    private static bool Same(Term a, Term b) => a.Resolved is FactorTerm x && b.Resolved is FactorTerm y && x.Factor == y.Factor;

    private static TensorState View(TensorState tensor, NodeRecord record, int operand, Term[] terms, bool isParameter = true)
    {
        var view = new TensorState(tensor.Name, tensor.Scope)
        {
            Terms = terms,
            Data = isParameter ? tensor.Data : null,
            IsConstant = tensor.IsConstant,
            IsParameter = isParameter,
            ElementType = tensor.ElementType,
            Producer = tensor.Producer,
            Source = tensor,
            Reader = (record.Info, operand),
        };
        tensor.Views.Add(view);
        return view;
    }
}
