using System.CommandLine;
using Espalier.Axes;
using Espalier.Axes.Inference;
using Espalier.Axes.Manifests;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>manifest</c>: what the source generator reads of a model.</summary>
internal static class ManifestCommand
{
    public static readonly string[] Examples = ["espalier manifest models/bert.onnx -o obj/bert.onnx.espalier-manifest"];

    public static Command Create(Terminal terminal)
    {
        var model = CommonOptions.ExistingFile("MODEL", "The ONNX model.");
        var output = new Option<FileInfo>("--output", "-o") { Description = "The manifest to write.", HelpName = "FILE", Required = true };
        var name = new Option<string?>("--name")
        { Description = "The path that policies name the model by. [default: MODEL as given]", HelpName = "PATH" };
        var dimensions = CommonOptions.Dimensions();
        var allowInterface = CommonOptions.Interface();
        var json = CommonOptions.Json();
        var command = new Command("manifest",
            "Write what the source generator reads of a model: inputs, outputs, groups, blocks and costs, as text.")
            { model, output, name, dimensions, allowInterface, json };
        command.SetAction(result =>
        {
            Write(result.GetRequiredValue(model).FullName, result.GetValue(name) ?? result.GetRequiredValue(model).ToString(),
                result.GetRequiredValue(output).FullName,
                CommonOptions.ToAxisOptions(result.GetValue(dimensions), result.GetValue(allowInterface)));
            var written = result.GetRequiredValue(output);
            if (result.GetValue(json))
                terminal.Out.WriteLine(JsonText.Of(new { manifest = written.ToString(), bytes = new FileInfo(written.FullName).Length }));
            return ExitCode.Done;
        });
        return command;
    }

    /// <summary>Writes a manifest unless it is already what it should be.</summary>
    public static void Write(string path, string name, string output, AxisOptions options)
    {
        using var model = OnnxModel.Open(path);
        AtomicFile.WriteIfDifferent(output, ManifestWriter.Write(AxisAnalysis.Run(model, options), name));
    }
}
