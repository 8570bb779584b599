using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Espalier.Mutations;

/// <summary>Runs tests on mutated products, one run at a time.</summary>
internal sealed partial class Trials(WorkingCopy copy)
{
    // A loaded machine must not look like a loop without end.
    private const double Patience = 10;
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, TimeSpan> _unmutated = new(StringComparer.Ordinal);

    /// <summary>Tries stage after stage until a test fails.</summary>
    /// <returns>That test, or how the run ended; null where the mutation survives all stages.</returns>
    /// <exception cref="InvalidOperationException">A stage fails without a mutation too, or has no test.</exception>
    public string? Try(Mutation mutation)
    {
        foreach (var stage in mutation.Stages)
        {
            if (!_unmutated.TryGetValue(stage.Key, out var usual)) _unmutated[stage.Key] = usual = Usual(stage);
            if (usual == TimeSpan.Zero) continue;
            if (Run(stage, mutation.Number, (usual * Patience) + Grace).Failure is { } failure) return failure;
        }
        return null;
    }

    /// <summary>How long a stage takes with no mutation, where all of its tests must pass; zero if it has none and may.</summary>
    private TimeSpan Usual(Stage stage)
    {
        var watch = Stopwatch.StartNew();
        var (failure, tests) = Run(stage, 0, TimeSpan.FromHours(2));
        if (failure is not null) throw new InvalidOperationException($"without a mutation too, '{stage.Key}' fails: {failure}");
        if (tests == 0 && stage.MayBeEmpty) return TimeSpan.Zero;
        if (tests == 0) throw new InvalidOperationException($"'{stage.Key}' has no test");
        return watch.Elapsed;
    }

    private (string? Failure, int Tests) Run(Stage stage, int mutation, TimeSpan longest)
    {
        var start = new ProcessStartInfo(copy.Program(stage.Project),
            ["-noLogo", "-noColor", "-stopOnFail", "-preEnumerateTheories", .. stage.Arguments])
        {
            // No terminal: a run in the background would be stopped for setting it up.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[Schemata.Variable] = mutation.ToString(CultureInfo.InvariantCulture);
        using var run = Process.Start(start)!;
        run.StandardInput.Close();
        var output = new StringBuilder();
        run.OutputDataReceived += (_, line) => { lock (output) output.AppendLine(line.Data); };
        run.ErrorDataReceived += (_, line) => { lock (output) output.AppendLine(line.Data); };
        run.BeginOutputReadLine();
        run.BeginErrorReadLine();
        if (!run.WaitForExit(longest))
        {
            run.Kill(entireProcessTree: true);
            return ("a run without end", 0);
        }
        run.WaitForExit();
        string text = output.ToString();
        int tests = Total().Match(text) is { Success: true } total ? int.Parse(total.Groups[1].Value, CultureInfo.InvariantCulture) : 0;
        if (run.ExitCode == 0) return (null, tests);
        return (Failed().Match(text) is { Success: true } failed
            ? failed.Groups[1].Value.Trim()
            : $"a run that ends with code {run.ExitCode}", tests);
    }

    [GeneratedRegex(@"Total: (\d+)", RegexOptions.CultureInvariant)]
    private static partial Regex Total();

    [GeneratedRegex(@"^\s*(\S.*) \[FAIL\]", RegexOptions.CultureInvariant | RegexOptions.Multiline)]
    private static partial Regex Failed();
}
