using System.Diagnostics;

namespace Espalier.TestKit.Packages;

/// <summary>Runs the dotnet command as a user does.</summary>
internal static class Dotnet
{
    /// <summary>Runs it to the end.</summary>
    public static DotnetText Run(string folder, params string[] arguments)
    {
        using var process = Process.Start(Start(folder, arguments))!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new DotnetText(process.ExitCode, output + error.Result, string.Join(' ', arguments));
    }

    /// <summary>How it is started.</summary>
    public static ProcessStartInfo Start(string folder, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        // The test host's own settings are not a user's: they would make the inner build believe that it runs inside MSBuild.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)
            || k.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)
            || k.StartsWith("COREHOST", StringComparison.OrdinalIgnoreCase)
            || k is "DOTNET_HOST_PATH" or "DOTNET_CLI_TELEMETRY_SESSIONID").ToList())
            start.Environment.Remove(name);
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        // Servers would outlive the tests and hold files of the temporary folder.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        return start;
    }
}

/// <summary>What a command of a workspace printed.</summary>
/// <param name="Code">Exit code.</param>
/// <param name="Text">Both streams.</param>
/// <param name="Command">The arguments.</param>
internal sealed record DotnetText(int Code, string Text, string Command)
{
    /// <summary>Fails with the output where the command failed.</summary>
    public DotnetText Succeeds()
    {
        Assert.True(Code == 0, $"'dotnet {Command}' failed with {Code}:\n{Text}");
        return this;
    }

    /// <summary>Fails with the output where the command succeeded.</summary>
    public DotnetText Fails()
    {
        Assert.True(Code != 0, $"'dotnet {Command}' should have failed:\n{Text}");
        return this;
    }

    /// <summary>Fails where the output lacks a text.</summary>
    public DotnetText Says(string text)
    {
        Assert.True(Text.Contains(text, StringComparison.Ordinal), $"'dotnet {Command}' does not say '{text}':\n{Text}");
        return this;
    }
}
