using Spectre.Console;

namespace Espalier.Cli.Host;

/// <summary>
/// Where a command writes: results to <see cref="Out"/>, everything else to <see cref="Error"/>. Tests pass string writers.
/// </summary>
internal sealed class Terminal(TextWriter output, TextWriter error, bool interactive)
{
    // A pipe has no width: wrapped cells would make the text useless to grep and to snapshots.
    private const int WidthOfPipe = 4096;

    /// <summary>Results.</summary>
    public TextWriter Out { get; } = output;

    /// <summary>Progress, warnings and errors.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Whether <see cref="Error"/> is a screen, where a line can be rewritten.</summary>
    public bool Interactive { get; } = interactive;

    /// <summary>The process's own streams.</summary>
    public static Terminal OfProcess()
    {
        // Names of tensors may hold any character, also on a machine whose console is not UTF-8 by default.
        Console.OutputEncoding = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new(Console.Out, Console.Error, !Console.IsErrorRedirected);
    }

    /// <summary>A console for tables on <see cref="Out"/>: colours and wrapping on a screen, plain text elsewhere.</summary>
    public IAnsiConsole Tables()
    {
        var screen = ReferenceEquals(Out, Console.Out) && !Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Out),
            Ansi = screen ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = screen ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        if (!screen) console.Profile.Width = WidthOfPipe;
        return console;
    }
}
