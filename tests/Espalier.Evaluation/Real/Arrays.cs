using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace Espalier.Evaluation.Real;

/// <summary>Writes NumPy's files, one sample after the other, so that no more than one is held.</summary>
internal static class Arrays
{
    /// <summary>An <c>.npy</c> of float32.</summary>
    public static void Write(string path, long[] shape, IEnumerable<float[]> samples) => Whole.Write(path, stream =>
    {
        Header(stream, "<f4", shape);
        foreach (float[] sample in samples) stream.Write(MemoryMarshal.AsBytes<float>(sample));
    });

    /// <summary>An <c>.npz</c> of arrays of int64, all of one shape.</summary>
    public static void Write(string path, long[] shape, IReadOnlyDictionary<string, long[]> arrays) => Whole.Write(path, stream =>
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Create);
        foreach (var (name, values) in arrays)
        {
            var entry = archive.CreateEntry(name + ".npy", CompressionLevel.Fastest);
            // The same bytes whenever it is written.
            entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
            using var into = entry.Open();
            Header(into, "<i8", shape);
            into.Write(MemoryMarshal.AsBytes<long>(values));
        }
    });

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
