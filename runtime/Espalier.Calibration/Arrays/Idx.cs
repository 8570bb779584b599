using System.Buffers.Binary;
using System.IO.Compression;

namespace Espalier.Calibration.Arrays;

/// <summary>
/// The array files of MNIST (http://yann.lecun.com/exdb/mnist/): unsigned bytes, big-endian sizes, packed by gzip or not.
/// </summary>
public static class Idx
{
    private const long MostElements = 1L << 30;

    /// <summary>Reads a file of unsigned bytes.</summary>
    /// <exception cref="EspalierException">It is malformed or of another type.</exception>
    public static ArrayFile Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            bool packed = file.ReadByte() == 0x1f && file.ReadByte() == 0x8b;
            file.Position = 0;
            using Stream stream = packed ? new GZipStream(file, CompressionMode.Decompress) : new BufferedStream(file);
            Span<byte> word = stackalloc byte[4];
            Fill(stream, word, path);
            if (word[0] != 0 || word[1] != 0) throw Bad(path, "it does not start as an idx file does");
            if (word[2] != 8) throw Bad(path, $"its elements are of type 0x{word[2]:x2}; only unsigned bytes (0x08) are read");
            var shape = new long[word[3]];
            if (shape.Length == 0) throw Bad(path, "it has no axes");
            long count = 1;
            for (int i = 0; i < shape.Length; i++)
            {
                Fill(stream, word, path);
                shape[i] = BinaryPrimitives.ReadUInt32BigEndian(word);
                if ((count *= shape[i]) > MostElements) throw Bad(path, "its sizes are too large");
            }
            // Grown while reading: sizes that claim more than the file has cost no memory.
            var values = new byte[Math.Min(count, 1 << 20)];
            int done = 0;
            while (done < count)
            {
                if (done == values.Length) Array.Resize(ref values, (int)Math.Min(count, values.Length * 2L));
                Fill(stream, values.AsSpan(done), path);
                done = values.Length;
            }
            if (stream.ReadByte() >= 0) throw Bad(path, $"it has more than the {count} bytes of its sizes");
            return new ArrayFile(path, shape, values);
        }
        catch (InvalidDataException e)
        {
            throw new EspalierException($"'{path}' is no idx file that can be read: its gzip packing is damaged ({e.Message}).", e);
        }
    }

    private static void Fill(Stream stream, Span<byte> into, string path)
    {
        if (stream.ReadAtLeast(into, into.Length, throwOnEndOfStream: false) < into.Length) throw Bad(path, "it is cut short");
    }

    private static EspalierException Bad(string path, string why) => new($"'{path}' is no idx file that can be read: {why}.");
}
