namespace Espalier;

/// <summary>The kinds of unit that the axis inference reads off a graph, and that a rule removes.</summary>
public enum Axis
{
    /// <summary>Output channels of convolutions, with everything that is coupled to them.</summary>
    Channels,
    /// <summary>Outputs of one matrix product that the next one contracts: feed-forward widths.</summary>
    Neurons,
    /// <summary>Attention heads; where attention is grouped, whole KV groups first, then query heads per group.</summary>
    Heads,
    /// <summary>KV groups of grouped-query attention, each with all of its query heads.</summary>
    KeyValueGroups,
    /// <summary>Dimensions of a head that the product of queries and keys contracts.</summary>
    HeadDims,
    /// <summary>Dimensions of a head that the values carry.</summary>
    ValueDims,
    /// <summary>Experts of a mixture that is evaluated densely.</summary>
    Experts,
    /// <summary>Hidden state of a recurrence (LSTM, GRU, RNN).</summary>
    HiddenState,
    /// <summary>Width of a residual stream; inexact where a normalisation runs over it.</summary>
    Width,
    /// <summary>Residual sublayers: one region between a residual stream and its Add.</summary>
    Sublayers,
    /// <summary>Whole blocks: an attention sublayer with the feed-forward that follows it, or one residual block.</summary>
    Blocks,
    /// <summary>Rows of a table that is read by data-dependent indices. Named in reports; no rule removes them.</summary>
    EmbeddingRows,
    /// <summary>Anything else that occurs in a weight. Named in reports; no rule removes it.</summary>
    Other,
}

/// <summary>How the importance of a unit is measured. Formulas: the README of onnx-rewriter/Espalier.Pruning.</summary>
public enum Criterion
{
    /// <summary>Sum of absolute weights over the whole coupled group.</summary>
    L1,
    /// <summary>Euclidean norm of the weights over the whole coupled group. The default.</summary>
    L2,
    /// <summary>Seeded random scores: the floor that every method must beat.</summary>
    Random,
    /// <summary>
    /// Variance of the unit's activation times the squared weights that read it (FLAP, arXiv:2312.11983). Needs calibration.
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
    /// Distance at which an expert's router row falls into one cluster with another's that is nearer to the centre of both, by
    /// complete linkage (STUN, arXiv:2409.06211). For experts; L2 elsewhere.
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
    /// How far the singular values of the unit's weights move when it goes, to first order (the objective of PruneNet,
    /// arXiv:2501.15296). Needs no data.
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
    /// Mean square of a dimension of the queries times that of the keys, summed over heads (ThinK, arXiv:2407.21018, static).
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
}

/// <summary>
/// How the scores that a unit has in the weights of its coupled group become one (SPA, arXiv:2403.18955), each weight's scaled
/// to mean 1 before. For
/// <see cref="Criterion.L1"/>, <see cref="Criterion.L2"/>, <see cref="Criterion.NormScale"/>, <see cref="Criterion.Lamp"/> and
/// <see cref="Criterion.GeometricMedian"/>; activations have one reading each.
/// </summary>
public enum Aggregate
{
    /// <summary>Their sum. The default.</summary>
    Sum,
    /// <summary>Their mean: the order of <see cref="Sum"/>, since every unit of a group is in each of its weights.</summary>
    Mean,
    /// <summary>The largest: a unit stays where one weight needs it.</summary>
    Max,
    /// <summary>The median; of an even number the mean of the middle two.</summary>
    Median,
    /// <summary>
    /// The order of their product, written as the geometric mean so that it cannot overflow: a unit that is zero in one weight goes first.
    /// </summary>
    Product,
}

/// <summary>How a budget is spread over groups.</summary>
public enum Allocation
{
    /// <summary>Every group keeps the same fraction.</summary>
    Uniform,
    /// <summary>One threshold over all groups of a rule set, scores standardised per group and weighed by cost.</summary>
    Global,
    /// <summary>
    /// By the divergence of the outputs, measured for each group alone at a few sizes (error database of SPDY and ZipLM,
    /// arXiv:2302.04089). Needs calibration.
    /// </summary>
    Divergence,
    /// <summary>
    /// By how much a group's block changes its input, linearly in 1 − cosine (Adapt-Pruner, arXiv:2502.03460). Needs calibration.
    /// </summary>
    ImportanceLinear,
    /// <summary>
    /// By how much a group's block changes its input, by a sigmoid of the angle (CFSP, arXiv:2409.13199). Needs calibration.
    /// </summary>
    ImportanceSigmoid,
    /// <summary>
    /// By how much a group's block changes its input, by a softmax of 1 − cosine (MoDeGPT, arXiv:2408.09632). Needs calibration.
    /// </summary>
    ImportanceSoftmax,
    /// <summary>
    /// In proportion to how much the outputs move when the weights of a group are shaken (ECoFLaP, arXiv:2310.02998). Needs calibration.
    /// </summary>
    ZerothOrder,
    /// <summary>
    /// By how unequal the units of a group are: the PQ index says how many are enough (SAP, arXiv:2302.05601). Needs no ratio
    /// and no budget; with one the ratios are scaled to it.
    /// </summary>
    PqIndex,
    /// <summary>
    /// One threshold over the mean absolute weights of all units, not standardised, with a floor per layer (Global MP, arXiv:2209.14624).
    /// </summary>
    GlobalMagnitude,
    /// <summary>
    /// From <see cref="Divergence"/> on, units are moved between groups at equal cost while the outputs of the compensated
    /// model come nearer to the dense model's: a seeded search of bounded length. Needs calibration.
    /// </summary>
    Search,
    /// <summary>
    /// The least divergence within a budget of time, by a dynamic programme over measured times (ZipLM, arXiv:2302.04089).
    /// Needs calibration and
    /// <see cref="BudgetAttribute.Latency"/>; the result depends on measurements.
    /// </summary>
    Latency,
}

