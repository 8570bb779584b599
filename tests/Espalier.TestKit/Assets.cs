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

/// <summary>Real models outside the repository: never committed; tests of them are skipped where there are none.</summary>
internal static class Models
{
    /// <summary>
    /// The folder: the environment variable ESPALIER_MODELS, else <c>../shared/models</c> beside the repository; null where neither exists.
    /// </summary>
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

    /// <summary>
    /// File names of all models, for theories; one empty name where there are none, so that <see cref="Path"/> can skip the test.
    /// </summary>
    /// <param name="slow">With those that take seconds for a single run: large networks of images, like others here.</param>
    public static IReadOnlyList<string> Names(bool slow = true)
    {
        string[] found = Folder is { } folder
            ? [.. Directory.EnumerateFiles(folder, "*.onnx").Select(path => System.IO.Path.GetFileName(path))
                .Where(name => slow || !IsSlow(name)).Order(StringComparer.Ordinal)]
            : [];
        return found.Length > 0 ? found : [""];
    }

    /// <summary>Path of a model of <see cref="Names"/>. Without models the test that asks is skipped, and says so.</summary>
    /// <param name="name">File name; empty where there are no models.</param>
    public static string Path(string name)
    {
        Assert.SkipWhen(name.Length == 0,
            "No real models: put ONNX files into ../shared/models beside the repository, or name a folder of them in ESPALIER_MODELS.");
        return System.IO.Path.Combine(Folder!, name);
    }

    private static bool IsSlow(string name) => name.StartsWith("light_", StringComparison.Ordinal) && name != "light_shufflenet.onnx";
}
