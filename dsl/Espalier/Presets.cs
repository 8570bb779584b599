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

/// <summary>What a preset stands for.</summary>
/// <param name="Title">Its name as its authors write it.</param>
/// <param name="Citation">Where it is published, and what differs here.</param>
/// <param name="Score">How units are ranked; null for a method on depth alone.</param>
/// <param name="Compensate">How readers make up for what is gone.</param>
/// <param name="Allocate">How a budget is spread.</param>
/// <param name="Schedule">In which order.</param>
public sealed record PruningMethod(string Title, string Citation, Criterion? Score, Compensation Compensate, Allocation Allocate,
    Schedule Schedule = Schedule.OneShot)
{
    /// <summary>How norms of several weights become one number.</summary>
    public Aggregate Aggregate { get; init; }

    /// <summary>How sublayers or blocks are ranked.</summary>
    public Criterion DepthScore { get; init; } = Criterion.BlockSimilarity;

    /// <summary>How outputs are compared.</summary>
    public Metric Metric { get; init; } = Metric.KullbackLeibler;

    /// <summary>Whether the first and the last group, sublayer or block stay whole.</summary>
    public bool ProtectEnds { get; init; }

    /// <summary>What a method on depth removes; null where it removes units.</summary>
    public Axis? Depth { get; init; }

    /// <summary>The one kind of unit that it removes; null for all that the plan has rules on.</summary>
    public Axis? Units { get; init; }

    /// <summary>Whether every component of the network is bounded as the whole is.</summary>
    public bool PerComponent { get; init; }

    /// <summary>Inputs of which it takes statistics.</summary>
    public InputSource Inputs { get; init; }

    /// <summary>The products whose weights it factors; null where it removes units or depth.</summary>
    public ProductKind? LowRank { get; init; }

    /// <summary>Whether it looks at activations or outputs.</summary>
    public bool NeedsCalibration
        => Depth is not null || Compensate != Compensation.None
            || Allocate is not (Allocation.Uniform or Allocation.Global or Allocation.PqIndex or Allocation.GlobalMagnitude)
            || Schedule != Schedule.OneShot
        || Score is not (Criterion.L1 or Criterion.L2 or Criterion.Random or Criterion.NormScale or Criterion.Lamp
            or Criterion.GeometricMedian or Criterion.Spectrum or Criterion.RouterSimilarity or Criterion.File);
}

/// <summary>The presets' methods.</summary>
public static class Presets
{
    /// <summary>Parameters of keys and values that stay where neither a rank nor a budget is given; our number.</summary>
    private const double HalfOfBoth = 0.5;

