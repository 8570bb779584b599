using System.CommandLine;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Pruning.Diffs;

namespace Espalier.Cli.Commands;

/// <summary><c>diff</c>: what changed between two models.</summary>
internal static class DiffCommand
{
    public static readonly string[] Examples = ["espalier diff bert.onnx slim.onnx",
        "espalier diff bert.onnx slim.onnx > bert.verified.txt"];

    public static Command Create(Terminal terminal)
    {
        var before = CommonOptions.ExistingFile("A", "The model before.");
        var after = CommonOptions.ExistingFile("B", "The model after.");
        var json = CommonOptions.Json();
        var command = new Command("diff",
            "Print what changed between two models, as text that is the same on every machine: fit for a snapshot.")
                { before, after, json };
        command.SetAction((result, _) => Task.Run(() =>
        {
            using var progress = new StepProgress(terminal, "diff");
            progress.Step("reading the models");
            using var a = OnnxModel.Open(result.GetRequiredValue(before).FullName);
            using var b = OnnxModel.Open(result.GetRequiredValue(after).FullName);
            var diff = GraphDiffer.Diff(a, b);
            progress.Dispose();
            terminal.Out.Write(result.GetValue(json) ? DiffJson.Serialize(diff) : diff.ToString());
            return ExitCode.Done;
        }));
        return command;
    }
}
