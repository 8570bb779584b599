using System.Buffers;

namespace Espalier.Onnx.Payloads;

/// <summary>Bytes that are produced when a model is written.</summary>
internal interface IPayload
{
    long Length { get; }
    /// <summary>Writes all of them.</summary>
    void CopyTo(Stream destination);
}

/// <summary>A payload that can be read anywhere: what tensors are made of inside this library.</summary>
internal abstract class ByteSource : IPayload
{
    private const int Chunk = 128 * 1024;

    public abstract long Length { get; }

    /// <summary>
    /// Fills <paramref name="destination"/> with the bytes from <paramref name="offset"/> on; the range is inside the source.
    /// </summary>
    public abstract void Read(long offset, Span<byte> destination);

    public virtual void CopyTo(Stream destination)
    {
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(Length, 1, Chunk));
        try
        {
            for (long at = 0; at < Length;)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, Length - at));
                Read(at, part);
                destination.Write(part);
                at += part.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Length];
        Read(0, bytes);
        return bytes;
    }

    /// <summary>The payload itself, or its bytes in memory when it comes from a caller and can only be written.</summary>
    public static ByteSource From(IPayload payload)
    {
        if (payload is ByteSource source)
        {
            return source;
        }
        using var stream = new MemoryStream(checked((int)payload.Length));
        payload.CopyTo(stream);
        return stream.Length == payload.Length
            ? new MemorySource(stream.GetBuffer().AsMemory(0, (int)stream.Length))
            : throw new InvalidOperationException($"A payload announced {payload.Length} bytes and wrote {stream.Length}.");
    }
}

internal sealed class MemorySource(ReadOnlyMemory<byte> bytes) : ByteSource
{
    public override long Length => bytes.Length;

    public override void Read(long offset, Span<byte> destination)
        => bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);

    public override void CopyTo(Stream destination) => destination.Write(bytes.Span);
}

/// <summary>The elements of a string tensor: not bytes of <c>raw_data</c>, which the format forbids for strings.</summary>
internal sealed class StringSource(IReadOnlyList<Google.Protobuf.ByteString> values) : IPayload
{
    public IReadOnlyList<Google.Protobuf.ByteString> Values => values;

    public long Length => values.Sum(v => (long)v.Length);

    public void CopyTo(Stream destination)
    {
        foreach (var value in values)
        {
            value.WriteTo(destination);
        }
    }
}
