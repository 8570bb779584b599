#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>How a budget is spread over groups.</summary>
public enum Allocation
{
    /// <summary>Every group keeps the same fraction.</summary>
    Uniform,
    /// <summary>
    /// One threshold over all groups of a rule set; of every group the logarithms of the scores are standardised. Ours, after FLAP
    /// (arXiv:2312.11983): see <see cref="Standardized"/>.
    /// </summary>
    Global,
    /// <summary>
    /// By the divergence of the outputs, measured for each group alone at a few sizes (error database of SPDY and ZipLM,
    /// arXiv:2302.04089). Needs calibration.
    /// </summary>
    Divergence,
    /// <summary>
    /// By how much a group's block changes its input, linearly in 1 − cosine, added up over the steps of the schedule (Adapt-Pruner,
    /// arXiv:2502.03460). Needs calibration.
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
    /// Needs calibration and <see cref="BudgetAttribute.Latency"/>; the result depends on measurements.
    /// </summary>
    Latency,
    /// <summary>
    /// One threshold over all groups of a rule set, scores standardised per group (FLAP, arXiv:2312.11983): with
    /// <see cref="Criterion.WeightedFluctuation"/> those of the features, of which a head has the mean.
    /// </summary>
    Standardized,
    /// <summary>One threshold over all groups of a rule set, scores divided by their mean per group (SPA, arXiv:2403.18955).</summary>
    Normalized,
    /// <summary>
    /// The least sum of the errors of single layers within the budget, by a dynamic programme under weights of the layers that a
    /// seeded search finds by the outputs of the compensated model (ZipLM, arXiv:2302.04089, with the search of SPDY,
    /// arXiv:2201.13096). Needs calibration, with covariances.
    /// </summary>
    LayerError,
}

/// <summary>What is known of one <see cref="Allocation"/>; how it is computed is in Espalier.Pruning.</summary>
/// <param name="Allocation">The allocation.</param>
/// <param name="Word">Its word on the command line.</param>
/// <param name="Needs">What it needs.</param>
/// <param name="Source">Where it is published; empty where it is nobody's.</param>
internal sealed record AllocationRow(Allocation Allocation, string Word, Needs Needs, string Source)
{
    private const Needs Blocks = Needs.Data | Needs.Blocks;
    private const Needs Divergence = Needs.Data | Needs.Runs | Needs.Divergence;

    /// <summary>Whether groups of a rule with a ratio of its own keep that ratio each; otherwise they have it together.</summary>
    public bool KeepsRatios { get; init; }

    /// <summary>Whether it says how much stays where no budget and no ratio does.</summary>
    public bool Decides { get; init; }

    /// <summary>In the order of the help.</summary>
    public static IReadOnlyList<AllocationRow> All { get; } =
    [
        new(Allocation.Uniform, "uniform", Needs.None, "") { KeepsRatios = true },
        new(Allocation.Global, "global", Needs.None, ""),
        new(Allocation.Standardized, "standardized", Needs.None, "FLAP, arXiv:2312.11983"),
        new(Allocation.Normalized, "normalized", Needs.None, "SPA, arXiv:2403.18955"),
        new(Allocation.Divergence, "divergence", Divergence, "SPDY and ZipLM, arXiv:2302.04089") { KeepsRatios = true },
        new(Allocation.LayerError, "layer-error", Divergence | Needs.Consumers | Needs.Covariance,
            "ZipLM, arXiv:2302.04089; SPDY, arXiv:2201.13096") { KeepsRatios = true },
        new(Allocation.ImportanceLinear, "importance-linear", Blocks, "Adapt-Pruner, arXiv:2502.03460"),
        new(Allocation.ImportanceSigmoid, "importance-sigmoid", Blocks | Needs.Angles, "CFSP, arXiv:2409.13199"),
        new(Allocation.ImportanceSoftmax, "importance-softmax", Blocks, "MoDeGPT, arXiv:2408.09632"),
        new(Allocation.PqIndex, "pq-index", Needs.Magnitudes, "SAP, arXiv:2302.05601") { Decides = true },
        new(Allocation.ZerothOrder, "zeroth-order", Needs.Data | Needs.Runs | Needs.Sensitivity, "ECoFLaP, arXiv:2310.02998"),
        new(Allocation.GlobalMagnitude, "global-magnitude", Needs.Magnitudes, "Global MP, arXiv:2209.14624"),
        new(Allocation.Search, "search", Divergence, "") { KeepsRatios = true },
        new(Allocation.Latency, "latency", Divergence, "SPDY and ZipLM, arXiv:2302.04089") { KeepsRatios = true },
    ];

    /// <summary>The row of an allocation.</summary>
    public static AllocationRow Get(Allocation allocation) => Find(allocation) ?? throw new ArgumentOutOfRangeException(nameof(allocation));

    /// <summary>The same; null for a number that names none.</summary>
    public static AllocationRow? Find(Allocation allocation) => All.FirstOrDefault(row => row.Allocation == allocation);
}
