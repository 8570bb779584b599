using System.Numerics.Tensors;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Moments;

/// <summary>
/// What a fit of one matrix sees: the inputs z that are left, and the error e = dense output − output of the weights as they are.
/// All that new weights can do is W' = W_K + ΔW and a new bias, so what is fitted is ΔW·z ≈ e.
/// </summary>
/// <param name="Count">Rows they were taken from.</param>
/// <param name="InputMean">E[z].</param>
/// <param name="ErrorMean">E[e].</param>
/// <param name="Cross">E[(e−E[e])(z−E[z])ᵀ], row-major [outputs, inputs].</param>
internal sealed record FitMoments(long Count, double[] InputMean, double[] ErrorMean, double[] Cross)
{
    /// <summary>E[(z−E[z])(z−E[z])ᵀ], row-major, in an array that the caller may use up.</summary>
    public required Func<double[]> Covariance { get; init; }

    /// <summary>E[(e−E[e])²] by output.</summary>
    public required Func<double[]> ErrorVariance { get; init; }

    /// <summary>Rows that are in none of these.</summary>
    public Func<HeldOutRows>? HeldOut { get; init; }

    public int Inputs => InputMean.Length;

    public int Outputs => ErrorMean.Length;

    /// <summary>Of the dense model alone: z are some of the features, and e is what the others added.</summary>
    /// <param name="weight">The dense matrix, row-major [outputs, features].</param>
    /// <param name="kept">Features that are left.</param>
    /// <returns>Null where calibration took no covariance.</returns>
    public static FitMoments? Create(ActivationStatistics statistics, ConsumerMatrix matrix, int batch, double[] weight, int[] kept)
    {
        if (Own(statistics, matrix, batch) is not { Covariance: { } covariance } own) return null;
        int[] gone = [.. Enumerable.Range(0, matrix.Features).Except(kept)];
        var lost = Columns(weight, matrix.Features, gone);
        var cross = new double[matrix.Outputs * kept.Length];
        AddProduct(lost, covariance.Part(gone, kept), cross, matrix.Outputs, gone.Length, kept.Length);
        var mean = new double[matrix.Outputs];
        for (int o = 0, at = 0; o < mean.Length; o++)
            foreach (int f in gone) mean[o] += lost[at++] * own.Mean[f];
        return new(own.Count, [.. kept.Select(f => own.Mean[f])], mean, cross)
        {
            Covariance = () => covariance.Part(kept, kept),
            ErrorVariance = () => Quadratic(lost, covariance.Part(gone, gone), matrix.Outputs, gone.Length),
            HeldOut = own.HeldOut is { } rows ? () => HeldOutRows.Create(rows, kept, gone, lost, matrix.Outputs) : null,
        };
    }

    /// <summary>Of a slim model beside the dense one.</summary>
    /// <param name="gains">By output, what a change of it is multiplied by before the error is seen; null for 1.</param>
    public static FitMoments Create(ErrorStatistics seen, double[]? gains)
    {
        double Inverse(int o) => gains is null ? 1 : gains[o] == 0 ? 0 : 1 / gains[o];
        int k = seen.InputMean.Length, outputs = seen.ErrorMean.Length;
        var cross = gains is null ? seen.Cross : [.. seen.Cross.Select((c, at) => c * Inverse(at / k))];
        return new(seen.Count, seen.InputMean, [.. seen.ErrorMean.Select((e, o) => e * Inverse(o))], cross)
        {
            Covariance = seen.Covariance.ToArray,
            ErrorVariance = () => [.. seen.ErrorVariance.Select((v, o) => v * Inverse(o) * Inverse(o))],
            HeldOut = seen.HeldOut is { } rows
                ? () => HeldOutRows.Create(rows, k, seen.HeldOutErrors, [.. Enumerable.Range(0, outputs).Select(Inverse)])
                : null,
        };
    }

    /// <summary>Covariance of all features of one matrix, and the rows that it was taken from; null where calibration took none.</summary>
    public static (double[] Covariance, long Count)? Covariances(ActivationStatistics statistics, ConsumerMatrix matrix, int batch)
        => Own(statistics, matrix, batch) is { } own ? (own.Covariance!.ToArray(), own.Count) : null;

