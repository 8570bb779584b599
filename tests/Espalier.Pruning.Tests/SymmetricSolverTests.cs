using CsCheck;

namespace Espalier.Pruning.Tests;

public class SymmetricSolverTests
{
    /// <summary>Sizes on both sides of the tile of 96, with the remainder rows of a chunk of right-hand sides.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 17)]
    [InlineData(95, 3)]
    [InlineData(96, 16)]
    [InlineData(97, 5)]
    [InlineData(250, 33)]
    public void Solutions_satisfy_the_equations(int n, int rows)
    {
        var random = new Random(n);
        double[] a = Data.PositiveDefinite(random, n);
        double[] b = Data.Normals(random, rows * n);
        double[] l = [.. a], x = [.. b];
        Assert.True(SymmetricSolver.TryFactorize(l, n));
        SymmetricSolver.Solve(l, n, x);
        for (int r = 0; r < rows; r++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int i = 0; i < n; i++) sum += x[r * n + i] * a[i * n + j];
                Assert.Equal(b[r * n + j], sum, 1e-8);
            }
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(130)]
    public void A_matrix_that_is_not_positive_definite_is_refused(int n)
    {
        double[] a = Data.PositiveDefinite(new Random(4), n);
        a[(n - 1) * n + n - 1] = -1;
        Assert.False(SymmetricSolver.TryFactorize(a, n));
    }

    [Fact]
    public void A_number_that_is_none_is_refused()
    {
        double[] a = [double.NaN];
        Assert.False(SymmetricSolver.TryFactorize(a, 1));
    }

    /// <summary>The refit equals the solution of the normal equations found by plain elimination.</summary>
    [Fact]
    public void The_refit_solves_the_normal_equations()
        => Gen.Select(Gen.Int[1, 5], Gen.Int[1, 4], Gen.Int[1, 3], Gen.Int[0, 1000]).Sample((k, r, outputs, seed) =>
        {
            var random = new Random(seed);
            int f = k + r;
            double[] c = Data.PositiveDefinite(random, f), w = Data.Normals(random, outputs * f);
            int[] order = [.. Enumerable.Range(0, f)];
            random.Shuffle(order);
            int[] kept = [.. order.Take(k).Order()], removed = [.. order.Skip(k).Order()];
            long samples = 10 * f;
            double[] change = LeastSquares.Change(w, outputs, c, samples, kept, removed)!;
            double lambda = LeastSquares.Damping * Math.Min(1, (double)k / samples) * kept.Average(i => c[i * f + i]);
            for (int o = 0; o < outputs; o++)
            {
                // (W' (C_KK + λI))_j must equal (W C)_j + λ w_j for every kept j.
                for (int j = 0; j < k; j++)
                {
                    double left = 0, right = lambda * w[o * f + kept[j]];
                    for (int i = 0; i < k; i++) left += (w[o * f + kept[i]] + change[o * k + i]) * (c[kept[i] * f + kept[j]] + (i == j ? lambda : 0));
                    for (int i = 0; i < f; i++) right += w[o * f + i] * c[i * f + kept[j]];
                    Assert.Equal(right, left, 1e-8 * Math.Max(1, Math.Abs(right)));
                }
            }
        }, iter: 200);

    [Fact]
    public void Pooled_moments_are_those_of_the_joined_rows()
    {
        var random = new Random(3);
        const int f = 3;
        double[][] parts = [Data.Normals(random, 20 * f), [.. Data.Normals(random, 50 * f).Select(v => v * 2 + 1)]];
        var pooled = InputMoments.Pool([.. parts.Select(Moments)]);
        var joined = Moments([.. parts[0], .. parts[1]]);
        Assert.Equal(joined.Count, pooled.Count);
        for (int i = 0; i < f * f; i++) Assert.Equal(joined.Covariance[i], pooled.Covariance[i], 1e-12);
        double[] aboutZero = joined.AboutZero();
        for (int i = 0; i < f; i++)
            for (int j = 0; j < f; j++)
                Assert.Equal(Enumerable.Range(0, 70).Average(n => Row(n, i) * Row(n, j)), aboutZero[i * f + j], 1e-12);

        double Row(int n, int i) => n < 20 ? parts[0][n * f + i] : parts[1][(n - 20) * f + i];

        static InputMoments Moments(double[] rows)
        {
            int n = rows.Length / f;
            double[] mean = [.. Enumerable.Range(0, f).Select(i => Enumerable.Range(0, n).Average(r => rows[r * f + i]))];
            double[] covariance = [.. from i in Enumerable.Range(0, f) from j in Enumerable.Range(0, f)
                                      select Enumerable.Range(0, n).Average(r => (rows[r * f + i] - mean[i]) * (rows[r * f + j] - mean[j]))];
            return new InputMoments(mean, covariance, n);
        }
    }
}

/// <summary>Seeded numbers.</summary>
internal static class Data
{
    public static double[] Normals(Random random, int count)
        => [.. Enumerable.Range(0, count).Select(_ => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];

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
