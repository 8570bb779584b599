using System.Buffers.Binary;
using System.IO.Compression;
using Espalier;

namespace Fashion;

/// <summary>Files of the IDX format, gzipped, as the Fashion-MNIST data are published.</summary>
internal static class Idx
{
    /// <summary>Reads one file.</summary>
    /// <param name="compressed">The gzipped file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <returns>Elements and the size of every axis.</returns>
    /// <exception cref="EspalierException">It is no IDX file of bytes.</exception>
    public static (byte[] Values, int[] Dims) Read(Stream compressed, string name)
    {
        using var unzipped = new GZipStream(compressed, CompressionMode.Decompress);
        using var memory = new MemoryStream();
        unzipped.CopyTo(memory);
        var bytes = memory.ToArray();
        // Two zero bytes, the element type (8: bytes), the number of axes, then each size.
        if (bytes.Length < 4 || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes.Length < 4 + 4 * bytes[3])
            throw new EspalierException($"{name} is no IDX file of bytes.");
        var dims = new int[bytes[3]];
        for (int i = 0; i < dims.Length; i++) dims[i] = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(4 + 4 * i));
        int start = 4 + 4 * dims.Length;
        if (dims.Aggregate(1L, (a, b) => a * b) != bytes.Length - start) throw new EspalierException($"{name} ends too early.");
        return (bytes[start..], dims);
    }

    /// <summary>Brightness 0..255 as 0..1.</summary>
    public static float[] ToFloats(ReadOnlySpan<byte> pixels)
    {
        var values = new float[pixels.Length];
        for (int i = 0; i < values.Length; i++) values[i] = pixels[i] / 255f;
        return values;
    }
}

/// <summary>Training images in the assembly, for calibration; none of them is a test image.</summary>
internal static class CalibrationImages
{
    /// <summary>Inputs of one image each.</summary>
    public static IEnumerable<T> One<T>(Func<TensorData<float>, T> input)
    {
        using var stream = typeof(CalibrationImages).Assembly.GetManifestResourceStream("calibration-images")!;
        var (pixels, dims) = Idx.Read(stream, "calibration-images");
        int size = dims[1] * dims[2];
        for (int i = 0; i < dims[0]; i++)
            yield return input(new TensorData<float>(Idx.ToFloats(pixels.AsSpan(i * size, size)), 1, 1, dims[1], dims[2]));
    }
}

/// <summary>The 10,000 test images beside the program.</summary>
internal sealed class TestImages
{
    private readonly byte[] _pixels, _labels;
    private readonly int _height, _width;

    public TestImages(string folder)
    {
        using var images = File.OpenRead(Path.Combine(folder, "t10k-images-idx3-ubyte.gz"));
        using var labels = File.OpenRead(Path.Combine(folder, "t10k-labels-idx1-ubyte.gz"));
        (_pixels, var dims) = Idx.Read(images, "t10k-images-idx3-ubyte.gz");
        (_labels, _) = Idx.Read(labels, "t10k-labels-idx1-ubyte.gz");
        (_height, _width) = (dims[1], dims[2]);
    }

    /// <summary>Number of images.</summary>
    public int Count => _labels.Length;

    /// <summary>The class of an image.</summary>
    public int Label(int index) => _labels[index];

    /// <summary>Images in a row as one tensor.</summary>
    public TensorData<float> Batch(int start, int count)
        => new(Idx.ToFloats(_pixels.AsSpan(start * _height * _width, count * _height * _width)), count, 1, _height, _width);
}
