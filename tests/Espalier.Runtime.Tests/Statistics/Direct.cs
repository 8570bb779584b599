using Espalier.Axes.Measurements;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Statistics;

/// <summary>Statistics by plain loops in double: what the instrumented graph must agree with.</summary>
internal static class Direct
{
    public sealed record Moments(long Rows, double[] Mean, double[] Variance, double[] Absolute, double[] Square, double[,] Covariance);

    public static Moments Of(IReadOnlyList<double[]> rows)
    {
        int k = rows[0].Length;
        double n = rows.Count;
        var mean = new double[k];
        var absolute = new double[k];
        var square = new double[k];
        foreach (var r in rows)
            for (int i = 0; i < k; i++)
                (mean[i], absolute[i], square[i]) = (mean[i] + r[i] / n, absolute[i] + Math.Abs(r[i]) / n, square[i] + r[i] * r[i] / n);
        var covariance = new double[k, k];
        foreach (var r in rows)
            for (int i = 0; i < k; i++)
                for (int j = 0; j < k; j++) covariance[i, j] += (r[i] - mean[i]) * (r[j] - mean[j]) / n;
        return new Moments(rows.Count, mean, [.. Enumerable.Range(0, k).Select(i => covariance[i, i])], absolute, square, covariance);
    }

    /// <summary>Rows along an axis; with <paramref name="fixedAxis"/>, only those at one index of it.</summary>
    public static List<double[]> Rows(NamedTensor t, int axis, int fixedAxis = -1, int index = 0)
    {
        var shape = t.Shape.ToArray();
        var values = (float[])t.Values;
        var strides = new long[shape.Length];
        long total = 1;
        for (int i = shape.Length - 1; i >= 0; i--) (strides[i], total) = (total, total * shape[i]);
        var rows = new List<double[]>();
        for (long p = 0; p < total; p++)
        {
            if (p / strides[axis] % shape[axis] != 0) continue;
            if (fixedAxis >= 0 && p / strides[fixedAxis] % shape[fixedAxis] != index) continue;
            rows.Add([.. Enumerable.Range(0, (int)shape[axis]).Select(i => (double)values[p + i * strides[axis]])]);
        }
        return rows;
    }

    /// <summary>Patches [channel, kernel rows, kernel columns] of a rank-4 tensor.</summary>
    /// <param name="window">Sizes, strides and dilations, two of each, and four pads.</param>
    /// <param name="channels">Those that are read; null for all.</param>
    public static List<double[]> Patches(NamedTensor t, (int[] Kernel, int[] Strides, int[] Dilations, int[] Pads) window,
        (int From, int Count)? channels = null)
    {
        var (kernel, strides, dilations, pads) = window;
        long c = t.Shape[1], h = t.Shape[2], w = t.Shape[3];
        var (from, count) = channels ?? (0, (int)c);
        var values = (float[])t.Values;
        var rows = new List<double[]>();
        long oh = (h + pads[0] + pads[2] - dilations[0] * (kernel[0] - 1) - 1) / strides[0] + 1;
        long ow = (w + pads[1] + pads[3] - dilations[1] * (kernel[1] - 1) - 1) / strides[1] + 1;
        for (long b = 0; b < t.Shape[0]; b++)
            for (long y = 0; y < oh; y++)
                for (long x = 0; x < ow; x++)
                {
                    var row = new List<double>();
                    for (long ch = from; ch < from + count; ch++)
                        for (int i = 0; i < kernel[0]; i++)
                            for (int j = 0; j < kernel[1]; j++)
                            {
                                long r = y * strides[0] + i * dilations[0] - pads[0], s = x * strides[1] + j * dilations[1] - pads[1];
                                row.Add(r < 0 || r >= h || s < 0 || s >= w ? 0 : values[((b * c + ch) * h + r) * w + s]);
                            }
                    rows.Add([.. row]);
                }
        return rows;
    }

    /// <summary>The tensor in every sample, from a run of the model that has it as an output.</summary>
    public static List<NamedTensor> Fetch(OnnxModel model, string tensor, IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples)
        => Fetch(model, [tensor], samples)[tensor];

    /// <summary>The same for several tensors with one session.</summary>
    public static Dictionary<string, List<NamedTensor>> Fetch(OnnxModel model, IEnumerable<string> tensors,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        copy.Graph.Output.AddRange(tensors.Select(t => new ValueInfoProto { Name = t }));
        using var derived = model.Derive(copy);
        using var session = new ModelSession(derived.ToBytes());
        var runs = samples.Select(s => session.Run(s.Values)).ToList();
        return copy.Graph.Output.ToDictionary(o => o.Name, o => runs.Select(r => r[o.Name]).ToList());
    }

    public static void Agree(Moments expected, ActivationStatistics actual, bool covariance, double tolerance = 2e-5)
    {
        Assert.Equal(expected.Rows, actual.Count);
        double scale = Math.Sqrt(expected.Square.Max());
        Close(expected.Mean, actual.Mean, scale);
        Close(expected.Absolute, actual.AbsoluteMean, scale);
        Close(expected.Variance, actual.Variance, scale * scale);
        Close(expected.Square, actual.SquareMean, scale * scale);
        if (!covariance)
        {
            Assert.Null(actual.Covariance);
            return;
        }
        Assert.NotNull(actual.Covariance);
        Close([.. expected.Covariance.Cast<double>()], actual.Covariance.ToArray(), expected.Variance.Max());

        void Close(double[] e, double[] a, double size)
        {
            Assert.Equal(e.Length, a.Length);
            for (int i = 0; i < e.Length; i++)
                Assert.True(Math.Abs(e[i] - a[i]) <= tolerance * size, $"[{i}] expected {e[i]:R}, measured {a[i]:R}, size {size:R}");
        }
    }
}
