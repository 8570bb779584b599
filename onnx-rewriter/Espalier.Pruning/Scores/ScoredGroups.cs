using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;


namespace Espalier.Pruning.Scores;

/// <summary>A method of the policy that scores: one number from 0 on per unit; the highest stay.</summary>
/// <param name="rule">The rule, with the method's name in <see cref="PruneRule.ScoreMethod"/>.</param>
/// <param name="group">A group that the rule owns.</param>
public delegate double[] ScoreMethod(PruneRule rule, ScoredGroup group);

/// <summary>Groups as a policy's own scoring method sees them.</summary>
internal static class ScoredGroups
{
    /// <summary>A group with the numbers of all of its weights.</summary>
    public static ScoredGroup Describe(Group group, WeightTable weights)
        => new(group.Name, PlanResolver.CamelCase(group.Kind), group.Size, [.. group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor))
            .Select(o => new ScoredWeight(o.Tensor, weights.Floats(o.Tensor), weights.Shape(o.Tensor)!, o.Axis,
                weights.UnitsOf(o, group.Factor)))]);
}
