#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>Makes a <c>static partial</c> class a pruning policy for one model of the project.</summary>
/// <param name="model">The model's path relative to the project, as in <c>&lt;OnnxModel Include="…" /&gt;</c>.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class PruningPolicyAttribute(string model) : Attribute
{
    /// <summary>The model's path relative to the project, with <c>/</c> between folders.</summary>
    public string Model { get; } = model;

    /// <summary>Seed of everything random in carrying out the policy.</summary>
    public int Seed { get; set; }

    /// <summary>
    /// Whether the slim model goes where the program goes. True: into the output of the project and of those that reference it,
    /// and into what they publish. False: into the project's own output alone, for a policy that is tried, measured or compared.
    /// </summary>
    public bool Publish { get; set; } = true;

    /// <summary>
    /// SHA-256 of the model's file in hexadecimal digits, or its first eight or more: the build fails where another model
    /// stands under the name. Not set: any model will do.
    /// </summary>
    public string? Sha256 { get; set; }
}

/// <summary>
/// Upper bounds on the slim model, each as a fraction in (0, 1] of the dense model. Rules without a
/// <see cref="PruneAttribute.Keep"/> of their own share the budget.
/// </summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class BudgetAttribute : Attribute
{
    /// <summary>Multiply-accumulates of one run; not set: unbounded.</summary>
    public double Macs { get; set; } = double.NaN;

    /// <summary>Elements of all weights; not set: unbounded.</summary>
    public double Parameters { get; set; } = double.NaN;

    /// <summary>Bytes of the file; not set: unbounded.</summary>
    public double Bytes { get; set; } = double.NaN;

    /// <summary>
    /// Processor time of one run; not set: unbounded. The build measures it on its own machine through ONNX Runtime, one
    /// thread, so the slim model then depends on measurements: two builds may choose a little differently.
    /// </summary>
    public double Latency { get; set; } = double.NaN;
}

/// <summary>
/// Upper bounds on a part of the slim model, each as a fraction in (0, 1] of the same part of the dense model. They hold
/// besides the <see cref="BudgetAttribute"/>, and suffice without one.
/// </summary>
/// <param name="pattern">Glob over the names of nodes, with or without their leading <c>/</c>, over the modules that they lie in, and
/// over blocks: <c>*</c> any run of characters, <c>?</c> one.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
public sealed class ComponentBudgetAttribute(string pattern) : Attribute
{
    /// <summary>Glob over the names of nodes.</summary>
    public string Pattern { get; } = pattern;

    /// <summary>Multiply-accumulates of the part's nodes; not set: unbounded.</summary>
    public double Macs { get; set; } = double.NaN;

    /// <summary>Elements of the weights that they read; not set: unbounded.</summary>
    public double Parameters { get; set; } = double.NaN;
}

/// <summary>
/// The method of the literature that says what a policy's other attributes leave open. Without this attribute it is
/// <see cref="Preset.Best"/> where the policy has calibration data, and <see cref="Preset.Magnitude"/> where it has none.
/// <see cref="Presets"/> tells what each is.
/// </summary>
/// <param name="preset">The preset.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class PresetAttribute(Preset preset) : Attribute
{
    /// <summary>The preset.</summary>
    public Preset Preset { get; } = preset;
}

/// <summary>In which order layers are pruned and made up for; as the preset says without this attribute.</summary>
/// <param name="schedule">The schedule.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class ScheduleAttribute(Schedule schedule) : Attribute
{
    /// <summary>The schedule.</summary>
    public Schedule Schedule { get; } = schedule;
}

/// <summary>How the budget is spread over groups; as the preset says without this attribute.</summary>
/// <param name="allocation">The allocation.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class AllocateAttribute(Allocation allocation) : Attribute
{
    /// <summary>The allocation.</summary>
    public Allocation Allocation { get; } = allocation;
}

/// <summary>
/// How outputs are compared where the policy chooses by them (<see cref="Allocation.Divergence"/>,
/// <see cref="Criterion.OutputDivergence"/>); as the preset says without this attribute.
/// </summary>
/// <param name="metric">The metric.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class DivergenceAttribute(Metric metric) : Attribute
{
    /// <summary>The metric.</summary>
    public Metric Metric { get; } = metric;

    /// <summary>Names of the outputs that count; all where it is empty.</summary>
    public string[] Outputs { get; set; } = [];
}

