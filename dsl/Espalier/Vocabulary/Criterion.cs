#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>How the importance of a unit is measured. Formulas: docs/methods.md.</summary>
public enum Criterion
{
    /// <summary>Sum of absolute weights over the whole coupled group.</summary>
    L1,
    /// <summary>Euclidean norm of the weights over the whole coupled group. The default.</summary>
    L2,
    /// <summary>Seeded random scores: the floor that every method must beat.</summary>
    Random,
    /// <summary>
    /// Variance of the unit's activation times the squared weights that read it (WIFV of FLAP, arXiv:2312.11983). Needs calibration.
    /// </summary>
    Variance,
    /// <summary>
    /// Absolute weights that read the unit times the norm of its activation (Wanda, arXiv:2306.11695). Needs calibration.
    /// </summary>
    Wanda,
    /// <summary>
    /// Least error of what reads the unit when it goes and the weights that stay make up for it (optimal brain surgeon on whole
    /// units, as in ZipLM, arXiv:2302.04089). Needs calibration, with covariances.
    /// </summary>
    OptimalBrain,
    /// <summary>
    /// Absolute scale that a normalisation gives the unit (network slimming, arXiv:1708.06519): of batch, group, layer and
    /// root-mean-square norms, else of a constant vector that multiplies it. L2 where it has none.
    /// </summary>
    NormScale,
    /// <summary>
    /// The unit's squared weights over those of all units that have at least as many (LAMP, arXiv:2010.07611, on whole units).
    /// </summary>
    Lamp,
    /// <summary>
    /// Sum of the distances to all other units' weights, in what produces the units: the lowest is the easiest to replace
    /// (FPGM, arXiv:1811.00250).
    /// </summary>
    GeometricMedian,
    /// <summary>Variance of the unit's activation (IFV of FLAP, arXiv:2312.11983), whatever reads it. Needs calibration.</summary>
    Fluctuation,
    /// <summary>
    /// The unit's share of the activation that a product reads, times the absolute weights that read it (CFSP,
    /// arXiv:2409.13199). Needs calibration.
    /// </summary>
    ActivationShare,
    /// <summary>
    /// Router's mean probability of an expert, counted where the expert is among the chosen (UNCURL, arXiv:2409.01483). For
    /// experts; L2 elsewhere. Needs calibration.
    /// </summary>
    RouterUse,
    /// <summary>
    /// Distance at which an expert's router row falls into one cluster with another's, by complete linkage, where that one's weights
    /// are nearer to the cluster's mean (STUN, arXiv:2409.06211). For experts; L2 elsewhere.
    /// </summary>
    RouterSimilarity,
    /// <summary>
    /// Attention that a head gives to other positions than the query's own and the first: what a streaming head lacks
    /// (forward-only form of DuoAttention, arXiv:2410.10819). For heads and KV groups; L2 elsewhere. Needs calibration.
    /// </summary>
    AttentionReceived,
    /// <summary>
    /// Absolute weights that make a unit, times the deviation of what they give over that of what they read (Beta-Rank,
    /// arXiv:2304.07461). Needs calibration.
    /// </summary>
    BetaRank,
    /// <summary>
    /// Numbers from a file: a JSON object that maps names of groups to one number per unit, the higher, the more the unit matters.
    /// </summary>
    File,
    /// <summary>From a method of the policy class, which the build runs (see <see cref="ScoreAttribute.Method"/>).</summary>
    Method,
    /// <summary>
    /// One minus the cosine similarity of a block's input and output (ShortGPT, arXiv:2403.03853). For sublayers and blocks;
    /// needs calibration.
    /// </summary>
    BlockSimilarity,
    /// <summary>
    /// Mean angle between a block's input and output, in half turns: arccos(cos)/π, which tells few large turns from many small
    /// ones otherwise than the mean cosine does (angular distance of arXiv:2403.17887, as in CFSP, arXiv:2409.13199). For
    /// sublayers and blocks; needs calibration.
    /// </summary>
    BlockAngle,
    /// <summary>
    /// How far the distribution of the singular values of the weights that make the group moves when the unit goes (the objective
    /// of PruneNet, arXiv:2501.15296, minimised in rounds). Needs no data.
    /// </summary>
    Spectrum,
    /// <summary>
    /// Curvature of the outputs' divergence in the unit's gate, by a finite difference: the Fisher information of Kwon et al.
    /// (arXiv:2204.09656). One run per unit, for groups of at most 256; needs calibration.
    /// </summary>
    Fisher,
    /// <summary>
    /// Divergence of the model's outputs when the unit goes (one run per unit, for groups of at most 256), or the block, one
    /// after the other, each given those that are already gone (FinerCut, arXiv:2405.18218; SLEB, arXiv:2402.09025). Needs calibration.
    /// </summary>
    OutputDivergence,
    /// <summary>
    /// Mean square of a dimension of the queries times that of the keys (ThinK, arXiv:2407.21018, static): each head keeps its own
    /// where its dimensions can be sorted, else one choice for the sum over heads.
    /// For what a product of two activations contracts; L2 elsewhere. Needs calibration.
    /// </summary>
    QueryKey,
    /// <summary>
    /// How often a head looks at the token that the model is about to say, of the times when that token was read before
    /// (retrieval score of arXiv:2404.15574, teacher-forced on calibration data). For heads and KV groups of models that
    /// predict the next token; L2 elsewhere. Needs calibration.
    /// </summary>
    Retrieval,
    /// <summary>
    /// What the outputs lose with the unit while others are gone too, by regression over random masks of all groups' units
    /// (Bonsai, arXiv:2402.05406). Four runs per unit, at most 1000, for groups of at most 256 units. Needs calibration.
    /// </summary>
    MaskRegression,
    /// <summary>
    /// <see cref="Variance"/> as FLAP (arXiv:2312.11983) compares it between layers: of heads and KV groups each feature's is
    /// squared, and a head has the mean. Needs calibration.
    /// </summary>
    WeightedFluctuation,
    /// <summary>Mean square of the unit's activation, whatever reads it (CORP, arXiv:2602.05243). Needs calibration.</summary>
    Energy,
}

