namespace Espalier.Adversaries;

/// <summary>A small project with a policy, and what its build makes.</summary>
internal static class PolicyProject
{
    /// <summary>The slim model among <see cref="Files"/>.</summary>
    public const string Model = "obj/App.SlimTiny.onnx";

    /// <summary>What says only when something was built, and with what.</summary>
    private static readonly string[] Bookkeeping = ["build.stamp", "build.request", "build.lock", "outputs.txt"];

    /// <summary>Writes project, model and a first policy.</summary>
    public static Workspace Write(Workspace app, string properties = "<OutputType>Library</OutputType>")
    {
        app.Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""", properties: properties)
            .Write("Class.cs", "namespace App; public static class Other { }");
        return Policy(app, "0.5");
    }

    /// <summary>Writes the policy.</summary>
    public static Workspace Policy(Workspace app, string keep) => app.Write("Policy.cs", $$"""
        using Espalier;

        namespace App;

        [PruningPolicy("models/tiny.onnx")]
        public static partial class SlimTiny
        {
            [Prune(Axis.Channels, "*", Keep = {{keep}}, RoundTo = 1)]
            public static partial Rule Channels { get; }
        }
        """);

    /// <summary>Manifests, slim models, reports and diffs, in obj and in bin, by name.</summary>
    public static Dictionary<string, byte[]> Files(Workspace app)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var all = new EnumerationOptions { AttributesToSkip = 0, RecurseSubdirectories = true };
        foreach (var (root, folder) in new[]
            { ("obj", app.Made("")), ("bin", app.Output("espalier")) }.Where(f => Directory.Exists(f.Item2)))
            foreach (string path in Directory.EnumerateFiles(folder, "*", all))
                if (!Bookkeeping.Contains(Path.GetFileName(path)) && Path.GetExtension(path) is not (".request" or ".stamp"))
                    files[root + "/" + Path.GetRelativePath(folder, path).Replace('\\', '/')] = File.ReadAllBytes(path);
        return files;
    }

    /// <summary>A file that one has and the other has not, or has otherwise; null where both are the same.</summary>
    public static string? Difference(Dictionary<string, byte[]> wanted, Dictionary<string, byte[]> there)
        => wanted.Keys.Union(there.Keys).FirstOrDefault(n => !wanted.TryGetValue(n, out byte[]? want)
            || !there.TryGetValue(n, out byte[]? found) || !found.AsSpan().SequenceEqual(want));
}
