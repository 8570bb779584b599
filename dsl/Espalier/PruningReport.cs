using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace Espalier;

/// <summary>What slimming did, as a plain value; written as JSON beside the slim model.</summary>
public sealed record PruningReport
{
    /// <summary>The plan that was carried out.</summary>
    public PruningPlan Plan { get; init; } = new();

    /// <summary>Cost of the dense file as it lies on the disk.</summary>
    public ModelCost Before { get; init; } = new(0, 0, 0);

    /// <summary>Cost of the slim file as it is written.</summary>
    public ModelCost After { get; init; } = new(0, 0, 0);

    /// <summary>How near the slim model's answers are to the dense model's; null where they could not be compared.</summary>
    public MeasuredAgreement? Agreement { get; init; }

    /// <summary>What training towards the dense model brought; null where the plan asks for none.</summary>
    public RecoveryReport? Recovery { get; init; }

    /// <summary>
    /// Predicted time of the slim model over that of the dense one: MACs with convolution channels padded to the blocks that
    /// ONNX Runtime's CPU kernels use.
    /// </summary>
    public double PredictedTimeRatio { get; init; } = 1;

    /// <summary>
    /// For every tensor of the dense file that lost slices (initializer, output of a Constant node or of ConstantOfShape, input
    /// or output of the graph): axis → removed indices, ascending.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>> Removed { get; init; }
        = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>>();

    /// <summary>Copies that readers of a shared tensor got of their own, where they do not keep the same of it.</summary>
    public IReadOnlyList<TensorCopy> Copies { get; init; } = [];

    /// <summary>Every group that could be pruned, with what was kept of it.</summary>
    public IReadOnlyList<GroupReport> Groups { get; init; } = [];

    /// <summary>Every operator that multiplies, in the order of the dense model, with what it cost and costs.</summary>
    public IReadOnlyList<LayerReport> Layers { get; init; } = [];

    /// <summary>Every weight axis that no group may touch, and why.</summary>
    public IReadOnlyList<FrozenAxis> Frozen { get; init; } = [];

    /// <summary>Blocks and sublayers that were removed.</summary>
    public IReadOnlyList<string> Blocks { get; init; } = [];

    /// <summary>Every sublayer that went with them, by the names of its residual stream: what a judge needs who knows no blocks.</summary>
    public IReadOnlyList<BlockBypass> Bypassed { get; init; } = [];

    /// <summary>Weights that became products of two.</summary>
    public IReadOnlyList<FactoredWeight> Factored { get; init; } = [];

    /// <summary>
    /// What changed of the model's inputs and outputs: caches that shrank, went or were numbered anew. Empty unless the plan allows it.
    /// </summary>
    public IReadOnlyList<string> Interface { get; init; } = [];

    /// <summary>Inputs and outputs of the dense model that have another name in the slim one, or are gone from it.</summary>
    public IReadOnlyList<InterfaceName> Renamed { get; init; } = [];

    /// <summary>
    /// For weights whose names in the dense file are an exporter's numbers: name → a name that a person can write. Patterns match both.
    /// </summary>
    public IReadOnlyDictionary<string, string> Aliases { get; init; } = new Dictionary<string, string>();

    /// <summary>What the user should know: synthetic calibration, a group left alone, a budget reached only in part.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>
    /// The report in a few lines, <c>\n</c> between them: costs before and after, agreement, every group that lost units, removed blocks,
    /// notes. The same text for the same report.
    /// </summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Line("parameters", Before.Parameters, After.Parameters);
        Line("MACs", Before.Macs, After.Macs);
        Line("bytes", Before.Bytes, After.Bytes);
        if (Agreement is not null) text.Append(CultureInfo.InvariantCulture, $"agreement  {Agreement}\n");
        if (Recovery is not null) text.Append(CultureInfo.InvariantCulture, $"training  {Recovery}\n");
        text.Append(CultureInfo.InvariantCulture, $"predicted time  {PredictedTimeRatio:0.00} of the dense model's\n");
        foreach (var group in Groups.Where(g => g.Kept < g.Size))
            text.Append(CultureInfo.InvariantCulture, $"{group.Name}  {group.Kind}  {group.Size} → {group.Kept}\n");
        foreach (var block in Blocks) text.Append(CultureInfo.InvariantCulture, $"{block}  removed\n");
        foreach (var f in Factored)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Readable(f.Weight)}  {f.Inputs}x{f.Outputs} → rank {f.Rank}");
            if (f.Error is { } error) text.Append(CultureInfo.InvariantCulture, $"  (error of its outputs {error:0.0%})");
            text.Append('\n');
        }
        foreach (var change in Interface) text.Append(CultureInfo.InvariantCulture, $"interface: {change}\n");
        foreach (var note in Notes) text.Append(CultureInfo.InvariantCulture, $"note: {note}\n");
        return text.ToString();

        string Readable(string weight) => Aliases.TryGetValue(weight, out var alias) ? $"{alias} ({weight})" : weight;

        void Line(string what, long before, long after)
            => text.Append(CultureInfo.InvariantCulture,
                $"{what}  {before:#,0} → {after:#,0}  ({(before == 0 ? 1 : (double)after / before):0.0%})\n");
    }
}

