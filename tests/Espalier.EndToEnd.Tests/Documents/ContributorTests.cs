using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>
/// Pages for those who work on Espalier: what takes hours is not run, but names a project that is there and a command that this one
/// knows; code is code of the repository, to the word.
/// </summary>
public sealed partial class ContributorTests
{
    private static readonly Lazy<string> Sources = new(() => string.Join('\n', ((string[])["dsl", "generator", "onnx-rewriter", "runtime",
        "tests", "examples"]).SelectMany(f => Directory.GetFiles(Path.Combine(Assets.Root, f), "*.cs", SearchOption.AllDirectories))
        .Where(f => !Parts(f).Any(p => p is "bin" or "obj")).Select(f => Plain(File.ReadAllText(f)))));

    [Fact]
    public void Code_stands_in_the_sources()
    {
        var faults = MarkdownPage.All.Where(p => p.IsForContributors).SelectMany(p => p.Of("csharp")
            .Where(b => !Sources.Value.Contains(Plain(b.Text), StringComparison.Ordinal)).Select(b => $"{p.Path}:{b.Line}: {b.Text}"));
        Assert.True(!faults.Any(), "not in the sources:\n" + string.Join("\n\n", faults));
    }

    [Fact]
    public void Commands_name_projects_that_are_there()
    {
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All.Where(p => p.IsForContributors))
            foreach (string project in page.Of("sh").SelectMany(b => Project().Matches(b.Text)).Select(m => m.Groups[1].Value))
                if (!Path.Exists(Path.Combine(Assets.Root, project))) faults.Add($"{page.Path}: there is no '{project}'");
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    private static string[] Parts(string path) => path.Split('/', '\\');

    /// <summary>Without what a page breaks or indents otherwise.</summary>
    private static string Plain(string text) => Space().Replace(text, "");

    [GeneratedRegex(@"(?:--project|dotnet (?:build|test)) +(\S+)", RegexOptions.CultureInvariant)]
    private static partial Regex Project();

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Space();
}
