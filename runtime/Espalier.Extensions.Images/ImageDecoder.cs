using StbImageSharp;

namespace Espalier.Extensions.Images;

/// <summary>Decodes PNG, JPEG and BMP.</summary>
internal static class ImageDecoder
{
    /// <summary>Most pixels of a file: what decoding takes four times the bytes of.</summary>
    private const long MostPixels = 1L << 27;

    /// <summary>Interleaved channels of 8 bits; alpha is ignored.</summary>
    /// <exception cref="EspalierException">The file cannot be read.</exception>
    public static byte[] Decode(string path, int channels, out int width, out int height)
    {
        using var stream = File.OpenRead(path);
        return Decode(stream, $"'{path}'", channels, out width, out height);
    }

    /// <summary>The same from a stream that can be rewound; errors call the image by the name.</summary>
    public static byte[] Decode(Stream stream, string name, int channels, out int width, out int height)
    {
        try
        {
            long start = stream.Position;
            // Before anything is decoded: a few bytes may claim any size.
            var info = ImageInfo.FromStream(stream) ?? throw new InvalidDataException("it is no PNG, JPEG or BMP");
            if (info.Width < 1 || info.Height < 1 || (long)info.Width * info.Height > MostPixels)
                throw new InvalidDataException($"{info.Width} × {info.Height} pixels are too many");
            stream.Position = start;
            var image = ImageResult.FromStream(stream, channels == 1 ? ColorComponents.Grey : ColorComponents.RedGreenBlue);
            (width, height) = (image.Width, image.Height);
            return image.Data.Length == (long)width * height * channels
                ? image.Data
                : throw new InvalidDataException("its pixels are not all there");
        }
        // Whatever the decoder throws at a damaged file.
        catch (Exception e) when (e is not (OutOfMemoryException or EspalierException))
        {
            throw new EspalierException($"The image {name} cannot be read: {e.Message}.", e);
        }
    }
}
