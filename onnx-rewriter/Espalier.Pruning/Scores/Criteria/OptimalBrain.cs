using Espalier.Axes.Groups;
using Espalier.Pruning.Algebra;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Optimal brain surgeon on whole units: the least error of what reads a unit when the unit goes and the weights that stay make up for it,
/// ½ tr(W_u ([H⁻¹]_uu)⁻¹ W_uᵀ), H the covariance of the inputs (Hassibi and Stork 1993; on structures: ZipLM, arXiv:2302.04089).
/// Units go in rounds, lowest first, and each round updates H⁻¹ and W for those that went.
/// </summary>
internal sealed class OptimalBrain : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.OptimalBrain];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of what reads it";

    /// <summary>Scores of a group's units: what the round of each cost, never less than what went before it.</summary>
    public override double[]? Compute(Group group, ScoreContext context)
    {
        var readers = group.Consumers.SelectMany(c => BrainSurgeon.Find(group, c, context.Statistics!, context.Weights)).ToList();
        if (readers.Count == 0) return null;
        return Elimination.Score(group.Size, unit => readers.Sum(r => r.Cost(unit)),
            going => Parallel.ForEach(readers, r => r.Remove(going)));
    }
}
