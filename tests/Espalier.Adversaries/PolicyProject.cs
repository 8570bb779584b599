using Espalier.TestKit;

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
        app.Model(channels: 12).Project("""<OnnxModel Include="models/*.onnx" />""", properties: properties + "<Deterministic>true</Deterministic>")
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
        => new[] { ("obj", app.Made("")), ("bin", app.Output("espalier")) }.Where(f => Directory.Exists(f.Item2))
            .SelectMany(f => Directory.EnumerateFiles(f.Item2, "*", new EnumerationOptions { AttributesToSkip = 0, RecurseSubdirectories = true })
                .Select(path => (Name: f.Item1 + "/" + Path.GetRelativePath(f.Item2, path).Replace('\\', '/'), Path: path)))
            .Where(f => !Bookkeeping.Contains(Path.GetFileName(f.Path)) && !f.Name.EndsWith(".request", StringComparison.Ordinal) && !f.Name.EndsWith(".stamp", StringComparison.Ordinal))
            .ToDictionary(f => f.Name, f => File.ReadAllBytes(f.Path), StringComparer.Ordinal);
}
