using System.Collections.Immutable;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Budgets;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// What allocations look at besides scores and cost: measurements by which groups differ. What an allocation does not read may be null.
/// </summary>
internal sealed record AllocationEvidence
{
    /// <summary>Divergence of the outputs under a choice of kept units, compensated.</summary>
    public Func<IReadOnlyDictionary<int, ImmutableArray<int>>, double>? Divergence { get; init; }

    /// <summary>What the layers that read some groups lose of their outputs under a choice of kept units, refitted.</summary>
    public Func<IReadOnlyDictionary<int, ImmutableArray<int>>, double>? LayerLoss { get; init; }

    /// <summary>Measured time of one run under a choice of kept units.</summary>
    public Func<IReadOnlyDictionary<int, ImmutableArray<int>>, ModelTime>? Time { get; init; }

    /// <summary>Told how many more choices will be measured at most.</summary>
    public Action<int>? Expect { get; init; }

    /// <summary>
    /// By group number: how much the sublayers that its weights are in change their input; see <see cref="BlockSimilarity"/>.
    /// </summary>
    public IReadOnlyDictionary<int, double>? BlockChange { get; init; }

    /// <summary>The same in the steps before, on the model as it was by then.</summary>
    public IReadOnlyList<IReadOnlyDictionary<int, double>> BlockChangesBefore { get; init; } = [];

    /// <summary>Most that one step moves a fraction by importance.</summary>
    public double Amplitude { get; init; } = ImportanceCurves.Amplitude;

    /// <summary>
    /// By group number: deviation of what the features score over the mean score, where units have several
    /// (<see cref="WeightedFluctuation"/>).
    /// </summary>
    public IReadOnlyDictionary<int, double>? Deviations { get; init; }

    /// <summary>By group number: how large the weights of its units are.</summary>
    public IReadOnlyDictionary<int, UnitMagnitudes>? Magnitudes { get; init; }

    /// <summary>By group number: divergence of the outputs when its weights are shaken; see <see cref="ZerothOrder"/>.</summary>
    public IReadOnlyDictionary<int, double>? Sensitivity { get; init; }

    /// <summary>Parts of the model with bounds of their own.</summary>
    internal IReadOnlyList<Component> Components { get; init; } = [];

    /// <summary>What stands in the way of a budget that no choice meets.</summary>
    internal Obstacles? Obstacles { get; init; }

    /// <summary>What the plan's allocation reads of the model and of calibration.</summary>
    public static AllocationEvidence Gather(PruningPlan plan, DenseModel model, IReadOnlyList<Candidate> candidates, Evidence evidence)
    {
        var reads = AllocationRow.Get(plan.Allocate!.Value).Needs;
        var groups = candidates.Select(c => c.Group);
        var schedule = ScheduleRow.Get(plan.Schedule ?? Schedule.OneShot);
        return new()
        {
            Amplitude = schedule.Stride > 0 ? schedule.Stride : ImportanceCurves.Amplitude / schedule.Steps,
            Sensitivity = evidence.Probe is not null && reads.HasFlag(Needs.Sensitivity)
                ? ZerothOrder.Measure(model, groups, evidence.Probe.Divergence, plan.Seed, plan.DivergenceMetric == Metric.TaskLoss)
                : null,
            BlockChange = evidence.Statistics is not null && reads.HasFlag(Needs.Blocks)
                ? BlockSimilarity.Change(model.Analysis, groups, evidence.Statistics, reads.HasFlag(Needs.Angles))
                : null,
            Deviations = evidence.Statistics is { } seen && plan.Allocate == Allocation.Standardized
                ? candidates.Where(c => c.Rule.Score == Criterion.WeightedFluctuation)
                    .Select(c => (c.Group.Id, Deviation: WeightedFluctuation.Deviation(c.Group, seen, model.Weights)))
                    .Where(e => e.Deviation is > 0).ToDictionary(e => e.Id, e => e.Deviation!.Value)
                : null,
            Magnitudes = reads.HasFlag(Needs.Magnitudes) ? Spreads.Magnitudes.Measure(model.Weights, groups) : null,
        };
    }
}
