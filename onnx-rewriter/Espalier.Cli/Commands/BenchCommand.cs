using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Espalier.Axes;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Timing;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>bench</c>: CPU time per run of one model, or of two in turns; or of slimming one.</summary>
internal sealed class BenchCommand
{
    public static readonly string[] Examples = ["espalier bench resnet.onnx",
        "espalier bench resnet.onnx slim.onnx --dim batch=8 --threads 2",
        "espalier bench resnet.onnx slim.onnx --operators",
        "espalier bench resnet.onnx --slim --macs 0.5 --calibrate photos"];

    private readonly Argument<FileInfo> _first = CommonOptions.ExistingFile("A", "A model.");
    private readonly Argument<FileInfo> _second = CommonOptions.ExistingFile("B", "Another with the same inputs, to compare with.");
    private readonly Option<int?> _rounds = CommonOptions.Count("--rounds", "How often the models take turns. [default: 15]", least: 1);
    private readonly Option<int?> _threads = CommonOptions.Count("--threads", "Threads within an operator. [default: 1]", least: 1);
    private readonly Option<string[]> _dimensions = CommonOptions.Dimensions();
    private readonly Option<string[]> _fill = CommonOptions.Fill();
    private readonly Option<bool> _json = CommonOptions.Json();
    private readonly Option<bool> _operators = new("--operators")
    {
        Description = "With two models: the time of each kind of operator too, on one thread, as ONNX Runtime's profile has it.",
    };
    private readonly Option<bool> _slim = new("--slim")
    {
        Description = "Measure what it costs to slim A as the options of 'espalier slim' say, which then go here: processor time by step, "
            + "in passes of A over the calibration samples too, and memory. Nothing is written.",
    };
    private readonly SlimOptions _slimming = new();

    public static Command Create(Terminal terminal)
    {
        var bench = new BenchCommand();
        bench._second.Arity = ArgumentArity.ZeroOrOne;
        var command = new Command("bench",
            "Measure CPU time per run on random inputs. Two models take turns, so that a busy machine is unfair to neither.")
        {
            bench._first, bench._second, bench._rounds, bench._threads, bench._slimming.Seed, bench._dimensions, bench._fill, bench._json,
            bench._operators, bench._slim,
        };
        foreach (var option in bench._slimming.All.Where(o => o != bench._slimming.Seed))
        {
            option.Hidden = true;
            command.Add(option);
        }
        command.SetAction((result, cancellationToken) => Task.Run(() =>
        {
            using var progress = new StepProgress(terminal, "bench", cancellationToken);
            progress.Step("opening");
            using var a = OnnxModel.Open(result.GetRequiredValue(bench._first).FullName);
            bench.Demand(result);
            if (result.GetValue(bench._slim)) bench.Slim(result, a, terminal, progress, cancellationToken);
            else bench.Run(result, a, terminal, progress, cancellationToken);
            return ExitCode.Done;
        }, cancellationToken));
        return command;
    }

    /// <exception cref="UsageException">An option goes with the other thing that is measured.</exception>
    private void Demand(ParseResult result)
    {
        bool slims = result.GetValue(_slim);
        var others = slims ? [_rounds, _threads, _operators] : _slimming.All.Where(o => o != _slimming.Seed);
        if (others.FirstOrDefault(o => result.GetResult(o) is { Implicit: false }) is { } odd)
            throw new UsageException($"{odd.Name} goes {(slims ? "without" : "with")} --slim.");
        if (result.GetValue(_operators) && result.GetValue(_second) is null)
            throw new UsageException("--operators compares two models; give B.");
        if (slims && result.GetValue(_second) is { } second) throw new UsageException($"--slim slims A; take '{second.Name}' away.");
    }

    private void Run(ParseResult result, OnnxModel a, Terminal terminal, StepProgress progress, CancellationToken cancellationToken)
    {
        using var b = result.GetValue(_second) is { } file ? OnnxModel.Open(file.FullName) : null;
        var filled = CommonOptions.ToFill(result.GetValue(_fill));
        var sizes = RandomInputs.Fit(a, CommonOptions.ToAxisOptions(result.GetValue(_dimensions)).Dimensions, filled, cancellationToken);
        var options = new BenchOptions { Rounds = result.GetValue(_rounds) ?? 15, Threads = result.GetValue(_threads) ?? 1 };
        var inputs = RandomInputs.For(a, result.GetValue(_slimming.Seed), sizes, filled);
        var measured = Bench.Run(a, b, inputs, options, new Rounds(progress, options.Rounds), cancellationToken);
        if (b is not null && result.GetValue(_operators))
            measured = measured with { Operators = OperatorTimes.Compare(a, b, [.. inputs.Values], cancellationToken) };
        progress.Dispose();
        if (result.GetValue(_json)) terminal.Out.WriteLine(JsonSerializer.Serialize(measured, JsonSerializerOptions.Web));
        else Write(terminal.Out, measured, options);
    }

    private void Slim(ParseResult result, OnnxModel model, Terminal terminal, StepProgress progress, CancellationToken cancellationToken)
    {
        var axes = CommonOptions.ToAxisOptions(result.GetValue(_dimensions));
        var analysis = AxisAnalysis.Run(model, axes);
        string name = result.GetRequiredValue(_first).Name;
        var job = new SlimJob(model, analysis, _slimming.ToPlan(result, name, analysis), axes.Dimensions, progress, cancellationToken)
        {
            FileName = name,
            Fill = CommonOptions.ToFill(result.GetValue(_fill)),
        };
        var costs = SlimCosts.Measure(job, progress, cancellationToken);
        progress.Dispose();
        if (result.GetValue(_json)) terminal.Out.WriteLine(JsonSerializer.Serialize(costs, JsonSerializerOptions.Web));
        else costs.Write(terminal);
    }

    private static void Write(TextWriter output, BenchResult measured, BenchOptions options)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"A: {measured.A:0.###} ms CPU per run"));
        if (measured.B is { } b) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"B: {b:0.###} ms CPU per run"));
        if (measured.Ratio is { } ratio) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"B/A: {ratio:0.000}"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"median of {options.Rounds} rounds, {measured.Runs} runs each, {options.Threads} thread{(options.Threads == 1 ? "" : "s")}"));
        foreach (var one in measured.Operators ?? [])
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{one.Operator,-28} A {one.A,9:0.000} ms  B {one.B,9:0.000} ms"));
    }

    private sealed class Rounds(StepProgress progress, int total) : IProgress<int>
    {
        public void Report(int value) => progress.Step("round", value, total);
    }
}
