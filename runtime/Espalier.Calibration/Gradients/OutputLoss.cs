using Espalier.Calibration.Checks;

namespace Espalier.Calibration.Gradients;

/// <summary>
/// How far the outputs of a run are from those of the dense model, and the gradient of that by every output: what
/// <see cref="DivergenceTally"/> measures, as far as it has a gradient.
/// </summary>
/// <param name="outputs">Names of the outputs that count; none for all.</param>
internal sealed class OutputLoss(Metric metric, IReadOnlyList<string>? outputs = null)
{
    /// <summary>The gradient of the mean over the outputs that count, by output.</summary>
    public IReadOnlyDictionary<string, float[]> Gradients(IReadOnlyDictionary<string, NamedTensor> expected,
        IReadOnlyDictionary<string, NamedTensor> actual, IReadOnlyDictionary<string, long[]>? targets = null)
    {
        var counted = expected.Where(e => (outputs is not { Count: > 0 } || outputs.Contains(e.Key)) && OutputComparison.IsFloat(e.Value)
            && actual.TryGetValue(e.Key, out var made) && made.Shape.SequenceEqual(e.Value.Shape)).ToList();
        return counted.ToDictionary(e => e.Key, e => Gradient(e.Value, actual[e.Key], targets?.GetValueOrDefault(e.Key), counted.Count));
    }

    private float[] Gradient(NamedTensor dense, NamedTensor changed, long[]? targets, int count)
    {
        var (x, y) = (OutputComparison.Doubles(dense), OutputComparison.Doubles(changed));
        double[] gradient = metric switch
        {
            Metric.Embedding or Metric.Cosine when dense.Shape.Count >= 2 && dense.Shape[^1] > 1 => Embeddings(dense.Shape, x, y),
            Metric.TaskLoss when targets is not null => Labels(y, targets),
            _ when metric is not Metric.RelativeError && dense.Shape.Count is 2 or 3 && dense.Shape[^1] > 1
                => Rows((int)dense.Shape[^1], x, y),
            _ => Squares(x, y),
        };
        return [.. gradient.Select(g => (float)(g / count))];
    }

    /// <summary>d KL(p‖q) / d logits of q = q − p, per row.</summary>
    private static double[] Rows(int n, double[] x, double[] y)
    {
        var gradient = new double[y.Length];
        int rows = y.Length / n;
        for (int start = 0; start < y.Length; start += n)
        {
            double[] p = Softmax(x.AsSpan(start, n)), q = Softmax(y.AsSpan(start, n));
            bool isProbability = IsDistribution(x.AsSpan(start, n)) && IsDistribution(y.AsSpan(start, n));
            for (int j = 0; j < n; j++)
                gradient[start + j] = (isProbability ? -x[start + j] / Math.Max(y[start + j], 1e-12) : q[j] - p[j]) / rows;
        }
        return gradient;
    }

    private static double[] Labels(double[] y, long[] targets)
    {
        int n = y.Length / targets.Length, known = targets.Count(t => t >= 0);
        var gradient = new double[y.Length];
        for (int row = 0; row < targets.Length; row++)
        {
            if (targets[row] < 0) continue;
            double[] q = Softmax(y.AsSpan(row * n, n));
            for (int j = 0; j < n; j++) gradient[(row * n) + j] = (q[j] - (j == targets[row] ? 1 : 0)) / known;
        }
        return gradient;
    }

    private static double[] Squares(double[] x, double[] y)
    {
        double mean = x.Length == 0 ? 0 : x.Average(), variance = x.Sum(v => (v - mean) * (v - mean));
        return [.. x.Zip(y, (a, b) => variance > 0 ? 2 * (b - a) / variance : 0)];
    }

    /// <summary>1 − the cosine of every sample's mean over its positions.</summary>
    private static double[] Embeddings(IReadOnlyList<long> shape, double[] x, double[] y)
    {
        var gradient = new double[y.Length];
        bool isMap = shape.Count >= 4;
        int n = (int)shape[isMap ? 1 : shape.Count - 1], rows = (int)shape[0], between = y.Length / Math.Max(1, rows * n);
        int At(int row, int k, int j) => (row * n * between) + (isMap ? (j * between) + k : (k * n) + j);
        var (p, q) = (new double[n], new double[n]);
        for (int row = 0; row < rows; row++)
        {
            Array.Clear(p);
            Array.Clear(q);
            for (int k = 0; k < between; k++)
                for (int j = 0; j < n; j++) (p[j], q[j]) = (p[j] + x[At(row, k, j)], q[j] + y[At(row, k, j)]);
            double a = Math.Sqrt(p.Sum(v => v * v)), b = Math.Sqrt(q.Sum(v => v * v));
            if (a == 0 || b == 0) continue;
            double cosine = p.Zip(q, (u, v) => u * v).Sum() / (a * b);
            for (int k = 0; k < between; k++)
                for (int j = 0; j < n; j++) gradient[At(row, k, j)] = -((p[j] / (a * b)) - (cosine * q[j] / (b * b))) / rows;
        }
        return gradient;
    }

    private static double[] Softmax(ReadOnlySpan<double> row)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (double v in row) most = Math.Max(most, v);
        var result = new double[row.Length];
        for (int j = 0; j < row.Length; j++) sum += result[j] = Math.Exp(row[j] - most);
        for (int j = 0; j < row.Length; j++) result[j] /= sum;
        return result;
    }

    private static bool IsDistribution(ReadOnlySpan<double> row)
    {
        double sum = 0;
        foreach (double v in row)
        {
            if (v < 0) return false;
            sum += v;
        }
        return Math.Abs(sum - 1) < 1e-3;
    }
}
