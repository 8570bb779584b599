using System.CommandLine;
using Espalier.Axes;
using Espalier.Axes.Manifests;
using Espalier.Cli.Host;
using Espalier.Cli.Inspections;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>inspect</c>: what could be removed from a model, and what not and why.</summary>
internal static class InspectCommand
{
    public static readonly string[] Examples =
    [
        "espalier inspect bert.onnx",
        "espalier inspect bert.onnx --dim batch=1 --dim sequence=64",
        "espalier inspect resnet.onnx --json > resnet.json",
        "espalier inspect resnet.onnx --manifest resnet.espalier-manifest",
    ];

    public static Command Create(Terminal terminal)
    {
        var model = CommonOptions.ExistingFile("MODEL", "The ONNX model.");
        var manifest = new Option<FileInfo?>("--manifest")
        { Description = "Also write the manifest that the source generator reads.", HelpName = "FILE" };
        var json = CommonOptions.Json();
        var dimensions = CommonOptions.Dimensions();
        var allowInterface = CommonOptions.Interface();
        var command = new Command("inspect",
            "Show what could be removed: groups of coupled units by kind, blocks, costs, and what is frozen and why.")
            { model, manifest, json, dimensions, allowInterface };
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            var path = result.GetRequiredValue(model).FullName;
            Inspection inspection;
            using (var progress = new StepProgress(terminal, "inspect", cancellationToken))
            {
                progress.Step("reading the model");
                using var opened = OnnxModel.Open(path);
                var axes = CommonOptions.ToAxisOptions(result.GetValue(dimensions), result.GetValue(allowInterface));
                var analysis = AxisAnalysis.Run(opened, axes);
                cancellationToken.ThrowIfCancellationRequested();
                if (result.GetValue(manifest) is { } file)
                    AtomicFile.WriteIfDifferent(file.FullName, ManifestWriter.Write(analysis, result.GetRequiredValue(model).ToString()));
                inspection = Inspector.Inspect(analysis);
            }
            if (result.GetValue(json)) terminal.Out.WriteLine(inspection.ToJson());
            else InspectionTables.Write(terminal, inspection);
            return ExitCode.Done;
        }, cancellationToken));
        return command;
    }
}
