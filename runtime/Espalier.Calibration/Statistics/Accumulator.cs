using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;

namespace Espalier.Calibration.Statistics;

/// <summary>
/// Sums of one site in double, over batches. ONNX Runtime adds the rows of one batch in float32 about the reference; only that
/// part rounds, so the relative error of a variance or covariance is about √(rows of a batch)·6e-8·(1+δ²), with δ the distance of
/// the reference from the mean in standard deviations.
/// </summary>
internal sealed class Accumulator(SiteTap tap)
{
    private long _rows;
    private long _batches;
    private double[] _sum = [], _squares = [], _absolute = [], _gram = [];
    private (long Rows, double[] Sum, double[] Squares, double[] Absolute, double[] Gram)? _before;

    public SiteTap Tap { get; } = tap;

    /// <summary>What is subtracted from every row; exact in float32.</summary>
    public float[] Reference { get; private set; } = [];

    private long Width => Tap.Site.Features * (Tap.Site.PerGroup ? 1 : Tap.Site.Window?.Groups ?? 1);

    /// <summary>The reference as the graph takes it.</summary>
    public NamedTensor ReferenceInput()
    {
        var site = Tap.Site;
        long width = site.Features * (site.Window?.Groups ?? 1);
        if (Reference.Length == 0) Reference = new float[width];
        return new NamedTensor(Tap.Reference, "float32", site.PerGroup ? [site.Window!.Groups, 1, site.Features] : [width], Reference);
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
        (_sum, _squares, _absolute, _gram) = ([], [], [], []);
    }

    /// <summary>What comes from here on is held out: it is counted by itself too.</summary>
    public void HoldOut()
    {
        _before = (_rows, _sum, _squares, _absolute, _gram);
        (_rows, _sum, _squares, _absolute, _gram) = (0, [], [], [], []);
    }

    public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        var shape = (long[])outputs[Tap.Rows].Values;
        _batches = shape.Length == 3 ? shape[0] : 1;
        _rows += shape[^2];
        Add(ref _sum, outputs, Tap.Sum);
        Add(ref _absolute, outputs, Tap.Absolute);
        if (Tap.Squares is not null) Add(ref _squares, outputs, Tap.Squares);
        if (Tap.Gram is not null) Add(ref _gram, outputs, Tap.Gram);
    }

    private static void Add(ref double[] into, IReadOnlyDictionary<string, NamedTensor> outputs, string name)
    {
        var values = (float[])outputs[name].Values;
        if (into.Length == 0) into = new double[values.Length];
        for (int i = 0; i < values.Length; i++) into[i] += values[i];
    }

    /// <summary>Whether every number is finite; false where the model overflowed on a sample.</summary>
    public bool IsFinite
        => _rows > 0 && AllFinite(_sum, _absolute, _squares, _gram)
            && (_before is not { } b || AllFinite(b.Sum, b.Absolute, b.Squares, b.Gram));

    private static bool AllFinite(params ReadOnlySpan<double[]> sums)
    {
        double total = 0;
        foreach (var sum in sums) total += TensorPrimitives.Sum<double>(sum);
        return double.IsFinite(total);
    }

    public IEnumerable<ActivationStatistics> Finish()
    {
        var all = Whole();
        foreach (var consumer in Tap.Site.Consumers)
            yield return all with { Consumer = consumer.Id };
    }

    /// <summary>Statistics over all samples, whoever wants them.</summary>
    public ActivationStatistics Whole()
    {
        ActivationStatistics? heldOut = null;
        if (_before is { Rows: > 0 } before)
        {
            heldOut = All();
            _rows += before.Rows;
            foreach (var (into, part) in new[] { (_sum, before.Sum), (_squares, before.Squares), (_absolute, before.Absolute),
                (_gram, before.Gram) })
                TensorPrimitives.Add(into, part, into);
        }
        var all = All();
        if (heldOut is not null)
            all = all with
            { HeldOut = heldOut, PerBatch = all.PerBatch?.Zip(heldOut.PerBatch!, (a, h) => a with { HeldOut = h }).ToList() };
        return all;
    }

    private ActivationStatistics All()
    {
        var parts = new List<ActivationStatistics>();
        for (int b = 0; b < _batches; b++) parts.Add(Part(b));
        ActivationStatistics all = parts.Count == 1 ? parts[0] : Tap.Site.PerGroup ? Concatenate(parts) : Pool(parts);
        return parts.Count > 1 ? all with { PerBatch = parts } : all;
    }

    private ActivationStatistics Part(int b)
    {
        int width = (int)Width, start = b * width;
        double n = _rows;
        var mean = new double[width];
        var variance = new double[width];
        var absolute = new double[width];
        var squareMean = new double[width];
        var shift = new double[width];
        for (int i = 0; i < width; i++)
        {
            float r = Reference[Tap.Site.PerGroup ? start + i : i];
            shift[i] = _sum[start + i] / n;
            mean[i] = r + shift[i];
            absolute[i] = Math.Max(0, Math.Abs(r) + _absolute[start + i] / n);
            double square = Tap.Gram is null ? _squares[start + i] : _gram[(long)start * width + (long)i * width + i];
            variance[i] = Math.Max(0, square / n - shift[i] * shift[i]);
            squareMean[i] = variance[i] + mean[i] * mean[i];
        }
        double[]? covariance = null;
        if (Tap.Gram is not null)
        {
            covariance = new double[(long)width * width];
            long offset = (long)b * width * width;
            for (long i = 0; i < width; i++)
            {
                // Both triangles: kernels may round them differently.
                for (long j = 0; j < i; j++)
                    covariance[i * width + j] = covariance[j * width + i] =
                        (_gram[offset + i * width + j] + _gram[offset + j * width + i]) / (2 * n) - shift[i] * shift[j];
                covariance[i * width + i] = variance[i];
            }
        }
        return new ActivationStatistics(-1, _rows, mean, variance, absolute, squareMean) { Covariance = covariance };
    }

    /// <summary>Groups side by side: the features are the elements of the whole patch.</summary>
    private static ActivationStatistics Concatenate(List<ActivationStatistics> parts) => new(-1, parts[0].Count,
        [.. parts.SelectMany(p => p.Mean)], [.. parts.SelectMany(p => p.Variance)], [.. parts.SelectMany(p => p.AbsoluteMean)],
        [.. parts.SelectMany(p => p.SquareMean)]);

    /// <summary>Experts together: their rows are rows of one distribution (Chan's merge of equally many rows).</summary>
    private static ActivationStatistics Pool(List<ActivationStatistics> parts)
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
