using CsCheck;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Algebra;

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
        double[] a = Seeded.PositiveDefinite(random, n);
        double[] b = Seeded.Normals(random, rows * n);
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
    [InlineData(1)]
    [InlineData(97)]
    [InlineData(203)]
    public void The_inverse_is_that_of_the_matrix(int n)
    {
        double[] a = Seeded.PositiveDefinite(new Random(n), n);
        double[] l = [.. a];
        Assert.True(SymmetricSolver.TryFactorize(l, n));
        double[] inverse = SymmetricSolver.Invert(l, n);
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int k = 0; k < n; k++) sum += inverse[(i * n) + k] * a[(k * n) + j];
                Assert.Equal(i == j ? 1 : 0, sum, 1e-8);
                Assert.Equal(inverse[(j * n) + i], inverse[(i * n) + j]);
            }
        }
    }

    /// <summary>Sizes that fill no tile of four rows and eight columns, and parts of matrices.</summary>
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(5, 3, 9)]
    [InlineData(37, 12, 70)]
    public void Products_are_added(int rows, int depth, int columns)
    {
        var random = new Random(rows);
        double[] a = Seeded.Normals(random, rows * depth), b = Seeded.Normals(random, depth * columns);
        double[] c = Seeded.Normals(random, rows * columns);
        double[] transposed = [.. Enumerable.Range(0, columns * depth).Select(i => b[(i % depth * columns) + (i / depth)])];
        foreach (var panel in new[]
        {
            Panel.Of(new(b, 0, columns), depth, columns), Panel.OfTransposed(new(transposed, 0, depth), depth, columns)
        })
        {
            double[] sum = [.. c];
            panel.Add(-2, a, sum);
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < columns; j++)
                {
                    double product = Enumerable.Range(0, depth).Sum(k => a[(r * depth) + k] * b[(k * columns) + j]);
                    Assert.Equal(c[(r * columns) + j] - (2 * product), sum[(r * columns) + j], 1e-12);
                }
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(130)]
    public void A_matrix_that_is_not_positive_definite_is_refused(int n)
    {
        double[] a = Seeded.PositiveDefinite(new Random(4), n);
        a[(n - 1) * n + n - 1] = -1;
        Assert.False(SymmetricSolver.TryFactorize(a, n));
    }

    [Fact]
    public void A_number_that_is_none_is_refused()
    {
        double[] a = [double.NaN];
        Assert.False(SymmetricSolver.TryFactorize(a, 1));
    }

    /// <summary>The refit equals the solution of the normal equations found by plain elimination, whatever the inputs are now.</summary>
    [Fact]
    public void The_refit_solves_the_normal_equations()
        => Gen.Select(Gen.Int[1, 5], Gen.Int[1, 4], Gen.Int[1, 3], Gen.Int[0, 1000]).Sample((k, r, outputs, seed) =>
        {
            var random = new Random(seed);
            int f = k + r, all = f + k;
            // x and z side by side.
            double[] c = Seeded.PositiveDefinite(random, all), w = Seeded.Normals(random, outputs * f);
            int[] order = [.. Enumerable.Range(0, f)];
            random.Shuffle(order);
            int[] kept = [.. order.Take(k).Order()];
            long samples = 10 * f;
            double[] cross = [.. from i in Enumerable.Range(0, f) from j in Enumerable.Range(f, k) select c[(i * all) + j]];
            double[] inner = [.. from i in Enumerable.Range(f, k) from j in Enumerable.Range(f, k) select c[(i * all) + j]];
            // E[ezᵀ] = W·C_xz − W_K·C_zz.
            double[] error = [.. from o in Enumerable.Range(0, outputs) from j in Enumerable.Range(0, k)
                select Enumerable.Range(0, f).Sum(i => w[(o * f) + i] * cross[(i * k) + j])
                    - Enumerable.Range(0, k).Sum(i => w[(o * f) + kept[i]] * inner[(i * k) + j])];
            double[] change = LeastSquares.Change(Of(samples, k, error, inner))!;
            double lambda = LeastSquares.Damping * Math.Min(1, (double)k / samples) * Enumerable.Range(0, k)
                .Average(i => inner[(i * k) + i]);
            for (int o = 0; o < outputs; o++)
            {
                // (W' (C_zz + λI))_j must equal (W C_xz)_j + λ w_j for every kept j.
                for (int j = 0; j < k; j++)
                {
                    double left = 0, right = lambda * w[(o * f) + kept[j]];
                    for (int i = 0; i < k; i++)
                        left += (w[(o * f) + kept[i]] + change[(o * k) + i]) * (inner[(i * k) + j] + (i == j ? lambda : 0));
                    for (int i = 0; i < f; i++) right += w[(o * f) + i] * cross[(i * k) + j];
                    Assert.Equal(right, left, 1e-8 * Math.Max(1, Math.Abs(right)));
                }
            }
        }, iter: 200);

    private static FitMoments Of(long samples, int inputs, double[] error, double[] covariance)
        => new(samples, new double[inputs], new double[error.Length / inputs], error)
        {
            Covariance = () => (double[])covariance.Clone(),
            ErrorVariance = () => new double[error.Length / inputs],
        };

    [Fact]
    public void Where_there_is_no_error_the_refit_changes_nothing()
    {
        const int f = 6;
        double[] c = Seeded.PositiveDefinite(new Random(3), f);
        Assert.All(LeastSquares.Change(Of(100, f, new double[2 * f], c))!, v => Assert.Equal(0, v));
    }
}
