namespace Espalier.Evaluation.Real;

/// <summary>Files that are there whole or not at all: what was interrupted is made again.</summary>
internal static class Whole
{
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        string partial = Partial(path);
        File.WriteAllBytes(partial, bytes);
        File.Move(partial, path, overwrite: true);
    }

    public static void Write(string path, Action<Stream> write)
    {
        string partial = Partial(path);
        using (var stream = File.Create(partial)) write(stream);
        File.Move(partial, path, overwrite: true);
    }

    // Two runs at once must not write into one file.
    private static string Partial(string path) => FormattableString.Invariant($"{path}.{Environment.ProcessId}.partial");
}
