using System.Reflection;

namespace Espalier.Evaluation.Real;

/// <summary>Where the real networks and their data lie. None of them is part of the repository.</summary>
/// <param name="Root">The repository.</param>
/// <param name="Packages">NuGet's folder of packages.</param>
/// <param name="Cache">What is extracted, unpacked or made of it; git ignores it.</param>
/// <param name="Models">Further models; null without.</param>
internal sealed record Places(string Root, string Packages, string Cache, string? Models)
{
    /// <summary>The default places; the variable ESPALIER_CACHE names another folder for what is made.</summary>
    public static Places Default(string? cache = null)
    {
        string Said(string key) => Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(a => a.Key == key).Value!;
        string root = Said("Espalier.RepositoryRoot");
        cache ??= Variable("ESPALIER_CACHE") ?? Path.Combine(root, "artifacts", "evaluation");
        return new(root, Said("Espalier.Packages"), Path.GetFullPath(cache), FindModels(root));
    }

    /// <summary>A file below the cache, whose folder exists.</summary>
    public string Made(params string[] parts)
    {
        string path = Path.Combine([Cache, .. parts]);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    private static string? FindModels(string root)
    {
        if (Variable("ESPALIER_MODELS") is { } named) return Directory.Exists(named) ? named : null;
        // A work tree may lie deeper than the repository it belongs to.
        for (var parent = Directory.GetParent(root.TrimEnd('/', '\\')); parent is not null; parent = parent.Parent)
            if (Path.Combine(parent.FullName, "shared", "models") is var beside && Directory.Exists(beside)) return beside;
        return null;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
