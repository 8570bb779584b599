using System.Text.RegularExpressions;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>A fenced block of a page.</summary>
/// <param name="Line">Of its fence, from 1.</param>
/// <param name="Language">The word behind the fence; empty for pictures and output.</param>
internal sealed record MarkdownBlock(int Line, string Language, string Text)
{
    /// <summary>The line of its last fence.</summary>
    public int End => Line + Text.Count(c => c == '\n') + 2;
}

/// <summary>A page of the documentation, with its fenced blocks.</summary>
/// <param name="Path">From the repository's root, with <c>/</c>.</param>
/// <param name="Inline">What stands between backticks in the text.</param>
internal sealed partial record MarkdownPage(string Path, IReadOnlyList<MarkdownBlock> Blocks, IReadOnlyList<string> Inline)
{
    /// <summary>Pages that a program writes.</summary>
    private const string Evaluation = "tests/Espalier.Evaluation/";

    /// <summary>Every page that people write, in the order of their paths.</summary>
    public static IReadOnlyList<MarkdownPage> All { get; } = [.. Directory
        .GetFiles(Assets.Root, "*.md", SearchOption.AllDirectories)
        .Select(file => System.IO.Path.GetRelativePath(Assets.Root, file).Replace('\\', '/'))
        .Where(path => !path.Split('/').Any(p => p is "bin" or "obj" or ".git" or "artifacts" or "TestResults")
            && !path.StartsWith(Evaluation, StringComparison.Ordinal))
        .Order(StringComparer.Ordinal).Select(Read)];

    /// <summary>Pages for those who work on Espalier itself: their commands take hours, their code is code of the repository.</summary>
    public bool IsForContributors => Path is "CONTRIBUTING.md" or "docs/testing.md"
        || Path.StartsWith("docs/contributing/", StringComparison.Ordinal) || Path.StartsWith("tests/", StringComparison.Ordinal);

    /// <summary>Pages of the compiler's diagnostics: fragments, which the generator's tests try.</summary>
    public bool IsOfADiagnostic => Path.StartsWith("docs/diagnostics/", StringComparison.Ordinal);

    public IEnumerable<MarkdownBlock> Of(string language) => Blocks.Where(b => b.Language == language);

    private static MarkdownPage Read(string path)
    {
        var blocks = new List<MarkdownBlock>();
        (int Line, string Language, int Indent)? open = null;
        var (text, prose) = (new List<string>(), new List<string>());
        foreach (var (index, line) in File.ReadAllLines(System.IO.Path.Combine(Assets.Root, path)).Index())
        {
            if (Fence().Match(line) is not { Success: true } fence)
            {
                if (open is { } inside) text.Add(line.Length < inside.Indent ? line.TrimStart() : line[inside.Indent..]);
                else prose.Add(line.Trim());
            }
            else if (open is { } begun)
            {
                blocks.Add(new(begun.Line, begun.Language, string.Join('\n', text)));
                open = null;
                text.Clear();
            }
            else open = (index + 1, fence.Groups[2].Value, fence.Groups[1].Length);
        }
        Assert.True(open is null, $"{path}:{open?.Line}: the block does not end");
        return new(path, blocks, [.. Between().Matches(string.Join(' ', prose)).Select(m => m.Groups[1].Value)]);
    }

    [GeneratedRegex("`([^`]+)`", RegexOptions.CultureInvariant)]
    private static partial Regex Between();

    [GeneratedRegex(@"^(\s*)```(\S*)", RegexOptions.CultureInvariant)]
    private static partial Regex Fence();
}
