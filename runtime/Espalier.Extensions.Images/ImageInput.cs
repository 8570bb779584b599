using System.Numerics;

namespace Espalier.Extensions.Images;

/// <summary>
/// What a model wants of images: size, channels, layout, normalisation. An image becomes the largest centred part of it that
/// has the wanted aspect ratio, resized by an antialiased triangle filter, from 0 to 1, then (value − mean) / deviation.
/// Immutable, so safe for use by many threads at once.
/// </summary>
/// <param name="width">Pixels of a row.</param>
/// <param name="height">Rows.</param>
/// <param name="channels">1 for grey, 3 for red, green, blue.</param>
public sealed class ImageInput(int width, int height, int channels)
{
    private readonly double[]? _mean, _deviation;

    /// <summary>Pixels of a row.</summary>
    public int Width { get; } = width;

    /// <summary>Rows.</summary>
    public int Height { get; } = height;

    /// <summary>1 for grey, 3 for red, green, blue.</summary>
    public int Channels { get; } = channels is 1 or 3
        ? channels
        : throw new EspalierException($"Images have 1 channel or 3, not {channels}.");

    /// <summary>Whether a tensor is [batch, height, width, channels] instead of [batch, channels, height, width].</summary>
    public bool ChannelsLast { get; init; }

    /// <summary>Whether the model takes bytes from 0 to 255 as they are, without mean and deviation.</summary>
    public bool IsRaw { get; init; }

    /// <summary>What is taken off each channel of values from 0 to 1: one number, or one per channel; empty for 0.</summary>
    /// <exception cref="EspalierException">Another number of them.</exception>
    public IReadOnlyList<double> Mean { get => _mean ?? []; init => _mean = PerChannel(value, "mean"); }

    /// <summary>What each channel is divided by after that, above 0: one number, or one per channel; empty for 1.</summary>
    /// <exception cref="EspalierException">Another number of them, or one that is not above 0.</exception>
    public IReadOnlyList<double> Deviation
    {
        get => _deviation ?? [];
        init => _deviation = value.All(d => d > 0 && double.IsFinite(d))
            ? PerChannel(value, "deviation")
            : throw new EspalierException("Deviations of images are numbers above 0.");
    }

    /// <summary>A batch of one image from a file: PNG, JPEG or BMP.</summary>
    /// <typeparam name="T">Elements: float, double, <see cref="Half"/>, or byte where <see cref="IsRaw"/>.</typeparam>
    /// <remarks>The decoder is not memory-safe: read images that you trust, or decode by other means and give pixels.</remarks>
    /// <exception cref="EspalierException">The file is no image that can be read.</exception>
    public TensorData<T> FromFile<T>(string path) where T : INumber<T>
    {
        if (!File.Exists(path)) throw new EspalierException($"There is no image at '{path}'.");
        return FromPixels<T>(ImageDecoder.Decode(path, Channels, out int fromWidth, out int fromHeight), fromWidth, fromHeight);
    }

    /// <summary>A batch of one image from a stream, see <see cref="FromFile"/>.</summary>
    /// <exception cref="EspalierException">It is no image that can be read.</exception>
    public TensorData<T> FromStream<T>(Stream stream) where T : INumber<T>
    {
        ArgumentNullException.ThrowIfNull(stream);
        // Decoding looks twice, and an upload cannot be rewound.
        using var whole = new MemoryStream();
        stream.CopyTo(whole);
        whole.Position = 0;
        return FromPixels<T>(ImageDecoder.Decode(whole, "of the stream", Channels, out int fromWidth, out int fromHeight), fromWidth,
            fromHeight);
    }

    /// <summary>A batch of one image from pixels.</summary>
    /// <typeparam name="T">Elements: float, double, <see cref="Half"/>, or byte where <see cref="IsRaw"/>.</typeparam>
    /// <param name="pixels">Rows of interleaved channels of 8 bits, as many as <see cref="Channels"/>.</param>
    /// <param name="fromWidth">Pixels of a row.</param>
    /// <param name="fromHeight">Rows.</param>
    /// <exception cref="EspalierException">There are more or fewer bytes than that.</exception>
    public TensorData<T> FromPixels<T>(ReadOnlySpan<byte> pixels, int fromWidth, int fromHeight) where T : INumber<T>
    {
        if (fromWidth < 1 || fromHeight < 1 || pixels.Length != (long)fromWidth * fromHeight * Channels)
            throw new EspalierException($"An image of {fromWidth} × {fromHeight} pixels with {Channels} "
                + $"channel{(Channels == 1 ? "" : "s")} has not {pixels.Length} bytes.");
        double[] values = Values(pixels, fromWidth, fromHeight);
        long[] shape = ChannelsLast ? [1, Height, Width, Channels] : [1, Channels, Height, Width];
        return new(Array.ConvertAll(values, T.CreateSaturating), shape);
    }

    internal double[] Values(ReadOnlySpan<byte> pixels, int fromWidth, int fromHeight)
    {
        byte[] resized = Resampling.Cover(pixels, fromWidth, fromHeight, Channels, Width, Height);
        int area = Width * Height;
        var values = new double[resized.Length];
        for (int at = 0; at < values.Length; at++)
        {
            int c = at % Channels;
            double value = IsRaw ? resized[at] : ((resized[at] / 255.0) - (_mean?[c] ?? 0)) / (_deviation?[c] ?? 1);
            values[ChannelsLast ? at : (c * area) + (at / Channels)] = value;
        }
        return values;
    }

    private double[]? PerChannel(IReadOnlyList<double> given, string what) => given switch
    {
        { Count: 0 } => null,
        { Count: 1 } => [.. Enumerable.Repeat(given[0], Channels)],
        _ when given.Count == Channels => [.. given],
        _ => throw new EspalierException($"The {what} of images has {given.Count} numbers; the model takes {Channels} "
            + $"channel{(Channels == 1 ? "" : "s")}. Give one number, or one per channel."),
    };
}
