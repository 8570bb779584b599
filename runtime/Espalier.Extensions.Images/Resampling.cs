namespace Espalier.Extensions.Images;

/// <summary>
/// Resizes images by a triangle filter that widens as the image shrinks (antialiased bilinear, what Pillow calls BILINEAR),
/// first along rows, then along columns.
/// </summary>
internal static class Resampling
{
    /// <summary>
    /// The largest centred part of an image that has the aspect ratio of the target, in the target's size. Pixels are rows of
    /// interleaved channels.
    /// </summary>
    public static byte[] Cover(ReadOnlySpan<byte> pixels, int width, int height, int channels, int toWidth, int toHeight)
    {
        double scale = Math.Min((double)width / toWidth, (double)height / toHeight);
        var across = Weights(width, toWidth, scale);
        var down = Weights(height, toHeight, scale);
        // Only rows that a column reads.
        int first = down.Min(w => w.First), last = down.Max(w => w.First + w.Values.Length);
        var rows = new double[(last - first) * toWidth * channels];
        for (int y = first, at = 0; y < last; y++)
            foreach (var (start, weights) in across)
                for (int c = 0; c < channels; c++, at++)
                    for (int k = 0; k < weights.Length; k++)
                        rows[at] += weights[k] * pixels[(((y * width) + start + k) * channels) + c];
        var result = new byte[toHeight * toWidth * channels];
        int row = toWidth * channels;
        for (int y = 0, at = 0; y < toHeight; y++)
        {
            var (start, weights) = down[y];
            for (int x = 0; x < row; x++, at++)
            {
                double sum = 0;
                for (int k = 0; k < weights.Length; k++) sum += weights[k] * rows[((start - first + k) * row) + x];
                result[at] = (byte)Math.Clamp(Math.Round(sum, MidpointRounding.AwayFromZero), 0, 255);
            }
        }
        return result;
    }

    /// <summary>For every pixel of the result the pixels that it is made of, with weights that sum to 1.</summary>
    private static (int First, double[] Values)[] Weights(int size, int to, double scale)
    {
        double offset = (size - (scale * to)) / 2, support = Math.Max(scale, 1);
        return [.. Enumerable.Range(0, to).Select(i =>
        {
            double centre = offset + ((i + 0.5) * scale);
            int first = Math.Max(0, (int)Math.Floor(centre - support + 0.5)), end = Math.Min(size, (int)Math.Floor(centre + support + 0.5));
            if (end <= first) (first, end) = (Math.Clamp((int)centre, 0, size - 1), Math.Clamp((int)centre, 0, size - 1) + 1);
            double[] weights = [.. Enumerable.Range(first, end - first)
                .Select(p => Math.Max(0, 1 - (Math.Abs(p + 0.5 - centre) / support)))];
            double sum = weights.Sum();
            return (first, sum > 0 ? Array.ConvertAll(weights, w => w / sum) : [.. weights.Select(_ => 1.0 / weights.Length)]);
        })];
    }
}
