using System.Numerics.Tensors;
using Espalier.Axes.Measurements;

namespace Espalier.Calibration.Sums;

/// <summary>
/// Joint moments of rows z and of errors e beside them, in blocks of rows: a block is added up in float32 about a reference (the
/// mean of the first block), blocks in double but for the second moments, which stay in float32: with n rows their relative error is
/// about √n·6e-8.
/// </summary>
/// <param name="inputs">Width of z.</param>
/// <param name="outputs">Width of e; 0 for none.</param>
internal sealed class MomentSums(int inputs, int outputs, TileProducts products, CancellationToken cancellation)
{
    private const int Block = 512;

    private readonly Covariance _gram = new(inputs);
    private readonly float[][] _tiles = [.. Tiles(inputs).Select(width => new float[Block * width])];
    private readonly float[][] _cross = [.. outputs == 0 ? [] : Tiles(inputs).Select(width => new float[outputs * width])];
    private readonly float[] _errors = new float[Block * outputs];
    private readonly double[] _sum = new double[inputs], _absolute = new double[inputs], _errorSum = new double[outputs],
        _errorSquares = new double[outputs];
    private float[]? _reference, _errorReference;
    private int _filled;

    /// <summary>Rows so far.</summary>
    public long Count { get; private set; }

    private static IEnumerable<int> Tiles(int width)
    {
        for (int at = 0; at < width; at += Covariance.Tile) yield return Math.Min(Covariance.Tile, width - at);
    }

    public void Add(ReadOnlySpan<float> z, ReadOnlySpan<float> e)
    {
        for (int t = 0; t < _tiles.Length; t++)
        {
            int width = _tiles[t].Length / Block;
            z.Slice(t * Covariance.Tile, width).CopyTo(_tiles[t].AsSpan(_filled * width));
        }
        e.CopyTo(_errors.AsSpan(_filled * outputs));
        if (++_filled == Block) Flush();
    }

    private void Flush()
    {
        if (_filled == 0) return;
        _reference ??= Means(_tiles.Select(t => (t, t.Length / Block)));
        _errorReference ??= Means([(_errors, outputs)]);
        for (int t = 0; t < _tiles.Length; t++)
        {
            int width = _tiles[t].Length / Block, at = t * Covariance.Tile;
            AddUp(_tiles[t], width, _reference.AsSpan(at, width), _sum.AsSpan(at, width), _absolute.AsSpan(at, width));
        }
        AddUp(_errors, outputs, _errorReference, _errorSum, null);
        var squares = new float[outputs];
        for (int r = 0; r < _filled; r++)
        {
            var row = _errors.AsSpan(r * outputs, outputs);
            TensorPrimitives.MultiplyAdd<float>(row, row, squares, squares);
        }
        for (int o = 0; o < outputs; o++) _errorSquares[o] += squares[o];
        for (int i = 0; i < _tiles.Length; i++)
        {
            for (int j = 0; j <= i; j++) Accumulate(_gram.TileAt(i, j), _tiles[i], _tiles[j]);
            if (outputs > 0) Accumulate(_cross[i], _errors, _tiles[i]);
        }
        Count += _filled;
        _filled = 0;
    }

    private void Accumulate(float[] into, float[] a, float[] b)
        => products.Add(into, a, b, Block, cancellation);

    /// <summary>Subtracts the reference from the rows of a block, clears what lies behind them, and adds them up.</summary>
    private void AddUp(float[] rows, int width, ReadOnlySpan<float> reference, Span<double> sum, Span<double> absolute)
    {
        var (plain, magnitudes, one) = (new float[width], new float[width], new float[width]);
        for (int r = 0; r < _filled; r++)
        {
            var row = rows.AsSpan(r * width, width);
            if (!absolute.IsEmpty)
            {
                TensorPrimitives.Abs<float>(row, one);
                TensorPrimitives.Add(magnitudes, one, magnitudes);
            }
            TensorPrimitives.Subtract(row, reference, row);
            TensorPrimitives.Add<float>(plain, row, plain);
        }
        rows.AsSpan(_filled * width).Clear();
        for (int f = 0; f < width; f++) sum[f] += plain[f];
        for (int f = 0; f < absolute.Length; f++) absolute[f] += magnitudes[f];
    }

    private float[] Means(IEnumerable<(float[] Rows, int Width)> blocks)
    {
        var means = new List<float>();
        foreach (var (rows, width) in blocks)
        {
            var sum = new double[width];
            for (int r = 0, at = 0; r < _filled; r++)
                for (int f = 0; f < width; f++) sum[f] += rows[at++];
            means.AddRange(sum.Select(s => (float)(s / _filled) is var mean && float.IsFinite(mean) ? mean : 0));
        }
        return [.. means];
    }

    /// <summary>Whether rows came, and every number in them was finite.</summary>
    public bool IsFinite
    {
        get
        {
            Flush();
            // What is not finite in a row is not finite in the sums of its features.
            return Count > 0 && double.IsFinite(TensorPrimitives.Sum<double>(_sum) + TensorPrimitives.Sum<double>(_errorSum))
                && Enumerable.Range(0, inputs).All(f => double.IsFinite(_gram[f, f])) && _errorSquares.All(double.IsFinite);
        }
    }

    /// <summary>Statistics of the rows. The sums are used up.</summary>
    public ActivationStatistics ToStatistics()
    {
        var (mean, covariance) = Moments();
        var variance = Enumerable.Range(0, inputs).Select(f => covariance[f, f]).ToArray();
        return new(-1, Count, mean, variance, [.. _absolute.Select(a => a / Count)], [.. variance.Zip(mean, (v, m) => v + (m * m))])
        { Covariance = covariance };
    }

    /// <summary>Statistics of rows and errors. The sums are used up.</summary>
    public ErrorStatistics ToErrors()
    {
        var (mean, covariance) = Moments();
        var cross = new double[(long)outputs * inputs];
        for (int t = 0; t < _cross.Length; t++)
        {
            int width = _cross[t].Length / outputs;
            for (int o = 0, at = 0; o < outputs; o++)
                for (int f = 0; f < width; f++, at++)
                {
                    int column = (t * Covariance.Tile) + f;
                    cross[((long)o * inputs) + column] = ((double)_cross[t][at] / Count) - (_errorSum[o] / Count * (_sum[column] / Count));
                }
        }
        return new(Count, mean, covariance)
        {
            ErrorMean = [.. _errorSum.Select((s, o) => _errorReference![o] + (s / Count))],
            Cross = cross,
            ErrorVariance = [.. _errorSquares.Select((s, o) => Math.Max(0, (s / Count) - (_errorSum[o] / Count * (_errorSum[o] / Count))))],
        };
    }

    private (double[] Mean, Covariance Covariance) Moments()
    {
        Flush();
        double[] shift = [.. _sum.Select(s => s / Count)];
        _gram.Change((i, j, sum) => i == j
            ? (float)Math.Max(0, (sum / Count) - (shift[i] * shift[i]))
            : (float)((sum / Count) - (shift[i] * shift[j])));
        return ([.. shift.Select((s, f) => _reference![f] + s)], _gram);
    }
}
