using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Axes.Naming;
using Espalier.Axes.Operators;
using Espalier.Axes.Terms;
using Espalier.Axes.Zeros;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;

namespace Espalier.Axes;

/// <summary>What axis inference found in one model. Immutable.</summary>
internal sealed class AxisAnalysis
{
    private readonly AxisInference _inference;
    private readonly GroupBuilder _builder;
    private readonly Lazy<CostModel> _cost;
    private readonly ReasonChain _chain;
    private readonly Lazy<IReadOnlyList<Consumer>> _products;
    private readonly Lazy<IReadOnlyDictionary<string, Dequantization>> _dequantizations;
    private readonly IReadOnlyDictionary<string, string> _origins;
    private OutputPointFinder? _outputs;

    private AxisAnalysis(OnnxModel model, AxisOptions options)
    {
        Options = options;
        File = model;
        Model = model = Ordered(FunctionInliner.Inline(model, out _origins));
        _inference = AxisInference.Run(model, options);
        var finder = new BlockFinder(_inference.State, _inference.GraphOutputs, options.AllowInterface);
        var modules = new Modules(State);
        Blocks = BlockNames.Assign(modules, State.Records, finder.Find());
        _builder = new GroupBuilder(_inference, finder.Streams, options.AllowInterface);
        Groups = _builder.Build();
        GroupNames.Assign(modules, State.Records, Groups, _builder.FirstWeight);
        Names = new(modules, State.Records, _inference.Tensors.Select(t => t.Name), Blocks);
        var byFactor = Groups.ToDictionary(g => g.Factor);
        _dequantizations = new(() => DequantizationFinder.Find(_inference.State));
        Consumers = ConsumerFinder.Find(_inference.State, byFactor, _inference.GraphOutputs, _dequantizations);
        var readers = Groups.ToDictionary(g => g, _ => new List<Consumer>());
        foreach (var consumer in Consumers)
            foreach (var leaf in consumer.Contracted.Leaves)
                if (byFactor.TryGetValue(leaf, out var group)) readers[group].Add(consumer);
        foreach (var (group, consumers) in readers) group.Consumers = consumers;
        _products = new(() =>
            [.. Consumers,
                .. ConsumerFinder.FindOthers(_inference.State, byFactor, _inference.GraphOutputs, _dequantizations, Consumers.Count)]);
        _cost = new(() => Pricing().Build(State.Records, Parameters, StoredParameters.List(Model.Proto), File.FileBytes));
        _chain = new ReasonChain(_inference.State);
        Frozen = [.. FrozenAxes(byFactor)];
    }

    /// <summary>
    /// A file may have the nodes of its own graph in any order; whoever walks over them must meet a maker before
    /// its readers.
    /// </summary>
    private static OnnxModel Ordered(OnnxModel model)
    {
        var order = model.Proto.Graph.InOrder();
        // Nodes in a circle, which no file has that was opened, are in no order.
        if (order.Count < model.Proto.Graph.Node.Count || order.Zip(model.Proto.Graph.Node).All(p => ReferenceEquals(p.First, p.Second)))
            return model;
        var clone = model.Proto.Clone();
        var nodes = clone.Graph.InOrder();
        clone.Graph.Node.Clear();
        clone.Graph.Node.AddRange(nodes);
        return model.Derive(clone);
    }

    /// <summary>
    /// The model; where it has local functions, with their bodies in place of the calls, and with its nodes in an
    /// order in which they can run.
    /// </summary>
    public OnnxModel Model { get; }
    /// <summary>The model as it was given: its figures are those of its file.</summary>
    public OnnxModel File { get; }
    /// <summary>What the inference was told.</summary>
    public AxisOptions Options { get; }
    /// <summary>Every factor that occurs in a weight with a static size of at least 2; frozen ones too.</summary>
    public IReadOnlyList<Group> Groups { get; }
    /// <summary>Products that contract prunable units.</summary>
    public IReadOnlyList<Consumer> Consumers { get; }
    /// <summary>
    /// All products of an activation with a weight: <see cref="Consumers"/>, then those that contract nothing that may go.
    /// Number and index are the same.
    /// </summary>
    public IReadOnlyList<Consumer> Products => _products.Value;
    /// <summary>Where a product's output ends up; null where that is no tensor of the main graph with an axis of its channels.</summary>
    public OutputPoint? OutputOf(Consumer consumer) => (_outputs ??= new(_inference)).Find(consumer);

    /// <summary>What the integers of weights stand for, by name of the weight.</summary>
    public IReadOnlyDictionary<string, Dequantization> Dequantizations => _dequantizations.Value;
    /// <summary>Sublayers, then blocks.</summary>
    public IReadOnlyList<Block> Blocks { get; }
    /// <summary>What a person can write for weights and nodes, and what a pattern means.</summary>
    public NameTable Names { get; }
    /// <summary>Nodes in walk order.</summary>
    public IReadOnlyList<NodeInfo> Nodes => _inference.Nodes;
    /// <summary>Cost as a polynomial in the sizes of the groups.</summary>
    public CostModel Cost { get => field ?? _cost.Value; internal set; }
    /// <summary>Every weight axis of size 2 or more of which no unit can be removed, with operator and reason.</summary>
    public IReadOnlyList<(string Tensor, int Axis, string Reason)> Frozen { get; }

