using System.CommandLine;
using System.Globalization;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Timing;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>bench</c>: CPU time per run of one model, or of two in turns.</summary>
internal static class BenchCommand
{
    public static readonly string[] Examples = ["espalier bench resnet.onnx",
        "espalier bench resnet.onnx slim.onnx --dim batch=8 --threads 2"];

    public static Command Create(Terminal terminal)
    {
        var first = CommonOptions.ExistingFile("A", "A model.");
        var second = CommonOptions.ExistingFile("B", "Another with the same inputs, to compare with.");
        second.Arity = ArgumentArity.ZeroOrOne;
        var rounds = CommonOptions.Count("--rounds", "How often the models take turns. [default: 15]", least: 1);
        var threads = CommonOptions.Count("--threads", "Threads within an operator. [default: 1]", least: 1);
        var seed = CommonOptions.Seed();
        var dimensions = CommonOptions.Dimensions();
        var fill = CommonOptions.Fill();
        var json = CommonOptions.Json();
        var command = new Command("bench",
            "Measure CPU time per run on random inputs. Two models take turns, so that a busy machine is unfair to neither.")
            { first, second, rounds, threads, seed, dimensions, fill, json };
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            using var progress = new Progress(terminal, "bench");
            progress.Step("opening");
            using var a = OnnxModel.Open(result.GetRequiredValue(first).FullName);
            using var b = result.GetValue(second) is { } file ? OnnxModel.Open(file.FullName) : null;
            var filled = CommonOptions.ToFill(result.GetValue(fill));
            var sizes = RandomInputs.Fit(a, CommonOptions.ToAxisOptions(result.GetValue(dimensions)).Dimensions, filled, cancellationToken);
            var options = new BenchOptions { Rounds = result.GetValue(rounds) ?? 15, Threads = result.GetValue(threads) ?? 1 };
            var measured = Bench.Run(a, b, RandomInputs.For(a, result.GetValue(seed), sizes, filled), options,
                new Rounds(progress, options.Rounds), cancellationToken);
            progress.Dispose();
            if (result.GetValue(json))
                terminal.Out.WriteLine(System.Text.Json.JsonSerializer.Serialize(measured, System.Text.Json.JsonSerializerOptions.Web));
            else
                Write(terminal.Out, measured, options);
            return ExitCode.Done;
        }, cancellationToken));
        return command;
    }

    private static void Write(TextWriter output, BenchResult measured, BenchOptions options)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"A: {measured.A:0.###} ms CPU per run"));
        if (measured.B is { } b) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"B: {b:0.###} ms CPU per run"));
        if (measured.Ratio is { } ratio) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"B/A: {ratio:0.000}"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"median of {options.Rounds} rounds, {measured.Runs} runs each, {options.Threads} thread{(options.Threads == 1 ? "" : "s")}"));
    }

    private sealed class Rounds(Progress progress, int total) : IProgress<int>
    {
        public void Report(int value) => progress.Step("round", value, total);
    }
}
