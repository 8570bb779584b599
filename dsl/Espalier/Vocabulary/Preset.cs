namespace Espalier;

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
    /// <summary>Magnitude, one threshold within each component of the network.</summary>
    PerComponent,
    /// <summary>CSKV, its factorisation.</summary>
    Cskv,
}
