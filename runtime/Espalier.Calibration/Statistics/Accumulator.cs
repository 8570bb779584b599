using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;

namespace Espalier.Calibration.Statistics;

/// <summary>
/// Sums of one site in double, over batches, where no covariance is wanted. ONNX Runtime adds the rows of one batch in float32 about
/// the reference; only that part rounds, so the relative error of a variance is about √(rows of a batch)·6e-8·(1+δ²), with δ the
/// distance of the reference from the mean in standard deviations.
/// </summary>
internal sealed class Accumulator(SiteTap tap)
{
    private long _rows;
    private long _batches;
    private double[] _sum = [], _squares = [], _absolute = [];

    public SiteTap Tap { get; } = tap;

    /// <summary>What is subtracted from every row; exact in float32.</summary>
    public float[] Reference { get; private set; } = [];

    private long Width => Tap.Site.Features * (Tap.Site.Window?.Groups ?? 1);

    /// <summary>The reference as the graph takes it.</summary>
    public NamedTensor ReferenceInput()
    {
        if (Reference.Length == 0) Reference = new float[Width];
        return new NamedTensor(Tap.Reference, "float32", [Width], Reference);
    }

    /// <summary>Takes the means of one run as the reference and forgets that run.</summary>
    public void Recentre()
    {
        for (int i = 0; i < Reference.Length; i++)
        {
            // For stacked experts one reference serves all: the mean over the batch axis.
            double sum = 0;
            int n = 0;
            for (int j = i; j < _sum.Length; j += Reference.Length, n++) sum += _sum[j];
            float mean = (float)(Reference[i] + sum / ((double)_rows * Math.Max(1, n)));
            if (float.IsFinite(mean)) Reference[i] = mean;
        }
        (_rows, _batches) = (0, 0);
        (_sum, _squares, _absolute) = ([], [], []);
    }

    public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        var shape = (long[])outputs[Tap.Rows].Values;
        _batches = shape.Length == 3 ? shape[0] : 1;
        _rows += shape[^2];
        Add(ref _sum, outputs, Tap.Sum);
        Add(ref _absolute, outputs, Tap.Absolute);
        Add(ref _squares, outputs, Tap.Squares);
    }

    private static void Add(ref double[] into, IReadOnlyDictionary<string, NamedTensor> outputs, string name)
    {
        var values = (float[])outputs[name].Values;
        if (into.Length == 0) into = new double[values.Length];
        for (int i = 0; i < values.Length; i++) into[i] += values[i];
    }

    /// <summary>Whether every number is finite; false where the model overflowed on a sample.</summary>
    public bool IsFinite
        => _rows > 0 && double.IsFinite(TensorPrimitives.Sum<double>(_sum) + TensorPrimitives.Sum<double>(_absolute)
            + TensorPrimitives.Sum<double>(_squares));

    public IEnumerable<ActivationStatistics> Finish()
    {
        var all = Whole();
        foreach (var consumer in Tap.Site.Consumers)
            yield return all with { Consumer = consumer.Id };
    }

    /// <summary>Statistics over all samples, whoever wants them.</summary>
    public ActivationStatistics Whole()
    {
        var parts = new List<ActivationStatistics>();
        for (int b = 0; b < _batches; b++) parts.Add(Part(b));
        return parts.Count == 1 ? parts[0] : Pool(parts) with { PerBatch = parts };
    }

    private ActivationStatistics Part(int b)
    {
        int width = (int)Width, start = b * width;
        double n = _rows;
        var mean = new double[width];
        var variance = new double[width];
        var absolute = new double[width];
        var squareMean = new double[width];
        for (int i = 0; i < width; i++)
        {
            double shift = _sum[start + i] / n;
            mean[i] = Reference[i] + shift;
            absolute[i] = Math.Max(0, Math.Abs(Reference[i]) + _absolute[start + i] / n);
            variance[i] = Math.Max(0, _squares[start + i] / n - shift * shift);
            squareMean[i] = variance[i] + mean[i] * mean[i];
        }
        return new ActivationStatistics(-1, _rows, mean, variance, absolute, squareMean);
    }

    /// <summary>Experts together: their rows are rows of one distribution (Chan's merge of equally many rows).</summary>
    public static ActivationStatistics Pool(List<ActivationStatistics> parts)
    {
        int width = parts[0].Mean.Length;
        double[] Average(Func<ActivationStatistics, double[]> of)
        {
            var sum = new double[width];
            foreach (var p in parts) TensorPrimitives.Add(sum, of(p), sum);
            TensorPrimitives.Divide(sum, parts.Count, sum);
            return sum;
        }
        var mean = Average(p => p.Mean);
        var variance = Average(p => p.Variance);
        for (int i = 0; i < width; i++) variance[i] += parts.Average(p => (p.Mean[i] - mean[i]) * (p.Mean[i] - mean[i]));
        return new ActivationStatistics(-1, parts.Sum(p => p.Count), mean, variance, Average(p => p.AbsoluteMean),
            Average(p => p.SquareMean));
    }
}
