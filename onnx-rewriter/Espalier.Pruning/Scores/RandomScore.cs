using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Scores;

/// <summary>Seeded random numbers: the floor that every criterion must beat.</summary>
internal sealed class RandomScore : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.Random];

    public override string Obstacle(Criterion criterion) => "";

    public override double[] Compute(Group group, ScoreContext context)
    {
        var random = new Random(unchecked(context.Seed * 397 ^ (group.Id * 7919 + 17)));
        return [.. Enumerable.Range(0, group.Size).Select(_ => random.NextDouble())];
    }
}