    private static readonly Dictionary<Preset, PruningMethod> Methods = new()
    {
        [Preset.Best] = new("Best",
            "optimal brain scores on whole units and the error database of ZipLM (arXiv:2302.04089) with the divergence of the outputs "
                + "as error; least squares, layer by layer",
            Criterion.OptimalBrain, Compensation.LeastSquares, Allocation.Divergence,
            Schedule.Sequential) { DepthScore = Criterion.OutputDivergence },
        [Preset.Magnitude] = new("Magnitude", "Li et al. 2017, arXiv:1608.08710, over coupled weights", Criterion.L2, Compensation.None,
            Allocation.Uniform),
        [Preset.GlobalMagnitude] = new("Global MP",
            "arXiv:2209.14624, on structures: one threshold on magnitudes, with a floor for every layer", Criterion.L1, Compensation.None,
            Allocation.GlobalMagnitude),
        [Preset.Spa] = new("SPA", "arXiv:2403.18955: L1 norms of coupled weights, compared over all groups", Criterion.L1,
            Compensation.None, Allocation.Global),
        [Preset.Obspa] = Obspa("OBSPA", "with calibration data, or without them on random inputs", InputSource.Data),
        [Preset.Flap] = new("FLAP", "arXiv:2312.11983", Criterion.Variance, Compensation.Bias, Allocation.Global),
        [Preset.WandaSp] = new("Wanda-sp", "arXiv:2306.11695 on structures, as in FLAP (arXiv:2312.11983)", Criterion.Wanda,
            Compensation.None, Allocation.Uniform),
        [Preset.Fasp] = new("FASP", "arXiv:2501.09412: Wanda on whole columns, then one refit in closed form", Criterion.Wanda,
            Compensation.LeastSquares, Allocation.Uniform),
        [Preset.Cfsp] = new("CFSP", "arXiv:2409.13199", Criterion.ActivationShare, Compensation.None, Allocation.ImportanceSigmoid),
        [Preset.AdaptPruner] = new("Adapt-Pruner",
            "arXiv:2502.03460, without its training between steps; weights and activations in place of gradients", Criterion.Wanda,
            Compensation.None, Allocation.ImportanceLinear, Schedule.Iterative),
        [Preset.EcoFlap] = new("ECoFLaP", "arXiv:2310.02998, on structures: Wanda scores, ratios by finite differences", Criterion.Wanda,
            Compensation.None, Allocation.ZerothOrder),
        [Preset.PqIndex] = new("SAP", "arXiv:2302.05601, on structures, without training between steps", Criterion.L2, Compensation.None,
            Allocation.PqIndex),
        [Preset.ZipLm] = new("ZipLM",
            "arXiv:2302.04089: optimal brain scores and an error database, here of the outputs; the budget is of multiply-accumulates "
                + "unless it says latency", Criterion.OptimalBrain, Compensation.LeastSquares, Allocation.Divergence),
        [Preset.BetaRank] = new("Beta-Rank", "arXiv:2304.07461, without its training", Criterion.BetaRank, Compensation.None,
            Allocation.Uniform),
        [Preset.Stun] = new("STUN",
            "arXiv:2409.06211, its first phase: experts by the similarity of router rows, merged; what is no expert goes by its norm",
            Criterion.RouterSimilarity, Compensation.Merge, Allocation.Uniform),
        [Preset.Uncurl] = new("UNCURL",
            "arXiv:2409.01483: experts by use on calibration data, the others merged by it into the nearest by router row, where the "
                + "paper clusters by router logits; what is no expert goes by its norm", Criterion.RouterUse, Compensation.Merge,
                    Allocation.Uniform),
        [Preset.PruneNet] = new("PruneNet",
            "arXiv:2501.15296: what keeps the spectrum of the weights, ranked by the objective itself instead of a learned policy",
            Criterion.Spectrum, Compensation.None, Allocation.Uniform),
        [Preset.Kwon] = new("Kwon",
            "arXiv:2204.09656: Fisher information of gates, by finite differences; scales refitted per unit; one threshold instead of "
                + "its search, without rearrangement. Groups of more than 256 units by L2",
            Criterion.Fisher, Compensation.Rescale, Allocation.Global),
        [Preset.ShortGpt] = new("ShortGPT", "arXiv:2403.03853", null, Compensation.None, Allocation.Uniform) { Depth = Axis.Blocks },
        [Preset.Sleb] = new("SLEB", "arXiv:2402.09025, with the divergence from the dense model in place of the likelihood", null,
            Compensation.None, Allocation.Uniform) { Depth = Axis.Blocks, DepthScore = Criterion.OutputDivergence, ProtectEnds = true },
        [Preset.FinerCut] = new("FinerCut", "arXiv:2405.18218", null, Compensation.None, Allocation.Uniform) { Depth = Axis.Sublayers,
            DepthScore = Criterion.OutputDivergence, Metric = Metric.JensenShannon },
        [Preset.Random] = new("Random", "the floor: Liu et al. 2019, arXiv:1810.05270", Criterion.Random, Compensation.None,
            Allocation.Uniform),
        [Preset.ThinKStatic] = new("ThinK",
            "arXiv:2407.21018, static: dimensions of queries and keys by their mean squares over calibration data, once for all prompts, "
                + "and the same for heads that share them",
            Criterion.QueryKey, Compensation.None, Allocation.Uniform) { Units = Axis.HeadDims },
        [Preset.Perp] = new("PERP",
            "arXiv:2312.15230, its closed-form part: magnitudes, then biases and the scales and shifts of normalisations and channels, "
                + "layer by layer, instead of training them", Criterion.L2, Compensation.Affine, Allocation.Uniform, Schedule.Sequential),
        [Preset.ObspaDataFree] = Obspa("OBSPA, data-free", "on noise, whatever data there are", InputSource.Noise),
        [Preset.ObspaOutOfDistribution] = Obspa("OBSPA, out of distribution",
            "on made-up inputs with natural statistics in place of another task's data; data of another task are calibration data for "
                + "Obspa", InputSource.OutOfDistribution),
        [Preset.PerComponent] = new("Per component",
            "arXiv:2411.15113, on structures: magnitudes with a ratio for every component; by default the ratio of the whole", Criterion.L2,
            Compensation.None, Allocation.Global) { PerComponent = true },
        [Preset.Cskv] = new("CSKV",
            "arXiv:2409.10593, its factorisation of keys and values, in closed form by the singular values of what calibration data make "
                + "of them (SVD-LLM, arXiv:2403.07378) in place of ASVD and fine-tuning; without its cache",
            null, Compensation.None, Allocation.Uniform) { LowRank = ProductKind.KeysAndValues },
    };

