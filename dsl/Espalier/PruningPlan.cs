namespace Espalier;

/// <summary>
/// What is to be done to one model, as a plain value: the generator writes it from a policy class, the command line from its
/// options, and the rewriter carries it out. Serialised as JSON (camelCase).
/// </summary>
public sealed record PruningPlan
{
    /// <summary>Full name of the policy class; empty for a plan made on the command line.</summary>
    public string Policy { get; init; } = "";

    /// <summary>The model as the policy names it, relative to the project.</summary>
    public string Model { get; init; } = "";

    /// <summary>Rules on units, in order; a group belongs to the first rule that names it.</summary>
    public IReadOnlyList<PruneRule> Prune { get; init; } = [];

    /// <summary>Rules on depth.</summary>
    public IReadOnlyList<DropRule> Drop { get; init; } = [];

    /// <summary>
    /// Rules on ranks: weights that become products of two, after everything else; a weight belongs to the first rule that names it.
    /// </summary>
    public IReadOnlyList<LowRankRule> LowRank { get; init; } = [];

    /// <summary>What the slim model may cost; null where each rule's own ratio decides.</summary>
    public Budget? Budget { get; init; }

    /// <summary>
    /// The method that says what the plan leaves open; null for <see cref="Espalier.Preset.Best"/> with calibration data and
    /// <see cref="Espalier.Preset.Magnitude"/> without.
    /// </summary>
    public Preset? Preset { get; init; }

    /// <summary>How the budget is spread; null as the preset says.</summary>
    public Allocation? Allocate { get; init; }

    /// <summary>In which order layers are made up for; null as the preset says.</summary>
    public Schedule? Schedule { get; init; }

    /// <summary>How outputs are compared where the plan chooses by them; null as the preset says.</summary>
    public Metric? DivergenceMetric { get; init; }

    /// <summary>Names of the outputs that are compared; none for all.</summary>
    public IReadOnlyList<string> DivergenceOutputs { get; init; } = [];

    /// <summary>Inputs of which statistics are taken; null as the preset says.</summary>
    public InputSource? Inputs { get; init; }

    /// <summary>Globs of tensor or group names that stay whole.</summary>
    public IReadOnlyList<string> Protect { get; init; } = [];

    /// <summary>
    /// Whether of every rule the first and the last group, sublayer or block in the order of the graph stay whole: what is next
    /// to inputs and outputs bears the least. Null as the preset says.
    /// </summary>
    public bool? ProtectEnds { get; init; }

    /// <summary>Where calibration data come from; null without.</summary>
    public CalibrationSource? Calibration { get; init; }

    /// <summary>How the slim model is trained towards the dense one; null where it is not.</summary>
    public RecoverySource? Recover { get; init; }

    /// <summary>What is checked after slimming; null without.</summary>
    public Guard? Guard { get; init; }

    /// <summary>
    /// Whether caches and states among the model's inputs and outputs shrink with the heads and hidden states that they hold.
    /// </summary>
    public bool AllowInterface { get; init; }

    /// <summary>
    /// Whether weights that old files list among the model's inputs cease to be inputs: programs can then no longer replace them, and
    /// ONNX Runtime folds and packs them when it loads the model.
    /// </summary>
    public bool HoistInitializers { get; init; }

    /// <summary>Whether the build hands the slim model on: to what is published, and to projects that reference the policy's.</summary>
    public bool Publish { get; init; } = true;

    /// <summary>First hexadecimal digits, eight or more, of the SHA-256 that the model's file must have; null for any.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Seed of everything random in carrying out the plan.</summary>
    public int Seed { get; init; }

    /// <summary>Where the policy was written, as <c>file(line,column)</c>, for errors; empty on the command line.</summary>
    public string Location { get; init; } = "";
}

/// <summary>One rule on the units of some groups.</summary>
public sealed record PruneRule
{
    /// <summary>Name of the rule property, or of the option on the command line.</summary>
    public string Name { get; init; } = "";

