namespace Espalier;

internal static partial class Presets
{
    /// <summary>Parameters of keys and values that stay where neither a rank nor a budget is given; our number.</summary>
    private const double HalfOfBoth = 0.5;

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
        };
    }
}
