using System.CommandLine;
using Espalier.Axes;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Timing;
using Espalier.Cli.Host;
using Espalier.Cli.Inspections;
using Espalier.Cli.Options;
using Espalier.Cli.Pages;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Cli.Commands;

/// <summary><c>report</c>: a page that shows what went from a model, or what could.</summary>
internal sealed class ReportCommand
{
    public static readonly string[] Examples =
    [
        "espalier report slim.json -o report.html",
        "espalier report slim.json -o report.html --times bert.onnx slim.onnx",
        "espalier report half.json third.json quarter.json -o curve.html",
        "espalier report bert.onnx",
    ];

    private readonly Argument<FileInfo[]> _files = new("MODEL|REPORT")
    {
        Description = "An ONNX model; or reports that 'espalier slim --report' and builds write, of which several make a curve.",
        Arity = ArgumentArity.OneOrMore,
    };
    private readonly Option<FileInfo?> _output = new("--output", "-o")
    { Description = "The page. [default: the first file's name with .html]", HelpName = "FILE.html" };
    private readonly Option<FileInfo?> _diff = new("--diff")
    {
        Description = "What changed in the graph, as 'espalier diff --json' prints it. [default: the .diff.json beside the report, if any]",
        HelpName = "FILE.json",
    };
    private readonly Option<FileInfo[]> _times = new("--times")
    {
        Description = "Run both models here and show the time of each kind of operator too. The page then depends on the machine.",
        HelpName = "DENSE SLIM",
        Arity = new ArgumentArity(2, 2),
        AllowMultipleArgumentsPerToken = true,
    };
    private readonly Option<string[]> _dimensions = CommonOptions.Dimensions();
    private readonly Option<bool> _json = CommonOptions.Json();

    public static Command Create(Terminal terminal)
    {
        var report = new ReportCommand();
        var command = new Command("report",
            "Write a page that a browser shows without a network: the network dense against slim, agreement against cost, where the work "
                + "goes, what is frozen and why, the plan, the diff. Of a model alone: what could be removed.")
        { report._files, report._output, report._diff, report._times, report._dimensions, report._json };
        command.SetAction((result, cancellation) => Task.Run(() => report.Run(result, terminal, cancellation), cancellation));
        return command;
    }

    private int Run(ParseResult result, Terminal terminal, CancellationToken cancellationToken)
    {
        var files = result.GetRequiredValue(_files);
        if (files.FirstOrDefault(f => !f.Exists) is { } missing) throw new UsageException($"There is no file '{missing}'.");
        var output = result.GetValue(_output) ?? new FileInfo(Path.ChangeExtension(files[0].ToString(), ".html"));
        if (files.Any(f => f.FullName == output.FullName)) throw new UsageException("FILE.html is MODEL|REPORT itself; name another file.");
        string page;
        using (var progress = new StepProgress(terminal, "report", cancellationToken))
        {
            progress.Step("reading");
            page = files.Any(IsModel) ? Model(result, files) : ReportPage.Render(Shown(result, files, progress, cancellationToken));
        }
        AtomicFile.WriteAllText(output.FullName, page);
        if (result.GetValue(_json)) terminal.Out.WriteLine(JsonText.Of(new { page = output.ToString(), bytes = output.Length }));
        else terminal.Out.WriteLine(output.ToString());
        return ExitCode.Done;
    }

    private string Model(ParseResult result, FileInfo[] files)
    {
        if (files.Length > 1) throw new UsageException("one model makes a page, or several reports do; not both, and not several models.");
        if (result.GetValue(_diff) is not null || result.GetValue(_times) is { Length: > 0 })
            throw new UsageException("--diff and --times go with a report.");
        using var model = OnnxModel.Open(files[0].FullName);
        var analysis = AxisAnalysis.Run(model, CommonOptions.ToAxisOptions(result.GetValue(_dimensions)));
        return ModelPage.Render(Inspector.Inspect(analysis), Layers.Of(analysis));
    }

    private List<Shown> Shown(ParseResult result, FileInfo[] files, StepProgress progress, CancellationToken cancellationToken)
    {
        var (diff, times) = (result.GetValue(_diff), result.GetValue(_times) is { Length: 2 } two ? two : null);
        if (files.Length > 1 && (diff is not null || times is not null)) throw new UsageException("--diff and --times go with one report.");
        var measured = times is null ? null : Measure(result, times, progress, cancellationToken);
        return [.. files.Select(file =>
        {
            var report = Reports.Read(file.FullName);
            string name = report.Plan.Policy.Length > 0 && files.Length == 1 ? report.Plan.Policy : Reports.NameOf(file.Name);
            return new Shown(name, report, Reports.DiffOf(file.FullName, diff?.FullName), measured);
        })];
    }

    private BenchResult Measure(ParseResult result, FileInfo[] models, StepProgress progress, CancellationToken cancellationToken)
    {
        if (models.FirstOrDefault(f => !f.Exists) is { } missing) throw new UsageException($"--times: there is no file '{missing}'.");
        progress.Step("measuring");
        using var dense = OnnxModel.Open(models[0].FullName);
        using var slim = OnnxModel.Open(models[1].FullName);
        var sizes = RandomInputs.Fit(dense, CommonOptions.ToAxisOptions(result.GetValue(_dimensions)).Dimensions, null, cancellationToken);
        var inputs = RandomInputs.For(dense, 0, sizes, null);
        return Bench.Run(dense, slim, inputs, cancellationToken: cancellationToken) with
        {
            Operators = OperatorTimes.Compare(dense, slim, [.. inputs.Values], cancellationToken),
        };
    }

    private static bool IsModel(FileInfo file) => file.Extension.Equals(".onnx", StringComparison.OrdinalIgnoreCase);
}
