using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>What a group is scored from.</summary>
/// <param name="Rule">The rule that owns the group.</param>
/// <param name="Weights">Its weights, with what is pruned already.</param>
internal sealed record ScoreContext(PruneRule Rule, DenseModel Model, WeightTable Weights)
{
    /// <summary>Moments of the model as it is by then; null without calibration.</summary>
    public CalibrationStatistics? Statistics { get; init; }

    /// <summary>By group number, what runs of the gated twin gave.</summary>
    public IReadOnlyDictionary<int, double[]>? Gated { get; init; }

    /// <summary>Calls the policy's own methods; null where there is no policy to call.</summary>
    public ScoreMethod? Method { get; init; }

    /// <summary>Files of scores by path: each is read once.</summary>
    public Dictionary<string, ScoreFile> Files { get; init; } = new(StringComparer.Ordinal);

    /// <summary>Seed of random scores.</summary>
    public int Seed { get; init; }

    public Criterion Criterion => Rule.Score ?? Criterion.L2;

    public UnitPlaces Places => Model.Places;

    /// <summary>Weights that produce the units and that a score can read.</summary>
    public IReadOnlyList<Occurrence> Producers(Group group) => [.. Places.Producers(group).Where(o => Weights.IsMeasurable(o.Tensor))];
}
