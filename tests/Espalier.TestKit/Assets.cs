using System.Reflection;

namespace Espalier.TestKit;

/// <summary>The trained networks and their data in the repository.</summary>
public static class Assets
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
        return Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "Espalier.RepositoryRoot")?.Value
            ?? throw new DirectoryNotFoundException($"No folder above {AppContext.BaseDirectory} holds Compiler.sln.");
    }
}

/// <summary>Real models outside the repository: never committed; what uses them says so when it skips.</summary>
public static class Models
{
    /// <summary>The folder: the environment variable ESPALIER_MODELS, else <c>../shared/models</c> beside the repository; null where neither exists.</summary>
    public static string? Folder
    {
        get
        {
            var named = Environment.GetEnvironmentVariable("ESPALIER_MODELS");
            if (!string.IsNullOrEmpty(named)) return Directory.Exists(named) ? named : null;
            // A work tree may lie deeper than the repository it belongs to.
            for (var parent = Directory.GetParent(Assets.Root); parent is not null; parent = parent.Parent)
            {
                var beside = System.IO.Path.Combine(parent.FullName, "shared", "models");
                if (Directory.Exists(beside)) return beside;
            }
            return null;
        }
    }

    /// <summary>Paths of all models, by name; empty, with a note on <paramref name="say"/>, where there is no such folder.</summary>
    public static IReadOnlyList<string> All(Action<string> say)
    {
        if (Folder is { } folder) return [.. Directory.EnumerateFiles(folder, "*.onnx").Order(StringComparer.Ordinal)];
        say("SKIPPED: no real models. Put ONNX files into ../shared/models beside the repository, or name a folder in ESPALIER_MODELS.");
        return [];
    }
}
