namespace Espalier.Axes.Measurements;

/// <summary>
/// Some of the rows that passed by, at an even distance: every first, second, fourth … of them, so that there are never more
/// than a bound.
/// </summary>
/// <param name="width">Numbers of a row.</param>
/// <param name="most">Most rows, even.</param>
internal sealed class RowSample(int width, int most)
{
    private readonly List<float[]> _rows = [];
    private long _passed, _distance = 1;

    public int Width => width;

    public int Count => _rows.Count;

    public ReadOnlySpan<float> this[int row] => _rows[row];

    /// <summary>What a map makes of every row.</summary>
    /// <param name="mappedWidth">Numbers of a row that it makes.</param>
    public RowSample Map(int mappedWidth, Func<double[], double[]> map)
    {
        var mapped = new RowSample(mappedWidth, Math.Max(2, Count + (Count % 2)));
        foreach (float[] row in _rows) mapped.Add(Array.ConvertAll(map(Array.ConvertAll(row, v => (double)v)), v => (float)v));
        return mapped;
    }

    public void Add(ReadOnlySpan<float> row)
    {
        if (_passed++ % _distance != 0) return;
        if (_rows.Count == most)
        {
            for (int k = 1; 2 * k < most; k++) _rows[k] = _rows[2 * k];
            _rows.RemoveRange(most / 2, most - (most / 2));
            _distance *= 2;
            if ((_passed - 1) % _distance != 0) return;
        }
        _rows.Add(row.ToArray());
    }
}
