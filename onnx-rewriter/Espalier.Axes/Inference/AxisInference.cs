using System.Globalization;
using Espalier.Axes.Graph;
using Espalier.Axes.Operators;
using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;
using Espalier.Axes.Terms;
using Espalier.Axes.Zeros;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using Espalier.Onnx.Limits;

namespace Espalier.Axes.Inference;

/// <summary>One pass over the nodes in graph order: every axis of every tensor gets its term.</summary>
internal sealed class AxisInference
{
    private readonly OnnxModel _model;
    private readonly Dictionary<string, long> _opsets = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TypeProto> _types = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Term> _dimensions = new(StringComparer.Ordinal);
    private readonly AxisOptions _options;
    private readonly ReaderViews _views;
    private readonly Subgraphs _subgraphs;
    private readonly IReadOnlyDictionary<(int Scope, string Name), int> _ranks;
    private int _ordinal, _scopes;

    private AxisInference(OnnxModel model, AxisOptions options, IReadOnlyDictionary<(int Scope, string Name), int> ranks)
    {
        _model = model;
        _ranks = ranks;
        _options = options;
        State = new InferenceState(model) { Used = _used };
        _views = new ReaderViews(State);
        _subgraphs = new Subgraphs(State, Enter);
        foreach (var opset in model.Proto.OpsetImport) _opsets[opset.Domain == "ai.onnx" ? "" : opset.Domain] = opset.Version;
    }

    /// <summary>
    /// Runs over the model, and once more where an operator without a rule left ranks unknown that the operators behind it prescribe:
    /// these tensors then have fresh axes, frozen with that operator as the reason.
    /// </summary>
    public static AxisInference Run(OnnxModel model, AxisOptions options)
    {
        var first = new AxisInference(model, options, new Dictionary<(int, string), int>());
        first.Run();
        if (!first.State.Records.Any(r => r.Inputs.Any(i => i is { Terms: null, Name.Length: > 0 }))) return first;
        var declared = first._types.Where(t => t.Value.TensorType?.Shape is not null)
            .ToDictionary(t => t.Key, t => t.Value.TensorType.Shape.Dim.Count, StringComparer.Ordinal);
        var ranks = RankSolver.Solve(first.State.Records, declared);
        if (ranks.Count == 0) return first;
        var second = new AxisInference(model, options, ranks);
        second.Run();
        return second;
    }

    public InferenceState State { get; }
    public List<NodeInfo> Nodes { get; } = [];
    public List<TensorState> Tensors { get; } = [];
    public List<TensorState> GraphOutputs { get; } = [];
    public Scope Main { get; private set; } = null!;

    private void Run()
    {
        var graph = _model.Proto.Graph;
        CollectUses(graph);
        Main = Enter(graph, null, null);
        foreach (var output in graph.Output)
        {
            if (Main.Find(output.Name) is not { } tensor) continue;
            GraphOutputs.Add(tensor);
            Declare(tensor, output.Type);
            foreach (var term in tensor.Terms ?? [])
                State.Frozen.Add(new(term, $"graph output '{output.Name}': its shape is the model's interface", Tensor: output.Name));
        }
        ZeroAnalysis.Run(State);
    }

    private void CollectUses(GraphProto graph)
    {
        _views.Count(graph);
        foreach (var output in graph.Output) _used.Add(output.Name);
        foreach (var info in graph.ValueInfo.Concat(graph.Output))
            if (info.Type is not null) _types.TryAdd(info.Name, info.Type);
        foreach (var node in graph.Node)
        {
            foreach (string input in node.Input) _used.Add(input);
            foreach (var inner in node.Subgraphs()) CollectUses(inner);
        }
    }

