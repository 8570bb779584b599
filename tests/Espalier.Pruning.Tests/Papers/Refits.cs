using MathNet.Numerics.LinearAlgebra;

namespace Espalier.Pruning.Tests.Papers;

/// <summary>What weights become that read removed units, from rows of activations.</summary>
internal static class Refits
{
    /// <summary>
    /// W' = W_K + W_R C_RK (C_KK + λI)⁻¹ and b' = b + W μ − W' μ_K, λ = 10⁻² · mean diag(C_KK) · min(1, |K| / N), from the rows that
    /// are fitted; or W_K and b + W_R μ_R alone, where that is nearer to the dense output on the rows that are held out.
    /// </summary>
    /// <param name="dense">Of all samples.</param>
    public static void LeastSquares(TwiceWritten network, Trace dense, Changes changes, string reader)
    {
        Affine(network, dense.Fitted(), changes, reader,
            (c, rows) => 1e-2 * c.Diagonal().Average() * Math.Min(1, (double)c.RowCount / rows));
        var x = dense.HeldOut().Rows($"{reader} in");
        var mean = dense.Fitted().Rows($"{reader} in").ColumnSums() / dense.Fitted().Rows($"{reader} in").RowCount;
        var (kept, gone) = Divide(reader, changes);
        var w = network.Weight(reader);
        double[] bias = (double[])network.Bias(reader).Clone();
        for (int o = 0; o < bias.Length; o++) bias[o] += gone.Sum(f => w[f, o] * mean[f]);
        if (Error(changes.Weights[reader], changes.Biases[reader]) > Error(w, bias))
            (changes.Weights[reader], changes.Biases[reader]) = (w, bias);

        double Error(Matrix<double> weight, double[] added)
        {
            double sum = 0;
            for (int r = 0; r < x.RowCount; r++)
                for (int o = 0; o < w.ColumnCount; o++)
                    sum += Math.Pow(x.Row(r).DotProduct(w.Column(o)) + network.Bias(reader)[o] - kept.Sum(f => x[r, f] * weight[f, o])
                        - added[o], 2);
            return sum;
        }
    }

    /// <summary>The same under another ridge: of the covariance of the kept features, and the number of rows.</summary>
    public static void Affine(TwiceWritten network, Trace dense, Changes changes, string reader, Func<Matrix<double>, int, double> ridge)
    {
        var x = dense.Rows($"{reader} in");
        var (kept, gone) = Divide(reader, changes);
        var mean = x.ColumnSums() / x.RowCount;
        var centred = Matrix<double>.Build.Dense(x.RowCount, x.ColumnCount, (i, j) => x[i, j] - mean[j]);
        var c = centred.TransposeThisAndMultiply(centred) / x.RowCount;
        var inner = Take(c, kept, kept);
        var map = Take(c, gone, kept) * (inner + (ridge(inner, x.RowCount) * Matrix<double>.Build.DenseIdentity(kept.Length))).Inverse();
        var w = network.Weight(reader);
        var changed = w.Clone();
        for (int k = 0; k < kept.Length; k++)
            for (int o = 0; o < w.ColumnCount; o++)
                changed[kept[k], o] += Enumerable.Range(0, gone.Length).Sum(r => map[r, k] * w[gone[r], o]);
        double[] bias = (double[])network.Bias(reader).Clone();
        for (int o = 0; o < bias.Length; o++)
            bias[o] += Enumerable.Range(0, w.RowCount).Sum(f => w[f, o] * mean[f]) - kept.Sum(f => changed[f, o] * mean[f]);
        (changes.Weights[reader], changes.Biases[reader]) = (changed, bias);
    }

    /// <summary>Features of a reader that stay, and that go.</summary>
    public static (int[] Kept, int[] Gone) Divide(string reader, Changes changes)
    {
        int[] kept = TwiceWritten.Features(reader, changes.Kept[reader]);
        return (kept, [.. Enumerable.Range(0, TwiceWritten.All).Except(kept)]);
    }

    public static Matrix<double> Take(Matrix<double> c, int[] rows, int[] columns)
        => Matrix<double>.Build.Dense(rows.Length, columns.Length, (i, j) => c[rows[i], columns[j]]);
}
