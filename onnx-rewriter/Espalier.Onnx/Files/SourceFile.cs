using System.IO.MemoryMappedFiles;
using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;

namespace Espalier.Onnx.Files;

/// <summary>
/// An open file. Its structure is walked through a map, which is closed again: a page of a map is never a copy, and only
/// touched pages come in. Weights are read in parts where they are wanted: mapped pages would count as memory of the process,
/// as much of them as it has read, and a file truncated by another would end it.
/// </summary>
internal sealed class SourceFile(FileStream stream) : IDisposable
{
    public long Length { get; } = stream.Length;

    /// <summary>Opens a file so that others may read, rename and delete it.</summary>
    public static FileStream OpenStream(string path)
        => new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);

    /// <exception cref="ObjectDisposedException">The model that opened the file is disposed.</exception>
    /// <exception cref="IOException">The file has become shorter.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var count = RandomAccess.Read(stream.SafeFileHandle, destination, offset);
            if (count == 0)
            {
                throw new IOException($"{stream.Name} has become shorter while it was open.");
            }
            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>Calls <paramref name="use"/> with the whole file, which is below 2 GiB and not empty.</summary>
    public unsafe void WithSpan(SpanWriter use)
    {
        using var map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None,
            leaveOpen: true);
        using var view = map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        try
        {
            use(new ReadOnlySpan<byte>(pointer + view.PointerOffset, checked((int)Length)));
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    public void Dispose() => stream.Dispose();
}

/// <summary>A part of an open file.</summary>
internal sealed class FileSource(SourceFile file, long offset, long length) : ByteSource
{
    public override long Length => length;

    /// <summary>File and place: equal for tensors that share their elements.</summary>
    public (SourceFile File, long Offset, long Length) Key => (file, offset, length);

    public override void Read(long at, Span<byte> destination)
    {
        if (at < 0 || at > length - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(at));
        }
        file.Read(offset + at, destination);
    }
}
