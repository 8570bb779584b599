using Espalier.Axes.Groups;


namespace Espalier.Pruning.Weights;

/// <summary>
/// A weight as one row per unit, some columns of all rows at a time: memory does not follow the weight's size. What belongs to
/// no unit is left out.
/// </summary>
internal sealed class UnitRows
{
    /// <summary>Most numbers that are held at once.</summary>
    public const int Budget = 1 << 22;

    private readonly WeightTable _weights;
    private readonly string _tensor;
    private readonly int _size, _outer, _inner, _outerStep, _innerStep;
    private readonly (int Unit, int Rank)[] _slots;
    private readonly float[] _rows, _buffer;
    private readonly int _width;

    /// <param name="place">The weight axis on which it lies.</param>
    /// <param name="budget">Most numbers that are held at once.</param>
    public UnitRows(Group group, Occurrence place, WeightTable weights, int budget = Budget)
    {
        (_weights, _tensor) = (weights, place.Tensor);
        int[] shape = weights.Shape(place.Tensor)!;
        _size = shape[place.Axis];
        _outer = shape[..place.Axis].Aggregate(1, (a, b) => checked(a * b));
        _inner = shape[(place.Axis + 1)..].Aggregate(1, (a, b) => checked(a * b));
        _innerStep = Math.Clamp(budget / _size, 1, Math.Max(1, _inner));
        _outerStep = _innerStep < _inner ? 1 : (int)Math.Clamp(budget / ((long)_size * Math.Max(1, _inner)), 1, Math.Max(1, _outer));
        int[] unitOf = weights.UnitsOf(place, group.Factor);
        var filled = new int[group.Size];
        _slots = [.. unitOf.Select(u => (u, u < 0 ? 0 : filled[u]++))];
        _width = filled.Max() * _outerStep * _innerStep;
        (_rows, _buffer) = (new float[checked(group.Size * _width)], new float[checked(_size * _outerStep * _innerStep)]);
    }

    /// <summary>The row of a unit in the tile that was read last.</summary>
    public ReadOnlySpan<float> Row(int unit, int features) => _rows.AsSpan(unit * _width, features);

    /// <summary>Reads tile after tile; gives the number of columns in each.</summary>
    public IEnumerable<int> Read()
    {
        for (int o = 0; o < _outer; o += _outerStep)
        {
            for (int i = 0; i < _inner; i += _innerStep)
                yield return Fill(o, Math.Min(_outerStep, _outer - o), i, Math.Min(_innerStep, _inner - i));
        }
    }

    private int Fill(int outer, int outers, int inner, int inners)
    {
        if (inners == _inner) _weights.Read(_tensor, (long)outer * _size * _inner, _buffer.AsSpan(0, outers * _size * _inner));
        else for (int k = 0; k < _size; k++)
            _weights.Read(_tensor, ((((long)outer * _size) + k) * _inner) + inner, _buffer.AsSpan(k * inners, inners));
        int piece = outers * inners, features = 0;
        for (int k = 0; k < _size; k++)
        {
            var (unit, rank) = _slots[k];
            if (unit < 0) continue;
            features = Math.Max(features, (rank + 1) * piece);
            for (int o = 0; o < outers; o++)
                _buffer.AsSpan(((o * _size) + k) * inners, inners)
                    .CopyTo(_rows.AsSpan((unit * _width) + (rank * piece) + (o * inners), inners));
        }
        return features;
    }
}