/// <summary>Cost of one file.</summary>
/// <param name="Parameters">
/// Elements of all tensors that the file stores (initializers and Constant nodes, those of subgraphs and functions too) if they
/// are floating-point numbers or quantised weights; each once and as it is stored, so a byte that holds two numbers is one.
/// Shapes, indices, masks and zero points are none, nor is what the graph makes of a shape.
/// </param>
/// <param name="Macs">
/// Multiply-accumulates of one run at the sizes that stand for dynamic dimensions. Every branch of an If counts; the body of a
/// Loop counts as often as a constant says, else once.
/// </param>
/// <param name="Bytes">Bytes of the file and of those that its tensors lie in.</param>
public sealed record ModelCost(long Parameters, long Macs, long Bytes);

/// <summary>How near the slim model's answers are to the dense model's, measured before the file was written.</summary>
/// <param name="Metric">What was measured.</param>
/// <param name="Value">1 for the same answers.</param>
/// <param name="Samples">How many inputs both models ran on.</param>
/// <param name="On">Which inputs these were.</param>
public sealed record MeasuredAgreement(Metric Metric, double Value, int Samples, MeasuredOn On)
{
    /// <summary>What both models ran on, in words: <c>64 held-out samples</c>.</summary>
    [JsonIgnore]
    public string Inputs => string.Create(CultureInfo.InvariantCulture, $"{Samples} {On switch
    {
        MeasuredOn.HeldOut => "held-out samples",
        MeasuredOn.Calibration => "calibration samples",
        _ => "random inputs",
    }}");

    /// <summary>All of it in a few words: <c>0.973 by Top1 on 64 held-out samples</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value:0.####} by {Metric} on {Inputs}");
}

/// <summary>What training a slim model towards the dense one brought.</summary>
/// <param name="Samples">Samples that were trained on.</param>
/// <param name="HeldOut">Samples that the best weights were chosen by.</param>
/// <param name="Curve">Divergence on the held-out samples; step 0 is before training.</param>
public sealed record RecoveryReport(int Samples, int HeldOut, IReadOnlyList<RecoveryPoint> Curve)
{
    /// <summary>All of it in a few words: <c>divergence 0.0269 → 0.0141 on 750 held-out samples, by 5250 others</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"divergence {Curve[0].Divergence:g3} → {Curve.Min(c => c.Divergence):g3} on {HeldOut} held-out samples, by {Samples} others");
}

/// <summary>How far a model was from the dense one during training.</summary>
/// <param name="Step">Steps that were taken.</param>
/// <param name="Divergence">Mean divergence on the held-out samples, by the plan's metric; 0 for the same answers.</param>
public sealed record RecoveryPoint(int Step, double Divergence);

/// <summary>Inputs that an agreement was measured on.</summary>
public enum MeasuredOn
{
    /// <summary>Calibration samples that statistics and choices did not see.</summary>
    HeldOut,

    /// <summary>Calibration samples that statistics saw too: without a guard, or with too few to spare some, none are held out.</summary>
    Calibration,

    /// <summary>Seeded random inputs, since there were no data: the figure says little about the task.</summary>
    Random,
}

