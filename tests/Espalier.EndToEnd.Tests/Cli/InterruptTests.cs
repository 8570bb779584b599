using System.Diagnostics;
using System.Globalization;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>Ctrl+C, as the terminal sends it.</summary>
public sealed class InterruptTests(ITestOutputHelper output) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("espalier stop ").FullName;

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0.5)]
    [InlineData(4)]
    public async Task The_tool_stops_and_leaves_nothing(double after)
    {
        if (OperatingSystem.IsWindows()) return;
        var start = new ProcessStartInfo("dotnet",
        [
            "exec", Path.Combine(AppContext.BaseDirectory, "Espalier.Cli.dll"), "slim", Assets.Path("bert.onnx"), "-o",
            Path.Combine(_folder, "slim.onnx"), "--report", Path.Combine(_folder, "report.json"), "--macs", "0.5", "--allocate", "search",
            "--calibrate", Assets.Path("bert-calibration.tsv"), "--samples", "1024",
        ])
        { RedirectStandardError = true, RedirectStandardOutput = true };
        using var tool = Process.Start(start)!;
        var error = tool.StandardError.ReadToEndAsync();
        var text = tool.StandardOutput.ReadToEndAsync();
        await Task.Delay(TimeSpan.FromSeconds(after), TestContext.Current.CancellationToken);
        var since = Stopwatch.StartNew();
        using (var kill = Process.Start("kill", ["-INT", tool.Id.ToString(CultureInfo.InvariantCulture)])) kill.WaitForExit();
        bool ended = tool.WaitForExit(TimeSpan.FromSeconds(30));
        output.WriteLine($"after {after} s: {since.ElapsedMilliseconds} ms, exit code {tool.ExitCode}");
        Assert.True(ended, "the tool goes on");
        Assert.NotEqual(0, tool.ExitCode);
        Assert.Empty(Directory.GetFiles(_folder));
        Assert.DoesNotContain("   at ", await error + await text, StringComparison.Ordinal);
    }
}
