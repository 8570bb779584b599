using System.Reflection;

namespace Espalier.TestKit;

/// <summary>The trained networks and their data in the repository.</summary>
internal static class Assets
{
    private static readonly Lazy<string> FoundRoot = new(FindRoot);

    /// <summary>Root of the repository.</summary>
    public static string Root => FoundRoot.Value;

    /// <summary>Path of a file of tests/assets or examples/models.</summary>
    /// <param name="name">File name, such as <c>resnet.onnx</c>.</param>
    /// <exception cref="FileNotFoundException">Neither folder has it.</exception>
    public static string Path(string name)
    {
        foreach (var folder in (string[])["tests/assets", "examples/models"])
        {
            var path = System.IO.Path.Combine(Root, folder, name);
            if (File.Exists(path)) return path;
        }
        throw new FileNotFoundException($"Neither tests/assets nor examples/models has {name}.");
    }

    /// <summary>Every network of the repository, by file name.</summary>
    public static IReadOnlyList<string> Networks() => [.. ((string[])["tests/assets", "examples/models"])
        .SelectMany(folder => Directory.EnumerateFiles(System.IO.Path.Combine(Root, folder), "*.onnx"))
        .Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Compiler.sln"))) return folder.FullName;
        return Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => a.Key == "Espalier.RepositoryRoot")?.Value
            ?? throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Compiler.sln.");
    }
}
