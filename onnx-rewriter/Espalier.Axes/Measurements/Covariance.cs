namespace Espalier.Axes.Measurements;

/// <summary>
/// A symmetric matrix in float32, of which the tiles on and below the diagonal are held: half of the memory, and each tile is
/// added to by one product.
/// </summary>
internal sealed class Covariance
{
    /// <summary>Rows and columns of a tile; the last ones have fewer.</summary>
    public const int Tile = 512;

    private const int Square = 16;

    private readonly float[][] _tiles;

    public Covariance(int size)
    {
        Size = size;
        _tiles = new float[TilesPerSide * (TilesPerSide + 1) / 2][];
        for (int i = 0; i < TilesPerSide; i++)
            for (int j = 0; j <= i; j++) _tiles[Index(i, j)] = new float[Width(i) * Width(j)];
    }

    /// <summary>Rows, and columns.</summary>
    public int Size { get; }

    public int TilesPerSide => (Size + Tile - 1) / Tile;

    /// <summary>Rows of a tile of the i-th row of tiles.</summary>
    public int Width(int i) => Math.Min(Tile, Size - (i * Tile));

    /// <summary>A tile on or below the diagonal, row-major.</summary>
    public float[] TileAt(int i, int j) => _tiles[Index(i, j)];

    public double this[int row, int column]
    {
        get
        {
            if (column > row) (row, column) = (column, row);
            int j = column / Tile;
            return _tiles[Index(row / Tile, j)][(row % Tile * Width(j)) + (column % Tile)];
        }
    }

    /// <summary>The lower triangle of a full matrix.</summary>
    /// <param name="matrix">Row-major [size, size].</param>
    public static Covariance Create(double[] matrix, int size)
    {
        var made = new Covariance(size);
        made.Change((i, j, _) => (float)matrix[((long)i * size) + j]);
        return made;
    }

    /// <summary>Replaces every element on and below the diagonal, and what is stored beside it in tiles on the diagonal.</summary>
    /// <param name="change">Gets row, column and element.</param>
    public void Change(Func<int, int, float, float> change)
    {
        for (int i = 0; i < TilesPerSide; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                var tile = TileAt(i, j);
                for (int r = 0, at = 0; r < Width(i); r++)
                    for (int c = 0; c < Width(j); c++, at++) tile[at] = change((i * Tile) + r, (j * Tile) + c, tile[at]);
            }
        }
    }

    /// <summary>Some rows of some columns in double precision, row-major.</summary>
    public double[] Part(int[] rows, int[] columns)
    {
        var part = new double[(long)rows.Length * columns.Length];
        Parallel.For(0, rows.Length, r =>
        {
            var row = part.AsSpan(r * columns.Length, columns.Length);
            for (int c = 0; c < row.Length; c++) row[c] = this[rows[r], columns[c]];
        });
        return part;
    }

    /// <summary>The whole matrix in double precision, row-major.</summary>
    public double[] ToArray()
    {
        var whole = new double[(long)Size * Size];
        Parallel.For(0, TilesPerSide, i =>
        {
            for (int j = 0; j <= i; j++) Copy(TileAt(i, j), i, j, whole);
        });
        return whole;
    }

    /// <summary>Copies what a tile has on and below the diagonal to its place and, mirrored, to the other side.</summary>
    private void Copy(float[] tile, int i, int j, double[] whole)
    {
        int height = Width(i), width = Width(j), row = i * Tile, column = j * Tile;
        for (int r = 0; r < height; r++)
        {
            var to = whole.AsSpan(((row + r) * Size) + column, width);
            for (int c = 0; c < to.Length; c++) to[c] = tile[(r * width) + c];
        }
        // In squares that stay in the cache.
        for (int c0 = 0; c0 < width; c0 += Square)
            for (int r0 = i == j ? c0 : 0; r0 < height; r0 += Square)
                for (int c = c0; c < Math.Min(width, c0 + Square); c++)
                    for (int r = i == j ? Math.Max(c, r0) : r0; r < Math.Min(height, r0 + Square); r++)
                        whole[((column + c) * Size) + row + r] = tile[(r * width) + c];
    }

    private static int Index(int i, int j) => (i * (i + 1) / 2) + j;
}