/// <summary>
/// How outputs of a changed model are compared with the dense model's. A guard's agreement is a number of at most 1 in all of
/// them, 1 where the outputs are equal; a divergence is 0 there. No divergence but <see cref="TaskLoss"/> is negative. Rows run
/// along the last axis (axis 1 of maps).
/// </summary>
public enum Metric
{
    /// <summary>Fraction of rows whose largest element is in the same place.</summary>
    Top1,
    /// <summary>
    /// Mean Kullback-Leibler divergence from the dense model's distribution (rows themselves, or their softmax), in nats;
    /// agreement e^−KL. As a divergence, squared error over variance of outputs that are no rows of classes.
    /// </summary>
    KullbackLeibler,
    /// <summary>
    /// Mean Jensen-Shannon divergence, which is at most ln 2 (as in FinerCut, arXiv:2405.18218); agreement 1 − JS / ln 2. Other
    /// outputs as above.
    /// </summary>
    JensenShannon,
    /// <summary>Mean cosine of rows; divergence one minus it.</summary>
    Cosine,
    /// <summary>
    /// Squared error over the variance of the dense model's output; agreement one minus it (the coefficient of determination).
    /// </summary>
    RelativeError,
    /// <summary>
    /// Increase of the cross-entropy loss over the dense model's, in nats per label (what SLEB, arXiv:2402.09025, removes
    /// blocks by): of logits [batch, sequence, classes] over tokens that the model reads, the label is the next token; of
    /// others it is in the calibration data. Below zero where the changed model answers better; agreement e^−loss, at most 1.
    /// </summary>
    TaskLoss,
}

/// <summary>Inputs of which statistics are taken, and on which changed models are run.</summary>
public enum InputSource
{
    /// <summary>The calibration data; <see cref="Noise"/> where there are none, which the report says. The default.</summary>
    Data,
    /// <summary>
    /// Seeded noise of the model's signature, whatever data there are: normal numbers, evenly drawn ids (OBSPA's data-free
    /// mode, arXiv:2403.18955).
    /// </summary>
    Noise,
    /// <summary>
    /// Seeded inputs with the statistics of nature and nothing of the task (OBSPA's out-of-distribution mode, where data of
    /// another task are not at hand): images with a spectrum of 1/f (van der Schaaf and van Hateren 1996; Baradad et al.,
    /// arXiv:2106.05963), ids by Zipf's law (Piantadosi 2014), else noise. Images have the mean, deviation and range of the
    /// calibration data where there are some.
    /// </summary>
    OutOfDistribution,
}

/// <summary>Which products with a weight a rule on ranks takes.</summary>
public enum ProductKind
{
    /// <summary>All that its pattern matches.</summary>
    Any,
    /// <summary>
    /// Of these, those that make keys and values of attention and no queries, found by the softmax that runs over the keys.
    /// </summary>
    KeysAndValues,
}

/// <summary>In which order layers are pruned and made up for.</summary>
public enum Schedule
{
    /// <summary>All at once, from statistics of the dense model.</summary>
    OneShot,
    /// <summary>
    /// Layer by layer: each is fitted to what the layers before it, already pruned, give it, with the dense model's outputs as
    /// target. Needs calibration.
    /// </summary>
    Sequential,
    /// <summary>In even steps, each scoring anew what the steps before have left. Needs calibration.</summary>
    Iterative,
    /// <summary>
    /// In steps that take much at first and little at the end (Zhu and Gupta, arXiv:1710.01878), each scoring anew. Needs calibration.
    /// </summary>
    Cubic,
    /// <summary>
    /// The least important units one small step after the other, at most a sixteenth of a group where groups share evenly, each
    /// step scoring anew: with <see cref="Criterion.OptimalBrain"/> the recursion of the optimal brain surgeon on whole units
    /// (ZipLM, arXiv:2302.04089) on the model as it is by then. Needs calibration.
    /// </summary>
    Greedy,
}

/// <summary>How the weights that read a pruned group make up for what was removed.</summary>
public enum Compensation
{
    /// <summary>Nothing: the slim model equals the masked dense model.</summary>
    None,
    /// <summary>
    /// Removed experts are averaged into the kept one that is nearest by its router row, by how much they are used (STUN,
    /// arXiv:2409.06211; UNCURL, arXiv:2409.01483), where their weights are alike. For experts; nothing elsewhere. Needs calibration.
    /// </summary>
    Merge,
    /// <summary>The removed units' mean contribution goes into the bias (FLAP). Needs calibration.</summary>
    Bias,
    /// <summary>
    /// One scale and shift per output channel, so that mean and variance of what the reader gives are the dense model's: what
    /// recalibrating batch norm is where it was folded into the weights. Running statistics of batch norms that are left are
    /// measured anew; scales and shifts of other normalisations are fitted by least squares where layers are fitted one after
    /// the other (<see cref="Schedule.Sequential"/>; as in PERP, arXiv:2312.15230). Needs calibration.
    /// </summary>
    Affine,
    /// <summary>
    /// One scale per unit that is left, by least squares (Kwon et al., arXiv:2204.09656), and the bias that keeps the mean.
    /// Needs calibration.
    /// </summary>
    Rescale,
    /// <summary>Least squares on the kept inputs, and the bias that keeps the mean. Needs calibration.</summary>
    LeastSquares,
}
