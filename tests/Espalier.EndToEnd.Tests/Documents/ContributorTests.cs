using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>
/// Pages for those who work on Espalier: what takes hours is not run, but names a project that is there and a word that it knows;
/// code is code of the repository, to the word.
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
    public void Commands_name_projects_that_are_there_and_words_that_these_know()
    {
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All)
        {
            var inline = page.Inline.Where(i => i.StartsWith("dotnet ", StringComparison.Ordinal));
            foreach (Match command in page.Of("sh").Select(b => b.Text).Concat(inline).SelectMany(t => Project().Matches(t)))
            {
                string project = Path.Combine(Assets.Root, command.Groups[1].Value);
                if (!Path.Exists(project)) faults.Add($"{page.Path}: there is no '{command.Groups[1].Value}'");
                else if (command.Groups[2].Value is { Length: > 0 } word && !Directory
                    .GetFiles(project, "*.cs", SearchOption.AllDirectories)
                    .Any(f => File.ReadAllText(f).Contains($"\"{word}\"", StringComparison.Ordinal)))
                    faults.Add($"{page.Path}: '{command.Groups[1].Value}' knows no '{word}'");
            }
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    private static string[] Parts(string path) => path.Split('/', '\\');

    /// <summary>Without what a page breaks or indents otherwise.</summary>
    private static string Plain(string text) => Space().Replace(text, "");

    [GeneratedRegex(@"(?:--project|dotnet (?:build|test)) +([A-Za-z][\w./-]*)(?: +-- +([-a-z]+))?", RegexOptions.CultureInvariant)]
    private static partial Regex Project();

    [GeneratedRegex(@"\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Space();
}
