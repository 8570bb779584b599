using Espalier.Onnx.Files;

namespace Espalier.Cli.Host;

/// <summary>Files that appear whole or not at all.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a text as UTF-8 without a byte order mark.</summary>
    public static void WriteAllText(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var output = new OutputFiles();
        output.Add(path, text);
        output.Commit();
    }

    /// <summary>Copies a file with its time, unless the copy is there already, by length and time.</summary>
    public static void CopyIfDifferent(string from, string to)
    {
        var (source, target) = (new FileInfo(from), new FileInfo(to));
        if (target.Exists && target.Length == source.Length && target.LastWriteTimeUtc == source.LastWriteTimeUtc) return;
        Directory.CreateDirectory(target.DirectoryName!);
        using var output = new OutputFiles();
        using (var copy = output.Create(to))
        {
            using (var content = source.OpenRead()) content.CopyTo(copy);
            copy.Flush();
            File.SetLastWriteTimeUtc(copy.SafeFileHandle, source.LastWriteTimeUtc);
        }
        output.Commit();
    }

    /// <summary>
    /// Writes a text unless the file has it already, and in either case gives it the present time: build tools compare times.
    /// </summary>
    public static void WriteIfDifferent(string path, string text)
    {
        if (File.Exists(path) && File.ReadAllText(path) == text) File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        else WriteAllText(path, text);
    }
}
