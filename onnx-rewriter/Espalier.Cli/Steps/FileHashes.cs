using System.Security.Cryptography;

namespace Espalier.Cli.Steps;

/// <summary>SHA-256 of files, each read once: a policy's pin, the stamp and kept results all ask for that of a large model.</summary>
internal sealed class FileHashes(Func<string, FileStream> open)
{
    private readonly Dictionary<string, byte[]> _known = new(StringComparer.Ordinal);

    /// <summary>The 32 bytes of one file, as it was when it was asked for first.</summary>
    public byte[] Of(string path)
    {
        string full = Path.GetFullPath(path);
        if (_known.TryGetValue(full, out byte[]? known)) return known;
        using var stream = open(full);
        return _known[full] = SHA256.HashData(stream);
    }
}
