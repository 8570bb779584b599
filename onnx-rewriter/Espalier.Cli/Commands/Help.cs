using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Espalier.Cli.Commands;

/// <summary>Help that ends with examples and the exit codes.</summary>
internal static class Help
{
    private const int Width = 140;

    /// <summary>Adds the examples to the help of every command under <paramref name="root"/>.</summary>
    /// <param name="examples">Lines by command name.</param>
    public static void Extend(Command root, IReadOnlyDictionary<string, string[]> examples)
    {
        // One help option serves the whole tree: it is recursive.
        var option = root.Options.OfType<HelpOption>().Single();
        var help = (HelpAction)option.Action!;
        // Where output is redirected there is no width, and lines would be as long as the longest list of choices.
        help.MaxWidth = help.MaxWidth is > 0 and var width ? Math.Min(width, Width) : Width;
        option.Action = new WithExamples(help, examples);
    }

    private sealed class WithExamples(HelpAction inner, IReadOnlyDictionary<string, string[]> examples) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var code = inner.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            if (examples.TryGetValue(parseResult.CommandResult.Command.Name, out var lines))
            {
                output.WriteLine("Examples:");
                foreach (var line in lines) output.WriteLine($"  {line}");
                output.WriteLine();
            }
            output.WriteLine("Exit codes: 0 done, 1 refused or failed check, 2 usage, 3 malformed input.");
            return code;
        }
    }
}
