using System.Runtime.InteropServices;
using Espalier.Onnx.Payloads;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Wire;

/// <summary>Elements that a tensor message holds itself, as <c>raw_data</c> would hold them.</summary>
internal static class TypedFields
{
    /// <summary>The bytes of the elements, whichever field has them; empty when none has.</summary>
    public static ByteSource Raw(TensorProto tensor, DataType type)
    {
        if (tensor.HasRawData)
        {
            return new MemorySource(tensor.RawData.Memory);
        }
        var width = DataTypes.EntryBytes(type);
        return new MemorySource(DataTypes.Field(type) switch
        {
            DataField.Float => MemoryMarshal.AsBytes<float>(tensor.FloatData.ToArray()).ToArray(),
            DataField.Double => MemoryMarshal.AsBytes<double>(tensor.DoubleData.ToArray()).ToArray(),
            DataField.Int32 => Narrow(tensor.Int32Data, width, v => v),
            DataField.Int64 => Narrow(tensor.Int64Data, width, v => v),
            DataField.UInt64 => Narrow(tensor.Uint64Data, width, v => (long)v),
            _ => [],
        });
    }

    private static byte[] Narrow<T>(IList<T> entries, int width, Func<T, long> widen)
    {
        var bytes = new byte[checked(entries.Count * width)];
        Span<byte> buffer = stackalloc byte[8];
        for (var i = 0; i < entries.Count; i++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(buffer, widen(entries[i]));
            buffer[..width].CopyTo(bytes.AsSpan(i * width));
        }
        return bytes;
    }
}
