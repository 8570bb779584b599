using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Sources;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>Height at which an expert's router row joins another's; see <see cref="RouterRows.Heights"/>.</summary>
internal sealed class RouterSimilarity : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.RouterSimilarity];

    public override string Obstacle(Criterion criterion) => "no router of the file chooses its units";

    public override double[]? Compute(Group group, ScoreContext context)
        => RouterRows.Find(context.Model.Analysis, group, context.Places, context.Weights)?.Heights();
}
