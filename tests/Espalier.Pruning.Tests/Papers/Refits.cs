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
        Guard(network, dense, changes, reader);
    }

    /// <summary>
    /// Scales s = 1 + t of the units that stay, with the least Σ (Σ_R c_u − Σ_K t_u c_u)² / N + λ Σ t_u², c_u what unit u adds to the
    /// outputs of the reader in a row, less its mean; λ = 10⁻² · mean_u Σ c_u² / N · min(1, |K| / N). The bias keeps the mean.
    /// </summary>
    public static void Rescale(TwiceWritten network, Trace dense, Changes changes, string reader)
    {
        var (x, w) = (dense.Fitted().Rows($"{reader} in"), network.Weight(reader));
        var mean = x.ColumnSums() / x.RowCount;
        Vector<double> Adds(int unit) => Vector<double>.Build.DenseOfEnumerable(Enumerable.Range(0, x.RowCount).SelectMany(i =>
            Enumerable.Range(0, w.ColumnCount).Select(o => TwiceWritten.Features(reader, unit).Sum(f => (x[i, f] - mean[f]) * w[f, o]))));
        int[] kept = changes.Kept[reader];
        var columns = Matrix<double>.Build.DenseOfColumnVectors(kept.Select(Adds));
        var lost = Enumerable.Range(0, TwiceWritten.Units(reader)).Except(kept).Select(Adds).Aggregate((a, b) => a + b);
        var a = columns.TransposeThisAndMultiply(columns) / x.RowCount;
        double ridge = 1e-2 * a.Diagonal().Average() * Math.Min(1, (double)kept.Length / x.RowCount);
        var t = (a + (ridge * Matrix<double>.Build.DenseIdentity(kept.Length))).Solve(columns.TransposeThisAndMultiply(lost) / x.RowCount);
        Assert.All(t, scale => Assert.InRange(1 + scale, -10, 10));
        var changed = w.Clone();
        for (int k = 0; k < kept.Length; k++)
            foreach (int f in TwiceWritten.Features(reader, kept[k])) changed.SetRow(f, w.Row(f) * (1 + t[k]));
        KeepMean(network, mean, changes, reader, changed);
        Guard(network, dense, changes, reader);
    }

    /// <summary>
    /// ΔW = E[e zᵀ] (C + λI)⁻¹ of what a product gets now, and Δb = E[e] − ΔW E[z]; e is behind the sum after it, and of outputs
    /// that stay. Of five ridges that rise tenfold, from the middle one up, or else down, while the error on the rows that are held
    /// out falls. A product without a bias has moments about zero, and none.
    /// </summary>
    public static void Sequential(TwiceWritten network, Trace dense, Trace now, Changes changes, string product)
    {
        bool reads = TwiceWritten.Groups.Contains(product), centred = network.HasBias(product);
        var w = network.Weight(product);
        int[] kept = reads ? Divide(product, changes).Kept : [.. Enumerable.Range(0, w.RowCount)], outputs = Outputs(product, changes, w);
        var (z, e) = Rows(dense.Fitted(), now.Fitted());
        var (heldOut, missing) = Rows(dense.HeldOut(), now.HeldOut());
        var (meanZ, meanE) = (z.ColumnSums() / z.RowCount, e.ColumnSums() / e.RowCount);
        if (!centred) (meanZ, meanE) = (meanZ * 0, meanE * 0);
        var c = Less(z, meanZ).TransposeThisAndMultiply(Less(z, meanZ)) / z.RowCount;
        var cross = Less(z, meanZ).TransposeThisAndMultiply(Less(e, meanE)) / z.RowCount;
        double ridge = 1e-2 * c.Diagonal().Average() * Math.Min(1, (double)kept.Length / z.RowCount);
        var fits = new[] { 1.0, 10, 100, 1000, 10000 }
            .Select(t => (c + (t * ridge * Matrix<double>.Build.DenseIdentity(kept.Length))).Inverse() * cross).ToList();
        int best = 2;
        while (best < 4 && Error(fits[best + 1]) < Error(fits[best])) best++;
        while (best is > 0 and < 3 && Error(fits[best - 1]) < Error(fits[best])) best--;
        var change = Error(fits[best]) > Error(fits[0] * 0) ? fits[0] * 0 : fits[best];
        var changed = w.Clone();
        for (int k = 0; k < kept.Length; k++)
            for (int o = 0; o < outputs.Length; o++) changed[kept[k], outputs[o]] += change[k, o];
        changes.Weights[product] = changed;
        double[] bias = (double[])network.Bias(product).Clone(), added = [.. Added(change)];
        for (int o = 0; o < outputs.Length; o++) bias[outputs[o]] += added[o];
        changes.Biases[product] = bias;

        Vector<double> Added(Matrix<double> weights) => meanE - (weights.Transpose() * meanZ);

        double Error(Matrix<double> weights) => Less(missing - (heldOut * weights), Added(weights)).Enumerate().Sum(v => v * v);

        (Matrix<double> Inputs, Matrix<double> Missing) Rows(Trace dense, Trace now)
        {
            string at = reads ? $"{product} after" : $"{product} out";
            return (Matrix<double>.Build.DenseOfColumnVectors(kept.Select(now.Rows($"{product} in").Column)),
                Matrix<double>.Build.DenseOfColumnVectors(outputs.Select((dense.Rows(at) - now.Rows(at)).Column)));
        }

        static Matrix<double> Less(Matrix<double> m, Vector<double> mean) => m.MapIndexed((_, j, v) => v - mean[j]);
    }

    /// <summary>Outputs of a product that something reads.</summary>
    private static int[] Outputs(string product, Changes changes, Matrix<double> w) => product[^1] switch
    {
        'q' or 'k' or 'v' => Divide($"{product[..2]}.o", changes).Kept,
        'p' => Divide($"{product[..2]}.down", changes).Kept,
        _ => [.. Enumerable.Range(0, w.ColumnCount)],
    };

    /// <summary>On the rows that are held out the fit must be nearer to the dense output than the bias alone, or it is that.</summary>
    private static void Guard(TwiceWritten network, Trace dense, Changes changes, string reader)
    {
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
        KeepMean(network, mean, changes, reader, changed);
    }

    /// <summary>b' = b + W μ − W' μ_K.</summary>
    private static void KeepMean(TwiceWritten network, Vector<double> mean, Changes changes, string reader, Matrix<double> changed)
    {
        var w = network.Weight(reader);
        double[] bias = (double[])network.Bias(reader).Clone();
        for (int o = 0; o < bias.Length; o++)
            bias[o] += Enumerable.Range(0, w.RowCount).Sum(f => w[f, o] * mean[f])
                - Divide(reader, changes).Kept.Sum(f => changed[f, o] * mean[f]);
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
