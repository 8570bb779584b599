using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Espalier.Cli.Host;
using Espalier.Cli.Options;

namespace Espalier.Cli.Commands;

/// <summary>The root of the tool: parsing, help, and the one place where errors become messages and exit codes.</summary>
internal static class CommandLine
{
    private const string Name = "espalier";

    /// <param name="args">Arguments without the program's name.</param>
    /// <param name="cancellationToken">Stops the work; nothing half-written stays.</param>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public static async Task<int> RunAsync(string[] args, Terminal terminal, CancellationToken cancellationToken = default)
    {
        // It runs before every compilation of a project with models: all other commands need not be made for it.
        if (args is ["build", "--request", var request])
            return await Explained(terminal, () => Task.FromResult(BuildCommand.Run(request, terminal, cancellationToken)));
        var root = Root(terminal);
        if (CompletionCommand.Answer(root, args, terminal)) return ExitCode.Done;
        var result = root.Parse(args);
        if (result.Action is ParseErrorAction)
        {
            foreach (var error in result.Errors) terminal.Error.WriteLine($"espalier: {error.Message}");
            var command = result.CommandResult.Command;
            terminal.Error.WriteLine($"Try 'espalier {(command.Name == Name ? "" : command.Name + " ")}--help'.");
            return ExitCode.Usage;
        }

        return await Explained(terminal, () => result.InvokeAsync(new InvocationConfiguration
        {
            Output = terminal.Out,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            // Program looks after Ctrl+C.
            ProcessTerminationTimeout = null,
        }, cancellationToken));
    }

    private static async Task<int> Explained(Terminal terminal, Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception e) when (ErrorMessages.Explain(e) is { } explained)
        {
            terminal.Error.WriteLine($"espalier: {explained.Message}");
            return explained.Code;
        }
        catch (Exception e)
        {
            // In the form of MSBuild's errors, which quiet builds show too.
            terminal.Error.WriteLine($"espalier : error : this is a fault of the tool, not of yours; please report it: {e}");
            return ExitCode.Fault;
        }
    }

    /// <summary>All commands with their options.</summary>
    internal static Command Root(Terminal terminal)
    {
        var slim = new SlimCommand(terminal);
        // Not a RootCommand: that one is named after the executable, which is dotnet in a build.
        var root = new Command(Name,
            """
            Espalier slims ONNX models: it removes channels, neurons, heads, experts, hidden state, sublayers and blocks,
            and proves that what is left computes the same as the original with those parts masked.
            """)
        {
            InspectCommand.Create(terminal),
            slim.Command,
            VerifyCommand.Create(terminal),
            DiffCommand.Create(terminal),
            WhyCommand.Create(terminal),
            PresetsCommand.Create(terminal),
            ReportCommand.Create(terminal),
            BenchCommand.Create(terminal),
            CompletionCommand.Create(terminal),
            ManifestCommand.Create(terminal),
            BuildCommand.Create(terminal),
            new HelpOption { Recursive = true },
            new VersionOption(),
        };
        Help.Extend(root, new Dictionary<string, string[]>(StringComparer.Ordinal)
        {
            [root.Name] =
            [
                "espalier inspect model.onnx                    what could be removed, and what not and why",
                "espalier slim model.onnx -o slim.onnx --keep 0.5 --report slim.json",
                "espalier verify model.onnx slim.onnx --report slim.json",
                "espalier bench model.onnx slim.onnx",
            ],
            ["inspect"] = InspectCommand.Examples,
            ["slim"] = SlimCommand.Examples,
            ["verify"] = VerifyCommand.Examples,
            ["diff"] = DiffCommand.Examples,
            ["why"] = WhyCommand.Examples,
            ["presets"] = PresetsCommand.Examples,
            ["report"] = ReportCommand.Examples,
            ["bench"] = BenchCommand.Examples,
            ["manifest"] = ManifestCommand.Examples,
            ["completion"] = CompletionCommand.Examples,
        }, new Dictionary<string, IReadOnlyList<OptionGroup>>(StringComparer.Ordinal) { ["slim"] = slim.Groups });
        return root;
    }
}
