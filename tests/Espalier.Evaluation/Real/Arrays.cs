using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Evaluation.Real;

/// <summary>Writes NumPy's files, one part after the other, so that no more than one is held.</summary>
internal static class Arrays
{
    /// <summary>An array: parts of float32 or int64 that follow each other.</summary>
    internal sealed record Parted(string Name, long[] Shape, IEnumerable<Array> Parts);

    /// <summary>An <c>.npy</c>.</summary>
    public static void Write(string path, long[] shape, IEnumerable<float[]> parts)
        => Whole.Write(path, stream => Write(stream, new("", shape, parts)));

    /// <summary>An <c>.npz</c>.</summary>
    public static void WriteArchive(string path, IEnumerable<Parted> arrays) => Whole.Write(path, stream =>
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Create);
        foreach (var array in arrays)
        {
            var entry = archive.CreateEntry(array.Name + ".npy", CompressionLevel.Fastest);
            // The same bytes whenever it is written.
            entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
            using var into = entry.Open();
            Write(into, array);
        }
    });

    /// <summary>Samples of one shape as an <c>.npz</c> with an axis of samples before those of each input.</summary>
    public static void WriteSamples(string path, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
        => WriteArchive(path, samples[0].Values
            .Select(t => new Parted(t.Name, [samples.Count, .. t.Shape], samples.Select(s => s[t.Name].Values))));

    private static void Write(Stream stream, Parted array)
    {
        bool begun = false;
        foreach (var part in array.Parts)
        {
            var (type, bytes) = part switch
            {
                long[] whole => ("<i8", MemoryMarshal.AsBytes<long>(whole).ToArray()),
                _ => ("<f4", MemoryMarshal.AsBytes<float>((float[])part).ToArray()),
            };
            if (!begun) Header(stream, type, array.Shape);
            begun = true;
            stream.Write(bytes);
        }
    }

    private static void Header(Stream stream, string type, long[] shape)
    {
        string sizes = string.Concat(shape.Select(n => FormattableString.Invariant($"{n}, ")));
        string text = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({sizes}), }}";
        // Magic, version and length are 10 bytes; the elements begin at a multiple of 64.
        int length = ((10 + text.Length + 1 + 63) / 64 * 64) - 10;
        stream.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)length, (byte)(length >> 8)]);
        stream.Write(Encoding.ASCII.GetBytes(text.PadRight(length - 1) + "\n"));
    }
}
