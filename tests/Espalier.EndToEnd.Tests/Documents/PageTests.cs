using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>What is written in pages is what is run: no command hides in a block that no test reads, no link leads nowhere.</summary>
public sealed partial class PageTests
{
    private static readonly string[] Languages = ["", "sh", "csharp", "xml", "json"];

    [Fact]
    public void Every_block_is_of_a_language_that_is_tested()
    {
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All)
        {
            foreach (var block in page.Blocks)
            {
                if (!Languages.Contains(block.Language)) faults.Add($"{page.Path}:{block.Line}: nothing tests '{block.Language}'");
                else if (block.Language.Length == 0 && Command().IsMatch(block.Text))
                    faults.Add($"{page.Path}:{block.Line}: a command is in a block without 'sh'");
            }
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public void Every_link_within_the_repository_leads_somewhere()
    {
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All)
        {
            string text = File.ReadAllText(Path.Combine(Assets.Root, page.Path));
            foreach (Match link in Link().Matches(Code().Replace(text, "")))
            {
                string[] parts = link.Groups[1].Value.Split('#', 2);
                string target = parts[0].Length == 0
                    ? Path.Combine(Assets.Root, page.Path)
                    : Path.GetFullPath(Path.Combine(Assets.Root, Path.GetDirectoryName(page.Path)!, parts[0]));
                if (!Path.Exists(target)) faults.Add($"{page.Path}: there is no '{parts[0]}'");
                else if (parts.Length == 2 && !Anchors(target).Contains(parts[1]))
                    faults.Add($"{page.Path}: '{link.Groups[1].Value}' has no such heading");
            }
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    /// <summary>Headings as GitHub names them.</summary>
    private static HashSet<string> Anchors(string file)
        => [.. Code().Replace(File.ReadAllText(file), "").Split('\n').Where(l => l.StartsWith('#'))
            .Select(l => NotInAnchor().Replace(l.TrimStart('#').Trim().ToLowerInvariant(), "").Replace(' ', '-'))];

    [GeneratedRegex(@"^\s*(\$ )?(espalier|dotnet|git|apt-get)\s", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"\]\((?!https?:|mailto:)([^)\s]+)\)", RegexOptions.CultureInvariant)]
    private static partial Regex Link();

    [GeneratedRegex(@"^\s*```.*?^\s*```", RegexOptions.CultureInvariant | RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"[^\w\- ]", RegexOptions.CultureInvariant)]
    private static partial Regex NotInAnchor();
}
