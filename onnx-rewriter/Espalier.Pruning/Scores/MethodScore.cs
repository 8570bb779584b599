using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Scores;

/// <summary>Scores by a method of the policy class, which gets a group with the numbers of all of its weights.</summary>
internal sealed class MethodScore : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.Method];

    public override string Obstacle(Criterion criterion) => "";

    public override double[] Compute(Group group, ScoreContext context)
    {
        var rule = context.Rule;
        if (context.Method is not { } method)
            throw new EspalierException($"Group '{group.Name}' is to be scored by "
                + $"{(rule.ScoreMethod is { } name ? $"'{name}'" : "a method of the policy")}, which only the build of a "
                + "project can call. Give the scores in a file.");
        double[] given = [.. method(rule, Describe(group, context))];
        if (given.Length != group.Size || !Array.TrueForAll(given, s => double.IsFinite(s) && s >= 0))
            throw new EspalierException($"'{rule.ScoreMethod}' gave {given.Length} scores for group '{group.Name}', which "
                + $"has {group.Size} units and wants one number from 0 on for each.");
        return given;
    }

    private static ScoredGroup Describe(Group group, ScoreContext context)
    {
        var weights = context.Weights;
        return new(group.Name, group.Kind.CamelCase(), group.Size, [.. group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor))
            .Select(o => new ScoredWeight(o.Tensor, weights.Floats(o.Tensor), weights.Shape(o.Tensor)!, o.Axis,
                weights.UnitsOf(o, group.Factor)))]);
    }
}
