using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Groups as a policy's own scoring method sees them.</summary>
public static class ScoredGroups
{
    /// <summary>Each group with the numbers of all of its weights, one after the other: they are read when it is asked for.</summary>
    public static IEnumerable<ScoredGroup> Of(AxisAnalysis analysis, IEnumerable<Group> groups)
    {
        var weights = new WeightTable(analysis);
        return groups.Select(group => new ScoredGroup(group.Name, PlanResolver.CamelCase(group.Kind), group.Size, [.. group.Occurrences.Where(o => weights.IsMeasurable(o.Tensor))
            .Select(o => new ScoredWeight(o.Tensor, weights.Floats(o.Tensor), weights.Shape(o.Tensor)!, o.Axis, o.Term.UnitMap(group.Factor)))]));
    }
}