    /// <summary>
    /// What became of every parameter of the file, in the order of the file: the elements sum up to its parameters.
    /// </summary>
    public IReadOnlyList<WeightEntry> Weights => field ??= WeightAccount.List(this);

    internal InferenceState State => _inference.State;
    internal IEnumerable<TensorState> GraphInputs => _inference.Tensors.Where(t => t is { Scope: 0, Producer: -1, IsParameter: false });
    internal IReadOnlyList<TensorState> GraphOutputs => _inference.GraphOutputs;
    internal IReadOnlyList<TensorState> Parameters => _builder.Parameters;
    internal IReadOnlyDictionary<Factor, Mark> FrozenMarks => _builder.Frozen;
    internal IReadOnlyDictionary<Factor, Mark> InexactMarks => _builder.Inexact;

    /// <summary>
    /// Cost of some of the nodes with the weights that they read, or that nodes without activations compute for them, in the
    /// sizes of the same groups. A weight that several nodes read counts for each set of nodes that has one of them.
    /// </summary>
    public CostModel CostOf(Func<NodeInfo, bool> nodes)
        => Pricing().Build(State.Records, Parameters, StoredParameters.List(Model.Proto), nodes);

    /// <summary>Multiply-accumulates of every operator that has some, in graph order, in the sizes of the same groups.</summary>
    internal IEnumerable<(NodeRecord Record, CostModel Cost)> CostOfEach() => Pricing().BuildEach(State.Records);

    /// <summary>The name that the file has for a tensor: another one only where a function's body took the place of its call.</summary>
    public string NameInFile(string tensor) => _origins.GetValueOrDefault(tensor, tensor);

    /// <summary>
    /// Multiply-accumulates of one run at the sizes that stand for dynamic dimensions: of all nodes, each in one branch of an
    /// If as in the other, in a body as often as a constant says. Without what is computed over axes of unknown size
    /// (<see cref="CostModel.UnknownMacs"/>).
    /// </summary>
    public double Macs
        => State.Records.Sum(r => r.Macs.Sum(p => p.Aggregate((double?)1, (product, term) => product * term.Nominal) ?? 0));

    private CostBuilder Pricing() => new(Groups.ToDictionary(g => g.Factor), Groups, Blocks, GraphOutputs, FrozenMarks);

    /// <summary>Runs the inference. Time is linear in the graph but for long concatenations.</summary>
    public static AxisAnalysis Run(OnnxModel model, AxisOptions? options = null) => new(model, options ?? new());

    /// <summary>
    /// Terms of the axes of a tensor, or null where its rank is unknown or no such tensor exists. A name that several subgraphs
    /// use gives the first.
    /// </summary>
    public IReadOnlyList<Term>? TermsOf(string tensor) => Find(tensor)?.Terms;

    // A vector that several nodes read has no axes of its own: the first reader's stand for it.
    private TensorState? Find(string tensor)
        => (_inference.Main.Find(tensor) ?? _inference.Tensors.FirstOrDefault(t => t.Name == tensor)) is { } found
            ? found.Views.FirstOrDefault(v => v.IsParameter) ?? found : null;

    /// <summary>
    /// The shortest chain of tensors and operators from a tensor to what froze one of its factors or made it inexact; empty where the
    /// factor is exact.
    /// </summary>
    public IReadOnlyList<string> ChainOf(string tensor, Factor factor)
    {
        var from = Find(tensor);
        if (from is null || !(FrozenMarks.TryGetValue(factor, out var mark) || InexactMarks.TryGetValue(factor, out mark))) return [];
        return _chain.Find(from, factor, mark);
    }

    /// <summary>The chain of <see cref="ChainOf(string, Factor)"/> for the reason that <see cref="Frozen"/> gives of this axis.</summary>
    public IReadOnlyList<string> ChainOf(string tensor, int axis)
        => Find(tensor)?.Terms?.ElementAtOrDefault(axis)?.Leaves.FirstOrDefault(FrozenMarks.ContainsKey) is { } factor
            ? ChainOf(tensor, factor)
            : [];

    /// <summary>Why a factor is frozen or inexact, in words; null where it is exact.</summary>
    public string? ReasonOf(Factor factor)
        => FrozenMarks.TryGetValue(factor, out var mark) || InexactMarks.TryGetValue(factor, out mark) ? mark.Reason : null;

    private IEnumerable<(string, int, string)> FrozenAxes(Dictionary<Factor, Group> byFactor)
    {
        foreach (var tensor in Parameters)
        {
            if (tensor.Value is not null) continue;
            for (int axis = 0; axis < tensor.Terms!.Length; axis++)
            {
                var leaves = tensor.Terms[axis].Leaves;
                if (tensor.Terms[axis].Size < 2 || leaves.Any(l => byFactor.TryGetValue(l, out var g) && g.Exactness != Exactness.Frozen))
                    continue;
                string reason = leaves.Select(l => _builder.Frozen.GetValueOrDefault(l)?.Reason).FirstOrDefault(r => r is not null)
                    ?? "all of its units hang together, or each is taken by a constant index";
                yield return (tensor.Name, axis, reason);
            }
        }
    }
}
