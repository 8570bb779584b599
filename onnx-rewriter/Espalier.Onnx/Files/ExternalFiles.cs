using System.Globalization;
using Espalier.Onnx.Limits;
using Espalier.Onnx.Payloads;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Files;

/// <summary>
/// Files beside a model that hold elements of its tensors. A model says which file, and is not trusted: only plain files with one name,
/// in the model's directory or below it, reached without links, are opened.
/// </summary>
internal sealed class ExternalFiles(string modelPath, OnnxLimits limits) : IDisposable
{
    private static readonly string[] Keys = ["location", "offset", "length", "checksum", "basepath"];

    private readonly string _directory = Path.GetDirectoryName(Path.GetFullPath(modelPath))!;
    private readonly Dictionary<string, SourceFile> _files = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private bool _disposed;

    /// <summary>Bytes of all files that were opened, each once.</summary>
    public long Length
    {
        get
        {
            lock (_lock)
            {
                return _files.Values.Sum(f => f.Length);
            }
        }
    }

    public static bool IsExternal(TensorProto tensor) => tensor.DataLocation == DataLocation.External;

    /// <summary>The elements of a tensor that is stored in another file.</summary>
    /// <exception cref="OnnxFormatException">The file is not one that the model may name, or has not the bytes that the tensor
    /// needs.</exception>
    public ByteSource Open(TensorProto tensor)
    {
        var (location, offset, length) = Entries(tensor);
        var type = (DataType)tensor.DataType;
        if (DataTypes.Bits(type) == 0)
        {
            throw Bad(tensor, $"has elements of type {type} in another file");
        }
        var needed = DataTypes.Bytes(type, GatherSource.Product(tensor.Dims, 0));
        if (length is { } declared && declared != needed)
        {
            throw Bad(tensor, $"needs {needed} bytes of '{location}' and names {declared}");
        }
        if (needed == 0)
        {
            return new MemorySource(ReadOnlyMemory<byte>.Empty);
        }
        var file = Map(tensor, location);
        return needed <= file.Length && offset <= file.Length - needed
            ? new FileSource(file, offset, needed)
            : throw Bad(tensor, $"names bytes {offset} to {(UInt128)offset + (UInt128)needed} of '{location}', which has {file.Length}");
    }

    private (string Location, long Offset, long? Length) Entries(TensorProto tensor)
    {
        var seen = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in tensor.ExternalData)
        {
            if (!Keys.Contains(entry.Key) || !seen.TryAdd(entry.Key, entry.Value))
            {
                throw Bad(tensor, $"has the entry '{entry.Key}' for its other file, which is unknown or there twice");
            }
        }
        long? Number(string key) => !seen.TryGetValue(key, out var text) ? null
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw Bad(tensor, $"has the {key} '{text}' in its other file");
        return (seen.GetValueOrDefault("location", ""), Number("offset") ?? 0, Number("length"));
    }

    private SourceFile Map(TensorProto tensor, string location)
    {
        lock (_lock)
        {
            // What the caller disposed is the model.
            if (_disposed) throw new ObjectDisposedException("Espalier.Onnx.OnnxModel");
            if (_files.TryGetValue(location, out var file))
            {
                return file;
            }
            if (_files.Count >= limits.ExternalFiles)
            {
                throw Bad(tensor, $"is in one of more than {limits.ExternalFiles} files");
            }
            file = Map(tensor, location, Resolve(tensor, location));
            _files.Add(location, file);
            return file;
        }
    }

    /// <summary>The path of the file. Every part of it below the model's directory is looked at: none may be a link.</summary>
    private string Resolve(TensorProto tensor, string location)
    {
        var parts = location.Split('/', '\\');
        if (location.Length == 0 || location.Contains('\0') || Path.IsPathRooted(location) || parts[0].Length == 0
            || parts.Contains("..") || (OperatingSystem.IsWindows() && location.Contains(':')))
        {
            throw Outside(tensor, location);
        }
        // On Windows both separators separate; elsewhere a backslash is part of a name.
        var path = _directory;
        foreach (var part in OperatingSystem.IsWindows() ? parts : location.Split('/'))
        {
            path = Path.Combine(path, part);
            RefuseLink(tensor, location, path);
        }
        var full = Path.GetFullPath(path);
        var root = Path.EndsInDirectorySeparator(_directory) ? _directory : _directory + Path.DirectorySeparatorChar;
        return full.StartsWith(root, StringComparison.Ordinal) ? full : throw Outside(tensor, location);
    }

    private void RefuseLink(TensorProto tensor, string location, string path)
    {
        FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        if (info.LinkTarget is not null || (info.Exists && info.Attributes.HasFlag(FileAttributes.ReparsePoint)))
        {
            throw Bad(tensor, $"is in '{location}', which is a link");
        }
    }

    private SourceFile Map(TensorProto tensor, string location, string path)
    {
        try
        {
            // A pipe or a device has no length; it is not even opened, which could wait for ever.
            if (new FileInfo(path) is not { Exists: true, Length: > 0 })
            {
                throw Bad(tensor, $"is in '{location}', which is not there or empty");
            }
            var stream = SourceFile.OpenStream(path);
            // Looked at again now that it is open: what it was before may have been exchanged.
            if (FileLinks.Count(stream.SafeFileHandle) is not 1)
            {
                stream.Dispose();
                throw Bad(tensor, $"is in '{location}', which has other names too (hard links)");
            }
            if (stream.Length > limits.ExternalFileSize || stream.Length == 0)
            {
                var length = stream.Length;
                stream.Dispose();
                throw Bad(tensor, $"is in '{location}', which has {length} bytes; the limit is {limits.ExternalFileSize}");
            }
            RefuseLink(tensor, location, path);
            return new(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OnnxFormatException($"tensor '{tensor.Name}' is in '{location}', which cannot be opened: {e.Message}",
                "Put the external data file beside the model.", modelPath, inner: e);
        }
    }

    private OnnxFormatException Outside(TensorProto tensor, string location)
        => Bad(tensor, $"names '{location}', which is not a file inside the model's directory");

    private OnnxFormatException Bad(TensorProto tensor, string what)
        => new($"tensor '{tensor.Name}' {what}",
            "External data must be plain files in the model's directory, as the exporter wrote them.", modelPath);

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var file in _files.Values)
            {
                file.Dispose();
            }
            _files.Clear();
        }
    }
}
