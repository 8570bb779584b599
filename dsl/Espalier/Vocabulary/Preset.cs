#if !GENERATOR
namespace Espalier;
#else
namespace Espalier.Generator.Vocabulary;
#endif

/// <summary>
/// A named method: how units are ranked, how a budget is spread, how readers make up for what is gone, and in which order.
/// </summary>
public enum Preset
{
    /// <summary>Ours: see <see cref="Presets"/>. The default where there are calibration data.</summary>
    Best,
    /// <summary>Norms of coupled weights, every group alike; needs no data. The default without calibration data.</summary>
    Magnitude,
    /// <summary>Global MP.</summary>
    GlobalMagnitude,
    /// <summary>SPA.</summary>
    Spa,
    /// <summary>OBSPA.</summary>
    Obspa,
    /// <summary>FLAP.</summary>
    Flap,
    /// <summary>Wanda-sp.</summary>
    WandaSp,
    /// <summary>FASP.</summary>
    Fasp,
    /// <summary>CFSP.</summary>
    Cfsp,
    /// <summary>Adapt-Pruner.</summary>
    AdaptPruner,
    /// <summary>ECoFLaP.</summary>
    EcoFlap,
    /// <summary>SAP, by the PQ index.</summary>
    PqIndex,
    /// <summary>ZipLM.</summary>
    ZipLm,
    /// <summary>Beta-Rank.</summary>
    BetaRank,
    /// <summary>STUN, its part on experts.</summary>
    Stun,
    /// <summary>UNCURL.</summary>
    Uncurl,
    /// <summary>PruneNet.</summary>
    PruneNet,
    /// <summary>Kwon et al.</summary>
    Kwon,
    /// <summary>ShortGPT.</summary>
    ShortGpt,
    /// <summary>SLEB.</summary>
    Sleb,
    /// <summary>FinerCut.</summary>
    FinerCut,
    /// <summary>Random units: the floor that every method must beat.</summary>
    Random,
    /// <summary>ThinK, static.</summary>
    ThinKStatic,
    /// <summary>PERP, its closed-form part.</summary>
    Perp,
    /// <summary>OBSPA without data.</summary>
    ObspaDataFree,
    /// <summary>OBSPA on inputs from elsewhere.</summary>
    ObspaOutOfDistribution,
    /// <summary>CSKV, its factorisation.</summary>
    Cskv,
    /// <summary>CORP, without attention logits.</summary>
    Corp,
    /// <summary>GRAIL, after Wanda.</summary>
    Grail,
}

/// <summary>What a preset stands for.</summary>
/// <param name="Title">Its name as its authors write it.</param>
/// <param name="Citation">Where it is published, and what differs here.</param>
/// <param name="Score">How units are ranked; null for a method on depth alone.</param>
/// <param name="Compensate">How readers make up for what is gone.</param>
/// <param name="Allocate">How a budget is spread.</param>
/// <param name="Schedule">In which order.</param>
internal sealed record PruningMethod(string Title, string Citation, Criterion? Score, Compensation Compensate, Allocation Allocate,
    Schedule Schedule = Schedule.OneShot)
{
    /// <summary>How norms of several weights become one number.</summary>
    public Aggregate Aggregate { get; init; }

    /// <summary>How sublayers or blocks are ranked.</summary>
    public Criterion DepthScore { get; init; } = Criterion.BlockSimilarity;

    /// <summary>
    /// How outputs are compared; null by what the model gives: <see cref="Metric.Embedding"/> of features,
    /// <see cref="Metric.KullbackLeibler"/> of what a last layer makes of them.
    /// </summary>
    public Metric? Metric { get; init; }

    /// <summary>Whether the first and the last group, sublayer or block stay whole.</summary>
    public bool ProtectEnds { get; init; }

    /// <summary>What a method on depth removes; null where it removes units.</summary>
    public Axis? Depth { get; init; }

    /// <summary>The one kind of unit that it removes; null for all that the plan has rules on.</summary>
    public Axis? Units { get; init; }

    /// <summary>Whether running statistics of batch normalisations that are left are measured anew, whatever the compensation.</summary>
    public bool MeasuresNorms { get; init; }

    /// <summary>Inputs of which it takes statistics.</summary>
    public InputSource Inputs { get; init; }

    /// <summary>The products whose weights it factors; null where it removes units or depth.</summary>
    public ProductKind? LowRank { get; init; }

    /// <summary>Whether it looks at activations or outputs.</summary>
    public bool NeedsCalibration
        => Depth is not null || Score is not { } score || CriterionRow.Get(score).Needs.Any(Needs.Data)
            || CompensationRow.Get(Compensate).Needs.Any(Needs.Data) || AllocationRow.Get(Allocate).Needs.Any(Needs.Data)
            || ScheduleRow.Get(Schedule).Needs.Any(Needs.Data);
}
