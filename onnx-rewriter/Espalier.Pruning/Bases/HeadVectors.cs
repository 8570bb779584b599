using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Axes.Terms;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Bases;

/// <summary>
/// Where the vectors of a linear group lie along an axis of a weight: one vector for each value of the axis's other factors. Vectors
/// that have the same value of what both sides share (a head; a KV group with its query heads) have one basis.
/// </summary>
/// <param name="Key">Number of the basis.</param>
/// <param name="Indices">Indices along the axis, by coordinate.</param>
internal sealed record HeadVector(int Key, int[] Indices)
{
    /// <summary>The vectors along an axis; null where they are not whole, or not one after the other.</summary>
    /// <param name="shared">Factors that both sides have, besides the group's own.</param>
    /// <param name="keys">Gets a number for every new value of them.</param>
    public static IReadOnlyList<HeadVector>? Find(Term axis, Factor own, IReadOnlyList<Factor> shared, Dictionary<string, int> keys)
    {
        int[] unit = axis.UnitMap(own);
        var others = axis.Leaves.Where(f => f != own).Select(f => (Factor: f, Map: axis.UnitMap(f))).ToList();
        // A map gives the first factor that it meets: of a product each factor is asked for by itself.
        var vectors = new Dictionary<string, (int Key, List<(int Coordinate, int Index)> Parts)>(StringComparer.Ordinal);
        for (int j = 0; j < unit.Length; j++)
        {
            if (unit[j] < 0) return null;
            string place = string.Join(' ', others.Select(o => o.Map[j]));
            string key = string.Join(' ', shared.Select(s => others.Find(o => o.Factor == s).Map[j]));
            if (!vectors.TryGetValue(place, out var vector))
            {
                if (!keys.TryGetValue(key, out int number)) keys[key] = number = keys.Count;
                vectors[place] = vector = (number, []);
            }
            vector.Parts.Add((unit[j], j));
        }
        int size = (int)own.Size!.Value;
        var found = vectors.Values
            .Select(v => new HeadVector(v.Key, [.. v.Parts.OrderBy(p => p.Coordinate).Select(p => p.Index)])).ToList();
        return found.TrueForAll(v => v.Indices.Length == size) ? found : null;
    }
}

/// <summary>A weight of a linear group with its vectors.</summary>
/// <param name="Matrix">Its view, [outputs, features].</param>
/// <param name="IsOutput">Whether the vectors run along its outputs; else along its features.</param>
internal sealed record VectorWeight(Consumer Product, ConsumerMatrix Matrix, bool IsOutput, IReadOnlyList<HeadVector> Vectors)
{
    /// <summary>The weights of one side; null where one has another form, or is read elsewhere.</summary>
    public static IReadOnlyList<VectorWeight>? Find(LinearGroup linear, LinearSide side, bool isOutput, DenseModel model,
        Dictionary<string, int> keys)
    {
        var shared = Shared(linear, model.Analysis);
        var found = new List<VectorWeight>();
        foreach (var product in side.Products)
        {
            if (model.Weights.Shape(product.Parameter) is not { } shape
                || ConsumerMatrix.Create(product, shape) is not { Batches: 1 } matrix
                || model.Weights.Uses(product.Parameter) != 1 || model.Weights.IsQuantized(product.Parameter)
                || model.Analysis.TermsOf(product.Parameter) is not { } terms
                || HeadVector.Find(terms[isOutput ? product.OutputAxis : product.ParameterAxis], linear.Group.Factor, shared, keys)
                    is not { } vectors) return null;
            found.Add(new(product, matrix, isOutput, vectors));
        }
        return found;
    }

    private static IReadOnlyList<Factor> Shared(LinearGroup linear, AxisAnalysis analysis)
    {
        var sets = new[] { (linear.Left, !linear.LeftReads), (linear.Right, true) }
            .SelectMany(s => s.Item1.Products.Select(p => analysis.TermsOf(p.Parameter)![s.Item2 ? p.OutputAxis : p.ParameterAxis].Leaves));
        return [.. sets.Aggregate((a, b) => [.. a.Intersect(b)]).Where(f => f != linear.Group.Factor)];
    }
}
