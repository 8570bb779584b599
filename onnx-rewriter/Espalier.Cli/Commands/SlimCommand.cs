using System.CommandLine;
using Espalier.Axes;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>slim</c>: removes what the options say.</summary>
internal static class SlimCommand
{
    public static readonly string[] Examples =
    [
        "espalier slim resnet.onnx -o slim.onnx --keep 0.5",
        "espalier slim resnet.onnx -o slim.onnx --macs 0.6 --allocate global --score variance --compensate least-squares "
            + "--calibrate images.npy",
        "espalier slim resnet.onnx -o slim.onnx --macs 0.5 --calibrate photos --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
        "espalier slim bert.onnx -o slim.onnx --heads 0.75 --neurons 0.5 --drop-sublayers 2 --report slim.json",
        "espalier slim moe.onnx -o slim.onnx --experts 0.5 --protect 'head*'",
    ];

    public static Command Create(Terminal terminal)
    {
        var model = CommonOptions.ExistingFile("MODEL", "The ONNX model.");
        var output = new Option<FileInfo>("--output", "-o") { Description = "The slim model.", HelpName = "OUT", Required = true };
        var report = new Option<FileInfo?>("--report")
            { Description = "What was removed and what it saved, as JSON; verify reads it.", HelpName = "FILE.json" };
        var diff = new Option<FileInfo?>("--diff") { Description = "What changed in the graph, as text.", HelpName = "FILE" };
        var dimensions = CommonOptions.Dimensions();
        var fill = CommonOptions.Fill();
        var allowInterface = CommonOptions.Interface();
        var hoist = new Option<bool>("--hoist-initializers")
        {
            Description = "Take weights out of the graph's inputs, where files before IR version 4 list them: callers can then no longer "
                + "replace them, and ONNX Runtime runs such a model faster.",
        };
        var options = new SlimOptions();
        var command = new Command("slim",
            "Remove parts of a model. Inputs and outputs of the graph keep their shape unless --allow-interface lets caches shrink; the "
                + "model appears whole or not at all.")
            { model, output };
        foreach (var option in options.All) command.Add(option);
        command.Add(report);
        command.Add(diff);
        command.Add(dimensions);
        command.Add(fill);
        command.Add(allowInterface);
        command.Add(hoist);
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            var path = result.GetRequiredValue(model).FullName;
            var target = result.GetRequiredValue(output).FullName;
            // The weights are read from the dense file while the slim one is written.
            if (path == target) throw new UsageException("OUT is MODEL itself; name another file.");
            var files = new SlimFiles
            {
                Model = target,
                Report = result.GetValue(report)?.FullName,
                DiffText = result.GetValue(diff)?.FullName,
            };

            using var progress = new Progress(terminal, "slim");
            progress.Step("reading the model");
            using var dense = OnnxModel.Open(path);
            var axes = CommonOptions.ToAxisOptions(result.GetValue(dimensions), result.GetValue(allowInterface));
            var analysis = AxisAnalysis.Run(dense, axes);
            var plan = options.ToPlan(result, Path.GetFileName(path), analysis) with
            {
                AllowInterface = axes.AllowInterface,
                HoistInitializers = result.GetValue(hoist),
            };
            var job = new SlimJob(dense, analysis, plan, axes.Dimensions, progress, cancellationToken)
            {
                FileName = Path.GetFileName(target),
                Fill = CommonOptions.ToFill(result.GetValue(fill)),
            };
            var slim = job.Run();
            progress.Step("writing");
            files.Save(slim, dense);
            progress.Dispose();
            Summary.Write(terminal, slim.Report);
            return ExitCode.Done;
        }, cancellationToken));
        return command;
    }
}
