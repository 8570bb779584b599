using System.Globalization;
using Espalier.Onnx.Checks;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Limits;

namespace Espalier.Onnx;

/// <summary>
/// Replaces calls of model-local functions by their bodies (ONNX IR, "Functions"): a call is defined to mean just that. Functions that are
/// stated for another operator set than the model's stay calls, because their nodes would mean something else in the model.
/// </summary>
internal static class FunctionInliner
{
    // The specification forbids recursion; a file may still hold it. Calls of calls may double with every
    // function, so that a few kilobytes would become gigabytes: their nodes are counted, and real models of
    // some hundred layers stay far below.
    private const int MostNodes = 30_000, Deepest = 64;

    /// <summary>The model without calls of functions, or the model itself where there are none.</summary>
    /// <param name="model">The model; it must stay open while the result is used.</param>
    /// <exception cref="OnnxFormatException">
    /// Functions call each other without end, or their nodes do not fit what a call gives them.
    /// </exception>
    public static OnnxModel Inline(OnnxModel model) => Inline(model, out _);

    /// <summary>The same, with what the names were inside of the functions.</summary>
    /// <param name="origins">By name of a value that came with a call: its name in the function.</param>
    /// <exception cref="OnnxFormatException">
    /// Functions call each other without end, or their nodes do not fit what a call gives them.
    /// </exception>
    public static OnnxModel Inline(OnnxModel model, out IReadOnlyDictionary<string, string> origins)
    {
        origins = new Dictionary<string, string>();
        if (model.Proto.Functions.Count == 0) return model;
        var clone = model.Proto.Clone();
        var inliner = new Inliner(clone);
        inliner.Graph(clone.Graph, 0);
        if (inliner.Calls == 0) return model;
        inliner.DropUnused();
        // What nodes of a function are given is known only where it is called: operands of a rank that an operator does not take, say.
        GraphCheck.Run(clone, model.Path, default);
        origins = inliner.Origins;
        return model.Derive(clone);
    }

    /// <summary>Why a call stays a call; null where the node is none.</summary>
    public static string? WhyNot(ModelProto model, NodeProto node)
        => model.Functions.FirstOrDefault(f => ModelFunctions.Key(f.Domain, f.Name, f.Overload)
            == ModelFunctions.Key(node.Domain, node.OpType, node.Overload)) is { } function
            ? $"the function {function.Domain}.{function.Name} is stated for another operator set than the model's" : null;

    private sealed class Inliner
    {
        private readonly ModelProto _model;
        private readonly Dictionary<(string, string, string), FunctionProto> _functions = [];
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);

        public Inliner(ModelProto model)
        {
            _model = model;
            foreach (var function in model.Functions)
                if (HasSameOperators(function))
                    _functions.TryAdd(ModelFunctions.Key(function.Domain, function.Name, function.Overload), function);
            Collect(model.Graph);
        }

        public int Calls { get; private set; }

        private int _nodes;

        public Dictionary<string, string> Origins { get; } = new(StringComparer.Ordinal);

        /// <summary>Domains that the model does not import come with the function; those that it does must agree.</summary>
        private bool HasSameOperators(FunctionProto function)
            => function.OpsetImport.All(o => _model.OpsetImport.FirstOrDefault(m => Domain(m) == Domain(o)) is not { } own
                || own.Version == o.Version);

        private static string Domain(OperatorSetIdProto opset) => OperatorSchemas.Domain(opset.Domain);

        private void Collect(GraphProto graph)
        {
            foreach (var tensor in graph.Initializer) _names.Add(tensor.Name);
            foreach (var input in graph.Input) _names.Add(input.Name);
            foreach (var node in graph.Node)
            {
                foreach (string output in node.Output) _names.Add(output);
                foreach (var inner in node.Subgraphs()) Collect(inner);
            }
        }

        public void Graph(GraphProto graph, int depth)
        {
            if (graph.Node.Any(n => Find(n) is not null))
            {
                var nodes = graph.Node.ToList();
                graph.Node.Clear();
                foreach (var node in nodes)
                {
                    if (Find(node) is { } function) graph.Node.AddRange(Body(node, function, depth));
                    else graph.Node.Add(node);
                }
            }
            foreach (var node in graph.Node)
                foreach (var inner in node.Subgraphs()) Graph(inner, depth);
        }

        public void DropUnused()
        {
            var called = new HashSet<(string, string, string)>();
            Called(_model.Graph, called);
            var kept = _model.Functions.Where(f => called.Contains(ModelFunctions.Key(f.Domain, f.Name, f.Overload))
                || !_functions.ContainsKey(ModelFunctions.Key(f.Domain, f.Name, f.Overload))).ToList();
            _model.Functions.Clear();
            _model.Functions.AddRange(kept);

            static void Called(GraphProto graph, HashSet<(string, string, string)> called)
            {
                foreach (var node in graph.Node)
                {
                    called.Add(ModelFunctions.Key(node.Domain, node.OpType, node.Overload));
                    foreach (var inner in node.Subgraphs()) Called(inner, called);
                }
            }
        }

