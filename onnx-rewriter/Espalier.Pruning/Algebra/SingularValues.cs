using System.Numerics.Tensors;
using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// Singular values of a matrix of which rows go: how far their distribution is from that of the whole matrix, as the two-sample
/// statistic of Kolmogorov and Smirnov, if one row more went. That row's singular values are not computed: how many of them lie
/// below a number follows from the inertia of a matrix of one row and column more (Haynsworth 1968), in one pass over those
/// before it.
/// </summary>
internal sealed class SingularValues
{
    /// <summary>Squares that differ by less, as a part of the largest, are the same: rounding must not tell them apart.</summary>
    private const double Same = 1e-9;

    private readonly double[][] _rows;
    private readonly int _features;
    private readonly double[] _whole;
    private readonly double _nuclear;
    private readonly List<int> _left;
    /// <summary>Squared singular values of what is left, ascending, with zeros where there are more features than rows.</summary>
    private double[] _values;
    /// <summary>Eigenvectors, of XXᵀ by row.</summary>
    private double[][] _vectors;

    /// <param name="rows">One row per unit.</param>
    public SingularValues(double[][] rows)
    {
        (_rows, _features, _left) = (rows, rows[0].Length, [.. Enumerable.Range(0, rows.Length)]);
        (_values, _vectors) = Decompose();
        _whole = _values[^Math.Min(rows.Length, _features)..];
        _nuclear = _whole.Sum(Math.Sqrt);
    }

    /// <summary>
    /// Largest distance of the two distribution functions, of all singular values of the whole matrix and of those that are left
    /// without a row; 1 where none are.
    /// </summary>
    public double Distance(int row)
    {
        int count = Math.Min(_left.Count - 1, _features), zeros = ByFeatures ? _features - count : 0;
        if (count == 0) return 1;
        double[] part = Part(row), buffer = new double[part.Length];
        double same = Same * _whole[^1], distance = 0;
        // Between two values of the whole the one function is constant and the other rises: they are farthest apart at an end.
        foreach (double value in _whole)
        {
            foreach (double at in (ReadOnlySpan<double>)[value - same, value + same])
            {
                int below = Math.Max(0, Below(at, part, buffer) - zeros);
                distance = Math.Max(distance, Math.Abs(((double)CountBelow(_whole, at) / _whole.Length) - ((double)below / count)));
            }
        }
        return distance;
    }

    /// <summary>What the sum of the singular values loses with a row, to first order and twice over: a part of the whole sum.</summary>
    public double Loss(int row)
    {
        double loss = 0;
        double[] part = Part(row);
        for (int j = 0; j < part.Length; j++)
            if (_values[j] > Same * _whole[^1]) loss += ByFeatures ? part[j] / Math.Sqrt(_values[j]) : part[j] * Math.Sqrt(_values[j]);
        return _nuclear > 0 ? loss / _nuclear : 0;
    }

    /// <summary>Takes rows away.</summary>
    public void Remove(IReadOnlyCollection<int> rows)
    {
        _left.RemoveAll(rows.Contains);
        if (_left.Count > 0) (_values, _vectors) = Decompose();
    }

    /// <summary>The smaller of XᵀX and XXᵀ is decomposed.</summary>
    private bool ByFeatures => _features < _rows.Length;

    private (double[] Values, double[][] Vectors) Decompose()
    {
        int size = ByFeatures ? _features : _left.Count;
        var gram = Matrix<double>.Build.Dense(size, size);
        double[][] vectors = ByFeatures
            ? [.. Enumerable.Range(0, size).Select(f => (double[])[.. _left.Select(u => _rows[u][f])])]
            : [.. _left.Select(u => _rows[u])];
        Parallel.For(0, size, i =>
        {
            for (int j = 0; j <= i; j++) gram[i, j] = TensorPrimitives.Dot<double>(vectors[i], vectors[j]);
        });
        for (int i = 0; i < size; i++)
            for (int j = 0; j < i; j++) gram[j, i] = gram[i, j];
        var eigen = gram.Evd(Symmetricity.Symmetric);
        return ([.. eigen.EigenValues.Select(v => Math.Max(0, v.Real))],
            ByFeatures ? eigen.EigenVectors.ToColumnArrays() : eigen.EigenVectors.ToRowArrays());
    }

    /// <summary>Squares of what a row has of every eigenvector; of XXᵀ those of the eigenvectors at the row.</summary>
    private double[] Part(int row)
    {
        double[] part = ByFeatures
            ? [.. _vectors.Select(v => TensorPrimitives.Dot<double>(v, _rows[row]))]
            : [.. _vectors[_left.IndexOf(row)]];
        TensorPrimitives.Multiply(part, part, part);
        return part;
    }

    /// <summary>
    /// How many eigenvalues lie below a number without the row: of XᵀX − xxᵀ one more than of XᵀX where 1 &lt; xᵀ(XᵀX − t)⁻¹x, of
    /// XXᵀ without row and column u one less than of XXᵀ where (XXᵀ − t)⁻¹ is negative at u.
    /// </summary>
    private int Below(double at, double[] part, double[] buffer)
    {
        TensorPrimitives.Subtract(_values, at, buffer);
        TensorPrimitives.Divide(part, buffer, buffer);
        double sum = TensorPrimitives.Sum<double>(buffer);
        return CountBelow(_values, at) + (ByFeatures ? (sum > 1 ? 1 : 0) : (sum < 0 ? -1 : 0));
    }

    private static int CountBelow(double[] ascending, double at)
    {
        int low = 0, high = ascending.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (ascending[middle] < at) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