    private static PruningMethod Obspa(string title, string citation, InputSource inputs)
        => new(title, $"arXiv:2403.18955: optimal brain scores, weights updated by least squares; {citation}", Criterion.OptimalBrain,
            Compensation.LeastSquares, Allocation.Global) { Inputs = inputs };

    /// <summary>The method of a preset.</summary>
    public static PruningMethod Get(Preset preset) => Methods[preset];

    /// <summary>
    /// Writes down what a plan leaves open: as its preset says, else as <see cref="Preset.Best"/> does with calibration data
    /// and <see cref="Preset.Magnitude"/> without.
    /// </summary>
    /// <param name="plan">What the plan says itself stays.</param>
    /// <param name="hasData">Whether there are calibration data.</param>
    public static PruningPlan Complete(PruningPlan plan, bool hasData)
    {
        var preset = plan.Preset ?? (hasData ? Preset.Best : Preset.Magnitude);
        var method = Get(preset);
        var prune = plan.Prune;
        var drop = plan.Drop;
        if (method.Depth is { } axis)
        {
            if (drop.Count == 0) drop = [new DropRule { Name = method.Title, Axis = axis }];
            // A method on depth leaves units alone unless a rule says how many.
            prune = [.. prune.Where(r => r.Keep is not null)];
        }
        if (method.Units is { } units)
        {
            // Of other units it only takes what a rule says.
            prune = [.. prune.Where(r => r.Keep is not null || r.Axis == units)];
            if ((plan.Budget is not null || plan.Prune.Count == 0) && prune.All(r => r.Axis != units))
                prune = [.. prune, new PruneRule { Name = method.Title, Axis = units }];
        }
        var lowRank = plan.LowRank;
        if (method.LowRank is { } products)
        {
            if (lowRank.Count == 0) lowRank = [new LowRankRule { Of = products, Keep = plan.Budget is null ? HalfOfBoth : null }];
            prune = [.. prune.Where(r => r.Keep is not null)];
        }
        return plan with
        {
            LowRank = lowRank,
            Preset = preset,
            Prune = [.. prune.Select(r => r with
            {
                Score = r.Score ?? method.Score ?? Criterion.L2,
                Aggregate = r.Score is null ? method.Aggregate : r.Aggregate,
                Compensate = r.Compensate ?? method.Compensate,
            })],
            Drop = [.. drop.Select(r => r with { Score = r.Score ?? method.DepthScore })],
            ProtectEnds = plan.ProtectEnds ?? method.ProtectEnds,
            Allocate = plan.Allocate ?? method.Allocate,
            Schedule = plan.Schedule ?? method.Schedule,
            DivergenceMetric = plan.DivergenceMetric ?? method.Metric,
            Inputs = plan.Inputs ?? method.Inputs,
            PerComponent = plan.PerComponent ?? method.PerComponent,
        };
    }
}
