using System.Diagnostics;
using System.Text;

namespace Espalier.Mutations;

/// <summary>
/// A copy of the repository with its uncommitted changes, in which products are mutated: the checkout itself stays as it is.
/// </summary>
internal sealed class WorkingCopy(string root, string folder)
{
    /// <summary>Where it is.</summary>
    public string Folder { get; } = folder;

    /// <summary>
    /// Copies what git knows or would add, with other sources where there are some. A file that is there already and is equal keeps its
    /// time, so that a second build is short.
    /// </summary>
    public void Fill(IReadOnlyDictionary<string, string> sources)
    {
        var start = new ProcessStartInfo("git", ["-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        { RedirectStandardOutput = true };
        using var git = Process.Start(start)!;
        string[] files = git.StandardOutput.ReadToEnd().Split('\0', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        if (git.ExitCode != 0) throw new InvalidOperationException($"git cannot list the files of {root}");
        foreach (string file in files.Except(sources.Keys).Where(f => File.Exists(Path.Combine(root, f))))
            Put(file, File.ReadAllBytes(Path.Combine(root, file)));
        foreach (var (file, text) in sources) Put(file, Encoding.UTF8.GetBytes(text));
    }

    private void Put(string file, byte[] content)
    {
        string to = Path.Combine(Folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        if (!File.Exists(to) || !content.AsSpan().SequenceEqual(File.ReadAllBytes(to))) File.WriteAllBytes(to, content);
    }

    /// <summary>Builds test projects with what they test. Switches are no style, so analysers do not look at them.</summary>
    /// <returns>The errors; empty where it built.</returns>
    public string Build(IEnumerable<string> projects)
    {
        foreach (string project in projects)
        {
            string[] arguments = ["build", "-c", "Release", Path.Combine(Folder, "tests", project), "-v", "q", "-nologo", "-clp:ErrorsOnly",
                "-nodeReuse:false",
                "-p:TreatWarningsAsErrors=false", "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false",
                "-p:GenerateDocumentationFile=false"];
            var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true };
            using var build = Process.Start(start)!;
            string output = build.StandardOutput.ReadToEnd();
            build.WaitForExit();
            if (build.ExitCode != 0) return output;
        }
        return "";
    }

    /// <summary>The program that a test project was built to.</summary>
    public string Program(string project)
    {
        string output = Path.Combine(Folder, "tests", project, "bin", "Release");
        return Directory.GetFiles(output, OperatingSystem.IsWindows() ? project + ".exe" : project, SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new InvalidOperationException($"{project} has no program in {output}");
    }
}
