using Espalier.Onnx;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.TestKit.Counting;

/// <summary>A node as it ran.</summary>
/// <param name="Node">The node, with the attributes of the call where it is in a function.</param>
/// <param name="Inputs">Shapes of its operands; null where one is absent or no tensor.</param>
/// <param name="Outputs">Shapes of its results; null likewise.</param>
/// <param name="Times">How often it counts.</param>
internal sealed record TracedNode(NodeProto Node, IReadOnlyList<long[]?> Inputs, IReadOnlyList<long[]?> Outputs, double Times);

/// <summary>
/// The shapes of a run in ONNX Runtime, of every node in every graph and function. Both branches of an If run and count, because none is
/// the model's own; the body of a Loop
/// counts as often as a constant of the file says, else once, with the shapes of its first iteration; that of a Scan once for every step.
/// </summary>
internal sealed class ShapeTrace
{
    private readonly ModelProto _model;
    private readonly List<TracedNode> _nodes = [];
    private readonly List<string> _uncounted = [];

    private ShapeTrace(ModelProto model) => _model = model;

    /// <summary>Runs a model.</summary>
    /// <param name="model">The model, whole: no tensor of it in another file.</param>
    /// <param name="inputs">Its inputs by name.</param>
    public static ShapeTrace Run(ModelProto model, IReadOnlyDictionary<string, OrtValue> inputs)
    {
        var trace = new ShapeTrace(model);
        trace.Run(model.Graph, new Frame(null, model.Graph, inputs), 1);
        return trace;
    }

    /// <summary>Every node as it ran.</summary>
    public IReadOnlyList<TracedNode> Nodes => _nodes;

    /// <summary>
    /// Branches that do not run on what the graph around them gives, as one that is made for another rank or sampling rate.
    /// </summary>
    public IReadOnlyList<string> Uncounted => _uncounted;

    /// <summary>What is known by name while a graph runs.</summary>
    private sealed class Frame(Frame? outer, GraphProto graph, IReadOnlyDictionary<string, OrtValue> feeds)
    {
        private readonly Dictionary<string, TensorProto> _initializers = graph.Initializer
            .Concat(graph.Node.Where(n => n.OpType == "Constant").Select(Value).OfType<TensorProto>())
            .GroupBy(t => t.Name).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);

        /// <summary>What a Constant node gives, under its name.</summary>
        private static TensorProto? Value(NodeProto constant)
        {
            var value = constant.Attribute[0] switch
            {
                { T: { } tensor } => tensor.Clone(),
                { Name: "value_float" } a => new TensorProto { DataType = (int)DataType.Float, FloatData = { a.F } },
                { Name: "value_floats" } a
                    => new TensorProto { DataType = (int)DataType.Float, FloatData = { a.Floats }, Dims = { a.Floats.Count } },
                { Name: "value_int" } a => new TensorProto { DataType = (int)DataType.Int64, Int64Data = { a.I } },
                { Name: "value_ints" } a
                    => new TensorProto { DataType = (int)DataType.Int64, Int64Data = { a.Ints }, Dims = { a.Ints.Count } },
                _ => null,
            };
            if (value is not null) value.Name = constant.Output[0];
            return value;
        }

        public IReadOnlyDictionary<string, OrtValue> Feeds => feeds;

        public Dictionary<string, OrtValue> Results { get; } = new(StringComparer.Ordinal);

        public OrtValue? Value(string name)
            => Results.GetValueOrDefault(name) ?? feeds.GetValueOrDefault(name)
                ?? (_initializers.ContainsKey(name) ? null : outer?.Value(name));

        public TensorProto? Initializer(string name)
            => _initializers.GetValueOrDefault(name)
                ?? (Results.ContainsKey(name) || feeds.ContainsKey(name) ? null : outer?.Initializer(name));

        public long[]? Shape(string name)
            => name.Length == 0 ? null : Value(name) is { } value ? (value.IsTensor ? value.GetTensorTypeAndShape().Shape : null)
                : Initializer(name) is { } tensor ? [.. tensor.Dims] : null;

