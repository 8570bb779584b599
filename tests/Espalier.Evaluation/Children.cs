using System.Diagnostics;

namespace Espalier.Evaluation;

/// <summary>Runs this program again, on one processor.</summary>
internal static class Children
{
    private const int PollMilliseconds = 250;

    /// <summary>What a process may take before it is stopped; null for all.</summary>
    internal sealed record Limits(double? Megabytes = null, double? Minutes = null);

    /// <summary>The lines that it prints.</summary>
    /// <exception cref="EspalierException">It was stopped, because it took more than it may.</exception>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static IReadOnlyList<string> Run(IReadOnlyList<string> arguments, Limits? limits = null)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(Children).Assembly.Location);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        start.Environment["DOTNET_PROCESSOR_COUNT"] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        while (!process.WaitForExit(PollMilliseconds)) Stop(process, limits ?? new());
        // Waits for the output too.
        process.WaitForExit();
        return process.ExitCode == 0
            ? output.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : throw new InvalidOperationException($"'{string.Join(' ', arguments)}' ended with {process.ExitCode}.");
    }

    private static void Stop(Process process, Limits limits)
    {
        double megabytes, minutes;
        try
        {
            process.Refresh();
            (megabytes, minutes) = (process.WorkingSet64 / 1e6, process.TotalProcessorTime.TotalMinutes);
        }
        catch (InvalidOperationException)
        {
            // It ended in the meantime.
            return;
        }
        if (!(megabytes > limits.Megabytes) && !(minutes > limits.Minutes)) return;
        process.Kill();
        throw new EspalierException(FormattableString.Invariant(
            $"Stopped at {megabytes:#,0} MB after {minutes * 60:#,0} s of processor time, and not done."));
    }
}
