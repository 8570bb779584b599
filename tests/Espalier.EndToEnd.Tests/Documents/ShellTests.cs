using System.Diagnostics;
using System.Globalization;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>
/// The commands of the pages for users, as they stand there, by a shell: one folder for each page, with the networks and data of the
/// repository under their names, and with <c>espalier</c> on the path.
/// </summary>
public sealed class ShellTests : IDisposable
{
    /// <summary>Run by what runs the tests, or by a test of its own, so not from within a test.</summary>
    private static readonly string[] RunElsewhere = ["README.md", "examples/README.md"];

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly string _root = Directory.CreateTempSubdirectory("espalier docs ").FullName;

    public static TheoryData<string> Pages => [.. MarkdownPage.All.Where(p => p.Of("sh").Any() && !p.IsForContributors)
        .Select(p => p.Path).Except(RunElsewhere)];

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [MemberData(nameof(Pages))]
    public void Commands_of_a_page_run(string path)
    {
        var page = MarkdownPage.All.Single(p => p.Path == path);
        string folder = Folder();
        foreach (var block in page.Of("sh"))
        {
            var (code, text) = Bash(folder, block.Text);
            Assert.True(code == 0, string.Create(CultureInfo.InvariantCulture, $"{path}:{block.Line} ends with {code}:\n{text}"));
        }
    }

    [Fact]
    public void The_first_commands_are_those_that_tests_run()
    {
        string[] lines = [.. MarkdownPage.All.Single(p => p.Path == "README.md").Of("sh").First().Text.Split('\n')
            .Select(l => l.Split('#')[0].Trim())];
        Assert.Equal(["dotnet run -c Release --project examples/Fashion", "dotnet test Compiler.sln -c Release"], lines);
        Assert.Contains(lines[1], File.ReadAllText(Path.Combine(Assets.Root, ".ci", "run")), StringComparison.Ordinal);
    }

    /// <summary>A folder as a reader may have it.</summary>
    private string Folder()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "work")).FullName;
        foreach (string source in (string[])["examples/models", "tests/assets"])
            foreach (string file in Directory.GetFiles(Path.Combine(Assets.Root, source)))
                File.CreateSymbolicLink(Path.Combine(folder, Path.GetFileName(file)), file);
        string bin = Directory.CreateDirectory(Path.Combine(_root, "bin")).FullName;
        string tool = Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "bin", PackedFeed.Configuration, "net10.0",
            "Espalier.Cli.dll");
        string script = Path.Combine(bin, "espalier");
        File.WriteAllText(script, $"#!/usr/bin/env bash\nexec dotnet \"{tool}\" \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return folder;
    }

    private (int Code, string Text) Bash(string folder, string commands)
    {
        var start = Dotnet.Start(folder);
        start.FileName = "bash";
        foreach (string argument in (string[])["-e", "-u", "-o", "pipefail", "-c", commands]) start.ArgumentList.Add(argument);
        start.Environment["PATH"] = Path.Combine(_root, "bin") + Path.PathSeparator + Environment.GetEnvironmentVariable("PATH");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Longest))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"not done after {Longest}: {commands}");
        }
        return (process.ExitCode, output.Result + error.Result);
    }
}