    /// <summary>Walks over a graph.</summary>
    /// <param name="outer">The graph that holds it; null for the main graph, whose inputs are the model's interface.</param>
    /// <param name="inputs">Axes of the inputs of a body, as the node that holds it gives them.</param>
    private Scope Enter(GraphProto graph, Scope? outer, Term[]?[]? inputs)
    {
        var scope = new Scope(_scopes++, outer);
        foreach (var initializer in graph.Initializer)
            SourceRules.SetData(State, Add(scope, initializer.Name), initializer);
        for (int k = 0; k < graph.Input.Count; k++)
        {
            var input = graph.Input[k];
            if (input.Name.Length == 0 || scope.Tensors.ContainsKey(input.Name)) continue;
            var tensor = Add(scope, input.Name);
            tensor.ElementType = input.Type?.TensorType?.ElemType ?? 0;
            tensor.Terms = inputs is null ? TermsOf(input.Type, input.Name) : inputs.ElementAtOrDefault(k);
            Give(tensor, $"graph input '{input.Name}': it states no shape");
            if (outer is null)
                foreach (var term in tensor.Terms ?? [])
                    State.Frozen.Add(new(term, $"graph input '{input.Name}': its shape is the model's interface", Tensor: input.Name));
        }
        foreach (var sparse in graph.SparseInitializer)
            if (sparse.Values?.Name is { Length: > 0 } name)
                Add(scope, name).Unknown = $"'{name}', a sparse initializer, whose axes are not followed: store it as a dense one";
        foreach (var node in graph.Node) Visit(node, scope);
        // No operand restates what a graph gives as it is.
        foreach (var output in graph.Output)
            foreach (var element in scope.Find(output.Name)?.Value?.Elements ?? [])
                foreach (var leaf in element?.Leaves ?? [])
                    State.Frozen.Add(new(Term.Of(leaf),
                        $"{(outer is null ? "graph output" : "result of a body")} '{output.Name}': its size is in what is given",
                        Node: Math.Max(0, scope.Find(output.Name)!.Producer), Tensor: output.Name));
        return scope;
    }

    /// <param name="type">The type that the file states.</param>
    /// <param name="input">Name of the graph's input; null where it is none.</param>
    private Term[]? TermsOf(TypeProto? type, string? input = null)
    {
        if (type?.TensorType?.Shape is not { } shape) return null;
        return [.. shape.Dim.Select((d, axis) =>
        {
            if (d.HasDimValue && d.DimValue > 0) return State.Unifier.Fresh(d.DimValue);
            long nominal = input is not null
                && _options.Dimensions.TryGetValue(string.Create(CultureInfo.InvariantCulture, $"{input}:{axis}"), out long own) ? own
                : axis == 0 ? 1 : shape.Dim.Count == 4 ? 224 : 128;
            if (!d.HasDimParam || d.DimParam.Length == 0) return State.Unifier.Fresh(null, null, nominal);
            // One name is one size (ONNX IR, "Static tensor shapes").
            if (!_dimensions.TryGetValue(d.DimParam, out var term))
                _dimensions[d.DimParam] = term = State.Unifier.Fresh(null, d.DimParam,
                    _options.Dimensions.TryGetValue(d.DimParam, out long given) ? given : nominal);
            return term;
        })];
    }

    private TensorState Add(Scope scope, string name)
    {
        var tensor = new TensorState(name, scope.Id);
        scope.Tensors[name] = tensor;
        Tensors.Add(tensor);
        return tensor;
    }

    private void Visit(NodeProto node, Scope scope)
    {
        var info = new NodeInfo(_ordinal++, node, scope.Id);
        Nodes.Add(info);
        var record = new NodeRecord(info, [.. node.Input.Select(name => name.Length == 0 ? null : scope.Find(name) ?? Add(scope, name))],
            _opsets.GetValueOrDefault(node.Domain == "ai.onnx" ? "" : node.Domain, 1));
        _views.Vectors(record);
        _views.Tables(record);
        State.Records.Add(record);
        record.Outputs = [.. node.Output.Select(name =>
        {
            var tensor = name.Length == 0 ? new TensorState("", scope.Id) : Add(scope, name);
            tensor.Producer = info.Ordinal;
            return tensor;
        })];
        var context = new NodeContext(State, record);
        try
        {
            Apply(context, scope);
        }
        catch (MisfitException e)
        {
            context = Misfit(context, e.Message);
            record = context.Record;
        }
        Bound(context);
        record.Moved = OperatorTable.Moved(node);
        foreach (var output in record.Outputs) Give(output, output.Unknown ?? $"{info}: the rank of its result is not known");
        if (record.Contraction is { } product) MarkProduced(record, product);
        for (int k = 0; k < record.Outputs.Length; k++)
        {
            var output = record.Outputs[k];
            if (record.Inputs.Length > 0 && node.OpType != "ConstantOfShape")
                output.IsConstant = record.Inputs.All(i => i?.IsConstant != false);
            output.IsProduct = record.Contraction is not null || record.Inputs.Any(i => i?.IsProduct == true);
            if (output.ElementType == 0) output.ElementType = OperatorTable.TypeOf(record, k);
            Annotate(output);
        }
        Pin(record);
    }

