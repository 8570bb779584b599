using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// A matrix B in the order in which products read it: strips of columns, row after row. C += s·A·B then keeps four rows of a strip
/// of C in registers (Goto and van de Geijn, ACM Transactions on Mathematical Software 34, 2008). Every element of C is computed in
/// one order, so the result depends neither on the number of threads nor on the width of registers.
/// </summary>
internal sealed class Panel
{
    private const int Rows = 4;

    /// <summary>Columns of a strip: two registers.</summary>
    private static readonly int Strip = Vector512.IsHardwareAccelerated ? 16 : 8;

    private readonly double[] _packed;
    private readonly int _depth, _columns;

    private Panel(int depth, int columns)
    {
        (_depth, _columns) = (depth, columns);
        _packed = new double[(columns + Strip - 1) / Strip * Strip * depth];
    }

    /// <summary>Rows of a matrix as the rows of B.</summary>
    public static Panel Of(Part matrix, int depth, int columns)
    {
        var panel = new Panel(depth, columns);
        Parallel.For(0, (columns + Strip - 1) / Strip, s =>
        {
            int width = Math.Min(Strip, columns - (s * Strip));
            for (int p = 0; p < depth; p++)
                matrix.Elements.AsSpan(matrix.Offset + (p * matrix.Stride) + (s * Strip), width)
                    .CopyTo(panel._packed.AsSpan(((s * depth) + p) * Strip));
        });
        return panel;
    }

    /// <summary>Rows of a matrix as the columns of B.</summary>
    public static Panel OfTransposed(Part matrix, int depth, int columns)
    {
        var panel = new Panel(depth, columns);
        Parallel.For(0, (columns + Strip - 1) / Strip, s =>
        {
            for (int j = s * Strip; j < Math.Min(columns, (s + 1) * Strip); j++)
            {
                int from = matrix.Offset + (j * matrix.Stride);
                for (int p = 0; p < depth; p++) panel._packed[(((s * depth) + p) * Strip) + (j - (s * Strip))] = matrix.Elements[from + p];
            }
        });
        return panel;
    }

    /// <summary>C += s·A·B for all rows of C, on all cores.</summary>
    /// <param name="a">Row-major [rows, depth].</param>
    /// <param name="c">Row-major [rows, columns].</param>
    public void Add(double scale, double[] a, double[] c) => Add(scale, a, c, _ => _columns);

    /// <summary>The same on and below the diagonal; a few elements beside it may change.</summary>
    public void AddBelow(double scale, double[] a, double[] c) => Add(scale, a, c, below => Math.Min(below, _columns));

    /// <param name="to">Behind the last column, for rows up to a number.</param>
    private void Add(double scale, double[] a, double[] c, Func<int, int> to)
    {
        const int Chunk = 32;
        int rows = a.Length / Math.Max(1, _depth);
        Parallel.For(0, (rows + Chunk - 1) / Chunk, chunk => Add(scale, new(a, chunk * Chunk * _depth, _depth),
            new(c, chunk * Chunk * _columns, _columns), Math.Min(Chunk, rows - (chunk * Chunk)), 0, to((chunk + 1) * Chunk)));
    }

    /// <summary>The same for some rows and columns, on one thread.</summary>
    /// <param name="from">First column of C; a multiple of sixteen.</param>
    /// <param name="to">Behind the last; a few more behind it, up to B's, may change.</param>
    public void Add(double scale, Part a, Part c, int rows, int from, int to)
    {
        Span<double> edge = stackalloc double[Rows * Strip];
        for (int s = from / Strip; s * Strip < to; s++)
        {
            int width = Math.Min(Strip, _columns - (s * Strip));
            for (int r = 0; r < rows; r += Rows)
            {
                int height = Math.Min(Rows, rows - r), at = c.Offset + (r * c.Stride) + (s * Strip);
                if (height == Rows && width == Strip)
                {
                    Tile(scale, a, r, s, ref c.Elements[at], c.Stride);
                    continue;
                }
                edge.Clear();
                if (height == Rows) Tile(scale, a, r, s, ref edge[0], Strip);
                else
                {
                    for (int i = 0; i < height; i++)
                        Row(scale, a.Elements.AsSpan(a.Offset + ((r + i) * a.Stride), _depth), s, edge.Slice(i * Strip, Strip));
                }
                for (int i = 0; i < height; i++)
                    for (int j = 0; j < width; j++) c.Elements[at + (i * c.Stride) + j] += edge[(i * Strip) + j];
            }
        }
    }

