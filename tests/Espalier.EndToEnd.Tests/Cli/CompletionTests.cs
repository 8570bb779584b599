using System.Diagnostics;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>What shells get when somebody presses the tabulator.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier shell ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("espalier sl", "slim")]
    [InlineData("espalier slim m.onnx --pre", "--preset")]
    [InlineData("espalier slim m.onnx --preset f", "fasp finer-cut flap")]
    [InlineData("/usr/bin/espalier completion ", "bash pwsh zsh")]
    [InlineData("espalier slim m.onnx --schedule one-shot --dry", "--dry-run")]
    // Files are the shell's own business.
    [InlineData("espalier slim ", "")]
    [InlineData("espalier slim m.onnx --calibrate ", "")]
    [InlineData("espalier", "")]
    public void The_tool_answers(string line, string words)
    {
        var said = CommandLineTests.Run($"[suggest:{line.Length}]", line);
        Assert.Equal((0, ""), (said.Code, said.Error));
        Assert.Equal(words, string.Join(' ', said.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        // What stands behind the cursor does not matter, nor does a cursor beyond the end.
        Assert.Equal(said.Text, CommandLineTests.Run($"[suggest:{line.Length}]", line + "x --keep").Text);
        Assert.Equal(said.Text, CommandLineTests.Run("[suggest:999]", line).Text);
    }

    [Theory]
    [InlineData("espalier slim --allo", "--allocate --allow-inexact --allow-interface")]
    [InlineData("espalier pre", "presets")]
    public void Bash_completes(string line, string words)
    {
        string script = Script("bash", "sh");
        string driver = Write("driver.sh", $$"""
            source '{{script}}'
            COMP_LINE='{{line}}' COMP_POINT={{line.Length}}
            COMP_WORDS=({{line}}) COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
            complete -p espalier >&2
            $(complete -p espalier | sed 's/.*-F \([^ ]*\).*/\1/') espalier
            echo "${COMPREPLY[*]}"

            """);
        var (output, error) = Shell("bash", driver);
        Assert.Contains("-o default", error, StringComparison.Ordinal);
        Assert.Equal(words, output.Trim());
    }

    /// <summary>The real line editor of zsh, in a terminal of its own: its answer is what it would put on the screen.</summary>
    [Fact]
    public void Zsh_completes()
    {
        string script = Script("zsh", "zsh");
        string driver = Write("driver.zsh", $$"""
            autoload -Uz compinit; compinit -u -d '{{_folder}}/dump'
            source '{{script}}'
            zmodload zsh/zpty
            zpty -b editor zsh -f -i
            zpty -w editor "PATH='{{_folder}}':\$PATH; PS1=; autoload -Uz compinit; compinit -u -d '{{_folder}}/dump2'; source '{{script}}'"
            zpty -w editor 'print -r READY'
            while zpty -r editor line && [[ $line != *$'\n'READY* && $line != READY* ]]; do :; done
            zpty -w -n editor $'espalier presets --js\t'
            local all=; for i in {1..100}; do zpty -r -t editor line && all+=$line; [[ $all == *--json* ]] && break; sleep 0.1; done
            print -r -- "$all"
            zpty -d editor

            """);
        Assert.Contains("--json", Shell("zsh", driver).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void PowerShell_completes()
    {
        string script = Script("pwsh", "ps1");
        const string Line = "cd .; espalier slim m.onnx --preset f";
        string driver = Write("driver.ps1", $$"""
            . '{{script}}'
            (TabExpansion2 -inputScript '{{Line}}' -cursorColumn {{Line.Length}}).CompletionMatches.CompletionText -join ' '

            """);
        Assert.Equal("fasp finer-cut flap", Shell("pwsh", driver).Output.Trim());
    }

    private string Script(string shell, string extension)
    {
        // A program of that name, as the tool's package puts one on the path.
        Write("espalier", $"#!/bin/sh\nexec dotnet exec '{Path.Combine(AppContext.BaseDirectory, "Espalier.Cli.dll")}' \"$@\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(_folder, "espalier"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return Write($"completion.{extension}", CommandLineTests.Run("completion", shell).Text);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    private (string Output, string Error) Shell(string shell, string driver)
    {
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        Assert.SkipUnless(path.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, shell))),
            $"There is no {shell} here; its completion is not tried.");
        var start = new ProcessStartInfo(shell, [driver]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = _folder + Path.PathSeparator + path;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (output, error.Result);
    }
}
