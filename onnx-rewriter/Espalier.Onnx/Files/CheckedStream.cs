using Espalier.Onnx.Payloads;

namespace Espalier.Onnx.Files;

/// <summary>Where a model is written to: counts, and stops when it is told to.</summary>
internal sealed class CheckedStream(Stream inner, CancellationToken ct) : Stream
{
    private long _written;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _written;
    public override long Position { get => _written; set => throw new NotSupportedException(); }

    /// <summary>Writes a payload, and sees that it has the length it announced: enclosing lengths are written already.</summary>
    public void WritePayload(IPayload payload)
    {
        var (announced, start) = (payload.Length, _written);
        payload.CopyTo(this);
        if (_written - start != announced)
        {
            throw new InvalidOperationException($"A payload announced {announced} bytes and wrote {_written - start}.");
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ct.ThrowIfCancellationRequested();
        inner.Write(buffer);
        _written += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() => inner.Flush();
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
