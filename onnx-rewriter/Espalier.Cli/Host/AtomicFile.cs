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

    /// <summary>
    /// Writes a text unless the file has it already, and in either case gives it the present time: build tools compare times.
    /// </summary>
    public static void WriteIfDifferent(string path, string text)
    {
        if (File.Exists(path) && File.ReadAllText(path) == text) File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
        else WriteAllText(path, text);
    }
}
