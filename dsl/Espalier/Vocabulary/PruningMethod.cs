namespace Espalier;

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
        => Depth is not null || Score is not { } score || CriterionRow.Get(score).Needs.Any(Needs.Data)
            || CompensationRow.Get(Compensate).Needs.Any(Needs.Data) || AllocationRow.Get(Allocate).Needs.Any(Needs.Data)
            || ScheduleRow.Get(Schedule).Needs.Any(Needs.Data);
}
