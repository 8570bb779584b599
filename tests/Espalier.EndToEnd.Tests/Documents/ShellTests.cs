using System.Diagnostics;
using System.Globalization;

namespace Espalier.EndToEnd.Tests.Documents;

/// <summary>
/// The commands of the pages for users, as they stand there, by a shell: one folder for each page, with the networks and data of the
/// repository under their names, with <c>espalier</c> on the path and the packed packages as the feed. What stands behind a command as
/// its output is what it printed.
/// </summary>
public sealed class ShellTests(Build.SharedFeed feed)
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>What runs the tests or takes minutes, with the file that does the same and what it says there.</summary>
    private static readonly (string Command, string File, string Text)[] RunElsewhere =
    [
        ("dotnet test Compiler.sln -c Release", ".ci/run", "dotnet test Compiler.sln -c Release"),
        ("dotnet run -c Release --project examples/Fashion", "tests/Espalier.Examples.Tests/FashionTests.cs", "SlimFashion.Open"),
        ("dotnet run -c Release --project examples/Search", "tests/Espalier.Examples.Tests/SearchTests.cs", "Search.dll"),
        ("dotnet run -c Release --project examples/Search -- --report", "tests/Espalier.Examples.Tests/SearchTests.cs", "/report"),
    ];

    public static TheoryData<string> Pages => [.. MarkdownPage.All
        .Where(p => !p.IsForContributors && p.Of("sh").Any(b => Commands(b).Length > 0)).Select(p => p.Path)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Commands_of_a_page_run(string path)
    {
        var page = MarkdownPage.All.Single(p => p.Path == path);
        string root = Place(path.Replace('/', ' '));
        try
        {
            foreach (var (index, block) in page.Blocks.Index().Where(b => b.Item.Language == "sh"))
            {
                var (code, output, text) = Bash(root, Commands(block));
                string place = $"{path}:{block.Line.ToString(CultureInfo.InvariantCulture)}";
                Assert.True(code == 0, $"{place} ends with {code.ToString(CultureInfo.InvariantCulture)}:\n{text}");
                var next = page.Blocks.ElementAtOrDefault(index + 1);
                if (next?.Language != "" || next.Line != block.End + 1) continue;
                var missing = PrintedOutput.Missing(next.Text, output, PrintedOutput.IsOfThisMachine(block.Text));
                Assert.True(missing.Count == 0, $"{place} did not print\n{string.Join('\n', missing)}\nbut\n{output}");
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void What_is_run_elsewhere_is_there()
    {
        var commands = MarkdownPage.All.SelectMany(p => p.Of("sh")).SelectMany(b => b.Text.Split('\n')).Select(Command).ToHashSet();
        Assert.All(RunElsewhere, e =>
        {
            Assert.Contains(e.Command, commands);
            Assert.Contains(e.Text, File.ReadAllText(Path.Combine(Assets.Root, e.File)), StringComparison.Ordinal);
        });
    }

    /// <summary>A block without what is run elsewhere; empty where nothing is left.</summary>
    private static string Commands(MarkdownBlock block) => string.Join('\n', block.Text.Split('\n')
        .Where(line => Command(line).Length > 0 && !RunElsewhere.Any(e => e.Command == Command(line))));

    private static string Command(string line) => line.Split(" #")[0].Trim();

    /// <summary>A folder as a reader may have it.</summary>
    private string Place(string name)
    {
        string root = Directory.CreateDirectory(Path.Combine(feed.Value.Root, "pages", name)).FullName;
        string work = Directory.CreateDirectory(Path.Combine(root, "work")).FullName;
        foreach (string source in (string[])["examples/models", "tests/assets"])
            foreach (string file in Directory.GetFiles(Path.Combine(Assets.Root, source)))
                File.CreateSymbolicLink(Path.Combine(work, Path.GetFileName(file)), file);
        ReaderFiles.Photos(Path.Combine(work, "photos"));
        File.WriteAllText(Path.Combine(work, "Shop.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup></Project>
            """);
        string bin = Directory.CreateDirectory(Path.Combine(root, "bin")).FullName;
        string tool = Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "bin", PackedFeed.Configuration, "net10.0",
            "Espalier.Cli.dll");
        Script("espalier", $"exec dotnet \"{tool}\" \"$@\"");
        // The feed has one version, which is not final, so that it must be asked for by its number.
        Script("dotnet", $$"""
            PATH=${PATH#*:}
            case "$1 $2" in
              "add package" | "tool install") exec dotnet "$@" --version {{PackedFeed.Version}} ;;
              "new install") exec dotnet new install "$3@{{PackedFeed.Version}}" ;;
              *) exec dotnet "$@" ;;
            esac
            """);
        Script("dnx", $"PATH=${{PATH#*:}}\npackage=$1\nshift\nexec dotnet dnx \"$package@{PackedFeed.Version}\" --yes \"$@\"");
        return root;

        void Script(string command, string text)
        {
            string path = Path.Combine(bin, command);
            File.WriteAllText(path, $"#!/usr/bin/env bash\n{text}\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
    }

    private static (int Code, string Output, string Text) Bash(string root, string commands)
    {
        var start = Dotnet.Start(Path.Combine(root, "work"));
        start.FileName = "bash";
        foreach (string argument in (string[])["-e", "-u", "-o", "pipefail", "-c", commands]) start.ArgumentList.Add(argument);
        start.Environment["PATH"] = Path.Combine(root, "bin") + Path.PathSeparator + Environment.GetEnvironmentVariable("PATH");
        // What is installed, completions and templates are the page's, not the machine's.
        start.Environment["HOME"] = start.Environment["DOTNET_CLI_HOME"] = Directory.CreateDirectory(Path.Combine(root, "home")).FullName;
        start.Environment["PROFILE"] = Path.Combine(root, "home", "profile.ps1");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Longest))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"not done after {Longest}: {commands}");
        }
        return (process.ExitCode, output.Result, output.Result + error.Result);
    }
}
