using System.CommandLine;
using Espalier.Cli.Commands;
using Espalier.Cli.Host;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>Commands and options in running text: those of the tool, under their names.</summary>
public sealed class InlineTests
{
    /// <summary>Options of dotnet, of examples/Search, of tests/Espalier.Mutations and of tests/Espalier.Benchmarks.</summary>
    private static readonly string[] OfOthers = ["--no-build", "--tool-path", "--report", "--check", "--filter"];

    private static Command Root { get; } = CommandLine.Root(new Terminal(TextWriter.Null, TextWriter.Null, interactive: false));

    [Fact]
    public void Commands_in_the_text_are_those_of_the_tool()
    {
        var faults = new List<string>();
        foreach (var page in MarkdownPage.All)
            foreach (string command in page.Inline.Where(i => i.StartsWith("espalier ", StringComparison.Ordinal)))
            {
                string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                // A directive, and '-p:Espalier…' of MSBuild, are no commands.
                if (words[1].StartsWith('[')) continue;
                if (Root.Subcommands.FirstOrDefault(c => c.Name == words[1]) is not { } found)
                    faults.Add($"{page.Path}: '{command}': there is no command '{words[1]}'");
                else faults.AddRange(words.Where(w => w.StartsWith('-') && !Names([found]).Contains(w.Split('=')[0]))
                    .Select(w => $"{page.Path}: '{command}': '{found.Name}' has no option '{w}'"));
            }
        Assert.True(faults.Count == 0, string.Join('\n', faults));
    }

    [Fact]
    public void Options_in_the_text_are_those_of_the_tool()
    {
        var known = Names(Root.Subcommands);
        var faults = MarkdownPage.All.Where(p => !p.IsForContributors).SelectMany(p => p.Inline
            .Where(i => i.StartsWith("--", StringComparison.Ordinal)).Select(i => (p.Path, Option: i.Split(' ', '=', '[')[0]))
            .Where(o => !known.Contains(o.Option) && !OfOthers.Contains(o.Option))
            .Select(o => $"{o.Path}: no command has the option '{o.Option}'"));
        Assert.True(!faults.Any(), string.Join('\n', faults));
    }

    private static HashSet<string> Names(IEnumerable<Command> commands) => [.. commands.SelectMany(c => c.Options)
        .Concat(Root.Options).SelectMany(o => o.Aliases.Append(o.Name))];
}
