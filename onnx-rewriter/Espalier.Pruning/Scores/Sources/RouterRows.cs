using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>The router's weights of every expert, and how near they are to each other (STUN, arXiv:2409.06211).</summary>
internal sealed class RouterRows
{
    private readonly double[][] _rows;

    private RouterRows(double[][] rows) => _rows = rows;

    /// <summary>
    /// The router's weights: those of the product from which the probabilities are made. (Stacked experts that all read one
    /// input have their axis of them alone too, so it takes more than that.)
    /// </summary>
    public static IReadOnlyList<Occurrence> Weights(AxisAnalysis analysis, Group group, UnitPlaces places)
        => UnitSignals.Router(analysis, group) is var (_, from)
            ? [.. places.Products(group).Where(p => from.Contains(p.Output.Tensor)).Select(p => p.Weight)]
            : [];

    /// <summary>Rows of the router. Null where it is no weight of the file.</summary>
    public static RouterRows? Find(AxisAnalysis analysis, Group group, UnitPlaces places, WeightTable weights)
    {
        var rows = new List<double>[group.Size];
        for (int e = 0; e < rows.Length; e++) rows[e] = [];
        foreach (var place in Weights(analysis, group, places).Where(p => weights.IsMeasurable(p.Tensor)))
        {
            int[] unitOf = weights.UnitsOf(place, group.Factor), shape = weights.Shape(place.Tensor)!;
            float[] elements = weights.Floats(place.Tensor);
            int inner = shape[(place.Axis + 1)..].Aggregate(1, (a, b) => a * b);
            for (int i = 0; i < elements.Length; i++)
                if (unitOf[i / inner % unitOf.Length] is >= 0 and var unit) rows[unit].Add(elements[i]);
        }
        return rows[0].Count > 0 ? new([.. rows.Select(r => r.ToArray())]) : null;
    }

    /// <summary>Euclidean distance of two experts' rows.</summary>
    public double Distance(int a, int b) => Distance(_rows[a], _rows[b]);

    /// <summary>
    /// Complete linkage: the two clusters whose farthest members are nearest are joined, until one is left. The height of a
    /// join is the score of the one of their two representatives that is farther from the centre of both; the other stands for
    /// the joined cluster. The k best are the representatives of k clusters.
    /// </summary>
    public double[] Heights()
    {
        var scores = new double[_rows.Length];
        var clusters = Enumerable.Range(0, _rows.Length).Select(e => (Members: new List<int> { e }, Head: e)).ToList();
        double height = 0;
        while (clusters.Count > 1)
        {
            var (a, b, least) = (0, 1, double.PositiveInfinity);
            for (int i = 0; i < clusters.Count; i++)
                for (int j = i + 1; j < clusters.Count; j++)
                    if (Farthest(clusters[i].Members, clusters[j].Members) is var far && far < least) (a, b, least) = (i, j, far);
            height = Math.Max(height, least);
            List<int> members = [.. clusters[a].Members, .. clusters[b].Members];
            double[] centre = [.. Enumerable.Range(0, _rows[0].Length).Select(k => members.Average(m => _rows[m][k]))];
            var (stays, goes) = Distance(_rows[clusters[a].Head], centre) <= Distance(_rows[clusters[b].Head], centre)
                ? (clusters[a].Head, clusters[b].Head)
                : (clusters[b].Head, clusters[a].Head);
            scores[goes] = height;
            clusters[a] = (members, stays);
            clusters.RemoveAt(b);
        }
        // The last of all: above whatever was joined last.
        scores[clusters[0].Head] = Math.BitIncrement(height);
        return scores;
    }

    private double Farthest(List<int> a, List<int> b) => a.Max(i => b.Max(j => Distance(_rows[i], _rows[j])));

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());
}
