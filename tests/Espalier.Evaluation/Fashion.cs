using System.Globalization;
using System.IO.Compression;
using Espalier.Calibration.Arrays;
using Espalier.Evaluation.Real;

namespace Espalier.Evaluation;

/// <summary>Images of Fashion-MNIST with their labels.</summary>
/// <param name="Images">Images of 28 × 28 from 0 to 1.</param>
internal sealed record Fashion(IReadOnlyList<float[]> Images, IReadOnlyList<int> Labels)
{
    private const int Area = 28 * 28, Header = 16, Seed = 50;

    /// <summary>The first test images of the repository.</summary>
    public static Fashion Test(string folder, int most)
        => Take(Pixels(Path.Combine(folder, "t10k-images-idx3-ubyte.gz")).Take(most), Path.Combine(folder, "t10k-labels-idx1-ubyte.gz"));

    /// <summary>Training images that are not among the calibration data, chosen by a seed. The networks were trained on them.</summary>
    /// <exception cref="EspalierException">The package with the training images is not unpacked.</exception>
    public static Fashion Validation(Places? places, string folder, int most)
    {
        string package = places is null
            ? ""
            : Path.Combine(Debian.Folder(places, Debian.Fashion), "usr", "share", "datasets", "fashion-mnist");
        string file = Path.Combine(package, "train-images-idx3-ubyte.gz");
        if (!File.Exists(file))
            throw new EspalierException("The training images of Fashion-MNIST are not there: the verb 'real data' fetches them.");
        var calibration = Pixels(Path.Combine(folder, "calibration-images-idx3-ubyte.gz")).Select(Convert.ToHexString)
            .ToHashSet(StringComparer.Ordinal);
        byte[][] all = [.. Pixels(file)];
        int[] order = [.. Enumerable.Range(0, all.Length)];
        new Random(Seed).Shuffle(order);
        int[] chosen = [.. order.Where(i => !calibration.Contains(Convert.ToHexString(all[i]))).Take(most)];
        var labels = Idx.Read(Path.Combine(package, "train-labels-idx1-ubyte.gz")).All();
        return new([.. chosen.Select(i => Scaled(all[i]))], [.. chosen.Select(i => Label(labels, i))]);
    }

    private static Fashion Take(IEnumerable<byte[]> images, string labels)
    {
        float[][] taken = [.. images.Select(Scaled)];
        var values = Idx.Read(labels).All();
        return new(taken, [.. taken.Select((_, i) => Label(values, i))]);
    }

    private static int Label(Array labels, int i) => Convert.ToInt32(labels.GetValue(i), CultureInfo.InvariantCulture);

    private static float[] Scaled(byte[] pixels) => Array.ConvertAll(pixels, p => (float)(p * (1 / 255.0)));

    private static IEnumerable<byte[]> Pixels(string file)
    {
        using var stream = new GZipStream(File.OpenRead(file), CompressionMode.Decompress);
        stream.ReadExactly(new byte[Header]);
        while (true)
        {
            var pixels = new byte[Area];
            if (stream.ReadAtLeast(pixels, Area, throwOnEndOfStream: false) < Area) yield break;
            yield return pixels;
        }
    }
}
