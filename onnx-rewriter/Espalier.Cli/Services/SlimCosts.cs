using System.Globalization;
using Espalier.Calibration.Statistics;
using Espalier.Cli.Host;
using Espalier.Cli.Steps;
using Spectre.Console;

namespace Espalier.Cli.Services;

/// <summary>What slimming cost: processor time by step, also in passes of the dense model over the samples, and memory.</summary>
/// <param name="Steps">In the order in which they began first.</param>
/// <param name="Pass">Processor seconds of one pass; null where the plan ran no samples.</param>
/// <param name="Samples">Samples of a pass.</param>
internal sealed record SlimCosts(IReadOnlyList<StepCost> Steps, double? Pass, int Samples)
{
    /// <summary>Slims, and writes nothing.</summary>
    public static SlimCosts Measure(SlimJob job, StepProgress progress, CancellationToken cancellation)
    {
        using (job.Run().Model)
        {
            var (steps, samples) = (progress.Costs, job.Calibrated);
            var pass = samples is null ? (TimeSpan?)null : DensePass.Measure(job.Dense, samples, cancellation);
            return new(steps, pass?.TotalSeconds, samples?.Count ?? 0);
        }
    }

    public void Write(Terminal terminal)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumns("", "seconds", "passes", "peak MB");
        foreach (var column in table.Columns.Skip(1)) column.RightAligned();
        foreach (var step in Steps) table.AddRow(step.Step, Number(step.Seconds), InPasses(step.Seconds), Whole(step.PeakMegabytes));
        table.AddRow("all", Number(Steps.Sum(s => s.Seconds)), InPasses(Steps.Sum(s => s.Seconds)),
            Whole(Steps.Max(s => s.PeakMegabytes)));
        terminal.Tables().Write(table);
        if (Pass is { } pass)
            terminal.Out.WriteLine(FormattableString.Invariant($"one pass: {pass:0.##} s of processor time, {Samples} samples"));

        string InPasses(double seconds) => Pass is { } one ? Number(seconds / one) : "-";
        static string Whole(double value) => value.ToString("0", CultureInfo.InvariantCulture);
        static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
    }
}