    /// <summary>What is removed.</summary>
    public Axis Axis { get; init; }

    /// <summary>Glob over group and tensor names (<c>*</c> any run, <c>?</c> one character); <c>*</c> for all.</summary>
    public string Pattern { get; init; } = "*";

    /// <summary>
    /// Names of the groups that the rule was resolved to when the policy was compiled; null to match <see cref="Pattern"/> now.
    /// </summary>
    public IReadOnlyList<string>? Groups { get; init; }

    /// <summary>Fraction of units to keep, in (0, 1]; null where the budget decides.</summary>
    public double? Keep { get; init; }

    /// <summary>Fewest units of a group that stay.</summary>
    public int MinKeep { get; init; } = 1;

    /// <summary>Kept counts are multiples of this; 0 means the kind's default: 16 for channels, 1 elsewhere.</summary>
    public int RoundTo { get; init; }

    /// <summary>How units are ranked; null as the preset says.</summary>
    public Criterion? Score { get; init; }

    /// <summary>How what a unit scores in several weights becomes one number.</summary>
    public Aggregate Aggregate { get; init; }

    /// <summary>
    /// The file that <see cref="Criterion.File"/> reads, relative to the project or the working directory; null for every other criterion.
    /// </summary>
    public string? ScoreFile { get; init; }

    /// <summary>The policy's static method that <see cref="Criterion.Method"/> calls; null for every other criterion.</summary>
    public string? ScoreMethod { get; init; }

    /// <summary>How readers of the group make up for what is removed; null as the preset says.</summary>
    public Compensation? Compensate { get; init; }

    /// <summary>Whether groups that are marked inexact may be pruned by this rule.</summary>
    public bool AllowInexact { get; init; }

    /// <summary>Where the rule was written, as <c>file(line,column)</c>, for errors; empty on the command line.</summary>
    public string Location { get; init; } = "";
}

/// <summary>One rule on depth.</summary>
public sealed record DropRule
{
    /// <summary>Name of the rule property, or of the option on the command line.</summary>
    public string Name { get; init; } = "";

    /// <summary><see cref="Axis.Sublayers"/> or <see cref="Axis.Blocks"/>.</summary>
    public Axis Axis { get; init; } = Axis.Sublayers;

    /// <summary>Glob over block names.</summary>
    public string Pattern { get; init; } = "*";

    /// <summary>How many are removed; null where the budget decides: as many as it takes.</summary>
    public int? AtMost { get; init; }

    /// <summary>
    /// <see cref="Criterion.BlockSimilarity"/>, <see cref="Criterion.BlockAngle"/>, <see cref="Criterion.OutputDivergence"/> or
    /// <see cref="Criterion.Random"/>; null as the preset says. Without calibration data synthetic inputs are used and the report says so.
    /// </summary>
    public Criterion? Score { get; init; }

    /// <summary>Where the rule was written, as <c>file(line,column)</c>; empty on the command line.</summary>
    public string Location { get; init; } = "";
}

/// <summary>
/// One rule on ranks: the weight W [inputs, outputs] of a MatMul or Gemm becomes A·B with A [inputs, rank] and B [rank,
/// outputs], of all of that rank those whose outputs on the calibration data are nearest to W's; without data, those nearest to
/// W. Of a Conv, A has the window and B is 1×1. A rank that would save nothing leaves the weight as it is.
/// </summary>
public sealed record LowRankRule
{
    /// <summary>
    /// Glob over names of weights and of the nodes that read them (<c>*</c> any run, <c>?</c> one character); <c>*</c> for all.
    /// </summary>
    public string Pattern { get; init; } = "*";

    /// <summary>Which of the products that the pattern matches are meant.</summary>
    public ProductKind Of { get; init; }

    /// <summary>The rank; null where <see cref="Keep"/> or the budget decides.</summary>
    public int? Rank { get; init; }

