using System.Diagnostics;
using System.Globalization;
using Espalier.Cli.Host;

namespace Espalier.EndToEnd.Tests.Cli;

/// <summary>Ctrl+C, as the terminal sends it, and files that are whole or not there.</summary>
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

    [Fact]
    public void A_copy_is_whole_and_of_the_same_time_or_is_not_there()
    {
        string from = Path.Combine(_folder, "from"), to = Path.Combine(_folder, "copies", "to");
        File.WriteAllText(from, "content");
        var time = new DateTime(2020, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(from, time);
        AtomicFile.CopyIfDifferent(from, to);
        Assert.Equal("content", File.ReadAllText(to));
        Assert.Equal(time, File.GetLastWriteTimeUtc(to));

        // Of equal length and time it is taken for the same; of another time it is not.
        File.WriteAllText(to, "CONTENT");
        File.SetLastWriteTimeUtc(to, time);
        AtomicFile.CopyIfDifferent(from, to);
        Assert.Equal("CONTENT", File.ReadAllText(to));
        File.SetLastWriteTimeUtc(from, time.AddSeconds(1));
        AtomicFile.CopyIfDifferent(from, to);
        Assert.Equal("content", File.ReadAllText(to));

        // Nothing can be put in the place of a folder.
        Directory.CreateDirectory(to + "2");
        Assert.Throws<IOException>(() => AtomicFile.CopyIfDifferent(from, to + "2"));
        Assert.Equal([to], Directory.GetFiles(Path.GetDirectoryName(to)!));
    }
}
