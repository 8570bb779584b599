namespace Espalier.TestKit;

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
