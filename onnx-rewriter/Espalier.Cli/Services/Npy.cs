using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Cli.Services;

/// <summary>Reads NumPy's array files (NEP 1: magic, version, a header that is a Python literal, then the elements).</summary>
internal static partial class Npy
{
    private const int MostAxes = 32;

    /// <summary>Reads one array.</summary>
    /// <param name="name">Name of the tensor that it becomes.</param>
    /// <param name="data">The whole file.</param>
    /// <param name="where">The file, for messages.</param>
    /// <exception cref="MalformedFileException">It is no such file, or its elements have a type that no model takes.</exception>
    public static NamedTensor Read(string name, ReadOnlySpan<byte> data, string where)
    {
        MalformedFileException Bad(string what) => new($"{where}: {what}. Write it with numpy.save.");
        if (data.Length < 12 || !data[..6].SequenceEqual(Magic)) throw Bad("it is no .npy file");
        var major = data[6];
        var (start, length) = major == 1 ? (10, BinaryPrimitives.ReadUInt16LittleEndian(data[8..])) : (12, BinaryPrimitives.ReadUInt32LittleEndian(data[8..]));
        if (start + length > (uint)data.Length) throw Bad("its header is cut off");
        var header = Encoding.Latin1.GetString(data.Slice(start, (int)length));
        var match = Header().Match(header);
        if (!match.Success) throw Bad("its header cannot be read");
        if (match.Groups["order"].Value == "True") throw Bad("its elements are in Fortran order; use numpy.ascontiguousarray");

        var shape = new List<long>();
        long count = 1;
        foreach (var size in match.Groups["shape"].Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (shape.Count == MostAxes || !long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var value)) throw Bad("its shape cannot be read");
            shape.Add(value);
            count = checked(count * value);
        }
        var body = data[(start + (int)length)..];
        return match.Groups["type"].Value switch
        {
            "<f4" => Tensor<float>(body, "float32"),
            "<f8" => Tensor<double>(body, "float64"),
            "<f2" => Tensor<Half>(body, "float16"),
            "|i1" => Tensor<sbyte>(body, "int8"),
            "|u1" => Tensor<byte>(body, "uint8"),
            "<i2" => Tensor<short>(body, "int16"),
            "<u2" => Tensor<ushort>(body, "uint16"),
            "<i4" => Tensor<int>(body, "int32"),
            "<u4" => Tensor<uint>(body, "uint32"),
            "<i8" => Tensor<long>(body, "int64"),
            "<u8" => Tensor<ulong>(body, "uint64"),
            "|b1" => Tensor<bool>(body, "bool"),
            var type => throw Bad($"elements of type '{type}' are no input of a model"),
        };

        NamedTensor Tensor<T>(ReadOnlySpan<byte> bytes, string type) where T : unmanaged
        {
            var elements = MemoryMarshal.Cast<byte, T>(bytes);
            if (elements.Length < count) throw Bad(FormattableString.Invariant($"it has {elements.Length} elements and its shape needs {count}"));
            return new NamedTensor(name, type, shape, elements[..(int)count].ToArray());
        }
    }

    private static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    [GeneratedRegex(@"'descr':\s*'(?<type>[^']*)'.*'fortran_order':\s*(?<order>True|False).*'shape':\s*\((?<shape>[^)]*)\)", RegexOptions.Singleline)]
    private static partial Regex Header();
}
