using System.Numerics.Tensors;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Solves X·A = B for symmetric positive definite A by Cholesky factorisation in double precision, in blocks, on all cores; every tile
/// is computed by one thread in one order, so the result does not depend on their number.
/// </summary>
internal static class SymmetricSolver
{
    /// <summary>Rows and columns of a block.</summary>
    private const int Tile = 96;

    /// <summary>Factorises A = L·Lᵀ in place.</summary>
    /// <param name="a">Row-major [n, n]; on return the lower triangle holds L, the upper one is of no use.</param>
    /// <param name="n">Order of the matrix.</param>
    /// <returns>False where A is not positive definite; the matrix is then of no use.</returns>
    public static bool TryFactorize(double[] a, int n)
    {
        for (int k0 = 0; k0 < n; k0 += Tile)
        {
            int k1 = Math.Min(n, k0 + Tile), from = k0;
            if (!FactorizeDiagonal(a, n, k0, k1)) return false;
            int tiles = Blocks(n - k1);
            if (tiles == 0) continue;
            var inverse = Panel.OfTransposed(new(InvertDiagonal(a, n, from, k1), 0, k1 - from), k1 - from, k1 - from);
            Each(tiles, t => Multiply(new(a, ((k1 + (t * Tile)) * n) + from, n), Math.Min(Tile, n - k1 - (t * Tile)), k1 - from, inverse));
            // What remains is reduced by the panel: A[i,j] −= L[i,k0..k1]·L[j,k0..k1] on the lower triangle.
            var panel = Panel.OfTransposed(new(a, (k1 * n) + k0, n), k1 - k0, n - k1);
            // The longest rows first, so that no thread is left with them.
            Each(tiles, t =>
            {
                int i0 = k1 + ((tiles - 1 - t) * Tile), i1 = Math.Min(n, i0 + Tile);
                panel.Add(-1, new(a, (i0 * n) + from, n), new(a, (i0 * n) + k1, n), i1 - i0, 0, i1 - k1);
            });
        }
        return true;
    }

    /// <summary>Solves x·A = b for every row of <paramref name="b"/>, in place.</summary>
    /// <param name="l">The factor that <see cref="TryFactorize"/> left.</param>
    /// <param name="n">Order of the matrix.</param>
    /// <param name="b">Right-hand sides, row-major [rows, n]; on return the solutions.</param>
    public static void Solve(double[] l, int n, double[] b) => Solve(l, n, b, _ => 0);

    /// <summary>A⁻¹ from the factor, row-major.</summary>
    public static double[] Invert(double[] l, int n)
    {
        var inverse = new double[(long)n * n];
        for (int i = 0; i < n; i++) inverse[((long)i * n) + i] = 1;
        // Row i of the identity is zero up to i, and what comes out left of the diagonal is what others have right of it.
        Solve(l, n, inverse, chunk => chunk);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) inverse[(i * n) + j] = inverse[(j * n) + i];
        return inverse;
    }

    /// <param name="first">First block of columns that a chunk of <see cref="Tile"/> rows has numbers in, and wants.</param>
    private static void Solve(double[] l, int n, double[] b, Func<int, int> first)
    {
        int rows = n == 0 ? 0 : b.Length / n, chunks = Blocks(rows), blocks = Blocks(n);
        for (int k = 0; k < blocks; k++)
        {
            int k0 = k * Tile, k1 = Math.Min(n, k0 + Tile), now = k;
            var inverse = Panel.OfTransposed(new(InvertDiagonal(l, n, k0, k1), 0, k1 - k0), k1 - k0, k1 - k0);
            var below = k1 == n ? null : Panel.OfTransposed(new(l, (k1 * n) + k0, n), k1 - k0, n - k1);
            Each(chunks, chunk =>
            {
                if (first(chunk) > now) return;
                int r0 = chunk * Tile, r1 = Math.Min(rows, r0 + Tile);
                Multiply(new(b, (r0 * n) + k0, n), r1 - r0, k1 - k0, inverse);
                below?.Add(-1, new(b, (r0 * n) + k0, n), new(b, (r0 * n) + k1, n), r1 - r0, 0, n - k1);
            });
        }
        for (int k = blocks - 1; k >= 0; k--)
        {
            int k0 = k * Tile, k1 = Math.Min(n, k0 + Tile), now = k;
            var inverse = Panel.Of(new(InvertDiagonal(l, n, k0, k1), 0, k1 - k0), k1 - k0, k1 - k0);
            var left = k0 == 0 ? null : Panel.Of(new(l, k0 * n, n), k1 - k0, k0);
            Each(chunks, chunk =>
            {
                if (first(chunk) > now) return;
                int r0 = chunk * Tile, r1 = Math.Min(rows, r0 + Tile);
                Multiply(new(b, (r0 * n) + k0, n), r1 - r0, k1 - k0, inverse);
                left?.Add(-1, new(b, (r0 * n) + k0, n), new(b, r0 * n, n), r1 - r0, first(chunk) * Tile, k0);
            });
        }
    }

    private static void Each(int count, Action<int> body)
    {
        // Most systems of a few unknowns are solved inside of loops that are parallel themselves.
        if (count == 1) body(0);
        else if (count > 1) Parallel.For(0, count, body);
    }

    private static int Blocks(int size) => (size + Tile - 1) / Tile;

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

    /// <summary>The inverse of a triangle on the diagonal, row-major: then what is solved with it is a product.</summary>
    private static double[] InvertDiagonal(double[] l, int n, int k0, int k1)
    {
        int width = k1 - k0;
        var inverse = new double[width * width];
        for (int i = 0; i < width; i++)
        {
            var row = inverse.AsSpan(i * width, i + 1);
            for (int p = 0; p < i; p++)
                TensorPrimitives.MultiplyAdd(inverse.AsSpan(p * width, p + 1), -l[((k0 + i) * n) + k0 + p], row[..(p + 1)], row[..(p + 1)]);
            row[i] = 1;
            TensorPrimitives.Divide(row, l[((k0 + i) * n) + k0 + i], row);
        }
        return inverse;
    }

    /// <summary>X ← X·B for a part of a matrix.</summary>
    private static void Multiply(Part x, int rows, int width, Panel b)
    {
        var before = new double[rows * width];
        for (int r = 0; r < rows; r++)
        {
            var row = x.Elements.AsSpan(x.Offset + (r * x.Stride), width);
            row.CopyTo(before.AsSpan(r * width));
            row.Clear();
        }
        b.Add(1, new(before, 0, width), x, rows, 0, width);
    }
}
