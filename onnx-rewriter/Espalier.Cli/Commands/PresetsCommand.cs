using System.CommandLine;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier presets</c>: what each named method stands for.</summary>
internal static class PresetsCommand
{
    /// <summary>The presets as options write them.</summary>
    public static IEnumerable<string> Names => Enum.GetValues<Preset>().Select(NameOf);

    /// <summary>The preset of that name.</summary>
    public static Preset? Parse(string? name) => name is null ? null : Enum.GetValues<Preset>().First(p => NameOf(p) == name);

    /// <summary>What the help shows.</summary>
    public static readonly string[] Examples = ["espalier presets",
        "espalier slim bert.onnx -o slim.onnx --macs 0.5 --preset flap --calibrate verses.npz"];

    /// <summary>The command.</summary>
    public static Command Create(Terminal terminal)
    {
        var command = new Command("presets",
            "List the methods of the literature that --preset names: how each ranks units, spreads a budget and makes up for what is "
                + "gone, and where it is published.");
        command.SetAction(_ =>
        {
            var table = new Table().RoundedBorder()
                .AddColumns("preset", "score", "allocation", "compensation", "schedule", "needs data", "source");
            foreach (var preset in Enum.GetValues<Preset>())
            {
                var method = Presets.Get(preset);
                table.AddRow(NameOf(preset),
                    method.LowRank is { } products
                        ? $"ranks of {Kebab(products.ToString()).Replace('-', ' ')}"
                        : method.Depth is { } axis
                            ? $"{Kebab(axis.ToString())} by {Kebab(method.DepthScore.ToString())}"
                            : (method.Units is { } units ? Kebab(units.ToString()) + " by " : "") + Kebab(method.Score.ToString()!),
                    method.Depth is null
                        ? Kebab(method.Allocate.ToString())
                        : "", method.Depth is null && method.LowRank is null ? Kebab(method.Compensate.ToString()) : "",
                    Kebab(method.Schedule.ToString()), !method.NeedsCalibration
                        ? "no"
                        : method.Inputs == InputSource.Data
                            ? "yes"
                            : $"no, makes up {Kebab(method.Inputs.ToString())}", Markup.Escape(method.Citation));
            }
            terminal.Tables().Write(table);
            return ExitCode.Done;
        });
        return command;
    }

    private static string NameOf(Preset preset) => Kebab(preset.ToString());

    /// <summary>PascalCase as options write it: <c>zip-lm</c>.</summary>
    private static string Kebab(string name)
        => string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
