using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes;

/// <summary>A stored tensor that counts as parameters.</summary>
/// <param name="Name">Its name, of an initializer; that of the result, of a Constant node.</param>
/// <param name="Data">The tensor; null for a Constant node that states numbers in another form.</param>
/// <param name="Elements">Elements as they are stored: of a byte that holds several numbers, one.</param>
public sealed record StoredParameter(string Name, TensorProto? Data, long Elements);

/// <summary>
/// The parameters of a file: the elements of all tensors that it stores (initializers and Constant nodes; those of subgraphs and functions
/// too), if they are floating-point numbers or quantised weights, each once. A quantised weight is what an operator reads, maybe through
/// others that only move elements, as integers that stand for numbers, or multiplies; integers of eight bits and less are one too where
/// they are cast to numbers. Their zero points are none, nor are shapes, indices and masks. What the graph makes of a shape is not stored.
/// </summary>
public static class StoredParameters
{
    /// <summary>All of them, in the order of the file.</summary>
    /// <param name="model">The messages of the file.</param>
    public static IReadOnlyList<StoredParameter> Of(ModelProto model)
    {
        var quantized = new QuantizedValues(model);
        var found = new List<StoredParameter>();
        foreach (var scope in quantized.Scopes)
        {
            foreach (var tensor in scope.Graph?.Initializer ?? []) Add(scope, tensor.Name, tensor);
            foreach (var sparse in scope.Graph?.SparseInitializer ?? []) Add(scope, sparse.Values?.Name ?? "", sparse.Values);
            foreach (var node in scope.Nodes)
            {
                if (node.OpType != "Constant" || node.Domain is not ("" or "ai.onnx") || node.Output.Count == 0) continue;
                foreach (var attribute in node.Attribute)
                {
                    switch (attribute.Name)
                    {
                        case "value": Add(scope, node.Output[0], attribute.T); break;
                        case "sparse_value": Add(scope, node.Output[0], attribute.SparseTensor?.Values); break;
                        case "value_float": found.Add(new(node.Output[0], null, 1)); break;
                        case "value_floats": found.Add(new(node.Output[0], null, attribute.Floats.Count)); break;
                    }
                }
            }
        }
        return found;

        void Add(ValueScope scope, string name, TensorProto? tensor)
        {
            if (tensor is null) return;
            var type = (DataType)tensor.DataType;
            if (ElementTypes.IsFloat(type) || (ElementTypes.IsInteger(type) && type != DataType.Bool && quantized.Has(scope, name, type)))
                found.Add(new(name, tensor, tensor.Dims.Aggregate(1L, (product, d) => checked(product * d))));
        }
    }
}

/// <summary>Which values are integers that stand for numbers, followed backwards from the operators that read them so.</summary>
internal sealed class QuantizedValues
{
    private static readonly Dictionary<string, int[]> Moved = new(StringComparer.Ordinal)
    {
        ["Concat"] = [], ["Where"] = [1, 2],
    };

    private static readonly HashSet<string> MovedFirst = new(StringComparer.Ordinal)
    {
        "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather",
        "GatherElements", "GatherND", "Split", "Expand", "Tile", "Pad", "DepthToSpace", "SpaceToDepth",
    };

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
            && ElementTypes.IsFloat((DataType)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0)));
    }

    /// <summary>Functions, then the graphs, outer before inner.</summary>
    public List<ValueScope> Scopes { get; } = [];

    /// <summary>Whether a stored tensor is a quantised weight.</summary>
    public bool Has(ValueScope scope, string name, DataType type)
        => _read.Contains((scope, name)) || (ElementTypes.Bits(type) <= 8 && _cast.Contains((scope, name)));

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
        => node.Domain is "" or "ai.onnx" && (MovedFirst.Contains(node.OpType) ? operand == 0
            : Moved.TryGetValue(node.OpType, out int[]? operands) ? operands.Length == 0 || operands.Contains(operand)
            : node.OpType == "Cast" && ElementTypes.IsInteger((DataType)(node.Attribute.FirstOrDefault(a => a.Name == "to")?.I ?? 0)));

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
