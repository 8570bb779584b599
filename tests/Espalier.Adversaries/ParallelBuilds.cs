namespace Espalier.Adversaries;

/// <summary>
/// Builds one solution several times at once, all into the same obj: a project with a policy, and two that reference it. What the SDK
/// compiles and copies has no place in this, so the compiled projects are there, and only what Espalier makes is made anew.
/// </summary>
internal sealed class ParallelBuilds
{
    private static readonly string[] Projects = ["Policies", "First", "Second"];

    private readonly Workspace _policy, _solution;
    private readonly Dictionary<string, byte[]> _whole;

    /// <summary>Restores and builds once.</summary>
    /// <param name="feed">The packages.</param>
    public ParallelBuilds(PackedFeed feed)
    {
        _solution = new Workspace(feed, "Together");
        _policy = PolicyProject.Write(new Workspace(feed, "Policies"));
        foreach (string name in Projects.Skip(1))
            new Workspace(feed, name).Project("""
                <ProjectReference Include="../Policies/Policies.csproj" />
                <OnnxModel Include="../Policies/models/tiny.onnx" Link="models/tiny.onnx" />
                """, properties: "<OutputType>Library</OutputType>")
                .Write("Class.cs",
                    $"namespace {name}; public static class Uses {{ public static string Model => App.SlimTiny.Plan.Policy; }}");
        _solution.Write("Together.slnx",
            $"<Solution>{string.Concat(Projects.Select(p => $"<Project Path=\"../{p}/{p}.csproj\" />"))}</Solution>");
        _solution.Build().Succeeds();
        _whole = Made();
        if (!_whole.ContainsKey(PolicyProject.Model)) throw new InvalidOperationException("the build made no slim model");
    }

    /// <summary>Builds at once.</summary>
    /// <param name="builds">How many.</param>
    /// <param name="whole">Whether the whole solution is built, each time into another bin, and not Espalier's targets alone.</param>
    /// <returns>What Espalier did wrong, and how many builds failed for something else.</returns>
    public (List<string> Wrong, List<string> Others) Run(int builds, bool whole)
    {
        foreach (string project in Projects)
            Directory.Delete(Path.Combine(_solution.Folder, "..", project, "obj", "Release", "net10.0", "espalier"), recursive: true);
        var runs = new DotnetText[builds];
        Parallel.For(0, builds, new ParallelOptions { MaxDegreeOfParallelism = builds }, k => runs[k] = whole
            ? _solution.Build("--no-restore", "-m:1", $"-p:BaseOutputPath=bin{k}/")
            : _solution.Run("msbuild", "-nologo", "-m:1", "-p:Configuration=Release", "-p:BuildProjectReferences=false",
                "-t:EspalierAddManifests;EspalierSlim", "Together.slnx"));
        var (wrong, others) = (new List<string>(), new List<string>());
        foreach (var run in runs.Where(r => r.Code != 0))
        {
            var lines = run.Text.Split('\n').Where(l => l.Contains(": error ", StringComparison.Ordinal)).Distinct().ToList();
            var ours = lines.Where(l => l.Contains("ESPB", StringComparison.Ordinal)
                || l.Contains("Espalier.Build.targets", StringComparison.Ordinal)).ToList();
            // What says nothing is taken for ours.
            if (lines.Count == 0) wrong.Add(run.Text);
            else if (ours.Count > 0) wrong.Add(string.Join('\n', ours));
            else others.Add(lines[0]);
        }
        if (PolicyProject.Difference(_whole, Made()) is { } other) wrong.Add($"{other} is not what one build alone makes");
        return (wrong, others);
    }

    // Each build has another bin.
    private Dictionary<string, byte[]> Made()
        => PolicyProject.Files(_policy).Where(f => f.Key.StartsWith("obj/", StringComparison.Ordinal))
            .ToDictionary(f => f.Key, f => f.Value);
}