    /// <summary>
    /// What the rule had said before it saw that operands and attributes do not fit is taken back; what it
    /// called one axis stays one.
    /// </summary>
    private NodeContext Misfit(NodeContext context, string reason)
    {
        var info = context.Info;
        TakeBack(State.SizeUses, u => u.Node);
        TakeBack(State.AttributeUses, u => u.Node);
        TakeBack(State.ScaleUses, u => u.Node);
        TakeBack(State.IndexUses, u => u.Node);
        TakeBack(State.Means, u => u.Node);
        context = new(State, State.Records[info.Ordinal] = new(info, context.Inputs, context.Opset) { Outputs = context.Record.Outputs });
        NothingKnown(context, reason);
        return context;

        // The node is the last that said anything.
        void TakeBack<T>(List<T> said, Func<T, NodeInfo> node)
        {
            int first = said.Count;
            while (first > 0 && node(said[first - 1]) == info) first--;
            said.RemoveRange(first, said.Count - first);
        }
    }

    /// <summary>A tensor of which nothing but the rank is known: fresh axes that stay as they are.</summary>
    private void Give(TensorState tensor, string reason)
    {
        if (tensor.Terms is not null || !_ranks.TryGetValue((tensor.Scope, tensor.Name), out int rank)) return;
        tensor.Terms = [.. Enumerable.Range(0, rank).Select(_ => State.Unifier.Fresh(null))];
        foreach (var term in tensor.Terms) State.Frozen.Add(new(term, reason, Node: Math.Max(0, tensor.Producer)));
    }

    /// <summary>Axes of a result whose size nothing else tells have, in costs, the size that the file declares.</summary>
    private void Declare(TensorState tensor, TypeProto? type)
    {
        if (type?.TensorType?.Shape is not { } shape || tensor.Terms?.Length != shape.Dim.Count) return;
        for (int k = 0; k < shape.Dim.Count; k++)
        {
            if (tensor.Terms[k].Resolved is not FactorTerm { Factor: { Size: null, Nominal: null } factor }) continue;
            var dim = shape.Dim[k];
            if (dim.HasDimValue && dim.DimValue > 0) factor.Nominal = dim.DimValue;
            else if (dim.HasDimParam && _dimensions.TryGetValue(dim.DimParam, out var named)) factor.Nominal = named.Nominal;
        }
    }

    /// <summary>Axes whose terms grow beyond what can be followed stay whole, and count as one.</summary>
    private void Bound(NodeContext context)
    {
        foreach (var output in context.Record.Outputs)
        {
            if (output.Terms is not { } terms) continue;
            if (terms.Length > OnnxLimits.Default.Rank)
            {
                context.Barrier($"its result has {terms.Length} axes, and more than {OnnxLimits.Default.Rank} are not followed");
                return;
            }
            for (int k = 0; k < terms.Length; k++)
            {
                if (terms[k].Levels <= Term.MaxLevels) continue;
                const string TooLong = "the structure of this axis is too long to be followed";
                context.Freeze(terms[k], TooLong);
                terms[k] = context.Constant(terms[k].Size, TooLong, terms[k].Nominal);
            }
        }
    }

    /// <summary>The free axes of a weight that is contracted are units of a layer.</summary>
    private static void MarkProduced(NodeRecord record, Contraction product)
    {
        if (!product.Axes.Any(a => a is { Left: >= 0, Right: >= 0, Output: < 0 } && !a.Term.IsOne)) return;
        foreach (var (term, left, right, output) in product.Axes)
            if (output >= 0
                && ((left >= 0 && record.Inputs[product.Left]!.IsConstant) || (right >= 0 && record.Inputs[product.Right]!.IsConstant)))
                Unifier.MarkProduced(term);
    }

