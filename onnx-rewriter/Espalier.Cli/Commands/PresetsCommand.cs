using System.CommandLine;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier presets</c>: what each named method stands for.</summary>
internal static class PresetsCommand
{
    public static readonly string[] Examples = ["espalier presets",
        "espalier slim bert.onnx -o slim.onnx --macs 0.5 --preset flap --calibrate verses.npz"];

    public static Command Create(Terminal terminal)
    {
        var command = new Command("presets",
            "List the methods of the literature that --preset names: how each ranks units, spreads a budget and makes up for what is "
                + "gone, and where it is published.");
        var json = CommonOptions.Json();
        command.Add(json);
        command.SetAction(result =>
        {
            var rows = Enum.GetValues<Preset>().Select(preset => Row(preset, Presets.Get(preset))).ToList();
            if (result.GetValue(json))
            {
                terminal.Out.WriteLine(JsonText.Of(rows));
                return ExitCode.Done;
            }
            var table = new Table().RoundedBorder()
                .AddColumns("preset", "score", "allocation", "compensation", "schedule", "needs data", "source");
            foreach (var row in rows)
                table.AddRow(row.Preset, row.Score, row.Allocation, row.Compensation, row.Schedule, row.NeedsData,
                    Markup.Escape(row.Source));
            terminal.Tables().Write(table);
            return ExitCode.Done;
        });
        return command;
    }

    private static Shown Row(Preset preset, PruningMethod method) => new()
    {
        Preset = Words.Kebab(preset),
        Score = Score(method),
        Allocation = method.Depth is null ? AllocationRow.Get(method.Allocate).Word : "",
        Compensation = method.Depth is null && method.LowRank is null ? CompensationRow.Get(method.Compensate).Word : "",
        Schedule = ScheduleRow.Get(method.Schedule).Word,
        NeedsData = NeedsData(method),
        Source = method.Citation,
    };

    private static string Score(PruningMethod method)
    {
        if (method.LowRank is { } products) return $"ranks of {Words.Kebab(products).Replace('-', ' ')}";
        if (method.Depth is { } axis) return $"{AxisRow.Get(axis).Word} by {CriterionRow.Get(method.DepthScore).Word}";
        string score = CriterionRow.Get(method.Score!.Value).Word;
        return method.Units is { } units ? $"{AxisRow.Get(units).Word} by {score}" : score;
    }

    private static string NeedsData(PruningMethod method)
        => !method.NeedsCalibration ? "no"
            : method.Inputs == InputSource.Data ? "yes"
            : $"no, makes up {Words.Kebab(method.Inputs)}";

    /// <summary>A preset as a row of words.</summary>
    private sealed record Shown
    {
        public required string Preset { get; init; }
        public required string Score { get; init; }
        public required string Allocation { get; init; }
        public required string Compensation { get; init; }
        public required string Schedule { get; init; }
        public required string NeedsData { get; init; }
        public required string Source { get; init; }
    }
}
