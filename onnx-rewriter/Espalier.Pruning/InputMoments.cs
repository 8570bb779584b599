using System.Numerics.Tensors;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Mean and centred covariance of what one matrix of a consumer contracts.</summary>
/// <param name="Mean">Per feature.</param>
/// <param name="Covariance">Row-major [features, features].</param>
/// <param name="Count">Rows they were taken from.</param>
internal sealed record InputMoments(double[] Mean, double[] Covariance, long Count)
{
    /// <summary>The moments at one batch index of a consumer's weight; null where calibration took no covariance.</summary>
    public static InputMoments? Of(ActivationStatistics statistics, ConsumerMatrix matrix, int batch)
    {
        var own = statistics.PerBatch is { } all ? batch < all.Count ? all[batch] : null : statistics;
        return own?.Covariance is { } covariance && own.Mean.Length == matrix.Features && covariance.LongLength == (long)matrix.Features * matrix.Features
            ? new InputMoments(own.Mean, covariance, own.Count)
            : null;
    }

    /// <summary>Moments over the inputs of several consumers that share one weight, weighed by their counts.</summary>
    public static InputMoments Pool(IReadOnlyList<InputMoments> parts)
    {
        if (parts.Count == 1) return parts[0];
        int n = parts[0].Mean.Length;
        double total = parts.Sum(p => (double)p.Count);
        var mean = new double[n];
        foreach (var part in parts) TensorPrimitives.MultiplyAdd(part.Mean, part.Count / total, mean, mean);
        var covariance = new double[n * n];
        foreach (var part in parts)
        {
            double[] shift = [.. part.Mean.Select((m, i) => m - mean[i])];
            TensorPrimitives.MultiplyAdd(part.Covariance, part.Count / total, covariance, covariance);
            AddOuter(covariance, shift, part.Count / total);
        }
        return new InputMoments(mean, covariance, parts.Sum(p => p.Count));
    }

    /// <summary>E[xxᵀ].</summary>
    public double[] AboutZero()
    {
        var moments = (double[])Covariance.Clone();
        AddOuter(moments, Mean, 1);
        return moments;
    }

    private static void AddOuter(double[] matrix, double[] v, double scale)
    {
        for (int i = 0; i < v.Length; i++)
        {
            var row = matrix.AsSpan(i * v.Length, v.Length);
            TensorPrimitives.MultiplyAdd(v, scale * v[i], row, row);
        }
    }
}