/// <summary>What a criterion ranks; where a group is of another kind its units are ranked by <see cref="Criterion.L2"/>.</summary>
[Flags]
internal enum CriterionUnits
{
    None = 0,
    /// <summary>Units of every kind of group.</summary>
    All = 1,
    /// <summary>Experts.</summary>
    Experts = 2,
    /// <summary>Heads and KV groups.</summary>
    Heads = 4,
    /// <summary>Dimensions of heads that the product of queries and keys contracts.</summary>
    HeadDims = 8,
    /// <summary>Sublayers and blocks.</summary>
    Depth = 16,
}

/// <summary>What is known of one <see cref="Criterion"/>; how it is computed is in Espalier.Pruning.</summary>
/// <param name="Criterion">The criterion.</param>
/// <param name="Word">Its word on the command line.</param>
/// <param name="Units">What it ranks.</param>
/// <param name="Needs">What it needs.</param>
/// <param name="Source">Where it is published; empty where it is nobody's.</param>
internal sealed record CriterionRow(Criterion Criterion, string Word, CriterionUnits Units, Needs Needs, string Source)
{
    private const Needs Consumers = Needs.Data | Needs.Consumers;
    private const Needs Tensors = Needs.Data | Needs.Tensors;
    private const Needs Signals = Needs.Data | Needs.Signals;
    private const Needs Runs = Needs.Data | Needs.Runs;
    private const Needs Blocks = Needs.Data | Needs.Blocks;

    /// <summary>Its word where sublayers and blocks are ranked.</summary>
    public string DepthWord { get; init; } = Word;

    /// <summary>Runs of the model for every unit that it scores; 0 where it runs none.</summary>
    public int RunsPerUnit { get; init; }

    /// <summary>Whether only the build of a project can compute it.</summary>
    public bool OnlyInBuilds { get; init; }

    /// <summary>Whether it ranks units of some group.</summary>
    public bool RanksUnits => (Units & ~CriterionUnits.Depth) != 0;

    /// <summary>Whether it ranks sublayers and blocks.</summary>
    public bool RanksDepth => (Units & CriterionUnits.Depth) != 0;

