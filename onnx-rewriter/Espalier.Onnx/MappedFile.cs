using System.IO.MemoryMappedFiles;

namespace Espalier.Onnx;

/// <summary>
/// A file as memory. Pages come in when they are read and go again when memory is short, so that the weights of a model take none of it for good.
/// The file must not be truncated while it is open (replacing it by a rename is safe): the operating system ends a process that reads
/// a page which is no longer there.
/// </summary>
internal sealed class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;

    /// <param name="stream">The open file, not empty; it is closed with the map.</param>
    public MappedFile(FileStream stream)
    {
        Length = stream.Length;
        _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
    }

    public long Length { get; }

    /// <summary>Opens a file so that others may read, rename and delete it.</summary>
    public static FileStream OpenStream(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);

    /// <exception cref="ObjectDisposedException">The model that opened the file is disposed.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        if (offset < 0 || offset > Length - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(offset));
        }
        _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)(_view.PointerOffset + offset), destination);
    }

    /// <summary>Calls <paramref name="use"/> with the whole file, which is below 2 GiB.</summary>
    public unsafe void WithSpan(SpanWriter use)
    {
        byte* pointer = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        try
        {
            use(new ReadOnlySpan<byte>(pointer + _view.PointerOffset, checked((int)Length)));
        }
        finally
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
    }
}

/// <summary>A part of a mapped file.</summary>
internal sealed class MappedSource(MappedFile file, long offset, long length) : ByteSource
{
    public override long Length => length;

    /// <summary>File and place: equal for tensors that share their elements.</summary>
    public (MappedFile File, long Offset, long Length) Key => (file, offset, length);

    public override void Read(long at, Span<byte> destination)
    {
        if (at < 0 || at > length - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(at));
        }
        file.Read(offset + at, destination);
    }
}