/// <summary>A tensor of the slim file that some readers got of their own.</summary>
/// <param name="Name">Its name in the slim file.</param>
/// <param name="Tensor">The tensor of the dense file that it is a copy of.</param>
/// <param name="Readers">First outputs of the dense model's operators that read it; none where it came with the body of a
/// function that took the place of a call.</param>
/// <param name="Removed">Axis → removed indices, ascending.</param>
public sealed record TensorCopy(string Name, string Tensor, IReadOnlyList<string> Readers,
    IReadOnlyDictionary<string, IReadOnlyList<int>> Removed);

/// <summary>One group in the report.</summary>
public sealed record GroupReport
{
    /// <summary>Name of the group.</summary>
    public string Name { get; init; } = "";

    /// <summary>Kind, in camelCase as in the command line's options.</summary>
    public string Kind { get; init; } = "";

    /// <summary>Units in the dense model.</summary>
    public int Size { get; init; }

    /// <summary>Units in the slim model.</summary>
    public int Kept { get; init; }

    /// <summary><c>exact</c>, or <c>inexact: reason</c>.</summary>
    public string Exactness { get; init; } = "";

    /// <summary>Weight axes that the group couples, as <c>tensor:axis</c>.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Removed units, ascending.</summary>
    public IReadOnlyList<int> RemovedUnits { get; init; } = [];

    /// <summary>
    /// Of an inexact group that stayed whole: tensors and operators in turn, from its first weight to the operator that makes it inexact.
    /// </summary>
    public IReadOnlyList<string> Chain { get; init; } = [];
}

/// <summary>A removed sublayer, by names of the dense model: a sum that it was added in, and what is left out of that sum.</summary>
/// <param name="Name">The sublayer.</param>
/// <param name="Branch">The summand f(x) that goes.</param>
/// <param name="Sum">The result of the node that adds it.</param>
public sealed record BlockBypass(string Name, string Branch, string Sum);

/// <summary>An input or output with another name.</summary>
/// <param name="Dense">Its name in the dense model.</param>
/// <param name="Slim">Its name in the slim model; null where it went with its block.</param>
public sealed record InterfaceName(string Dense, string? Slim);

/// <summary>One weight that became a product of two, with the sizes that pruning left of it.</summary>
public sealed record FactoredWeight
{
    /// <summary>Name of the weight in the dense model.</summary>
    public string Weight { get; init; } = "";

    /// <summary>Operators that read it.</summary>
    public string Node { get; init; } = "";

    /// <summary>Name of the first factor in the slim model, which the inputs are multiplied with.</summary>
    public string Down { get; init; } = "";

    /// <summary>Name of the second, which gives the outputs.</summary>
    public string Up { get; init; } = "";

    /// <summary>Inputs.</summary>
    public int Inputs { get; init; }

    /// <summary>Positions of a convolution's window, at which every input has a weight; 1 of a matrix.</summary>
    public int Window { get; init; } = 1;

    /// <summary>Outputs.</summary>
    public int Outputs { get; init; }

    /// <summary>Columns of the first factor, rows of the second.</summary>
    public int Rank { get; init; }

    /// <summary>Root of the squared error of its outputs over their squares, on the calibration data; null without data.</summary>
    public double? Error { get; init; }

    /// <summary>Parameters of the weight.</summary>
    public long ParametersBefore { get; init; }

    /// <summary>Parameters of both factors.</summary>
    public long ParametersAfter { get; init; }

    /// <summary>Multiply-accumulates of one run with the weight.</summary>
    public long MacsBefore { get; init; }

    /// <summary>Multiply-accumulates of one run with both factors.</summary>
    public long MacsAfter { get; init; }

    /// <summary>
    /// How far the product is from what is left of the weight: ‖W − AB‖ / ‖W‖, root of the sum of squares; null in reports without it.
    /// </summary>
    public double? Distance { get; init; }
}

/// <summary>One weight axis that stays whole.</summary>
/// <param name="Tensor">Name of the weight.</param>
/// <param name="Axis">Its axis.</param>
/// <param name="Reason">Operator and reason.</param>
public sealed record FrozenAxis(string Tensor, int Axis, string Reason)
{
    /// <summary>
    /// Tensors and operators in turn: the shortest way from the weight to what froze the axis; the middle of a long one is left out.
    /// </summary>
    public IReadOnlyList<string> Chain { get; init; } = [];
}
