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
        "espalier slim resnet.onnx --macs 0.5 --dry-run",
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
        Description = "The slim model. Required, but for --dry-run.",
        HelpName = "OUT",
    };
    private readonly SlimOptions _options = new();
    private readonly Option<FileInfo?> _report = new("--report")
    { Description = "What was removed and what it saved, as JSON; verify reads it.", HelpName = "FILE.json" };
    private readonly Option<FileInfo?> _diff = new("--diff") { Description = "What changed in the graph, as text.", HelpName = "FILE" };
    private readonly Option<FileInfo?> _page = new("--html")
    { Description = "The report as a page for a browser; 'espalier report' makes the same of FILE.json.", HelpName = "FILE.html" };
    private readonly Option<bool> _dry = new("--dry-run")
    {
        Description = "Say what would be removed and what it would save, and write nothing. No data are read and no model is run: what "
            + "only data decide is noted.",
    };
    private readonly Option<bool> _json = CommonOptions.Json("Print the report as JSON instead of tables.");
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

    /// <summary>The command.</summary>
    public Command Command { get; }

    /// <summary>Its options as the help shows them.</summary>
    public IReadOnlyList<OptionGroup> Groups { get; }

    public SlimCommand(Terminal terminal)
    {
        Groups =
        [
            .. _options.Groups.Select(group => group.Title switch
            {
                "What stays" => new OptionGroup(group.Title, [.. group.Options, _allowInterface]),
                "Data" => group with { Options = [.. group.Options, _dimensions, _fill] },
                _ => group,
            }),
            new("Output", [_output, _dry, _report, _page, _diff, _json, _hoist, _cache]),
        ];
        Command = new Command("slim",
            "Remove parts of a model. Inputs and outputs of the graph keep their shape unless --allow-interface lets caches shrink; the "
                + "model appears whole or not at all.")
            { _model };
        foreach (var option in Groups.SelectMany(group => group.Options).Append(_options.Seed)) Command.Add(option);
        Command.SetAction((result, cancellationToken) => Task.Run(() => Run(result, terminal, cancellationToken), cancellationToken));
    }

    private int Run(ParseResult result, Terminal terminal, CancellationToken cancellationToken)
    {
        string path = result.GetRequiredValue(_model).FullName;
        bool dry = result.GetValue(_dry);
        var files = Files(result, path, dry);
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
        if (dry)
        {
            progress.Step("planning");
            var planned = DryRun.Run(analysis, plan, Path.GetFileName(files.Model));
            progress.Dispose();
            Print(result, terminal, planned);
            if (!result.GetValue(_json)) terminal.Out.WriteLine("Dry run: nothing was written.");
            return ExitCode.Done;
        }
        var results = result.GetValue(_cache) is { } folder ? new StepResults(folder.FullName) : null;
        var job = new SlimJob(dense, analysis, plan, axes.Dimensions, progress, cancellationToken)
        {
            FileName = Path.GetFileName(files.Model),
            Fill = CommonOptions.ToFill(result.GetValue(_fill)),
            Results = results,
        };
        var slim = job.Run();
        progress.Step("writing");
        files.Save(slim, dense);
        progress.Dispose();
        if (results?.Reused is { } reused) terminal.Error.WriteLine($"espalier: reused: {reused}");
        Print(result, terminal, slim.Report);
        return ExitCode.Done;
    }

    /// <exception cref="UsageException">There is none to write, or the model itself, or a dry run is to write some.</exception>
    private SlimFiles Files(ParseResult result, string model, bool dry)
    {
        string? target = result.GetValue(_output)?.FullName;
        // The weights are read from the dense file while the slim one is written.
        if (model == target) throw new UsageException("OUT is MODEL itself; name another file.");
        if (target is null && !dry) throw new UsageException("Option '--output' is required: -o OUT, or --dry-run to write nothing.");
        var files = new SlimFiles
        {
            Model = target ?? model,
            Report = result.GetValue(_report)?.FullName,
            DiffText = result.GetValue(_diff)?.FullName,
            Page = result.GetValue(_page)?.FullName,
        };
        if (dry && files.Count() > 1) throw new UsageException("--dry-run writes nothing: take --report, --html and --diff away.");
        return files;
    }

    private void Print(ParseResult result, Terminal terminal, PruningReport report)
    {
        if (result.GetValue(_json)) terminal.Out.Write(ReportJson.Serialize(report));
        else Summary.Write(terminal, report);
    }
}
