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
    private const int Rounds = 16;

    public override IReadOnlyList<Criterion> Criteria => [Criterion.OptimalBrain];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of what reads it";

    /// <summary>Scores of a group's units: what the round of each cost, never less than what went before it.</summary>
    public override double[]? Compute(Group group, ScoreContext context)
    {
        var readers = group.Consumers.SelectMany(c => BrainSurgeon.Find(group, c, context.Statistics!, context.Weights)).ToList();
        if (readers.Count == 0) return null;
        var scores = new double[group.Size];
        var left = Enumerable.Range(0, group.Size).ToList();
        double reached = 0;
        int perRound = (group.Size + Rounds - 1) / Rounds;
        while (left.Count > 0)
        {
            var cost = new double[group.Size];
            Parallel.ForEach(left, unit => cost[unit] = readers.Sum(r => r.Cost(unit)));
            int[] going = [.. left.OrderBy(u => cost[u]).ThenBy(u => u).Take(perRound)];
            foreach (int unit in going) scores[unit] = reached = Math.Max(reached, cost[unit]);
            left.RemoveAll(going.Contains);
            if (left.Count > 0) Parallel.ForEach(readers, r => r.Remove(going));
        }
        return scores;
    }
}
