using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Groups as a policy's own scoring method sees them.</summary>
public static class ScoredGroups
{
    /// <summary>One group with the numbers of all of its weights.</summary>
    public static ScoredGroup Of(AxisAnalysis analysis, Group group)
    {
        var weights = new WeightTable(analysis);
        return new(group.Name, PlanResolver.CamelCase(group.Kind), group.Size, [.. group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor))
            .Select(o => new ScoredWeight(o.Tensor, weights.Floats(o.Tensor), weights.Shape(o.Tensor)!, o.Axis, o.Term.UnitMap(group.Factor)))]);
    }
}
