using System.Security.Cryptography;
using Espalier.Onnx.Files;

namespace Espalier.Calibration.Results;

/// <summary>
/// Results of steps, kept for the next time: a file each, named after what it depends on. A file appears whole or not at all; one that is
/// damaged counts as none. Beyond a bound on all of them those that were used last long ago go.
/// </summary>
/// <param name="path">The folder; made when there is something to keep.</param>
/// <param name="most">Most bytes of all files; one alone may have half of it.</param>
internal sealed class ResultFolder(string path, long most = 1L << 30)
{
    private const string Extension = ".result";

    private readonly List<string> _reused = [];

    /// <summary>What was found, in words: <c>statistics of 256 samples</c>.</summary>
    public IReadOnlyList<string> Reused => _reused;

    /// <summary>Says that a result was used.</summary>
    public void Note(string what) => _reused.Add(what);

    /// <summary>Reads a result; nothing where there is none, or what is there is damaged.</summary>
    /// <param name="name">Kind and hash of what it depends on.</param>
    public T? Read<T>(string name, Func<BinaryReader, T> read) where T : class
    {
        string file = FileOf(name);
        try
        {
            if (!File.Exists(file)) return null;
            using var stream = File.OpenRead(file);
            if (!IsWhole(stream)) return null;
            stream.Position = 0;
            using var reader = new BinaryReader(new BufferedStream(stream, 1 << 16));
            var result = read(reader);
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Keeps a result. That it cannot be kept is no error: it is made again then.</summary>
    /// <param name="bytes">About how many it has.</param>
    public void Write(string name, long bytes, Action<BinaryWriter> write)
    {
        if (bytes > most / 2) return;
        try
        {
            Directory.CreateDirectory(path);
            using var output = new OutputFiles();
            using (var file = output.Create(FileOf(name)))
            {
                using var hash = SHA256.Create();
                using (var hashed = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true))
                using (var writer = new BinaryWriter(new BufferedStream(hashed, 1 << 16))) write(writer);
                file.Write(hash.Hash!);
            }
            output.Commit();
            Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk, or a folder of somebody else's.
        }
    }

    private string FileOf(string name) => Path.Combine(path, name + Extension);

    private static bool IsWhole(FileStream stream)
    {
        long length = stream.Length - SHA256.HashSizeInBytes;
        if (length < 0) return false;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 16];
        for (long left = length; left > 0;)
        {
            int read = stream.Read(buffer, 0, (int)Math.Min(buffer.Length, left));
            if (read == 0) return false;
            hash.AppendData(buffer, 0, read);
            left -= read;
        }
        byte[] stated = new byte[SHA256.HashSizeInBytes];
        return stream.ReadAtLeast(stated, stated.Length, throwOnEndOfStream: false) == stated.Length
            && hash.GetHashAndReset().AsSpan().SequenceEqual(stated);
    }

    private void Trim()
    {
        var files = new DirectoryInfo(path).GetFiles("*" + Extension).OrderBy(f => f.LastWriteTimeUtc)
            .ThenBy(f => f.Name, StringComparer.Ordinal).ToList();
        long all = files.Sum(f => f.Length);
        foreach (var file in files.TakeWhile(_ => all > most))
        {
            all -= file.Length;
            OutputFiles.DeleteQuietly(file.FullName);
        }
    }
}
