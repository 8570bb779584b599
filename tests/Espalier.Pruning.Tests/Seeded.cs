namespace Espalier.Pruning.Tests;

/// <summary>Seeded numbers.</summary>
internal static class Seeded
{
    public static double[] Normals(Random random, int count)
        => [.. Enumerable.Range(0, count)
            .Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];

    public static double[] PositiveDefinite(Random random, int n)
    {
        double[] x = Normals(random, n * n), a = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = i == j ? 0.1 : 0;
                for (int t = 0; t < n; t++) sum += x[i * n + t] * x[j * n + t] / n;
                a[i * n + j] = sum;
            }
        }
        return a;
    }
}