    private void Apply(NodeContext context, Scope scope)
    {
        var node = context.Node;
        if (ValueRules.TryEvaluate(context))
        {
            context.Record.Rule = node.OpType;
            return;
        }
        if (node.Attribute.Any(a => a.G is not null || a.Graphs.Count > 0))
        {
            _subgraphs.Apply(context, scope);
            return;
        }
        if (context.Record.Outputs.Length == 0)
        {
            context.Barrier("it gives nothing");
            return;
        }
        if (CodeRules.Find(node.Domain, node.OpType) is { } rule)
        {
            context.Record.Rule = node.OpType;
            if (rule.NeedsShape
                && (context.Input(0)?.Terms is null || (node.OpType == "Concat" && context.Inputs.Any(i => i?.Terms is null))))
            {
                context.Barrier("the rank of an operand is not known");
                if (rule.Multiplies) context.Record.Unpriced = $"{context.Info}: the rank of an operand is not known";
            }
            else
            {
                rule.Apply(context);
                // Operands that the rule does not speak of (scales, pads, bounds) are read as they are.
                foreach (var operand in context.Inputs.Skip(rule.Described)) context.FreezeAll(operand, "an operand that is read as it is");
            }
            return;
        }
        if (RuleApplication.TryApply(context))
        {
            TableExceptions.Refine(context);
            return;
        }
        string reason = OperatorTable.BarrierOf(node.Domain, node.OpType) ?? FunctionInliner.WhyNot(_model.Proto, node)
            ?? (OperatorTable.Find(node.Domain, node.OpType).Any() ? "no line of the operator table fits its operands"
            : $"the operator {(node.Domain.Length > 0 ? node.Domain + "." : "")}{node.OpType} is not known");
        NothingKnown(context, reason);
    }

    /// <summary>
    /// The node is a barrier: what the file states of its results is believed as far as their ranks, and its
    /// cost is not known.
    /// </summary>
    private void NothingKnown(NodeContext context, string reason)
    {
        var node = context.Node;
        context.Barrier(reason);
        var code = CodeRules.Find(node.Domain, node.OpType);
        bool known = code is not null || OperatorTable.Find(node.Domain, node.OpType).Any()
            || OperatorTable.BarrierOf(node.Domain, node.OpType) is not null;
        if (!known || code?.Multiplies == true || OperatorTable.Find(node.Domain, node.OpType).Any(r => r.Macs.Count > 0)
            || context.Inputs.Any(i => i is { IsParameter: true, Terms.Length: > 1 }))
            context.Record.Unpriced = $"{context.Info}: {reason}";
        foreach (var output in context.Record.Outputs)
        {
            if (!_types.TryGetValue(output.Name, out var type)) continue;
            output.Terms = TermsOf(type);
            context.FreezeAll(output, reason);
        }
    }

    /// <summary>Sizes that an exporter left in value_info make dynamic results static.</summary>
    private void Annotate(TensorState tensor)
    {
        if (!_types.TryGetValue(tensor.Name, out var type) || type.TensorType?.Shape is not { } shape
            || tensor.Terms?.Length != shape.Dim.Count) return;
        for (int k = 0; k < tensor.Terms.Length; k++)
            if (shape.Dim[k].HasDimValue && shape.Dim[k].DimValue > 1
                && tensor.Terms[k].Resolved is FactorTerm { Factor: { Size: null, DimensionName: null } factor })
                factor.Size = shape.Dim[k].DimValue;
    }

    /// <summary>Where sizes leave the arithmetic that is tracked, their value is pinned to the dense model's.</summary>
    private void Pin(NodeRecord record)
    {
        if (record.Outputs.Length > 0 && record.Outputs[0].Value is not null) return;
        for (int k = 0; k < record.Inputs.Length; k++)
        {
            if (record.Inputs[k]?.Value is not { DependsOnSizes: true } value) continue;
            if (record.SizeOperands.Contains(k)) continue;
            State.SizeUses.Add(new(record.Info, k, value, new Term?[value.Elements.Length], Pinned: true));
            foreach (var element in value.Elements)
            {
                // What cannot be written down anew must not change.
                if (element is null || element.Dense is not null) continue;
                foreach (var leaf in element.Leaves)
                    State.Frozen.Add(new(Term.Of(leaf), $"{record.Info}: its size is in a value that cannot be restated",
                        Node: record.Info.Ordinal));
            }
        }
    }
}
