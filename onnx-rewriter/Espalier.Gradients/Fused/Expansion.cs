using Espalier.Axes;
using Espalier.Axes.Terms;
using Espalier.Gradients.Writing;
using Espalier.Onnx;

namespace Espalier.Gradients.Fused;

/// <summary>
/// What a fused operator stands for: a small model of plain operators, whose gradients are those of its nodes. What these need of the
/// forward values is computed once more, because the fused operator does not give it.
/// </summary>
internal sealed class Expansion(GradientContext context)
{
    private const string Prefix = "plain/";

    private readonly SortedDictionary<int, string> _operands = [];
    private readonly Dictionary<string, Func<string>> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _inlined = new(StringComparer.Ordinal);

    /// <summary>The node.</summary>
    public GradientContext Node => context;

    /// <summary>The plain operators.</summary>
    public BackwardGraph Graph { get; } = new(Prefix);

    /// <summary>Element type of the first operand that floats.</summary>
    public int Type => context.Record.Inputs.First(i => i is { IsFloating: true })!.ElementType;

    /// <summary>A rule from what writes the results, null where one is not written.</summary>
    public static Action<GradientContext> By(Func<Expansion, string?[]> write)
        => context => new Expansion(context).Apply(write);

    /// <summary>A rule from what writes the only result that may have a gradient.</summary>
    public static Action<GradientContext> By(Func<Expansion, string> write) => By(e => [write(e)]);

    /// <summary>An operand.</summary>
    public string In(int operand)
    {
        if (_operands.TryGetValue(operand, out string? known)) return known;
        if (!context.Has(operand)) throw new NoGradientException($"operand {operand} is absent");
        string name = Graph.Input($"operand/{operand}", context.Record.Inputs[operand]!);
        _known[name] = () => context.In(operand);
        return _operands[operand] = name;
    }

    /// <summary>A sum with an operand, where there is one.</summary>
    public string Plus(string x, int operand) => context.Has(operand) ? Graph.Op("Add", [x, In(operand)]) : x;

    public string Number(double value) => Graph.Number(value, Type);

    public string Scaled(string x, double factor) => factor == 1 ? x : Graph.Op("Mul", [x, Number(factor)]);

    /// <summary>Attributes of the node that a plain operator has too.</summary>
    public AttributeProto[] Attributes(params string[] names) => [.. context.Node.Attribute.Where(a => names.Contains(a.Name))];

    private void Apply(Func<Expansion, string?[]> write)
    {
        var written = write(this);
        for (int k = 0; k < context.Record.Outputs.Length; k++)
        {
            if (context.Gradient(k) is not { } gradient) continue;
            string result = (k < written.Length ? written[k] : null)
                ?? throw new NoGradientException($"an output depends on its result {k}, which is not followed backwards");
            string name = Prefix + "result/" + k;
            Graph.Output(name, result);
            Graph.Proto.Output[^1].Type = new TypeProto { TensorType = new() { ElemType = context.Record.Outputs[k].ElementType } };
            int index = k;
            _known[name] = _known[result] = () => context.Out(index);
            _known[$"backward/seed/{name}"] = () => gradient;
        }
        // An operand that is nowhere read here is not one without influence.
        for (int k = 0; k < context.Record.Inputs.Length; k++)
            if (context.Wants(k) && !_operands.ContainsKey(k))
                throw new NoGradientException($"nothing is known of the gradient of its operand {k}");
        Follow();
    }

    private void Follow()
    {
        var proto = new ModelProto { IrVersion = 10, ProducerName = "espalier", Graph = Graph.Proto };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = BackwardGraph.Opset });
        var wanted = _operands.Where(o => context.Wants(o.Key)).ToDictionary(o => o.Value, o => o.Key);
        using var model = OnnxModel.Wrap(proto.Clone());
        var backward = context.Follow(AxisAnalysis.Run(model), wanted.Keys);
        if (backward.Stopped.Count > 0) throw new NoGradientException($"as plain operators, {backward.Stopped.First().Value}");
        var producers = new Dictionary<string, NodeProto>(StringComparer.Ordinal);
        foreach (var node in Graph.Proto.Node.Concat(backward.Model.Proto.Graph.Node))
            foreach (string output in node.Output) producers[output] = node;
        foreach (var (name, gradient) in backward.Gradients) context.Give(wanted[name], Inlined(gradient, producers));
    }

    // A tensor of the small model in the large one.
    private string Inlined(string name, Dictionary<string, NodeProto> producers)
    {
        if (name.Length == 0) return "";
        if (_inlined.TryGetValue(name, out string? there)) return there;
        if (_known.TryGetValue(name, out var known)) return _inlined[name] = known();
        var node = producers[name];
        var results = context.Graph.Ops(node.OpType, node.Output.Count, [.. node.Input.Select(i => Inlined(i, producers))],
            [.. node.Attribute]);
        foreach (var (i, output) in node.Output.Index()) _inlined[output] = results[i];
        return _inlined[name];
    }
}
