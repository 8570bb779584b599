using Espalier.Onnx.Graphs;
using Espalier.Onnx.Limits;

using static Espalier.Onnx.AttributeProto.Types;

namespace Espalier.Onnx.Checks;

/// <summary>The functions of a model, as those who call them see them.</summary>
internal sealed class ModelFunctions
{
    private readonly Dictionary<(string, string, string), int> _numbers = [];
    private readonly IReadOnlyList<FunctionProto> _functions;
    private readonly Dictionary<string, AttributeType>[] _kinds;
    private readonly HashSet<int>[] _needed;
    private readonly CheckFaults _faults;

    public ModelFunctions(ModelProto model, CheckFaults faults)
    {
        (_functions, _faults) = (model.Functions, faults);
        (_kinds, _needed) = ([.. _functions.Select(Kinds)], [.. _functions.Select(_ => new HashSet<int>())]);
        for (var k = 0; k < _functions.Count; k++)
        {
            if (!_numbers.TryAdd(Key(_functions[k].Domain, _functions[k].Name, _functions[k].Overload), k))
            {
                throw faults.Fault($"the function '{NodeText.Format(_functions[k])}' is there twice",
                    "Give every function a name of its own.");
            }
        }
    }

    /// <summary>Whether the node calls a function of the model.</summary>
    public bool IsOf(NodeProto node) => Number(node) is not null;

    /// <summary>Whether the node calls a function of the model; then it must fit it.</summary>
    /// <exception cref="OnnxFormatException">It does not.</exception>
    public bool IsCall(NodeProto node, CheckedGraph graph)
    {
        if (Number(node) is not { } number)
        {
            return false;
        }
        var function = _functions[number];
        if (node.Input.Count > function.Input.Count)
        {
            throw Bad($"has {node.Input.Count} inputs; the function takes {function.Input.Count}");
        }
        if (_needed[number].Where(k => IsLeftOut(node, k)).Order().Select(k => (int?)k).FirstOrDefault() is { } missing)
        {
            throw Bad($"leaves out input {missing}, which the function needs");
        }
        if (node.Output.Count != function.Output.Count)
        {
            throw Bad($"has {node.Output.Count} outputs; the function gives {function.Output.Count}");
        }
        foreach (var attribute in node.Attribute)
        {
            if (_kinds[number].TryGetValue(attribute.Name, out var kind) && kind != attribute.Type)
            {
                throw Bad($"gives the attribute '{attribute.Name}' as {AttributeCheck.Word(attribute.Type)}; "
                    + $"the function reads it as {AttributeCheck.Word(kind)}");
            }
        }
        return true;
        OnnxFormatException Bad(string what)
            => _faults.Fault($"{NodeText.Format(node)}{graph.Place} {what}", "Make the call fit its function, or export the model again.");
    }

    /// <summary>Functions must come to an end; then it is known what each needs.</summary>
    /// <exception cref="OnnxFormatException">One calls itself, by way of others perhaps.</exception>
    public void RequireEnd()
    {
        var order = new NodeOrder(_functions.Count);
        foreach (var function in _functions)
        {
            foreach (var called in function.Node.Concat(Inner(function).SelectMany(g => g.Node)).Select(Number).OfType<int>())
            {
                order.Needs(called);
            }
            order.Next();
        }
        if (order.Sort(out var cycle) is not { } sorted)
        {
            var (one, other) = (NodeText.Format(_functions[cycle.Node]), NodeText.Format(_functions[cycle.Needed]));
            throw _faults.Fault($"the functions '{one}' and '{other}' call each other without end",
                "Export the model again; ONNX allows no recursion.");
        }
        foreach (var number in sorted)
        {
            FindNeeded(_functions[number], _needed[number]);
        }
    }

    /// <summary>Inputs that a node of the body needs, where the functions that it calls are known already.</summary>
    private void FindNeeded(FunctionProto function, HashSet<int> needed)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var k = 0; k < function.Input.Count; k++)
        {
            numbers.TryAdd(function.Input[k], k);
        }
        var sets = OperatorSets.From(function, _faults);
        foreach (var node in function.Node.Where(n => n.Input.Count > 0))
        {
            var called = Number(node);
            var schema = called is null
                ? OperatorSchemas.Find(node.Domain, node.OpType, sets.Version(node, () => $" in function '{NodeText.Format(function)}'"))
                : null;
            for (var k = 0; k < node.Input.Count; k++)
            {
                var isNeeded = called is { } other ? _needed[other].Contains(k) : schema is { IsDeprecated: false }
                    && schema.Inputs.IsRequired(k);
                if (isNeeded && numbers.TryGetValue(node.Input[k], out var number))
                {
                    needed.Add(number);
                }
            }
        }
    }

    private static bool IsLeftOut(NodeProto node, int input) => input >= node.Input.Count || node.Input[input].Length == 0;

    private int? Number(NodeProto node) => _numbers.Count > 0
        && _numbers.TryGetValue(Key(node.Domain, node.OpType, node.Overload), out var number) ? number : null;

    private static IEnumerable<GraphProto> Inner(FunctionProto function)
        => function.Node.SelectMany(n => n.Subgraphs()).SelectMany(g => g.WithSubgraphs());

    private static Dictionary<string, AttributeType> Kinds(FunctionProto function)
    {
        var kinds = new Dictionary<string, AttributeType>(StringComparer.Ordinal);
        foreach (var attribute in function.Node.Concat(Inner(function).SelectMany(g => g.Node)).SelectMany(n => n.Attribute)
            .Where(a => a.RefAttrName.Length > 0))
        {
            kinds.TryAdd(attribute.RefAttrName, attribute.Type);
        }
        return kinds;
    }

    /// <summary>What a node must say to call a function.</summary>
    internal static (string, string, string) Key(string domain, string name, string overload)
        => (OperatorSchemas.Domain(domain), name, overload);
}
