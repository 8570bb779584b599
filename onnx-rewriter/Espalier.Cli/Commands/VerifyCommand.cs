using System.CommandLine;
using Espalier.Axes;
using Espalier.Calibration.Data;
using Espalier.Calibration.Inputs;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>verify</c>: the promise of exactness, executed.</summary>
internal static class VerifyCommand
{
    public static readonly string[] Examples =
    [
        "espalier slim bert.onnx -o slim.onnx --keep 0.5 --report slim.json",
        "espalier verify bert.onnx slim.onnx --report slim.json",
        "espalier verify bert.onnx slim.onnx --report slim.json --dim sequence=32 --runs 10",
    ];

    private const int DefaultRuns = 4;

    public static Command Create(Terminal terminal)
    {
        var dense = CommonOptions.ExistingFile("DENSE", "The model before slimming.");
        var slim = CommonOptions.ExistingFile("SLIM", "The model after slimming.");
        var report = new Option<FileInfo>("--report")
        { Description = "The report that slim wrote.", HelpName = "FILE.json", Required = true };
        var runs = CommonOptions.Count("--runs", $"How many inputs are tried. [default: {DefaultRuns}]", least: 1);
        var seed = CommonOptions.Seed();
        var dimensions = CommonOptions.Dimensions();
        var fill = CommonOptions.Fill();
        var data = new DataArguments();
        var json = CommonOptions.Json();
        var command = new Command("verify",
            "Check that the slim model computes what the dense model computes when everything that was removed is zero: both run in ONNX "
                + "Runtime on random inputs and must agree within 1e-4 relative (in 16 bits: four steps of their type), at the outputs "
                + "and inside. Where nothing moves when units are masked, nothing is proved, and that is a failed check. A compensated "
                + "model differs on purpose: there the check runs on the model before compensation, and the agreement of the outputs is "
                + "printed.")
            { dense, slim, report, runs, seed, dimensions, fill, json };
        foreach (var option in data.Inputs) command.Add(option);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            var file = result.GetRequiredValue(report);
            if (!file.Exists) throw new UsageException($"--report: there is no file '{file}'.");
            using var progress = new StepProgress(terminal, "verify", cancellationToken);
            progress.Step("reading the models");
            using var before = OnnxModel.Open(result.GetRequiredValue(dense).FullName);
            using var after = OnnxModel.Open(result.GetRequiredValue(slim).FullName);
            var removed = Reports.Read(file.FullName);
            var axes = CommonOptions.ToAxisOptions(result.GetValue(dimensions), removed.Plan.AllowInterface);
            var analysis = AxisAnalysis.Run(before, axes);
            progress.Step("finding inputs that the model takes");
            int count = result.GetValue(runs) ?? DefaultRuns;
            IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> inputs;
            if (data.ToSource(result) is { Path: { } path } source)
                inputs = CalibrationData.Read(path, after, source.ToOptions(axes.Dimensions) with { Samples = count });
            else
            {
                var filled = CommonOptions.ToFill(result.GetValue(fill));
                var sizes = RandomInputs.Fit(after, axes.Dimensions, filled, cancellationToken);
                inputs = RandomInputs.Many(after, count, result.GetValue(seed), sizes, filled);
            }
            var outcome = new Verification(analysis, removed, inputs, progress).Run(after, cancellationToken);
            progress.Dispose();
            if (result.GetValue(json)) terminal.Out.WriteLine(JsonText.Of(outcome));
            else foreach (string line in outcome.Lines) terminal.Out.WriteLine(line);
            return outcome.Holds ? ExitCode.Done : ExitCode.Refused;
        }, cancellationToken));
        return command;
    }
}