        /// <summary>The number of a constant of the file; null where the name is none.</summary>
        public long? Constant(string name)
        {
            if (Initializer(name) is { } tensor) return tensor.Int64Data.Count > 0
                ? tensor.Int64Data[0] : BitConverter.ToInt64(tensor.RawData.Span);
            return null;
        }
    }

    private void Run(GraphProto graph, Frame frame, double times)
    {
        var outputs = Shown(graph);
        if (outputs.Count == 0) return;
        using var run = new RunOptions();
        using var session = Session(graph, frame, outputs);
        var wanted = session.InputMetadata.Keys.Concat(session.OverridableInitializerMetadata.Keys).ToHashSet(StringComparer.Ordinal);
        var feeds = wanted.Where(n => frame.Value(n) is not null).ToDictionary(n => n, n => frame.Value(n)!);
        using var results = session.Run(run, feeds, outputs);
        for (int k = 0; k < outputs.Count; k++) frame.Results[outputs[k]] = results[k];
        foreach (var node in graph.Node)
        {
            if (_model.Functions.FirstOrDefault(f => f.Name == node.OpType && f.Domain == node.Domain) is { } function)
            {
                Call(node, function, frame, times);
                continue;
            }
            _nodes.Add(new(node, [.. node.Input.Select(frame.Shape)], [.. node.Output.Select(frame.Shape)], times));
            foreach (var body in node.Attribute.Where(a => a.G is not null).Select(a => a.G)) Body(node, body, frame, times);
        }
    }

    private void Body(NodeProto node, GraphProto body, Frame frame, double times)
    {
        var feeds = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
        var own = new List<OrtValue>();
        try
        {
            if (node.OpType == "Loop")
            {
                feeds[body.Input[0].Name] = Own(OrtValue.CreateTensorValueFromMemory(new long[] { 0 }, Dims(body.Input[0])));
                feeds[body.Input[1].Name] = Own(OrtValue.CreateTensorValueFromMemory(new[] { true }, Dims(body.Input[1])));
                for (int k = 2; k < body.Input.Count; k++) feeds[body.Input[k].Name] = Given(node.Input[k]);
                times *= Math.Max(1, frame.Constant(node.Input[0]) ?? 1);
            }
            else if (node.OpType == "Scan")
            {
                int sequences = (int)node.Attribute.First(a => a.Name == "num_scan_inputs").I, states = node.Input.Count - sequences;
                var axes = node.Attribute.FirstOrDefault(a => a.Name == "scan_input_axes")?.Ints;
                for (int k = 0; k < node.Input.Count; k++)
                {
                    if (k < states)
                    {
                        feeds[body.Input[k].Name] = Given(node.Input[k]);
                        continue;
                    }
                    var shape = frame.Shape(node.Input[k])!.ToList();
                    int axis = (int)(axes?[k - states] ?? 0);
                    axis = axis < 0 ? axis + shape.Count : axis;
                    if (k == states) times *= shape[axis];
                    shape.RemoveAt(axis);
                    feeds[body.Input[k].Name] =
                        Own(OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance,
                            Given(node.Input[k]).GetTensorTypeAndShape().ElementDataType, [.. shape]));
                }
            }
            Run(body, new Frame(frame, body, feeds), times);
        }
        // A branch that the model does not take on these inputs need not run on them.
        catch (OnnxRuntimeException e) when (node.OpType == "If")
        {
            _uncounted.Add($"a branch of If '{node.Name}' does not run: {e.Message.Split('\n')[0]}");
        }
        finally
        {
            foreach (var value in own) value.Dispose();
        }

        OrtValue Own(OrtValue value)
        {
            own.Add(value);
            return value;
        }

        // An initializer that goes into a body as its operand.
        OrtValue Given(string name) => frame.Value(name) ?? Own(OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance,
            (Microsoft.ML.OnnxRuntime.Tensors.TensorElementType)frame.Initializer(name)!.DataType, [.. frame.Initializer(name)!.Dims]));

        static long[] Dims(ValueInfoProto value) => value.Type?.TensorType?.Shape?.Dim.Count == 1 ? [1] : [];
    }

    /// <summary>The body of a function is a graph whose inputs are the call's operands.</summary>
    private void Call(NodeProto call, FunctionProto function, Frame frame, double times)
    {
        var body = new GraphProto { Name = function.Name };
        var feeds = new Dictionary<string, OrtValue>(StringComparer.Ordinal);
        var absent = function.Input.Where((_, k) => k >= call.Input.Count || call.Input[k].Length == 0).ToHashSet(StringComparer.Ordinal);
        foreach (var node in function.Node)
        {
            var bound = node.Clone();
            Bind(bound, call, function);
            for (int k = 0; k < bound.Input.Count; k++) if (absent.Contains(bound.Input[k])) bound.Input[k] = "";
            body.Node.Add(bound);
        }
        for (int k = 0; k < function.Input.Count && k < call.Input.Count; k++)
        {
            if (frame.Value(call.Input[k]) is { } value) feeds[function.Input[k]] = value;
            else if (frame.Initializer(call.Input[k])?.Clone() is { } tensor)
            {
                tensor.Name = function.Input[k];
                body.Initializer.Add(tensor);
            }
        }
        body.Output.AddRange(function.Output.Select(o => new ValueInfoProto { Name = o }));
        // What is outside of a function is not seen in it.
        Run(body, new Frame(null, body, feeds), times);
    }

    private static void Bind(NodeProto node, NodeProto call, FunctionProto function)
    {
        for (int k = node.Attribute.Count - 1; k >= 0; k--)
        {
            string name = node.Attribute[k].Name, reference = node.Attribute[k].RefAttrName;
            if (reference is not { Length: > 0 }) continue;
            var value = (call.Attribute.FirstOrDefault(a => a.Name == reference)
                ?? function.AttributeProto.FirstOrDefault(a => a.Name == reference))?.Clone();
            node.Attribute.RemoveAt(k);
            if (value is null) continue;
            value.Name = name;
            node.Attribute.Insert(k, value);
        }
        foreach (var inner in node.Attribute.Where(a => a.G is not null).SelectMany(a => a.G.Node)) Bind(inner, call, function);
    }

    /// <summary>A session of a graph that gives everything its nodes compute, and takes what they capture.</summary>
    private InferenceSession Session(GraphProto graph, Frame frame, IReadOnlyList<string> outputs)
    {
        var model = _model.Clone();
        var clone = model.Graph = graph.Clone();
        foreach (var function in model.Functions)
            foreach (var opset in function.OpsetImport
                .Where(o => model.OpsetImport.All(m => m.Domain != o.Domain))) model.OpsetImport.Add(opset);
        // Sizes that a body states hold for all of its iterations; only the first runs here.
        if (graph != _model.Graph) clone.ValueInfo.Clear();
        clone.Input.Clear();
        clone.Input.AddRange(graph.Input.Select(i => frame.Feeds.TryGetValue(i.Name, out var feed) && feed.IsTensor
            ? Described(i.Name, feed)
            : i.Clone()));
        var known = clone.Input.Select(i => i.Name).Concat(clone.Initializer.Select(t => t.Name))
            .Concat(clone.SparseInitializer.Select(s => s.Values.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (string name in Free(graph).Where(n => !known.Contains(n)).Distinct().ToList())
        {
            if (frame.Value(name) is { } value) clone.Input.Add(Described(name, value));
            else if (frame.Initializer(name) is { } tensor) clone.Initializer.Add(tensor.Clone());
        }
        var types = graph.Output.ToDictionary(o => o.Name, o => o, StringComparer.Ordinal);
        clone.Output.Clear();
        clone.Output.AddRange(outputs
            .Select(o => graph == _model.Graph && types.TryGetValue(o, out var typed) ? typed.Clone() : new ValueInfoProto { Name = o }));
        using var options =
            new SessionOptions
            {
                IntraOpNumThreads = 1,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL
            };
        return new InferenceSession(Google.Protobuf.MessageExtensions.ToByteArray(model), options);
    }

    /// <summary>
    /// What the nodes compute. Constants state their shapes themselves; numbers of a few bits, which ONNX Runtime's binding does not hand
    /// out, are weights on their way to a node that widens them.
    /// </summary>
    private static List<string> Shown(GraphProto graph)
    {
        var narrow = graph.Initializer.Where(t => IsNarrow(t.DataType)).Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        var shown = new List<string>();
        foreach (var node in graph.Node)
        {
            bool hides = node.OpType == "Constant" ? node.Attribute.Any(a => a.T is not null && IsNarrow(a.T.DataType))
                : node.OpType == "QuantizeLinear" ? node.Input.Count > 2 && narrow.Contains(node.Input[2])
                : node.OpType == "Cast" ? IsNarrow(node.Attribute.First(a => a.Name == "to").I)
                    : ParameterCount.Moving.ContainsKey(node.OpType) && narrow.Contains(node.Input[0]);
            foreach (string output in node.Output.Where(o => o.Length > 0))
            {
                if (hides) narrow.Add(output);
                else if (node.OpType != "Constant") shown.Add(output);
            }
        }
        return [.. shown.Distinct()];

        static bool IsNarrow(long type) => (DataType)type is >= DataType.Float8E4M3Fn and not DataType.Bfloat16;
    }

    private static ValueInfoProto Described(string name, OrtValue value)
    {
        var info = value.GetTensorTypeAndShape();
        var shape = new TensorShapeProto();
        shape.Dim.AddRange(info.Shape.Select(d => new TensorShapeProto.Types.Dimension { DimValue = d }));
        return new()
        {
            Name = name,
            Type = new TypeProto
            {
                TensorType =
                new TypeProto.Types.Tensor { ElemType = (int)(DataType)(int)info.ElementDataType, Shape = shape }
            }
        };
    }

    /// <summary>Names that a graph reads and that nothing in it makes.</summary>
    private static IEnumerable<string> Free(GraphProto graph)
    {
        var own = graph.Node.SelectMany(n => n.Output).Concat(graph.Initializer.Select(t => t.Name))
            .Concat(graph.Input.Select(i => i.Name)).ToHashSet(StringComparer.Ordinal);
        return graph.Node
            .SelectMany(n => n.Input
                .Concat(n.Attribute
                    .SelectMany(a => a.G is null ? [] : Free(a.G).Concat(a.G.Output.Select(o => o.Name).Where(o => !Makes(a.G, o))))))
            .Where(n => n.Length > 0 && !own.Contains(n));

        static bool Makes(GraphProto inner, string name)
            => inner.Node.Any(n => n.Output.Contains(name))
                || inner.Initializer.Any(t => t.Name == name) || inner.Input.Any(i => i.Name == name);
    }
}
