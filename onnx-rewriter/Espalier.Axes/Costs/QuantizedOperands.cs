using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Payloads;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Costs;

/// <summary>Which values are integers that stand for numbers, followed backwards from the operators that read them so.</summary>
internal sealed class QuantizedValues
{
    private readonly Dictionary<(string, string), ValueScope> _functions = [];
    private readonly Dictionary<ValueScope, List<(ValueScope Scope, NodeProto Call)>> _calls = [];
    private readonly Dictionary<NodeProto, List<ValueScope>> _bodies = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<(ValueScope, string)> _read = [], _cast = [];

    public QuantizedValues(ModelProto model)
    {
        foreach (var function in model.Functions) Enter(_functions[(function.Domain, function.Name)] = new(function));
        Enter(new(null, null, model.Graph));
        foreach (var scope in Scopes)
            foreach (var node in scope.Nodes)
                if (_functions.TryGetValue((node.Domain, node.OpType), out var called))
                {
                    if (!_calls.TryGetValue(called, out var list)) _calls[called] = list = [];
                    list.Add((scope, node));
                }
        Follow(_read, (node, operand) => QuantizedOperands.Holds(node, operand));
        Follow(_cast, (node, operand) => node.OpType == "Cast" && operand == 0
            && DataTypes.IsFloat((DataType)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0)));
    }

    /// <summary>Functions, then the graphs, outer before inner.</summary>
    public List<ValueScope> Scopes { get; } = [];

    /// <summary>Whether a stored tensor is a quantised weight.</summary>
    public bool Has(ValueScope scope, string name, DataType type)
        => _read.Contains((scope, name)) || (DataTypes.Bits(type) <= 8 && _cast.Contains((scope, name)));

    private void Enter(ValueScope root)
    {
        var open = new Queue<ValueScope>([root]);
        while (open.TryDequeue(out var scope))
        {
            Scopes.Add(scope);
            foreach (var node in scope.Nodes)
                foreach (var graph in node.Subgraphs())
                {
                    var inner = new ValueScope(scope, node, graph);
                    if (!_bodies.TryGetValue(node, out var list)) _bodies[node] = list = [];
                    list.Add(inner);
                    open.Enqueue(inner);
                }
        }
    }

    private void Follow(HashSet<(ValueScope, string)> marked, Func<NodeProto, int, bool> begins)
    {
        var open = new Queue<(ValueScope Scope, string Name)>();
        foreach (var scope in Scopes)
            foreach (var node in scope.Nodes)
                for (int k = 0; k < node.Input.Count; k++)
                    if (begins(node, k)) Mark(scope, node.Input[k]);
        while (open.TryDequeue(out var value))
        {
            var (scope, name) = value;
            if (scope.Maker(name) is { } node) Through(scope, node, node.Output.IndexOf(name));
            else if (IndexOf(scope.Inputs, name) is >= 0 and var input) Outwards(scope, input);
        }

        void Mark(ValueScope scope, string name)
        {
            if (name.Length > 0 && scope.Owner(name) is { } owner && marked.Add((owner, name))) open.Enqueue((owner, name));
        }

        void MarkAt(ValueScope scope, IReadOnlyList<string> names, int at)
        {
            if (at < names.Count) Mark(scope, names[at]);
        }

        void Through(ValueScope scope, NodeProto node, int output)
        {
            for (int k = 0; k < node.Input.Count; k++) if (Moves(node, k)) Mark(scope, node.Input[k]);
            if (_functions.TryGetValue((node.Domain, node.OpType), out var called)) MarkAt(called, called.Outputs, output);
            if (node.OpType != "If") return;
            foreach (var branch in _bodies.GetValueOrDefault(node) ?? []) MarkAt(branch, branch.Outputs, output);
        }

        void Outwards(ValueScope scope, int input)
        {
            foreach (var (caller, call) in _calls.GetValueOrDefault(scope) ?? []) MarkAt(caller, call.Input, input);
            if (scope is { Holder: { OpType: "Loop" or "Scan" } holder, Outer: { } outer }) MarkAt(outer, holder.Input, input);
        }
    }

    private static bool Moves(NodeProto node, int operand)
        => OperatorTable.Moved(node)?.Contains(operand) == true || (node.OpType == "Cast" && node.Domain is "" or "ai.onnx"
            && DataTypes.IsInteger((DataType)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0)));

    private static int IndexOf(IReadOnlyList<string> names, string name)
    {
        for (int k = 0; k < names.Count; k++) if (names[k] == name) return k;
        return -1;
    }
}

/// <summary>Which operands an operator takes for integers that stand for numbers: as its rules say.</summary>
internal static class QuantizedOperands
{
    /// <summary>Whether the operand is one.</summary>
    public static bool Holds(NodeProto node, int operand)
        => CodeRules.Find(node.Domain, node.OpType) is { } code ? code.IsInteger?.Invoke(operand) == true
            : OperatorTable.Find(node.Domain, node.OpType).Any(r => r.Packed.Any(p => p.Operand == operand)
                // Factors of a product of integers, and what is added to it.
                || r.Quantized.Any(q => q.Operand == operand) || r.Contract?.Contains(operand) == true);
}
