using System.CommandLine;
using Espalier.Cli.Host;
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
        command.SetAction(_ =>
        {
            var table = new Table().RoundedBorder()
                .AddColumns("preset", "score", "allocation", "compensation", "schedule", "needs data", "source");
            foreach (var preset in Enum.GetValues<Preset>()) table.AddRow(Row(preset, Presets.Get(preset)));
            terminal.Tables().Write(table);
            return ExitCode.Done;
        });
        return command;
    }

    private static string[] Row(Preset preset, PruningMethod method) =>
    [
        Words.Kebab(preset),
        Score(method),
        method.Depth is null ? AllocationRow.Get(method.Allocate).Word : "",
        method.Depth is null && method.LowRank is null ? CompensationRow.Get(method.Compensate).Word : "",
        ScheduleRow.Get(method.Schedule).Word,
        NeedsData(method),
        Markup.Escape(method.Citation),
    ];

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
}
