using System.Numerics.Tensors;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Moments;

/// <summary>Rows that no fit has seen.</summary>
/// <param name="Inputs">Row-major [rows, inputs].</param>
/// <param name="Errors">Row-major [rows, outputs].</param>
internal sealed record HeldOutRows(int Count, float[] Inputs, float[] Errors)
{
    /// <summary>Of the dense model: what features that are gone added is the error.</summary>
    /// <param name="lost">Weights of the features that are gone, row-major [outputs, gone].</param>
    public static HeldOutRows Create(RowSample sample, int[] kept, int[] gone, double[] lost, int outputs)
    {
        var (inputs, errors) = (new float[sample.Count * kept.Length], new float[sample.Count * outputs]);
        float[] weights = [.. lost.Select(w => (float)w)];
        Parallel.For(0, sample.Count, r =>
        {
            var row = sample[r];
            for (int i = 0; i < kept.Length; i++) inputs[(r * kept.Length) + i] = row[kept[i]];
            var away = new float[gone.Length];
            for (int i = 0; i < gone.Length; i++) away[i] = row[gone[i]];
            for (int o = 0; o < outputs; o++)
                errors[(r * outputs) + o] = TensorPrimitives.Dot<float>(weights.AsSpan(o * gone.Length, gone.Length), away);
        });
        return new(sample.Count, inputs, errors);
    }

    /// <summary>Of a slim model.</summary>
    /// <param name="width">Inputs, which come first in a row.</param>
    /// <param name="at">Where the errors stand.</param>
    /// <param name="scales">What every error is multiplied by.</param>
    public static HeldOutRows Create(RowSample sample, int width, int at, double[] scales)
    {
        var (inputs, errors) = (new float[sample.Count * width], new float[sample.Count * scales.Length]);
        for (int r = 0; r < sample.Count; r++)
        {
            sample[r][..width].CopyTo(inputs.AsSpan(r * width));
            for (int o = 0; o < scales.Length; o++) errors[(r * scales.Length) + o] = (float)(sample[r][at + o] * scales[o]);
        }
        return new(sample.Count, inputs, errors);
    }

    public static HeldOutRows Join(IReadOnlyList<HeldOutRows> parts)
        => new(parts.Sum(p => p.Count), [.. parts.SelectMany(p => p.Inputs)], [.. parts.SelectMany(p => p.Errors)]);

    /// <summary>Mean squared error that is left.</summary>
    /// <param name="change">Change of the weights, row-major [outputs, inputs]; null for none.</param>
    /// <param name="bias">Change of the bias by output.</param>
    public double Loss(double[]? change, double[] bias)
    {
        int outputs = bias.Length, width = Count == 0 ? 0 : Inputs.Length / Count;
        float[]? weights = change is null ? null : [.. change.Select(c => (float)c)];
        var sums = new double[Count];
        Parallel.For(0, Count, r =>
        {
            var row = Inputs.AsSpan(r * width, width);
            for (int o = 0; o < outputs; o++)
            {
                double left = Errors[(r * outputs) + o] - bias[o];
                if (weights is not null) left -= TensorPrimitives.Dot<float>(weights.AsSpan(o * width, width), row);
                sums[r] += left * left;
            }
        });
        return sums.Sum() / Math.Max(1, Count);
    }
}