/// <summary>
/// Inputs of which statistics are taken; as the preset says without this attribute. Those that are made up need no
/// <see cref="CalibrationAttribute"/>.
/// </summary>
/// <param name="source">The source.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class InputsFromAttribute(InputSource source) : Attribute
{
    /// <summary>The source.</summary>
    public InputSource Source { get; } = source;
}

/// <summary>
/// After slimming the model is trained towards the dense one: its outputs, by what the policy compares them by, on unlabelled samples.
/// What is best on samples that training does not see is kept, so that it cannot become worse on these.
/// </summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class RecoverAttribute : Attribute
{
    /// <summary>Number of steps of Adam, at least 1.</summary>
    public int Steps { get; set; } = 500;

    /// <summary>
    /// A static method without parameters that returns <c>IEnumerable&lt;Inputs&gt;</c>: samples to train on, other ones than the
    /// calibration's, the last of which the agreement is measured on. Not set: those of the calibration that it is not measured on.
    /// </summary>
    public string? Data { get; set; }

    /// <summary>Most samples that are read of them, at least 1.</summary>
    public int Samples { get; set; } = 16384;

    /// <summary>Which weights are trained.</summary>
    public Train Weights { get; set; }

    /// <summary>Step size at its height, above 0.</summary>
    public double Rate { get; set; } = 3e-4;
}

/// <summary>Checks of the slim model; the build fails where one does not hold.</summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class GuardAttribute : Attribute
{
    /// <summary>The slim model must equal the masked dense model before compensation (1e-4 relative, random inputs).</summary>
    public bool Equivalence { get; set; }

    /// <summary>
    /// Least agreement of the slim model with the dense one, in (0, 1], on the last quarter of the calibration samples, which
    /// statistics never use (of fewer than eight samples, on all of them); not set: no check.
    /// </summary>
    public double Agreement { get; set; } = double.NaN;

    /// <summary>
    /// How agreement is measured; unless set by <see cref="Espalier.Metric.Top1"/> where an output has logits, and by
    /// <see cref="Espalier.Metric.Embedding"/> where it has features, of which the largest means nothing.
    /// </summary>
    public Metric Metric { get; set; }
}

/// <summary>Tensors or groups that stay whole.</summary>
/// <param name="pattern">Glob over names of groups, weights and blocks: <c>*</c> any run of characters, <c>?</c> one.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
public sealed class ProtectAttribute(string pattern) : Attribute
{
    /// <summary>Glob over tensor and group names.</summary>
    public string Pattern { get; } = pattern;
}

/// <summary>
/// Weights of matrix products and convolutions that become products of two smaller ones: see
/// <see cref="LowRankRule"/>. With neither <see cref="Rank"/> nor <see cref="Keep"/> the policy's <see cref="BudgetAttribute"/>
/// decides, which rules on units without a <see cref="PruneAttribute.Keep"/> share where they compensate with
/// <see cref="Compensation.LeastSquares"/>.
/// </summary>
/// <param name="pattern">Glob over names of weights and of the nodes that read them: <c>*</c> any run of characters, <c>?</c> one.</param>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true, Inherited = false)]
public sealed class LowRankAttribute(string pattern = "*") : Attribute
{
    /// <summary>Glob over names of weights and nodes.</summary>
    public string Pattern { get; } = pattern;

    /// <summary>Which of the products that the pattern matches are meant.</summary>
    public ProductKind Of { get; set; }

    /// <summary>The rank, at least 1; 0, the default, means not set.</summary>
    public int Rank { get; set; }

    /// <summary>Most of the weight's parameters that stay, in (0, 1); not set: <see cref="Rank"/> or the budget decides.</summary>
    public double Keep { get; set; } = double.NaN;
}

/// <summary>Of every rule the first and the last group, sublayer or block in the order of the graph stay whole.</summary>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class ProtectEndsAttribute : Attribute;

/// <summary>Makes a <c>static partial</c> property of type <see cref="Rule"/> a rule on the units of some groups.</summary>
/// <param name="axis">What is removed: anything but <see cref="Axis.Sublayers"/> and <see cref="Axis.Blocks"/>.</param>
/// <param name="pattern">Glob over group and weight names: <c>*</c> any run of characters, <c>?</c> one.</param>
[AttributeUsage(AttributeTargets.Property, Inherited = false)]
public sealed class PruneAttribute(Axis axis, string pattern = "*") : Attribute
{
    /// <summary>What is removed.</summary>
    public Axis Axis { get; } = axis;

