using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Calibration.Arrays;

/// <summary>
/// NumPy's array files, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html: versions 1 to 3, little-endian
/// float32, float64, int32, int64 and uint8 in C order.
/// </summary>
internal static partial class Npy
{
    private const int MostHeader = 1 << 20;
    private const long MostElements = 1L << 30;

    /// <summary>Larger arrays stay in their files.</summary>
    private const long MostHeld = 1 << 26;

    /// <summary>Reads an <c>.npy</c> file.</summary>
    /// <exception cref="EspalierException">It is malformed or of another type.</exception>
    public static ArrayFile Read(string path)
    {
        using var stream = File.OpenRead(path);
        return Read(stream, path);
    }

    /// <summary>Reads the arrays of an <c>.npz</c> file by name.</summary>
    /// <exception cref="EspalierException">An array is malformed or of another type.</exception>
    public static IReadOnlyDictionary<string, ArrayFile> ReadArchive(string path)
    {
        var arrays = new Dictionary<string, ArrayFile>(StringComparer.Ordinal);
        using var archive = ZipFile.OpenRead(path);
        foreach (var entry in archive.Entries)
        {
            if (!entry.FullName.EndsWith(".npy", StringComparison.Ordinal)) continue;
            using var stream = entry.Open();
            arrays[entry.FullName[..^4]] = Read(stream, $"{path}:{entry.FullName}");
        }
        return arrays;
    }

    private static ArrayFile Read(Stream stream, string path)
    {
        Span<byte> start = stackalloc byte[8];
        Fill(stream, start, path);
        if (start[0] != 0x93 || !start[1..6].SequenceEqual("NUMPY"u8)) throw Bad(path, "it does not start as a NumPy array does");
        if (start[6] is < 1 or > 3) throw Bad(path, $"its format version {start[6]} is unknown");
        Span<byte> size = stackalloc byte[start[6] == 1 ? 2 : 4];
        Fill(stream, size, path);
        long length = start[6] == 1 ? BitConverter.ToUInt16(size) : BitConverter.ToUInt32(size);
        if (length > MostHeader) throw Bad(path, $"its header claims {length} bytes");
        var header = new byte[length];
        Fill(stream, header, path);
        string text = Encoding.UTF8.GetString(header);

        string type = DescrPattern().Match(text) is { Success: true } d
            ? d.Groups[1].Value
            : throw Bad(path, "its header names no element type");
        if (OrderPattern().Match(text) is not { Success: true } order) throw Bad(path, "its header names no order");
        if (ShapePattern().Match(text) is not { Success: true } s) throw Bad(path, "its header names no shape");
        var parts = s.Groups[1].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var shape = new long[parts.Length];
        long count = 1;
        for (int i = 0; i < parts.Length; i++)
        {
            if (!long.TryParse(parts[i].TrimEnd('L'), NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
                throw Bad(path, $"its shape ({s.Groups[1].Value}) is malformed");
            if (shape[i] > MostElements || (count *= shape[i]) > MostElements)
                throw Bad(path, $"its shape ({s.Groups[1].Value}) is too large");
        }
        if (order.Groups[1].Value == "True" && shape.Count(n => n > 1) > 1)
            throw Bad(path, "it is in Fortran order; save it with numpy.ascontiguousarray");
        ArraySource source = type switch
        {
            "<f4" => Elements<float>(stream, count, path),
            "<f8" => Elements<double>(stream, count, path),
            "<i4" => Elements<int>(stream, count, path),
            "<i8" => Elements<long>(stream, count, path),
            "|u1" or "<u1" => Elements<byte>(stream, count, path),
            "|b1" => Elements<byte>(stream, count, path),
            _ => throw Bad(path, $"its elements are of type '{type}'; float32, float64, int32, int64, uint8 and bool are read"),
        };
        if (stream.ReadByte() >= 0) throw Bad(path, $"it has more than the {count} elements of its shape");
        return new ArrayFile(path, shape, source);
    }

    private static ArraySource Elements<T>(Stream stream, long count, string path) where T : unmanaged
    {
        if (stream is FileStream file && count * Marshal.SizeOf<T>() is > MostHeld and var bytes)
        {
            long start = file.Position;
            if (file.Length - start < bytes) throw Bad(path, "it is cut short");
            file.Position += bytes;
            return new FileElements<T>(path, start, count);
        }
        // Grown while reading: a header that claims more than the file has costs no memory.
        const int Step = 1 << 20;
        var values = new T[Math.Min(count, Step)];
        long done = 0;
        while (true)
        {
            Fill(stream, MemoryMarshal.AsBytes(values.AsSpan((int)done)), path);
            done = values.LongLength;
            if (done == count) return ArraySource.Of(values);
            Array.Resize(ref values, (int)Math.Min(count, done * 2));
        }
    }

    private static void Fill(Stream stream, Span<byte> into, string path)
    {
        if (stream.ReadAtLeast(into, into.Length, throwOnEndOfStream: false) < into.Length) throw Bad(path, "it is cut short");
    }

    private static EspalierException Bad(string path, string why) => new($"'{path}' is no array that can be read: {why}.");

    [GeneratedRegex("""['"]descr['"]\s*:\s*['"]([^'"]+)['"]""")]
    private static partial Regex DescrPattern();

    [GeneratedRegex("""['"]fortran_order['"]\s*:\s*(True|False)""")]
    private static partial Regex OrderPattern();

    [GeneratedRegex("""['"]shape['"]\s*:\s*\(([^)]*)\)""")]
    private static partial Regex ShapePattern();
}
