using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>The router's weights of every expert, and how near they are to each other (STUN, arXiv:2409.06211).</summary>
internal sealed class RouterRows
{
    /// <summary>Distances that differ by less, as a part of the squares, are equal.</summary>
    private const double Rounding = 1e-9;

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
    /// join is the score of the one of their two representatives whose weights are farther from the mean of all of the joined
    /// cluster's; the other stands for it. The k best are the representatives of k clusters.
    /// </summary>
    /// <param name="products">Products w_i·w_j of the experts' weights; null to go by the router's rows.</param>
    public double[] Heights(double[,]? products = null)
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
            var (first, second) = (clusters[a].Head, clusters[b].Head);
            // Of two alone both are as far from their mean, up to rounding: the first stays.
            double rounding = Rounding * (Product(first, first) + Product(second, second));
            var (stays, goes) = Far(first, members) <= Far(second, members) + rounding ? (first, second) : (second, first);
            scores[goes] = height;
            clusters[a] = (members, stays);
            clusters.RemoveAt(b);
        }
        // The last of all: above whatever was joined last.
        scores[clusters[0].Head] = Math.BitIncrement(height);
        return scores;

        // ‖w − mean‖² up to what is the same for all: w·w − 2 w·mean.
        double Far(int expert, List<int> members) => Product(expert, expert) - (2 * members.Average(m => Product(expert, m)));

        double Product(int i, int j) => products is null ? _rows[i].Zip(_rows[j], (x, y) => x * y).Sum() : products[i, j];
    }

    private double Farthest(List<int> a, List<int> b) => a.Max(i => b.Max(j => Distance(_rows[i], _rows[j])));

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());
}
