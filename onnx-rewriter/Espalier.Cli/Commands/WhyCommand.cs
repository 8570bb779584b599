using System.CommandLine;
using Espalier.Axes;
using Espalier.Cli.Host;
using Espalier.Cli.Inspections;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>why</c>: how one axis of a tensor is understood, and why it may or may not be pruned.</summary>
internal static class WhyCommand
{
    public static readonly string[] Examples =
    [
        "espalier why resnet.onnx layers.4.conv2.0.weight:0",
        "espalier why bert.onnx encoder.0.attn.heads",
    ];

    public static Command Create(Terminal terminal)
    {
        var model = CommonOptions.ExistingFile("MODEL", "The ONNX model.");
        var tensor = new Argument<string>("TENSOR[:AXIS]")
        { Description = "A weight or any other tensor, or a group; with :AXIS only that axis of the tensor, counted from 0." };
        var allowInterface = CommonOptions.Interface();
        var json = CommonOptions.Json();
        var command = new Command("why",
            "Explain an axis of a tensor: its term, the groups in it, their kind and exactness, and the chain of reasons.")
            { model, tensor, allowInterface, json };
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            using var progress = new StepProgress(terminal, "why", cancellationToken);
            progress.Step("reading the model");
            using var opened = OnnxModel.Open(result.GetRequiredValue(model).FullName);
            var analysis = AxisAnalysis.Run(opened, CommonOptions.ToAxisOptions(null, result.GetValue(allowInterface)));
            progress.Dispose();
            var explained = Explanation.Read(analysis, result.GetRequiredValue(tensor));
            if (result.GetValue(json)) terminal.Out.WriteLine(JsonText.Of(explained));
            else Explanation.Write(terminal.Out, explained);
            return ExitCode.Done;
        }, cancellationToken));
        return command;
    }
}
