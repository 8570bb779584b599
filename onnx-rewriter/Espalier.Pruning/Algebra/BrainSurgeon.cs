using System.Numerics.Tensors;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Algebra;

/// <summary>
/// One matrix that reads a group: what its output loses with a unit whose weight the others make up for, and the inverse
/// covariance and the weights that are left when units are gone.
/// </summary>
internal sealed class BrainSurgeon
{
    /// <summary>Row-major [features, features] of those that are left, of which the lower triangle counts.</summary>
    private readonly double[] _inverse;
    private readonly int _outputs;
    private readonly int[][] _unitFeatures;
    private double[] _weight;
    private int _features;
    private readonly double _scale;

    private BrainSurgeon(double[] inverse, double[] weight, int outputs, int[][] unitFeatures, double scale)
        => (_inverse, _weight, _outputs, _features, _unitFeatures, _scale) = (inverse, weight, outputs, weight.Length / outputs,
            unitFeatures, scale);

    /// <summary>One for every matrix of a consumer whose inputs have a covariance.</summary>
    public static IEnumerable<BrainSurgeon> Find(Group group, Consumer consumer, CalibrationStatistics statistics, WeightTable weights)
        => Find(consumer, consumer.Contracted.UnitMap(group.Factor), group.Size, statistics, weights);

    /// <summary>The same where each index of what the consumer contracts is a unit.</summary>
    public static IEnumerable<BrainSurgeon> Find(Consumer consumer, CalibrationStatistics statistics, WeightTable weights)
    {
        int size = (int)consumer.Contracted.Size!.Value;
        return Find(consumer, [.. Enumerable.Range(0, size)], size, statistics, weights);
    }

    private static IEnumerable<BrainSurgeon> Find(Consumer consumer, int[] unitOf, int units, CalibrationStatistics statistics,
        WeightTable weights)
    {
        if (!statistics.Consumers.TryGetValue(consumer.Id, out var seen) || weights.Shape(consumer.Parameter) is not { } shape
            || ConsumerMatrix.Create(consumer, shape) is not { } matrix) yield break;
        if (unitOf.Length != shape[consumer.ParameterAxis] && unitOf.Length != matrix.Inputs * matrix.Batches) yield break;
        float[] weight = weights.Floats(consumer.Parameter);
        for (int b = 0; b < matrix.Batches; b++)
        {
            if (FitMoments.Covariances(seen, matrix, b) is not var (covariance, count)) continue;
            double[] w = matrix.Matrix(weight, b);
            // Consumers count by the share of their own output that is lost.
            double total = LeastSquares.Error(w, matrix.Outputs, covariance);
            if (!(total > 0) || !double.IsFinite(total) || LeastSquares.Inverse(covariance, matrix.Features, count) is not { } inverse)
                continue;
            var features = new List<int>[units];
            for (int u = 0; u < features.Length; u++) features[u] = [];
            for (int f = 0; f < matrix.Features; f++)
                if (unitOf[matrix.ContractedIndex(b, f)] is >= 0 and var unit) features[unit].Add(f);
            yield return new(inverse, w, matrix.Outputs, [.. features.Select(f => f.ToArray())], 1 / (total * matrix.Batches));
        }
    }

    /// <summary>What the removal of one unit costs, as a share of the output's variance.</summary>
    public double Cost(int unit) => Cost([unit]);

    /// <summary>What the removal of several at once costs.</summary>
    public double Cost(IReadOnlyCollection<int> units)
    {
        int[] own = [.. units.SelectMany(u => _unitFeatures[u])];
        if (own.Length == 0) return 0;
        var block = Block(own);
        if (!SymmetricSolver.TryFactorize(block, own.Length)) return 0;
        double[] columns = Columns(own), solved = (double[])columns.Clone();
        SymmetricSolver.Solve(block, own.Length, solved);
        return TensorPrimitives.Dot<double>(columns, solved) * _scale;
    }

    /// <summary>
    /// H⁻¹ ← H⁻¹ − H⁻¹[:,g]·([H⁻¹]gg)⁻¹·H⁻¹[g,:], W ← W − W_g·([H⁻¹]gg)⁻¹·H⁻¹[g,:], of the features that are left.
    /// </summary>
    public void Remove(int[] units)
    {
        int[] gone = [.. units.SelectMany(u => _unitFeatures[u])], left = [.. Enumerable.Range(0, _features).Except(gone)];
        if (gone.Length == 0) return;
        var block = Block(gone);
        if (!SymmetricSolver.TryFactorize(block, gone.Length)) return;
        double[] weights = Columns(gone), inner = new double[left.Length * gone.Length], rows = new double[inner.Length];
        for (int f = 0; f < left.Length; f++)
            for (int k = 0; k < gone.Length; k++)
                rows[(k * left.Length) + f] = inner[(f * gone.Length) + k] = Inverse(left[f], gone[k]);
        SymmetricSolver.Solve(block, gone.Length, weights);
        SymmetricSolver.Solve(block, gone.Length, inner);
        _weight = FitMoments.Columns(_weight, _features, left);
        // In place: no element moves behind one that is still to be read.
        for (int i = 0, at = 0; i < left.Length; i++, at = i * left.Length)
            for (int j = 0; j <= i; j++) _inverse[at++] = _inverse[(left[i] * _features) + left[j]];
        _features = left.Length;
        var panel = Panel.Of(new(rows, 0, _features), gone.Length, _features);
        panel.Add(-1, weights, _weight);
        panel.AddBelow(-1, inner, _inverse);
        Renumber(left);
    }

    private void Renumber(int[] left)
    {
        var number = left.Select((f, at) => (f, at)).ToDictionary(p => p.f, p => p.at);
        for (int u = 0; u < _unitFeatures.Length; u++)
            _unitFeatures[u] = [.. _unitFeatures[u].Where(number.ContainsKey).Select(f => number[f])];
    }

    private double Inverse(int row, int column) => _inverse[(Math.Max(row, column) * _features) + Math.Min(row, column)];

    private double[] Block(int[] features)
    {
        var block = new double[features.Length * features.Length];
        for (int i = 0, at = 0; i < features.Length; i++)
            foreach (int f in features) block[at++] = Inverse(features[i], f);
        return block;
    }

    /// <summary>W[:, features], row-major.</summary>
    private double[] Columns(int[] features)
    {
        var columns = new double[_outputs * features.Length];
        for (int o = 0, at = 0; o < _outputs; o++)
            foreach (int f in features) columns[at++] = _weight[(o * _features) + f];
        return columns;
    }
}
