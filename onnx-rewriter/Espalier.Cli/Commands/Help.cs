using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Espalier.Cli.Options;

namespace Espalier.Cli.Commands;

/// <summary>Help with options in groups; it ends with examples and the exit codes.</summary>
internal static class Help
{
    private const int Width = 120;

    /// <summary>Longer ones have a line of their own.</summary>
    private const int LongestLabel = 30;

    /// <summary>Gives every command under <paramref name="root"/> its help.</summary>
    /// <param name="examples">Lines by command name.</param>
    /// <param name="groups">Options in groups, by command name; those of other commands are one group.</param>
    public static void Extend(Command root, IReadOnlyDictionary<string, string[]> examples,
        IReadOnlyDictionary<string, IReadOnlyList<OptionGroup>> groups)
    {
        // One help option serves the whole tree: it is recursive.
        var option = root.Options.OfType<HelpOption>().Single();
        option.Action = new Writing(root, option, examples, groups);
    }

    private sealed class Writing(Command root, HelpOption help, IReadOnlyDictionary<string, string[]> examples,
        IReadOnlyDictionary<string, IReadOnlyList<OptionGroup>> groups) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var output = parseResult.InvocationConfiguration.Output;
            var command = parseResult.CommandResult.Command;
            foreach (string line in Wrap(command.Description ?? "", Width)) output.WriteLine(line);
            output.WriteLine();
            output.WriteLine("Usage:");
            output.WriteLine($"  {Usage(command)}");
            output.WriteLine();
            Rows(output, "Arguments", [.. command.Arguments.Where(a => !a.Hidden).Select(a => (Named(a), a.Description ?? ""))]);
            Rows(output, "Commands", [.. command.Subcommands.Where(c => !c.Hidden).Select(c => (c.Name, Short(c.Description ?? "")))]);
            foreach (var group in Groups(command)) Rows(output, group.Title, [.. group.Options.Select(Row)]);
            if (examples.TryGetValue(command.Name, out var lines))
            {
                output.WriteLine("Examples:");
                foreach (string line in lines) output.WriteLine($"  {line}");
                output.WriteLine();
            }
            output.WriteLine("Exit codes: 0 done, 1 refused or failed check, 2 usage, 3 malformed input.");
            return 0;
        }

        private string Usage(Command command)
        {
            string[] words =
            [
                root.Name, .. command == root ? [] : new[] { command.Name }, .. command.Arguments.Select(Named),
                .. command.Subcommands.Count > 0 ? new[] { "COMMAND" } : [], "[options]",
            ];
            return string.Join(' ', words);
        }

        /// <summary>What no group has, and the help itself, comes last.</summary>
        private IEnumerable<OptionGroup> Groups(Command command)
        {
            var own = groups.GetValueOrDefault(command.Name, []);
            foreach (var group in own) yield return group;
            var rest = command.Options.Where(o => o is { Hidden: false } and not HelpOption && !own.Any(g => g.Options.Contains(o)));
            yield return new(own.Count > 0 ? "Other" : "Options", [.. rest, help]);
        }

        private static (string Label, string Text) Row(Option option)
        {
            // A list of words as the name of the value is as long as several lines.
            bool words = option.HelpName?.Contains('|', StringComparison.Ordinal) == true;
            string[] names = [.. option.Aliases.Where(a => a.StartsWith('-')).Order(StringComparer.Ordinal), option.Name];
            string label = string.Join(", ", option is HelpOption ? ["-h", "--help"] : names);
            if (words) label += " WORD";
            else if (option.HelpName is { } value) label += " " + value;
            string text = option is HelpOption ? "This text." : option.Description ?? "";
            if (words) text += $" One of: {option.HelpName!.Replace("|", ", ", StringComparison.Ordinal)}.";
            return (label, option.Required ? text + " Required." : text);
        }

        /// <summary>A description up to where it goes into particulars.</summary>
        private static string Short(string description)
        {
            int end = description.IndexOfAny([':', '.', ',']);
            return end < 0 ? description : description[..end] + ".";
        }

        private static string Named(Argument argument) => argument.Arity.MinimumNumberOfValues == 0 ? $"[{argument.Name}]"
            : argument.Arity.MaximumNumberOfValues > 1 ? argument.Name + "…"
            : argument.Name;
    }

    private static void Rows(TextWriter output, string title, IReadOnlyList<(string Label, string Text)> rows)
    {
        if (rows.Count == 0) return;
        output.WriteLine($"{title}:");
        int column = rows.Select(r => r.Label.Length).Where(l => l <= LongestLabel).DefaultIfEmpty(0).Max() + 4;
        foreach (var (label, text) in rows)
        {
            string left = $"  {label}".PadRight(column);
            if (label.Length > LongestLabel)
            {
                output.WriteLine(left);
                left = new string(' ', column);
            }
            foreach (string line in Wrap(text, Width - column))
            {
                output.WriteLine(left + line);
                left = new string(' ', column);
            }
        }
        output.WriteLine();
    }

    private static IEnumerable<string> Wrap(string text, int width)
    {
        var line = "";
        foreach (string word in text.ReplaceLineEndings(" ").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        yield return line;
    }
}
