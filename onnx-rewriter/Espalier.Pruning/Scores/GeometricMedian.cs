using System.Numerics.Tensors;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>
/// Σ_v ‖W_u − W_v‖ over the weights that produce the units (FPGM, arXiv:1811.00250): what lies nearest to the geometric median of all units is the
/// easiest for the others to stand in for. Takes units² · (weights per unit) steps; memory follows neither.
/// </summary>
internal static class GeometricMedian
{
    /// <summary>Most numbers that are held at once, of weights and of distances.</summary>
    private const int Budget = 1 << 22;

    /// <summary>Sums of distances, each producing weight's scaled to mean 1.</summary>
    /// <returns>Null where there is no weight to read.</returns>
    public static double[]? Of(Group group, IReadOnlyList<Occurrence> producers, Aggregate aggregate, WeightTable weights)
    {
        if (producers.Count == 0) return null;
        var total = new Aggregation(aggregate, group.Size);
        foreach (var producer in producers) total.Add(Distances(group, producer, weights));
        return total.Result();
    }

    /// <summary>Per unit the sum of the distances of its slice of a weight to all other slices.</summary>
    internal static double[] Distances(Group group, Occurrence place, WeightTable weights, int budget = Budget)
    {
        int units = group.Size, rowsAtOnce = Math.Max(1, budget / units);
        var tiles = new Tiles(group, place, weights, budget);
        var (sums, squares) = (new double[units], new double[Math.Min(rowsAtOnce, units) * units]);
        for (int from = 0; from < units; from += rowsAtOnce)
        {
            int first = from, rows = Math.Min(rowsAtOnce, units - from);
            Array.Clear(squares);
            foreach (int features in tiles.Read())
            {
                Parallel.For(0, rows, r =>
                {
                    var own = tiles.Row(first + r, features);
                    for (int v = first + r + 1; v < units; v++)
                    {
                        // Differences and not a Gram matrix: equal units are exactly 0 apart.
                        double distance = TensorPrimitives.Distance(own, tiles.Row(v, features));
                        squares[(r * units) + v] += distance * distance;
                    }
                });
            }
            for (int r = 0; r < rows; r++)
            {
                for (int v = first + r + 1; v < units; v++)
                {
                    double distance = Math.Sqrt(squares[(r * units) + v]);
                    sums[first + r] += distance;
                    sums[v] += distance;
                }
            }
        }
        return sums;
    }

    /// <summary>A weight as one row per unit, some columns of all rows at a time.</summary>
    private sealed class Tiles
    {
        private readonly WeightTable _weights;
        private readonly string _tensor;
        private readonly int _size, _outer, _inner, _outerStep, _innerStep;
        private readonly (int Unit, int Rank)[] _slots;
        private readonly float[] _rows, _buffer;
        private readonly int _width;

        public Tiles(Group group, Occurrence place, WeightTable weights, int budget)
        {
            (_weights, _tensor) = (weights, place.Tensor);
            int[] shape = weights.Shape(place.Tensor)!;
            _size = shape[place.Axis];
            _outer = shape[..place.Axis].Aggregate(1, (a, b) => checked(a * b));
            _inner = shape[(place.Axis + 1)..].Aggregate(1, (a, b) => checked(a * b));
            _innerStep = Math.Clamp(budget / _size, 1, Math.Max(1, _inner));
            _outerStep = _innerStep < _inner ? 1 : (int)Math.Clamp(budget / ((long)_size * Math.Max(1, _inner)), 1, Math.Max(1, _outer));
            int[] unitOf = place.Term.UnitMap(group.Factor);
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
                for (int i = 0; i < _inner; i += _innerStep) yield return Fill(o, Math.Min(_outerStep, _outer - o), i, Math.Min(_innerStep, _inner - i));
            }
        }

        private int Fill(int outer, int outers, int inner, int inners)
        {
            if (inners == _inner) _weights.Read(_tensor, (long)outer * _size * _inner, _buffer.AsSpan(0, outers * _size * _inner));
            else for (int k = 0; k < _size; k++) _weights.Read(_tensor, ((((long)outer * _size) + k) * _inner) + inner, _buffer.AsSpan(k * inners, inners));
            int piece = outers * inners, features = 0;
            for (int k = 0; k < _size; k++)
            {
                var (unit, rank) = _slots[k];
                if (unit < 0) continue;
                features = Math.Max(features, (rank + 1) * piece);
                for (int o = 0; o < outers; o++)
                    _buffer.AsSpan(((o * _size) + k) * inners, inners).CopyTo(_rows.AsSpan((unit * _width) + (rank * piece) + (o * inners), inners));
            }
            return features;
        }
    }
}
