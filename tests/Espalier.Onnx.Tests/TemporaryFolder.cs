namespace Espalier.Onnx.Tests;

/// <summary>A folder that is deleted when the test ends.</summary>
public sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("espalier-").FullName;

    public static string operator /(TemporaryFolder folder, string name) => System.IO.Path.Combine(folder.Path, name);

    /// <summary>Names of the files in it, hidden ones too.</summary>
    public string[] Files()
        => [.. Directory.EnumerateFiles(Path, "*", new EnumerationOptions { AttributesToSkip = 0 })
            .Select(f => System.IO.Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
