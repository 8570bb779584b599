using System.Numerics.Tensors;

namespace Espalier.Evaluation.Real;

/// <summary>How near the vectors of a slim model are to those of the dense one.</summary>
internal static class Measures
{
    /// <summary>Mean cosine of each vector with its counterpart.</summary>
    public static double Cosine(float[][] dense, float[][] slim) => dense.Zip(slim, Cosine).Average();

    /// <summary>
    /// The same after the mean of all vectors of a model is taken off, since a large common part hides what tells them apart.
    /// </summary>
    public static double CentredCosine(float[][] dense, float[][] slim) => Cosine(Centred(dense), Centred(slim));

    public static double Cosine(float[] a, float[] b)
    {
        double length = Math.Sqrt(Dot(a, a) * Dot(b, b));
        return length > 0 ? Dot(a, b) / length : Dot(a, a) == Dot(b, b) ? 1 : 0;
    }

    /// <summary>Spearman's correlation of the similarities of all pairs.</summary>
    public static double PairCorrelation(float[][] dense, float[][] slim) => Pearson(Ranks(Pairs(dense)), Ranks(Pairs(slim)));

    /// <summary>Share of the dense model's nearest neighbours among the slim one's.</summary>
    /// <param name="sources">What each is a part of; parts of one thing are no neighbours. Null where each is a thing of its own.</param>
    public static double NeighbourRecall(float[][] dense, float[][] slim, int neighbours = 10, int[]? sources = null)
    {
        sources ??= [.. Enumerable.Range(0, dense.Length)];
        var (a, b) = (Similarities(dense, dense), Similarities(slim, slim));
        return Enumerable.Range(0, dense.Length).Average(i =>
        {
            int[] Near(double[] similarities) => [.. Nearest(similarities, neighbours, j => sources[j] != sources[i])];
            int[] expected = Near(a[i]);
            return (double)expected.Intersect(Near(b[i])).Count() / expected.Length;
        });
    }

    /// <summary>Share of vectors whose nearest others, each with the weight of its similarity, have mostly the same label.</summary>
    public static double NeighbourAccuracy(float[][] vectors, IReadOnlyList<string> labels, int neighbours = 10)
    {
        var similarities = Similarities(vectors, vectors);
        return Enumerable.Range(0, vectors.Length).Average(i => Nearest(similarities[i], neighbours, j => j != i).GroupBy(j => labels[j])
            .OrderByDescending(g => g.Sum(j => similarities[i][j])).ThenBy(g => g.Key, StringComparer.Ordinal).First().Key == labels[i]
                ? 1.0
                : 0);
    }

    /// <summary>Place of each query's answer among all answers, from 1: share of first places, and mean of 1 / place.</summary>
    public static (double First, double Reciprocal) Retrieval(float[][] queries, float[][] answers)
    {
        var similarities = Similarities(queries, answers);
        double[] places = [.. Enumerable.Range(0, queries.Length).Select(i => 1.0 + similarities[i].Count(s => s > similarities[i][i]))];
        return (places.Average(p => p == 1 ? 1.0 : 0), places.Average(p => 1 / p));
    }

    /// <summary>Share of equal elements.</summary>
    public static double Equal(int[] a, IReadOnlyList<int> b) => a.Zip(b, (x, y) => x == y ? 1.0 : 0).Average();

    public static float[][] Normalised(float[][] vectors)
        => [.. vectors.Select(v => Math.Sqrt(Dot(v, v)) is > 0 and var length ? Array.ConvertAll(v, x => (float)(x / length)) : v)];

    private static float[][] Centred(float[][] vectors)
    {
        double[] mean = [.. Enumerable.Range(0, vectors[0].Length).Select(k => vectors.Average(v => (double)v[k]))];
        return [.. vectors.Select(v => v.Select((x, k) => (float)(x - mean[k])).ToArray())];
    }

    private static double Dot(float[] a, float[] b) => TensorPrimitives.Dot<float>(a, b);

    /// <summary>Cosines of every vector of one with every vector of the other.</summary>
    private static double[][] Similarities(float[][] a, float[][] b)
    {
        var (x, y) = (Normalised(a), Normalised(b));
        return [.. x.Select(v => Array.ConvertAll(y, w => Dot(v, w)))];
    }

    /// <summary>The largest of those that count; of equal ones the first.</summary>
    private static IEnumerable<int> Nearest(double[] similarities, int count, Func<int, bool> counts)
        => Enumerable.Range(0, similarities.Length).Where(counts).OrderByDescending(j => similarities[j]).ThenBy(j => j).Take(count);

    private static double[] Pairs(float[][] vectors)
    {
        var similarities = Similarities(vectors, vectors);
        return [.. similarities.SelectMany((row, i) => row.Skip(i + 1))];
    }

    private static double[] Ranks(double[] values)
    {
        int[] order = [.. Enumerable.Range(0, values.Length)];
        Array.Sort((double[])values.Clone(), order);
        var ranks = new double[values.Length];
        for (int from = 0, to; from < order.Length; from = to)
        {
            for (to = from + 1; to < order.Length && values[order[to]] == values[order[from]];) to++;
            for (int k = from; k < to; k++) ranks[order[k]] = (from + to - 1) / 2.0;
        }
        return ranks;
    }

    private static double Pearson(double[] a, double[] b)
    {
        double meanA = a.Average(), meanB = b.Average(), ab = 0, aa = 0, bb = 0;
        for (int i = 0; i < a.Length; i++)
        {
            ab += (a[i] - meanA) * (b[i] - meanB);
            aa += (a[i] - meanA) * (a[i] - meanA);
            bb += (b[i] - meanB) * (b[i] - meanB);
        }
        return aa > 0 && bb > 0 ? ab / Math.Sqrt(aa * bb) : aa == bb ? 1 : 0;
    }
}
