using System.Numerics.Tensors;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Weights;

/// <summary>
/// Joint moments of what a consumer contracted in the dense model (x) and of what it contracts now (z), for one matrix of it.
/// </summary>
/// <param name="Count">Rows they were taken from.</param>
/// <param name="Cross">E[(x−μ)(z−μ)ᵀ], row-major [x, z].</param>
internal sealed record ConsumerMoments(long Count, double[] DenseMean, double[] KeptMean, double[] Covariance, double[] Cross)
{
    /// <summary>E[(x−μ)(x−μ)ᵀ]; null where calibration took none.</summary>
    public double[]? Dense { get; init; }

    /// <summary>
    /// The same over some of the rows, which were held out to check what is fitted to the rest; null where there are none.
    /// </summary>
    public ConsumerMoments? HeldOut { get; init; }

    /// <summary>Of the dense model alone: z are some of the features of x.</summary>
    /// <returns>Null where calibration took no covariance.</returns>
    public static ConsumerMoments? Create(ActivationStatistics statistics, ConsumerMatrix matrix, int batch, int[] kept)
    {
        if (Own(statistics, matrix, batch) is not { Covariance: { } covariance } own) return null;
        int n = matrix.Features;
        var cross = new double[n * kept.Length];
        for (int f = 0, at = 0; f < n; f++)
            foreach (int k in kept) cross[at++] = covariance[(f * n) + k];
        var inner = new double[kept.Length * kept.Length];
        for (int i = 0; i < kept.Length; i++) cross.AsSpan(kept[i] * kept.Length, kept.Length).CopyTo(inner.AsSpan(i * kept.Length));
        return new(own.Count, own.Mean, [.. kept.Select(k => own.Mean[k])], inner, cross)
        {
            Dense = covariance,
            HeldOut = own.HeldOut is { } part ? Create(part, matrix, batch, kept) : null
        };
    }

    /// <summary>Covariance of all features of one matrix, and the rows that it was taken from; null where calibration took none.</summary>
    public static (double[] Covariance, long Count)? Covariances(ActivationStatistics statistics, ConsumerMatrix matrix, int batch)
        => Own(statistics, matrix, batch) is { } own ? (own.Covariance!, own.Count) : null;

    private static ActivationStatistics? Own(ActivationStatistics statistics, ConsumerMatrix matrix, int batch)
    {
        var own = statistics.PerBatch is { } all ? batch < all.Count ? all[batch] : null : statistics;
        return own?.Covariance is { } covariance && own.Mean.Length == matrix.Features
            && covariance.LongLength == (long)matrix.Features * matrix.Features ? own : null;
    }

    /// <summary>Of the dense model beside a slim one.</summary>
    /// <returns>Null where the numbers of features are not those of the matrix.</returns>
    public static ConsumerMoments? Create(PairedStatistics paired, ConsumerMatrix matrix, int kept)
        => paired.DenseMean.Length == matrix.Features && paired.SlimMean.Length == kept
            ? new(paired.Count, paired.DenseMean, paired.SlimMean, paired.Covariance, paired.Cross)
            {
                HeldOut = paired.HeldOut is { } part
                ? Create(part, matrix, kept)
                : null
            }
            : null;

    /// <summary>Moments over the inputs of several consumers that share one weight, weighed by their counts.</summary>
    public static ConsumerMoments Pool(IReadOnlyList<ConsumerMoments> parts)
    {
        if (parts.Count == 1) return parts[0];
        double total = parts.Sum(p => (double)p.Count);
        double[] Mean(Func<ConsumerMoments, double[]> of)
        {
            var mean = new double[of(parts[0]).Length];
            foreach (var part in parts) TensorPrimitives.MultiplyAdd(of(part), part.Count / total, mean, mean);
            return mean;
        }
        var (dense, kept) = (Mean(p => p.DenseMean), Mean(p => p.KeptMean));
        var (covariance, cross) = (Mean(p => p.Covariance), Mean(p => p.Cross));
        foreach (var part in parts)
        {
            double[] shift = [.. part.KeptMean.Select((m, i) => m - kept[i])];
            AddOuter(covariance, shift, shift, part.Count / total);
            AddOuter(cross, [.. part.DenseMean.Select((m, i) => m - dense[i])], shift, part.Count / total);
        }
        double[]? whole = null;
        if (parts.All(p => p.Dense is not null))
        {
            whole = Mean(p => p.Dense!);
            foreach (var part in parts)
            {
                double[] shift = [.. part.DenseMean.Select((m, i) => m - dense[i])];
                AddOuter(whole, shift, shift, part.Count / total);
            }
        }
        return new(parts.Sum(p => p.Count), dense, kept, covariance, cross)
        {
            Dense = whole,
            HeldOut = parts.All(p => p.HeldOut is not null) ? Pool([.. parts.Select(p => p.HeldOut!)]) : null,
        };
    }

    /// <summary>
    /// Moments of the rows that are not held out: n·C = Σ nᵢ·(Cᵢ + dᵢdᵢᵀ) over both parts, with d the distance of a part's mean
    /// from that of all.
    /// </summary>
    /// <returns>Null where nothing is held out, or everything.</returns>
    public ConsumerMoments? Fitted()
    {
        if (HeldOut is not { } part || part.Count >= Count) return null;
        double left = Count - part.Count, share = part.Count / left;
        double[] Rest(double[] all, double[] held) => [.. all.Select((v, i) => v + (share * (v - held[i])))];
        double[] dense = [.. DenseMean.Select((m, i) => part.DenseMean[i] - m)],
            kept = [.. KeptMean.Select((m, i) => part.KeptMean[i] - m)];
        var (covariance, cross) = (Rest(Covariance, part.Covariance), Rest(Cross, part.Cross));
        // Of the part itself share·ddᵀ, of the rest, whose mean lies share·d on the other side, share²·ddᵀ.
        AddOuter(covariance, kept, kept, -share - (share * share));
        AddOuter(cross, dense, kept, -share - (share * share));
        return new((long)left, Rest(DenseMean, part.DenseMean), Rest(KeptMean, part.KeptMean), covariance, cross);
    }

    /// <summary>The same moments about zero: E[zzᵀ] and E[xzᵀ].</summary>
    public ConsumerMoments AboutZero()
    {
        var (covariance, cross) = ((double[])Covariance.Clone(), (double[])Cross.Clone());
        AddOuter(covariance, KeptMean, KeptMean, 1);
        AddOuter(cross, DenseMean, KeptMean, 1);
        return this with { Covariance = covariance, Cross = cross };
    }

    private static void AddOuter(double[] matrix, double[] left, double[] right, double scale)
    {
        for (int i = 0; i < left.Length; i++)
        {
            var row = matrix.AsSpan(i * right.Length, right.Length);
            TensorPrimitives.MultiplyAdd(right, scale * left[i], row, row);
        }
    }
}