        private FunctionProto? Find(NodeProto node)
            => _functions.GetValueOrDefault(ModelFunctions.Key(node.Domain, node.OpType, node.Overload));

        private List<NodeProto> Body(NodeProto call, FunctionProto function, int depth)
        {
            Calls++;
            if (depth > Deepest || (_nodes += function.Node.Count) > MostNodes)
                throw new OnnxFormatException(depth > Deepest
                    ? $"its functions call each other without end at '{function.Domain}.{function.Name}'"
                    : $"its functions, called by each other, make more than {MostNodes} nodes at '{function.Domain}.{function.Name}'",
                    "Export the model again.");
            foreach (var opset in function.OpsetImport)
                if (_model.OpsetImport.All(m => Domain(m) != Domain(opset))) _model.OpsetImport.Add(opset.Clone());
            string prefix = call.Name.Length > 0 ? call.Name : call.Output.FirstOrDefault(o => o.Length > 0) ?? function.Name;
            var names = new Dictionary<string, string>(StringComparer.Ordinal) { [""] = "" };
            for (int k = 0; k < function.Input.Count; k++) names[function.Input[k]] = call.Input.ElementAtOrDefault(k) ?? "";
            for (int k = 0; k < function.Output.Count; k++)
                if (call.Output.ElementAtOrDefault(k) is { Length: > 0 } output) names[function.Output[k]] = output;
            var body = new List<NodeProto>();
            foreach (var node in function.Node)
            {
                var copy = node.Clone();
                Rename(copy, names, prefix);
                Bind(copy, call, function);
                body.Add(copy);
            }
            // A result that is an operand has no node that could carry the call's name.
            for (int k = 0; k < function.Output.Count && k < call.Output.Count; k++)
                if (function.Input.Contains(function.Output[k]) && call.Output[k].Length > 0)
                    body.Add(new NodeProto
                    {
                        OpType = "Identity",
                        Name = $"{prefix}/{function.Output[k]}",
                        Input = { call.Input[function.Input.IndexOf(function.Output[k])] },
                        Output = { call.Output[k] }
                    });
            return [.. body.SelectMany(n => Find(n) is { } inner ? Body(n, inner, depth + 1) : [n])];
        }

        private void Rename(NodeProto node, Dictionary<string, string> names, string prefix)
        {
            node.Name = node.Name.Length > 0 ? $"{prefix}/{node.Name}" : "";
            for (int k = 0; k < node.Input.Count; k++) node.Input[k] = names.GetValueOrDefault(node.Input[k], node.Input[k]);
            foreach (var graph in node.Subgraphs())
            {
                var inner = new Dictionary<string, string>(names, StringComparer.Ordinal);
                foreach (var input in graph.Input) input.Name = inner[input.Name] = Fresh(prefix, input.Name);
                foreach (var tensor in graph.Initializer) tensor.Name = inner[tensor.Name] = Fresh(prefix, tensor.Name);
                foreach (var child in graph.Node) Rename(child, inner, prefix);
                foreach (var output in graph.Output) output.Name = inner.GetValueOrDefault(output.Name, output.Name);
            }
            for (int k = 0; k < node.Output.Count; k++)
            {
                if (node.Output[k].Length == 0) continue;
                if (!names.TryGetValue(node.Output[k], out string? name)) names[node.Output[k]] = name = Fresh(prefix, node.Output[k]);
                node.Output[k] = name;
            }
        }

        private string Fresh(string prefix, string name)
        {
            string stem = $"{prefix}/{name}", fresh = stem;
            for (int n = 2; !_names.Add(fresh); n++) fresh = string.Create(CultureInfo.InvariantCulture, $"{stem}_{n}");
            // What comes out of a function that this one calls was named anew there already.
            Origins[fresh] = Origins.GetValueOrDefault(name, name);
            return fresh;
        }

        /// <summary>Attributes that refer to the call's: its value, else the function's default, else none.</summary>
        private static void Bind(NodeProto node, NodeProto call, FunctionProto function)
        {
            for (int k = node.Attribute.Count - 1; k >= 0; k--)
            {
                if (node.Attribute[k].RefAttrName is not { Length: > 0 } reference) continue;
                var value = call.Attribute.FirstOrDefault(a => a.Name == reference)
                    ?? function.AttributeProto.FirstOrDefault(a => a.Name == reference);
                if (value is null)
                {
                    node.Attribute.RemoveAt(k);
                    continue;
                }
                var bound = value.Clone();
                bound.Name = node.Attribute[k].Name;
                node.Attribute[k] = bound;
            }
            foreach (var graph in node.Subgraphs())
                foreach (var child in graph.Node) Bind(child, call, function);
        }
    }
}