    /// <summary>Glob over group and weight names.</summary>
    public string Pattern { get; } = pattern;

    /// <summary>Fraction of units to keep, in (0, 1]; not set: the policy's <see cref="BudgetAttribute"/> decides.</summary>
    public double Keep { get; set; } = double.NaN;

    /// <summary>Fewest units of a group that stay, at least 1.</summary>
    public int MinKeep { get; set; } = 1;

    /// <summary>Kept counts are multiples of this; 0, the default, means 16 for channels and 1 for everything else.</summary>
    public int RoundTo { get; set; }

    /// <summary>
    /// Whether groups that a normalisation or a sum runs over may be pruned, so that the slim model is not exactly the masked one.
    /// </summary>
    public bool AllowInexact { get; set; }
}

/// <summary>Makes a <c>static partial</c> property of type <see cref="Rule"/> a rule on depth.</summary>
/// <param name="axis"><see cref="Axis.Sublayers"/> or <see cref="Axis.Blocks"/>.</param>
/// <param name="pattern">Glob over the names of blocks: <c>*</c> any run of characters, <c>?</c> one.</param>
[AttributeUsage(AttributeTargets.Property, Inherited = false)]
public sealed class DropAttribute(Axis axis, string pattern = "*") : Attribute
{
    /// <summary>What is removed.</summary>
    public Axis Axis { get; } = axis;

    /// <summary>Glob over the names of blocks.</summary>
    public string Pattern { get; } = pattern;

    /// <summary>How many are removed, at least 1.</summary>
    public int AtMost { get; set; } = 1;
}

/// <summary>How a rule ranks its units; as the preset says without this attribute.</summary>
/// <param name="criterion">The criterion.</param>
[AttributeUsage(AttributeTargets.Property, Inherited = false)]
public sealed class ScoreAttribute(Criterion criterion) : Attribute
{
    /// <summary>The criterion.</summary>
    public Criterion Criterion { get; } = criterion;

    /// <summary>How what a unit scores in several weights becomes one number.</summary>
    public Aggregate Aggregate { get; set; }

    /// <summary>
    /// The file that <see cref="Criterion.File"/> reads, relative to the project: a JSON object that maps names of groups to
    /// one number per unit. The build sees when it changes.
    /// </summary>
    public string? ScoreFile { get; set; }

    /// <summary>
    /// The method that <see cref="Criterion.Method"/> calls: static, in the policy class, from a <see cref="ScoredGroup"/> to
    /// one number per unit (any <c>IEnumerable&lt;double&gt;</c>), not negative; the highest stay. The build runs it for each
    /// group, and for each step of a schedule with steps on the weights as they are by then: <c>[Score(Criterion.Method, Method
    /// = nameof(Rank))]</c>.
    /// </summary>
    public string? Method { get; set; }
}

/// <summary>How the weights that read a rule's groups make up for what is removed; as the preset says without this attribute.</summary>
/// <param name="method">The compensation.</param>
[AttributeUsage(AttributeTargets.Property, Inherited = false)]
public sealed class CompensateAttribute(Compensation method) : Attribute
{
    /// <summary>The compensation.</summary>
    public Compensation Method { get; } = method;
}

/// <summary>
/// The policy's calibration data: a static method without parameters that returns <c>IEnumerable&lt;Inputs&gt;</c>, where
/// <c>Inputs</c> is the record that is generated from the model's signature. The build runs it.
/// </summary>
[AttributeUsage(AttributeTargets.Method, Inherited = false)]
public sealed class CalibrationAttribute : Attribute
{
    /// <summary>Most samples that are read, at least 1.</summary>
    public int Samples { get; set; } = 1024;

    /// <summary>
    /// A file with the right answer to every sample, in their order, for <see cref="Metric.TaskLoss"/>: <c>.npy</c>, MNIST's
    /// idx, or text with a number at the start of every line; relative to the project. Not set: language models are asked for
    /// their next token.
    /// </summary>
    public string? Labels { get; set; }
}

/// <summary>Which weights are trained.</summary>
public enum Train
{
    /// <summary>All floating-point weights.</summary>
    All,

    /// <summary>Scales and shifts of normalisations, and biases: vectors.</summary>
    Vectors,
}
