using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Spreads;

/// <summary>Measures how large the weights of units are, in the weights' own scale: what a threshold over all layers compares.</summary>
internal static class Magnitudes
{
    /// <summary>
    /// By group number. Weights that count are those that norms read: vectors (biases, scales) only where there is nothing else.
    /// </summary>
    public static IReadOnlyDictionary<int, UnitMagnitudes> Measure(WeightTable weights, IEnumerable<Group> groups)
        => groups.ToDictionary(g => g.Id, g => Measure(g, weights));

    private static UnitMagnitudes Measure(Group group, WeightTable weights)
    {
        double[] sums = new double[group.Size], roots = new double[group.Size];
        double perUnit = 0;
        foreach (var place in WeightNorm.Over(group, Criterion.L1, Aggregate.Sum, weights).Places)
        {
            int[] shape = weights.Shape(place.Tensor)!;
            SliceSums slices = new(shape, place.Axis, 1), rootSlices = new(shape, place.Axis, 0.5);
            weights.ReadBlocks(place.Tensor, (block, first) =>
            {
                slices.Add(block, first);
                rootSlices.Add(block, first);
            });
            int[] unitOf = weights.UnitsOf(place, group.Factor);
            for (int i = 0; i < unitOf.Length; i++)
            {
                if (unitOf[i] < 0) continue;
                sums[unitOf[i]] += slices.Values[i];
                roots[unitOf[i]] += rootSlices.Values[i];
            }
            perUnit += unitOf.Count(u => u == 0) * shape.Where((_, a) => a != place.Axis).Aggregate(1.0, (n, d) => n * d);
        }
        return new([.. sums.Select(s => perUnit > 0 ? s / perUnit : 0)], [.. roots.Select(s => perUnit > 0 ? s / perUnit : 0)], perUnit);
    }
}
