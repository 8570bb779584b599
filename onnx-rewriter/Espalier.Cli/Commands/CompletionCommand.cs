using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Cli.Host;
using Espalier.Cli.Options;

namespace Espalier.Cli.Commands;

/// <summary><c>completion</c>: scripts by which shells ask the tool itself, and its answers.</summary>
internal static partial class CompletionCommand
{
    public static readonly string[] Examples =
    [
        "espalier completion bash > ~/.local/share/bash-completion/completions/espalier",
        "espalier completion zsh > ~/.zsh/completions/_espalier",
        "espalier completion pwsh >> $PROFILE",
    ];

    private static readonly (string Shell, string Script)[] Scripts =
    [
        ("bash", """
            # Completion of espalier for bash; where it has no words, names of files.
            _espalier() {
              local word
              COMPREPLY=()
              while IFS= read -r word; do
                [[ -n $word ]] && COMPREPLY+=("$word")
              done < <(espalier "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)
            }
            complete -o bashdefault -o default -F _espalier espalier

            """),
        ("zsh", """
            #compdef espalier
            # Completion of espalier for zsh; where it has no words, names of files.
            _espalier() {
              local line="${(j: :)words[1,CURRENT]}"
              local -a found
              found=("${(@f)$(espalier "[suggest:${#line}]" "$line" 2>/dev/null)}")
              found=(${found:#})
              if (( $#found )); then compadd -- $found; else _files; fi
            }
            if [[ $funcstack[1] == _espalier ]]; then _espalier "$@"; else compdef _espalier espalier; fi

            """),
        ("pwsh", """
            # Completion of espalier for PowerShell; where it has no words, names of files.
            Register-ArgumentCompleter -Native -CommandName espalier -ScriptBlock {
                param($wordToComplete, $commandAst, $cursorPosition)
                $at = $cursorPosition - $commandAst.Extent.StartOffset
                $line = $commandAst.ToString().PadRight($at)
                espalier "[suggest:$at]" "$line" 2>$null | Where-Object { $_ } | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
                }
            }

            """),
    ];

    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or pwsh." };
        shell.AcceptOnlyFromAmong([.. Scripts.Select(s => s.Shell)]);
        var json = CommonOptions.Json();
        var command = new Command("completion",
            "Print a script by which a shell completes commands, options and the words of options. Load it from the shell's profile.")
        { shell, json };
        command.SetAction(result =>
        {
            string name = result.GetRequiredValue(shell);
            string script = Scripts.Single(s => s.Shell == name).Script.ReplaceLineEndings("\n");
            if (result.GetValue(json)) terminal.Out.WriteLine(JsonText.Of(new { shell = name, script }));
            else terminal.Out.Write(script);
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Answers <c>[suggest:position] "line"</c>, as shells and <c>dotnet-suggest</c> ask.</summary>
    /// <returns>Whether that was asked.</returns>
    public static bool Answer(Command root, string[] args, Terminal terminal)
    {
        if (args.Length == 0 || Asked().Match(args[0]) is not { Success: true } asked) return false;
        string line = args.Length > 1 ? args[1] : "";
        int at = int.TryParse(asked.Groups[1].Value, CultureInfo.InvariantCulture, out int position) ? Math.Min(position, line.Length)
            : line.Length;
        string before = line[..at];
        // The name of the program is not a word of its language; a shell may have it with a path.
        int name = before.TakeWhile(c => !char.IsWhiteSpace(c)).Count();
        if (name == before.Length) return true;
        string words = before[name..];
        string begun = words[(words.LastIndexOfAny([' ', '\t']) + 1)..];
        var found = root.Parse(words).GetCompletions(words.Length).Select(item => item.InsertText ?? item.Label)
            // Options where none is begun would hide the files that are meant.
            .Where(word => word.StartsWith(begun, StringComparison.Ordinal) && word.StartsWith('-') == begun.StartsWith('-')
                // Help in the manner of DOS.
                && !word.Contains('?', StringComparison.Ordinal) && !word.StartsWith('/'));
        foreach (string word in found.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)) terminal.Out.WriteLine(word);
        return true;
    }

    [GeneratedRegex(@"^\[suggest(?::([0-9]+))?\]$")]
    private static partial Regex Asked();
}
