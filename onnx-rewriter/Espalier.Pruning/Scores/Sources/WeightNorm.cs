using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>A group whose units are scored by the norms of their weights.</summary>
/// <param name="Criterion">What is made of the norms.</param>
/// <param name="Aggregate">How the norms in several weights become one.</param>
/// <param name="Places">Weights that count, measurable ones.</param>
internal sealed record WeightNorm(Group Group, Criterion Criterion, Aggregate Aggregate, IReadOnlyList<Occurrence> Places)
{
    /// <summary>Power of the elements that is summed.</summary>
    public int Power => Criterion is Criterion.L2 or Criterion.Lamp ? 2 : 1;

    /// <summary>How a rule's criterion looks at norms; null where it looks at something else.</summary>
    public static WeightNorm? Find(Group group, PruneRule rule, UnitPlaces places, WeightTable weights) => rule.Score switch
    {
        null => Over(group, Criterion.L2, rule.Aggregate, weights),
        Criterion.L1 or Criterion.L2 or Criterion.Lamp => Over(group, rule.Score.Value, rule.Aggregate, weights),
        Criterion.NormScale => new(group, Criterion.NormScale, rule.Aggregate,
            [.. places.Scales(group).Where(o => weights.IsMeasurable(o.Tensor))]),
        _ => null,
    };

    /// <summary>The norms over the whole coupled group. Vectors (biases, scales) count only where it has nothing else.</summary>
    public static WeightNorm Over(Group group, Criterion criterion, Aggregate aggregate, WeightTable weights)
    {
        var floats = group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor)).ToList();
        var matrices = floats.Where(o => weights.Shape(o.Tensor)!.Length > 1).ToList();
        return new(group, criterion, aggregate, matrices.Count > 0 ? matrices : floats);
    }
}
