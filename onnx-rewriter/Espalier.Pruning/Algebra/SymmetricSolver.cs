using System.Numerics.Tensors;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Solves X·A = B for symmetric positive definite A by Cholesky factorisation in double precision. Works in tiles that stay in the
/// processor's cache, on all cores; every tile is computed by one thread in one order, so the result does not depend on their number.
/// </summary>
internal static class SymmetricSolver
{
    private const int Tile = 96;
    private const int RightSides = 16;

    /// <summary>Factorises A = L·Lᵀ in place.</summary>
    /// <param name="a">Row-major [n, n]; on return the lower triangle holds L, the upper one is as it was.</param>
    /// <param name="n">Order of the matrix.</param>
    /// <returns>False where A is not positive definite; the matrix is then of no use.</returns>
    public static bool TryFactorize(double[] a, int n)
    {
        for (int k0 = 0; k0 < n; k0 += Tile)
        {
            int k1 = Math.Min(n, k0 + Tile), from = k0;
            if (!FactorizeDiagonal(a, n, k0, k1)) return false;
            int tiles = (n - k1 + Tile - 1) / Tile;
            Parallel.For(0, tiles, t =>
            {
                int i1 = Math.Min(n, k1 + (t + 1) * Tile);
                for (int i = k1 + t * Tile; i < i1; i++) SolvePanelRow(a, n, i, from, k1);
            });
            // What remains is reduced by the panel: A[i,j] −= L[i,k0..k1]·L[j,k0..k1] on the lower triangle.
            Parallel.For(0, tiles * (tiles + 1) / 2, index =>
            {
                int row = (int)((Math.Sqrt(8.0 * index + 1) - 1) / 2);
                while ((row + 1) * (row + 2) / 2 <= index) row++;
                while (row * (row + 1) / 2 > index) row--;
                int column = index - row * (row + 1) / 2;
                ReduceTile(a, n, k1 + row * Tile, k1 + column * Tile, from, k1);
            });
        }
        return true;
    }

    /// <summary>Solves x·A = b for every row of <paramref name="b"/>, in place.</summary>
    /// <param name="l">The factor that <see cref="TryFactorize"/> left.</param>
    /// <param name="n">Order of the matrix.</param>
    /// <param name="b">Right-hand sides, row-major [rows, n]; on return the solutions.</param>
    public static void Solve(double[] l, int n, double[] b)
    {
        int rows = n == 0 ? 0 : b.Length / n;
        Parallel.For(0, (rows + RightSides - 1) / RightSides, chunk =>
        {
            int r0 = chunk * RightSides, r1 = Math.Min(rows, r0 + RightSides);
            for (int i = 0; i < n; i++)
            {
                var row = l.AsSpan(i * n, i);
                for (int r = r0; r < r1; r++)
                    b[r * n + i] = (b[r * n + i] - TensorPrimitives.Dot(row, b.AsSpan(r * n, i))) / l[i * n + i];
            }
            for (int i = n - 1; i >= 0; i--)
            {
                var row = l.AsSpan(i * n, i);
                for (int r = r0; r < r1; r++)
                {
                    double x = b[r * n + i] /= l[i * n + i];
                    var before = b.AsSpan(r * n, i);
                    TensorPrimitives.MultiplyAdd(row, -x, before, before);
                }
            }
        });
    }

    private static bool FactorizeDiagonal(double[] a, int n, int k0, int k1)
    {
        for (int i = k0; i < k1; i++)
        {
            var row = a.AsSpan(i * n + k0, i - k0);
            for (int j = k0; j < i; j++)
                a[i * n + j] = (a[i * n + j] - TensorPrimitives.Dot(row[..(j - k0)], a.AsSpan(j * n + k0, j - k0))) / a[j * n + j];
            double pivot = a[i * n + i] - TensorPrimitives.SumOfSquares<double>(row);
            if (!(pivot > 0) || double.IsInfinity(pivot)) return false;
            a[i * n + i] = Math.Sqrt(pivot);
        }
        return true;
    }

    private static void SolvePanelRow(double[] a, int n, int i, int k0, int k1)
    {
        var row = a.AsSpan(i * n + k0, k1 - k0);
        for (int j = k0; j < k1; j++)
            row[j - k0] = (row[j - k0] - TensorPrimitives.Dot(row[..(j - k0)], a.AsSpan(j * n + k0, j - k0))) / a[j * n + j];
    }

    private static void ReduceTile(double[] a, int n, int i0, int j0, int k0, int k1)
    {
        int i1 = Math.Min(n, i0 + Tile), j1 = Math.Min(n, j0 + Tile), depth = k1 - k0;
        for (int i = i0; i < i1; i++)
        {
            var row = a.AsSpan(i * n + k0, depth);
            int end = Math.Min(j1, i + 1);
            for (int j = j0; j < end; j++) a[i * n + j] -= TensorPrimitives.Dot(row, a.AsSpan(j * n + k0, depth));
        }
    }
}