    /// <summary>In the order of the help.</summary>
    public static IReadOnlyList<CriterionRow> All { get; } =
    [
        new(Criterion.L1, "l1", CriterionUnits.All, Needs.None, "Li et al. 2017, arXiv:1608.08710"),
        new(Criterion.L2, "l2", CriterionUnits.All, Needs.None, ""),
        new(Criterion.Random, "random", CriterionUnits.All | CriterionUnits.Depth, Needs.None, "Liu et al. 2019, arXiv:1810.05270"),
        new(Criterion.Variance, "variance", CriterionUnits.All, Consumers, "WIFV of FLAP, arXiv:2312.11983"),
        new(Criterion.Wanda, "wanda", CriterionUnits.All, Consumers, "Wanda, arXiv:2306.11695"),
        new(Criterion.OptimalBrain, "optimal-brain", CriterionUnits.All, Consumers | Needs.Covariance, "ZipLM, arXiv:2302.04089"),
        new(Criterion.NormScale, "norm-scale", CriterionUnits.All, Needs.None, "network slimming, arXiv:1708.06519"),
        new(Criterion.Lamp, "lamp", CriterionUnits.All, Needs.None, "LAMP, arXiv:2010.07611"),
        new(Criterion.GeometricMedian, "geometric-median", CriterionUnits.All, Needs.None, "FPGM, arXiv:1811.00250"),
        new(Criterion.Fluctuation, "fluctuation", CriterionUnits.All, Consumers, "IFV of FLAP, arXiv:2312.11983"),
        new(Criterion.WeightedFluctuation, "weighted-fluctuation", CriterionUnits.All, Consumers, "FLAP, arXiv:2312.11983"),
        new(Criterion.Energy, "energy", CriterionUnits.All, Consumers, "CORP, arXiv:2602.05243"),
        new(Criterion.ActivationShare, "activation-share", CriterionUnits.All, Consumers, "CFSP, arXiv:2409.13199"),
        new(Criterion.Spectrum, "spectrum", CriterionUnits.All, Needs.None, "PruneNet, arXiv:2501.15296"),
        new(Criterion.Fisher, "fisher", CriterionUnits.All, Runs, "Kwon et al., arXiv:2204.09656") { RunsPerUnit = 1 },
        new(Criterion.OutputDivergence, "output-divergence", CriterionUnits.All | CriterionUnits.Depth, Runs,
            "FinerCut, arXiv:2405.18218; SLEB, arXiv:2402.09025") { DepthWord = "divergence", RunsPerUnit = 1 },
        new(Criterion.MaskRegression, "mask-regression", CriterionUnits.All, Runs, "Bonsai, arXiv:2402.05406") { RunsPerUnit = 4 },
        new(Criterion.RouterUse, "router-use", CriterionUnits.Experts, Signals, "UNCURL, arXiv:2409.01483"),
        new(Criterion.RouterSimilarity, "router-similarity", CriterionUnits.Experts, Needs.None, "STUN, arXiv:2409.06211"),
        new(Criterion.AttentionReceived, "attention-received", CriterionUnits.Heads, Signals, "DuoAttention, arXiv:2410.10819"),
        new(Criterion.BetaRank, "beta-rank", CriterionUnits.All, Tensors, "Beta-Rank, arXiv:2304.07461"),
        new(Criterion.QueryKey, "query-key", CriterionUnits.HeadDims, Tensors, "ThinK, arXiv:2407.21018"),
        new(Criterion.Retrieval, "retrieval", CriterionUnits.Heads, Signals, "Wu et al., arXiv:2404.15574"),
        new(Criterion.File, "file", CriterionUnits.All, Needs.None, ""),
        new(Criterion.Method, "method", CriterionUnits.All, Needs.None, "") { OnlyInBuilds = true },
        new(Criterion.BlockAngle, "block-angle", CriterionUnits.Depth, Blocks | Needs.Angles, "arXiv:2403.17887; CFSP, arXiv:2409.13199")
            { DepthWord = "angle" },
        new(Criterion.BlockSimilarity, "block-similarity", CriterionUnits.Depth, Blocks, "ShortGPT, arXiv:2403.03853")
            { DepthWord = "similarity" },
    ];

    /// <summary>The row of a criterion.</summary>
    public static CriterionRow Get(Criterion criterion) => Find(criterion) ?? throw new ArgumentOutOfRangeException(nameof(criterion));

    /// <summary>The same; null for a number that names none.</summary>
    public static CriterionRow? Find(Criterion criterion) => All.FirstOrDefault(row => row.Criterion == criterion);
}
