using System.Numerics.Tensors;

namespace Espalier.Pruning.Weights;

/// <summary>Σ|w| (power 1), Σw² (power 2) or Σ√|w| (power ½) of every slice of a weight along an axis, added up block by block.</summary>
internal sealed class SliceSums
{
    private readonly int _size;
    private readonly double _power;
    private readonly long _inner = 1;

    /// <param name="shape">Shape of the weight.</param>
    /// <param name="axis">Axis whose indices are the slices.</param>
    /// <param name="power">1, 2 or ½.</param>
    public SliceSums(IReadOnlyList<int> shape, int axis, double power)
    {
        (_size, _power) = (shape[axis], power);
        for (int a = axis + 1; a < shape.Count; a++) _inner *= shape[a];
        Values = new double[_size];
    }

    /// <summary>The sums so far, one per index of the axis.</summary>
    public double[] Values { get; }

    /// <summary>Adds a run of elements.</summary>
    /// <param name="first">Index of its first element in the weight.</param>
    public void Add(ReadOnlySpan<float> elements, long first)
    {
        if (_inner == 1)
        {
            for (int at = 0, i = (int)(first % _size); at < elements.Length; at++, i = i + 1 == _size ? 0 : i + 1)
                Values[i] += _power == 1
                    ? Math.Abs(elements[at])
                    : _power == 2 ? (double)elements[at] * elements[at] : Math.Sqrt(Math.Abs(elements[at]));
            return;
        }
        while (elements.Length > 0)
        {
            int run = (int)Math.Min(elements.Length, _inner - (first % _inner));
            var slice = elements[..run];
            Values[(int)(first / _inner % _size)] += _power == 1
                ? TensorPrimitives.SumOfMagnitudes(slice)
                : _power == 2 ? TensorPrimitives.SumOfSquares(slice) : Roots(slice);
            elements = elements[run..];
            first += run;
        }
    }

    private static double Roots(ReadOnlySpan<float> elements)
    {
        double sum = 0;
        foreach (float w in elements) sum += Math.Sqrt(Math.Abs(w));
        return sum;
    }
}