    private void Row(double scale, ReadOnlySpan<double> a, int strip, Span<double> into)
    {
        var b = _packed.AsSpan(strip * _depth * Strip);
        for (int p = 0; p < a.Length; p++)
            for (int j = 0; j < Strip; j++) into[j] = Math.FusedMultiplyAdd(a[p], b[(p * Strip) + j], into[j]);
        for (int j = 0; j < Strip; j++) into[j] *= scale;
    }

    private void Tile(double scale, Part a, int row, int strip, ref double c, int stride)
    {
        ref double left = ref a.Elements[a.Offset + (row * a.Stride)], right = ref _packed[strip * _depth * Strip];
        if (Vector512.IsHardwareAccelerated) WideTile(scale, ref left, a.Stride, ref right, ref c, stride);
        else Tile(scale, ref left, a.Stride, ref right, ref c, stride);
    }

    private void Tile(double scale, ref double a, int stride, ref double b, ref double c, int cStride)
    {
        Vector256<double> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default,
            c31 = default;
        nuint one = (nuint)stride, two = 2 * one, three = 3 * one;
        for (nuint p = 0; p < (nuint)_depth; p++)
        {
            var b0 = Vector256.LoadUnsafe(ref b, p * 8);
            var b1 = Vector256.LoadUnsafe(ref b, (p * 8) + 4);
            var x = Vector256.Create(Unsafe.Add(ref a, p));
            c00 = Vector256.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector256.FusedMultiplyAdd(x, b1, c01);
            x = Vector256.Create(Unsafe.Add(ref a, p + one));
            c10 = Vector256.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector256.FusedMultiplyAdd(x, b1, c11);
            x = Vector256.Create(Unsafe.Add(ref a, p + two));
            c20 = Vector256.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector256.FusedMultiplyAdd(x, b1, c21);
            x = Vector256.Create(Unsafe.Add(ref a, p + three));
            c30 = Vector256.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector256.FusedMultiplyAdd(x, b1, c31);
        }
        Store(scale, ref c, 0, c00, c01);
        Store(scale, ref c, (nuint)cStride, c10, c11);
        Store(scale, ref c, 2 * (nuint)cStride, c20, c21);
        Store(scale, ref c, 3 * (nuint)cStride, c30, c31);
    }

    private void WideTile(double scale, ref double a, int stride, ref double b, ref double c, int cStride)
    {
        Vector512<double> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default,
            c31 = default;
        nuint one = (nuint)stride, two = 2 * one, three = 3 * one;
        for (nuint p = 0; p < (nuint)_depth; p++)
        {
            var b0 = Vector512.LoadUnsafe(ref b, p * 16);
            var b1 = Vector512.LoadUnsafe(ref b, (p * 16) + 8);
            var x = Vector512.Create(Unsafe.Add(ref a, p));
            c00 = Vector512.FusedMultiplyAdd(x, b0, c00);
            c01 = Vector512.FusedMultiplyAdd(x, b1, c01);
            x = Vector512.Create(Unsafe.Add(ref a, p + one));
            c10 = Vector512.FusedMultiplyAdd(x, b0, c10);
            c11 = Vector512.FusedMultiplyAdd(x, b1, c11);
            x = Vector512.Create(Unsafe.Add(ref a, p + two));
            c20 = Vector512.FusedMultiplyAdd(x, b0, c20);
            c21 = Vector512.FusedMultiplyAdd(x, b1, c21);
            x = Vector512.Create(Unsafe.Add(ref a, p + three));
            c30 = Vector512.FusedMultiplyAdd(x, b0, c30);
            c31 = Vector512.FusedMultiplyAdd(x, b1, c31);
        }
        Store(scale, ref c, 0, c00, c01);
        Store(scale, ref c, (nuint)cStride, c10, c11);
        Store(scale, ref c, 2 * (nuint)cStride, c20, c21);
        Store(scale, ref c, 3 * (nuint)cStride, c30, c31);
    }

    private static void Store(double scale, ref double c, nuint at, Vector256<double> left, Vector256<double> right)
    {
        (Vector256.LoadUnsafe(ref c, at) + (scale * left)).StoreUnsafe(ref c, at);
        (Vector256.LoadUnsafe(ref c, at + 4) + (scale * right)).StoreUnsafe(ref c, at + 4);
    }

    private static void Store(double scale, ref double c, nuint at, Vector512<double> left, Vector512<double> right)
    {
        (Vector512.LoadUnsafe(ref c, at) + (scale * left)).StoreUnsafe(ref c, at);
        (Vector512.LoadUnsafe(ref c, at + 8) + (scale * right)).StoreUnsafe(ref c, at + 8);
    }
}

/// <summary>A part of a row-major matrix.</summary>
/// <param name="Offset">Of its first element.</param>
/// <param name="Stride">From one row to the next.</param>
internal readonly record struct Part(double[] Elements, int Offset, int Stride);
