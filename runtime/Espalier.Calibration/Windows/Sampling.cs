namespace Espalier.Calibration.Windows;

/// <summary>
/// Some of the positions of a convolution's window: as many along each axis as are taken of one sample. Each batch takes others,
/// one out of every stretch of equal length, so that borders count for no more than they do in the map.
/// </summary>
/// <param name="Sizes">Positions that there are along each axis.</param>
/// <param name="Taken">Positions that are taken.</param>
/// <param name="Pads">Padding before the first element of each axis, then behind the last.</param>
/// <param name="Strides">Elements from one position to the next.</param>
/// <param name="Dilations">Elements from one element of the window to the next.</param>
internal sealed record Sampling(long[] Sizes, long[] Taken, long[] Pads, long[] Strides, long[] Dilations)
{
    /// <summary>A sampling of about as many positions as are wanted; null where that are all.</summary>
    /// <param name="activation">Shape of the map, with its batch and channel axes.</param>
    public static Sampling? Create(Window window, IReadOnlyList<long> activation, long wanted)
    {
        int rank = window.Kernel.Length;
        long[] Ints(string name, long otherwise)
            => window.Attributes.FirstOrDefault(a => a.Name == name) is { Ints.Count: > 0 } a ? [.. a.Ints] : Fill(rank, otherwise);
        long[] strides = Ints("strides", 1), dilations = Ints("dilations", 1), pads = Fill(2 * rank, 0), sizes = new long[rank];
        string auto = window.Attributes.FirstOrDefault(a => a.Name == "auto_pad")?.S.ToStringUtf8() ?? "NOTSET";
        if (auto is "NOTSET" or "" && window.Attributes.FirstOrDefault(a => a.Name == "pads") is { Ints.Count: > 0 } given)
            pads = [.. given.Ints];
        for (int a = 0; a < rank; a++)
        {
            long size = activation[a + 2], reach = (dilations[a] * (window.Kernel[a] - 1)) + 1;
            if (auto.StartsWith("SAME", StringComparison.Ordinal))
            {
                long all = Math.Max(0, ((((size + strides[a] - 1) / strides[a]) - 1) * strides[a]) + reach - size);
                (pads[a], pads[a + rank]) = auto == "SAME_UPPER" ? (all / 2, all - (all / 2)) : (all - (all / 2), all / 2);
            }
            sizes[a] = ((size + pads[a] + pads[a + rank] - reach) / strides[a]) + 1;
            if (sizes[a] < 1) return null;
        }
        if (sizes.Aggregate(1.0, (x, y) => x * y) <= wanted) return null;
        var taken = Fill(rank, 1);
        // One more along the axis that is sampled most thinly, until there are enough.
        while (taken.Aggregate(1L, (x, y) => x * y) < wanted)
            taken[Enumerable.Range(0, rank).MinBy(a => (double)taken[a] / sizes[a])]++;
        return new(sizes, taken, pads, strides, dilations);
    }

    /// <summary>Positions along an axis, ascending.</summary>
    /// <param name="batch">Number of the batch.</param>
    public long[] Positions(int axis, int batch)
    {
        // Additive recurrence with the golden ratio's relatives (Roberts 2018): evenly spread whatever the number of batches.
        double step = axis == 0 ? 0.7548776662466927 : 0.5698402909980532, at = 0.5 + (step * (batch + 1) * (1 + (axis / 2)));
        at -= Math.Floor(at);
        return [.. Enumerable.Range(0, (int)Taken[axis])
            .Select(k => Math.Min(Sizes[axis] - 1, (long)((k + at) / Taken[axis] * Sizes[axis])))];
    }

    /// <summary>Elements of the padded map along an axis that the windows at these positions see, window by window.</summary>
    public long[] Elements(int axis, int batch, long kernel)
        => [.. Positions(axis, batch)
            .SelectMany(p => Enumerable.Range(0, (int)kernel).Select(k => (p * Strides[axis]) + (k * Dilations[axis])))];

    private static long[] Fill(int count, long value) => [.. Enumerable.Repeat(value, count)];
}
