namespace Espalier.Calibration.Checks;

/// <summary>
/// Compares one output of two models over many runs: the one place where metrics are computed, for guards, reports and methods
/// that choose by what comes out. Rows run along the last axis; along axis 1 where the last has one element or there are four
/// and more axes (channels of a map).
/// </summary>
internal sealed class OutputTally(params IReadOnlyList<Metric> metrics)
{
    /// <summary>What stands for a divergence that is not finite.</summary>
    private const double Unbounded = 1e9;

    private double _kl, _js, _cosine, _squares, _variance, _loss;
    private double _embedding;
    private long _same, _labels, _embeddings;
    private bool _distributions;

    /// <summary>Rows of at least two that were compared.</summary>
    public long Rows { get; private set; }

    /// <summary>Adds a run; what is no number, or differs in shape, is passed over.</summary>
    /// <param name="targets">Right class of every row, negative where none is known; null without labels.</param>
    public void Add(NamedTensor dense, NamedTensor changed, IReadOnlyList<long>? targets = null)
    {
        if (!OutputComparison.IsFloat(dense) || !dense.Shape.SequenceEqual(changed.Shape)) return;
        var (x, y) = (OutputComparison.Doubles(dense), OutputComparison.Doubles(changed));
        if (metrics.Contains(Metric.RelativeError)) Squares(x, y);
        if (dense.Shape.Count < 2 || x.Length == 0 || metrics is [Metric.RelativeError]) return;
        if (metrics.Contains(Metric.Embedding)) Embeddings(dense.Shape, x, y);
        if (metrics.All(m => m is Metric.RelativeError or Metric.Embedding)) return;
        int axis = dense.Shape.Count < 4 && dense.Shape[^1] > 1 ? dense.Shape.Count - 1 : 1, n = (int)dense.Shape[axis];
        if (n < 2) return;
        int inner = (int)dense.Shape.Skip(axis + 1).Aggregate(1L, (p, d) => p * d);
        // Elements of a map are no classes.
        _distributions = inner == 1;
        var (p, q) = (new double[n], new double[n]);
        for (int start = 0; start < x.Length; start += n * inner)
        {
            for (int i = 0; i < inner; i++)
            {
                for (int j = 0; j < n; j++) (p[j], q[j]) = (x[start + (j * inner) + i], y[start + (j * inner) + i]);
                Row(p, q, inner == 1 && targets is not null ? targets[start / n] : -1);
            }
        }
    }

    /// <summary>
    /// How far the outputs are apart, 0 where they are equal (<see cref="Metric.TaskLoss"/>: how much worse, below 0 for
    /// better); null where the metric says nothing of this output.
    /// </summary>
    public double? Divergence(Metric metric)
    {
        double? value = metric switch
        {
            Metric.RelativeError => _variance > 0 ? _squares / _variance : _squares == 0 ? 0 : Unbounded,
            Metric.TaskLoss => _labels > 0 ? _loss / _labels : null,
            Metric.Embedding => _embeddings > 0 ? 1 - (_embedding / _embeddings) : null,
            _ when Rows == 0 => null,
            Metric.Top1 => 1 - ((double)_same / Rows),
            Metric.Cosine => 1 - (_cosine / Rows),
            _ when !_distributions => null,
            Metric.JensenShannon => _js / Rows,
            _ => _kl / Rows,
        };
        return value is { } v && !double.IsFinite(v) ? Unbounded : value;
    }

    /// <summary>The same as a number of at most 1, which is 1 where the outputs are equal; see <see cref="Metric"/>.</summary>
    public double? Agreement(Metric metric) => Divergence(metric) is not { } divergence ? null : metric switch
    {
        Metric.KullbackLeibler => Math.Exp(-divergence),
        // The geometric mean over the labels of what is left of their probability.
        Metric.TaskLoss => Math.Exp(-Math.Max(0, divergence)),
        Metric.JensenShannon => 1 - (divergence / Math.Log(2)),
        _ => 1 - divergence,
    };

    private void Squares(double[] x, double[] y)
    {
        double mean = x.Length == 0 ? 0 : x.Average();
        for (int i = 0; i < x.Length; i++)
        {
            _squares += (x[i] - y[i]) * (x[i] - y[i]);
            _variance += (x[i] - mean) * (x[i] - mean);
        }
    }

    /// <summary>The mean over all axes between the first and the features, which are the last, or axis 1 of maps.</summary>
    private void Embeddings(IReadOnlyList<long> shape, double[] x, double[] y)
    {
        bool map = shape.Count >= 4;
        int n = (int)shape[map ? 1 : shape.Count - 1], rows = (int)shape[0], between = x.Length / Math.Max(1, rows * n);
        if (n < 2) return;
        for (int r = 0; r < rows; r++)
        {
            var (p, q) = (new double[n], new double[n]);
            for (int k = 0; k < between; k++)
            {
                for (int j = 0; j < n; j++)
                {
                    int at = (r * n * between) + (map ? (j * between) + k : (k * n) + j);
                    (p[j], q[j]) = (p[j] + x[at], q[j] + y[at]);
                }
            }
            (_embedding, _embeddings) = (_embedding + Cosine(p, q), _embeddings + 1);
        }
    }

    private void Row(double[] p, double[] q, long target)
    {
        Rows++;
        if (metrics.Contains(Metric.Top1) && Largest(p) == Largest(q)) _same++;
        if (metrics.Contains(Metric.Cosine)) _cosine += Cosine(p, q);
        if (!_distributions || !metrics.Any(m => m is Metric.KullbackLeibler or Metric.JensenShannon or Metric.TaskLoss)) return;
        if (IsDistribution(p) && IsDistribution(q))
            for (int i = 0; i < p.Length; i++) (p[i], q[i]) = (Math.Log(Math.Max(p[i], 1e-12)), Math.Log(Math.Max(q[i], 1e-12)));
        else
        {
            LogSoftmax(p);
            LogSoftmax(q);
        }
        // −log q − (−log p) of the right class.
        if (target >= 0) (_loss, _labels) = (_loss + p[target] - q[target], _labels + 1);
        double kl = 0, js = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double a = Math.Exp(p[i]), b = Math.Exp(q[i]), m = Math.Log((a + b) / 2);
            kl += a * (p[i] - q[i]);
            if (a + b > 0) js += 0.5 * ((a > 0 ? a * (p[i] - m) : 0) + (b > 0 ? b * (q[i] - m) : 0));
        }
        _kl += Math.Max(0, kl);
        _js += Math.Clamp(js, 0, Math.Log(2));
    }

    private static int Largest(double[] row)
    {
        int best = 0;
        for (int i = 1; i < row.Length; i++) if (row[i] > row[best]) best = i;
        return best;
    }

    /// <summary>Rows of zeros are alike, and unlike anything else.</summary>
    private static double Cosine(double[] p, double[] q)
    {
        double dot = 0, a = 0, b = 0;
        for (int i = 0; i < p.Length; i++) (dot, a, b) = (dot + (p[i] * q[i]), a + (p[i] * p[i]), b + (q[i] * q[i]));
        return a == 0 && b == 0 ? 1 : a == 0 || b == 0 ? 0 : Math.Clamp(dot / Math.Sqrt(a * b), -1, 1);
    }

    private static bool IsDistribution(double[] row) => row.All(v => v is >= 0 and <= 1) && Math.Abs(row.Sum() - 1) < 1e-3;

    private static void LogSoftmax(double[] row)
    {
        double max = row.Max(), log = max + Math.Log(row.Sum(v => Math.Exp(v - max)));
        for (int i = 0; i < row.Length; i++) row[i] -= log;
    }
}