    private static ActivationStatistics? Own(ActivationStatistics statistics, ConsumerMatrix matrix, int batch)
    {
        var own = statistics.PerBatch is { } all ? batch < all.Count ? all[batch] : null : statistics;
        return own?.Covariance is { } covariance && own.Mean.Length == matrix.Features && covariance.Size == matrix.Features ? own : null;
    }

    /// <summary>Moments over the inputs of several consumers that share one weight, weighed by their counts.</summary>
    public static FitMoments Pool(IReadOnlyList<FitMoments> parts)
    {
        if (parts.Count == 1) return parts[0];
        double total = parts.Sum(p => (double)p.Count);
        double[] Mean(Func<FitMoments, double[]> of)
        {
            var mean = new double[of(parts[0]).Length];
            foreach (var part in parts) TensorPrimitives.MultiplyAdd(of(part), part.Count / total, mean, mean);
            return mean;
        }
        var (inputs, errors, cross) = (Mean(p => p.InputMean), Mean(p => p.ErrorMean), Mean(p => p.Cross));
        foreach (var part in parts) AddOuter(cross, Less(part.ErrorMean, errors), Less(part.InputMean, inputs), part.Count / total);
        return new(parts.Sum(p => p.Count), inputs, errors, cross)
        {
            Covariance = () =>
            {
                var covariance = Mean(p => p.Covariance());
                foreach (var shift in parts.Select(p => (By: Less(p.InputMean, inputs), p.Count)))
                    AddOuter(covariance, shift.By, shift.By, shift.Count / total);
                return covariance;
            },
            ErrorVariance = () => [.. Mean(p => p.ErrorVariance()).Select((v, o) => v
                + parts.Sum(p => p.Count / total * (p.ErrorMean[o] - errors[o]) * (p.ErrorMean[o] - errors[o])))],
            HeldOut = parts.All(p => p.HeldOut is not null) ? () => HeldOutRows.Join([.. parts.Select(p => p.HeldOut!())]) : null,
        };
    }

    /// <summary>The same moments about zero: E[zzᵀ] and E[ezᵀ].</summary>
    public FitMoments AboutZero()
    {
        var cross = (double[])Cross.Clone();
        AddOuter(cross, ErrorMean, InputMean, 1);
        return this with
        {
            Cross = cross,
            Covariance = () =>
            {
                var covariance = Covariance();
                AddOuter(covariance, InputMean, InputMean, 1);
                return covariance;
            },
            ErrorVariance = () => [.. ErrorVariance().Zip(ErrorMean, (v, m) => v + (m * m))],
        };
    }

    /// <summary>Some columns of a row-major matrix.</summary>
    public static double[] Columns(double[] matrix, int width, int[] columns)
    {
        int rows = matrix.Length / Math.Max(1, width);
        var some = new double[rows * columns.Length];
        for (int r = 0, at = 0; r < rows; r++)
            foreach (int c in columns) some[at++] = matrix[(r * width) + c];
        return some;
    }

    /// <summary>c += a·b, row-major [rows, depth]·[depth, columns].</summary>
    private static void AddProduct(double[] a, double[] b, double[] c, int rows, int depth, int columns)
    {
        const int Chunk = 16;
        Parallel.For(0, (rows + Chunk - 1) / Chunk, chunk =>
        {
            int end = Math.Min(rows, (chunk + 1) * Chunk);
            for (int d = 0; d < depth; d++)
            {
                var line = b.AsSpan(d * columns, columns);
                for (int r = chunk * Chunk; r < end; r++)
                {
                    var target = c.AsSpan(r * columns, columns);
                    TensorPrimitives.MultiplyAdd(line, a[(r * depth) + d], target, target);
                }
            }
        });
    }

    /// <summary>wᵀCw of every row w.</summary>
    private static double[] Quadratic(double[] rows, double[] covariance, int count, int width)
    {
        var sums = new double[count];
        Parallel.For(0, count, o =>
        {
            var row = rows.AsSpan(o * width, width);
            for (int f = 0; f < width; f++) sums[o] += row[f] * TensorPrimitives.Dot<double>(row, covariance.AsSpan(f * width, width));
        });
        return sums;
    }

    private static double[] Less(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x - y)];

    private static void AddOuter(double[] matrix, double[] left, double[] right, double scale)
    {
        for (int i = 0; i < left.Length; i++)
        {
            var row = matrix.AsSpan(i * right.Length, right.Length);
            TensorPrimitives.MultiplyAdd(right, scale * left[i], row, row);
        }
    }
}