    /// <summary>
    /// Most of the weight's parameters, and so of its multiply-accumulates, that stay, in (0, 1): the rank is the largest that
    /// keeps to it, at least 1. Null where <see cref="Rank"/> or the budget decides.
    /// </summary>
    public double? Keep { get; init; }
}

/// <summary>An upper bound on the slim model, each as a fraction of the dense model in (0, 1]; null where unbounded.</summary>
/// <param name="Macs">Multiply-accumulates.</param>
/// <param name="Parameters">Parameters.</param>
/// <param name="Bytes">Bytes of the file.</param>
/// <param name="Latency">Processor time of one run, measured on the machine that slims: the result then depends on measurements.</param>
public sealed record Budget(double? Macs = null, double? Parameters = null, double? Bytes = null, double? Latency = null)
{
    /// <summary>Bounds on parts of the model, which hold besides those on the whole; null without.</summary>
    public IReadOnlyList<ComponentBudget>? Components { get; init; }
}

/// <summary>
/// An upper bound on a part of the model, each as a fraction of what that part is in the dense model, in (0, 1]; null where unbounded.
/// </summary>
/// <param name="Pattern">Glob over the names of nodes (<c>*</c> any run, <c>?</c> one character), with or without their leading
/// <c>/</c>, over the modules that they lie in, and over blocks.</param>
/// <param name="Macs">Multiply-accumulates of the part's nodes.</param>
/// <param name="Parameters">Elements of the weights that they read.</param>
public sealed record ComponentBudget(string Pattern, double? Macs = null, double? Parameters = null);

/// <summary>A check of the slim model.</summary>
/// <param name="Equivalence">The slim model must equal the masked dense model (before compensation).</param>
/// <param name="Agreement">Least agreement with the dense model, in (0, 1], on calibration data that nothing else uses; null
/// without.</param>
/// <param name="Metric">How agreement is measured; null for what suits the outputs: the largest of logits, the cosine of features.</param>
public sealed record Guard(bool Equivalence = false, double? Agreement = null, Metric? Metric = null);

/// <summary>Where calibration data come from.</summary>
public sealed record CalibrationSource
{
    /// <summary>Name of the policy's static method that yields inputs; null on the command line.</summary>
    public string? Method { get; init; }

    /// <summary>File or folder of data; null for a method.</summary>
    public string? Path { get; init; }

    /// <summary>Most samples that are read.</summary>
    public int Samples { get; init; } = 1024;

    /// <summary>Alphabet, vocabulary or tokenizer for text; null to look beside the text and the model.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>
    /// What is subtracted from images, whose pixels are from 0 to 1: one number or one per channel; null for nothing.
    /// </summary>
    public IReadOnlyList<double>? Mean { get; init; }

    /// <summary>What images are divided by after that; null for 1.</summary>
    public IReadOnlyList<double>? Deviation { get; init; }

    /// <summary>
    /// File with the right answer to every sample, for <see cref="Metric.TaskLoss"/>; null for those in the data, if any.
    /// </summary>
    public string? Labels { get; init; }
}

/// <summary>How a slim model is trained towards the dense one, and on what.</summary>
public sealed record RecoverySource
{
    /// <summary>Number of steps of Adam, at least 1.</summary>
    public int Steps { get; init; } = 500;

    /// <summary>The policy's static method that gives samples to train on; null for those of the calibration.</summary>
    public string? Method { get; init; }

    /// <summary>Data to train on, as <see cref="CalibrationSource.Path"/>; null for those of the calibration.</summary>
    public string? Path { get; init; }

    /// <summary>Most samples that are read of them.</summary>
    public int Samples { get; init; } = 16384;

    /// <summary>Which weights are trained.</summary>
    public Train Weights { get; init; }

    /// <summary>Step size at its height.</summary>
    public double Rate { get; init; } = 3e-4;
}
