using System.Diagnostics;
using System.Globalization;

namespace Espalier.Adversaries;

/// <summary>Runs a program and kills it, and whatever it started, in the middle of its work.</summary>
internal static class Victim
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(1), Patience = TimeSpan.FromSeconds(30);

    /// <summary>How a run went.</summary>
    /// <param name="Killed">False where it had ended by itself before.</param>
    /// <param name="Code">Exit code.</param>
    /// <param name="Text">What it printed.</param>
    /// <param name="Took">Seconds from its start to its end.</param>
    /// <param name="Waited">Seconds until what was waited for came.</param>
    public sealed record Fate(bool Killed, int Code, string Text, double Took, double Waited);

    /// <summary>Runs it.</summary>
    /// <param name="start">The program; its output is redirected.</param>
    /// <param name="after">Seconds from the moment that is waited for; null lets it live.</param>
    /// <param name="until">What is waited for; null for its start.</param>
    /// <param name="folder">Where it works: all processes that work there are gone when this returns.</param>
    public static Fate Run(ProcessStartInfo start, double? after = null, Func<bool>? until = null, string? folder = null)
    {
        var watch = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        double waited = 0;
        while (until is not null && !process.HasExited && !until()) Thread.Sleep(Look);
        waited = watch.Elapsed.TotalSeconds;
        bool killed = false;
        if (after is { } seconds)
        {
            killed = !process.WaitForExit(TimeSpan.FromSeconds(seconds));
            if (killed) process.Kill(entireProcessTree: true);
        }
        process.WaitForExit();
        if (folder is not null) WaitForOthers(folder);
        return new(killed, process.ExitCode, output.Result + error.Result, watch.Elapsed.TotalSeconds, waited);
    }

    /// <summary>A process that was sent the signal is not gone yet. Where processes cannot be looked at, a second must do.</summary>
    private static void WaitForOthers(string folder)
    {
        if (!Directory.Exists("/proc/self"))
        {
            Thread.Sleep(TimeSpan.FromSeconds(1));
            return;
        }
        for (var watch = Stopwatch.StartNew(); Workers(folder) is { Count: > 0 } left; Thread.Sleep(Look))
            if (watch.Elapsed > Patience)
                throw new InvalidOperationException($"the processes {string.Join(", ", left)} outlive the one that started them");
    }

    private static List<string> Workers(string folder)
        => [.. Directory.EnumerateDirectories("/proc").Where(p => WorksIn(p, folder)
            && int.TryParse(Path.GetFileName(p), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            && id != Environment.ProcessId)];

    private static bool WorksIn(string process, string folder)
    {
        try
        {
            return File.ReadAllText(process + "/cmdline").Contains(folder, StringComparison.Ordinal)
                || Directory.ResolveLinkTarget(process + "/cwd", returnFinalTarget: false) is { } place
                    && place.FullName.StartsWith(folder, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended, or is another user's.
            return false;
        }
    }
}
