using System.Numerics.Tensors;

namespace Espalier.Pruning.Scores.Sources;

/// <summary>
/// Puts the scores that a group's units have in several weights together, each weight's scaled to mean 1: else the largest
/// would decide alone.
/// </summary>
internal sealed class Aggregation(Aggregate how, int size)
{
    private readonly double[] _total = new double[size];
    private readonly List<double[]> _all = [];
    private int _count;

    /// <summary>Adds the scores in one weight, not negative; they are scaled in place.</summary>
    public void Add(double[] scores)
    {
        NormalizeMean(scores);
        _count++;
        switch (how)
        {
            case Aggregate.Max:
                TensorPrimitives.Max(_total, scores, _total);
                break;
            case Aggregate.Median:
                _all.Add(scores);
                break;
            case Aggregate.Product:
                for (int u = 0; u < scores.Length; u++) _total[u] += Math.Log(scores[u]);
                break;
            default:
                TensorPrimitives.Add(_total, scores, _total);
                break;
        }
    }

    /// <summary>One score per unit; zeros where nothing was added.</summary>
    public double[] Result()
    {
        if (_count == 0) return _total;
        switch (how)
        {
            case Aggregate.Mean:
                TensorPrimitives.Divide(_total, _count, _total);
                break;
            case Aggregate.Median:
                for (int u = 0; u < _total.Length; u++)
                {
                    double[] sorted = [.. _all.Select(s => s[u]).Order()];
                    _total[u] = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
                }
                break;
            case Aggregate.Product:
                TensorPrimitives.Divide(_total, _count, _total);
                TensorPrimitives.Exp(_total, _total);
                break;
        }
        return _total;
    }

    /// <summary>
    /// Raises scores of which some are negative until the least is 0: what the model answers better without
    /// (<see cref="Metric.TaskLoss"/>) goes first, in the order of how much better, and the others keep their distances.
    /// </summary>
    public static double[] Lift(double[] scores)
    {
        double least = scores.Min();
        if (least < 0) TensorPrimitives.Subtract(scores, least, scores);
        return scores;
    }

    /// <summary>Divides scores by their mean, where that is not zero.</summary>
    public static void NormalizeMean(double[] scores)
    {
        double mean = scores.Average();
        if (mean > 0 && double.IsFinite(mean)) TensorPrimitives.Divide(scores, mean, scores);
    }
}
