using System.CommandLine;
using Espalier.Axes;
using Espalier.Cli.Host;
using Espalier.Cli.Options;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Commands;

/// <summary><c>slim</c>: removes what the options say.</summary>
internal sealed class SlimCommand
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

    private readonly Argument<FileInfo> _model = CommonOptions.ExistingFile("MODEL", "The ONNX model.");
    private readonly Option<FileInfo> _output = new("--output", "-o")
    {
        Description = "The slim model.",
        HelpName = "OUT",
        Required = true
    };
    private readonly SlimOptions _options = new();
    private readonly Option<FileInfo?> _report = new("--report")
    { Description = "What was removed and what it saved, as JSON; verify reads it.", HelpName = "FILE.json" };
    private readonly Option<FileInfo?> _diff = new("--diff") { Description = "What changed in the graph, as text.", HelpName = "FILE" };
    private readonly Option<FileInfo?> _page = new("--html")
    { Description = "The report as a page for a browser; 'espalier report' makes the same of FILE.json.", HelpName = "FILE.html" };
    private readonly Option<string[]> _dimensions = CommonOptions.Dimensions();
    private readonly Option<string[]> _fill = CommonOptions.Fill();
    private readonly Option<bool> _allowInterface = CommonOptions.Interface();
    private readonly Option<bool> _hoist = new("--hoist-initializers")
    {
        Description = "Take weights out of the graph's inputs, where files before IR version 4 list them: callers can then no longer "
            + "replace them, and ONNX Runtime runs such a model faster.",
    };

    private readonly Option<DirectoryInfo?> _cache = new("--cache")
    {
        Description = "Keep statistics and divergences here, and use those that an earlier run kept: another budget, ratio or guard then "
            + "measures little anew. At most 1 GB.",
        HelpName = "FOLDER",
    };

    public static Command Create(Terminal terminal)
    {
        var slim = new SlimCommand();
        var command = new Command("slim",
            "Remove parts of a model. Inputs and outputs of the graph keep their shape unless --allow-interface lets caches shrink; the "
                + "model appears whole or not at all.")
            { slim._model };
        Option[] options =
        [
            slim._output, .. slim._options.All, slim._report, slim._page, slim._diff, slim._dimensions, slim._fill,
            slim._allowInterface, slim._hoist, slim._cache,
        ];
        foreach (var option in options) command.Add(option);
        command.SetAction((result, cancellationToken) => Task.Run(() => slim.Run(result, terminal, cancellationToken), cancellationToken));
        return command;
    }

    private int Run(ParseResult result, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = result.GetRequiredValue(_model).FullName;
        string target = result.GetRequiredValue(_output).FullName;
        // The weights are read from the dense file while the slim one is written.
        if (path == target) throw new UsageException("OUT is MODEL itself; name another file.");
        var files = new SlimFiles
        {
            Model = target,
            Report = result.GetValue(_report)?.FullName,
            DiffText = result.GetValue(_diff)?.FullName,
            Page = result.GetValue(_page)?.FullName,
        };

        using var progress = new StepProgress(terminal, "slim", cancellationToken);
        progress.Step("reading the model");
        using var dense = OnnxModel.Open(path);
        var axes = CommonOptions.ToAxisOptions(result.GetValue(_dimensions), result.GetValue(_allowInterface));
        var analysis = AxisAnalysis.Run(dense, axes);
        var plan = _options.ToPlan(result, Path.GetFileName(path), analysis) with
        {
            AllowInterface = axes.AllowInterface,
            HoistInitializers = result.GetValue(_hoist),
        };
        var results = result.GetValue(_cache) is { } folder ? new StepResults(folder.FullName) : null;
        var job = new SlimJob(dense, analysis, plan, axes.Dimensions, progress, cancellationToken)
        {
            FileName = Path.GetFileName(target),
            Fill = CommonOptions.ToFill(result.GetValue(_fill)),
            Results = results,
        };
        var slim = job.Run();
        progress.Step("writing");
        files.Save(slim, dense);
        progress.Dispose();
        if (results?.Reused is { } reused) terminal.Error.WriteLine($"espalier: reused: {reused}");
        Summary.Write(terminal, slim.Report);
        return ExitCode.Done;
    }
}
