using System.Diagnostics;
using Espalier.Axes;
using Espalier.Cli.Host;
using Espalier.Cli.Services;
using Espalier.Cli.Steps;
using Espalier.Onnx;

namespace Espalier.Cli.Building;

/// <summary>Slims the models of a project by the policies of its compiled assembly.</summary>
internal sealed class BuildJob(BuildRequest request, Terminal terminal)
{
    /// <summary>Files of policies whose model goes where the program goes, and of those whose model stays with the project.</summary>
    private const string Published = "outputs.txt", Kept = "kept.txt";

    /// <summary>The files of scores and labels that policies name: when one changes, the targets start the tool again.</summary>
    private const string Named = "named.txt";

    private readonly string _output = request.Output ?? throw new UsageException("the request has no output folder.");
    private readonly FileHashes _hashes = new(FolderLock.OpenRead);
    private PolicyAssembly? _assembly;

    /// <summary>Does what has changed and leaves the rest.</summary>
    /// <returns>One of <see cref="ExitCode"/>; every policy is tried, so that one build shows all errors.</returns>
    public int Run(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_output);
        using var alone = FolderLock.Enter(_output, terminal, cancellationToken);
        NativeLibraries.Register(request.Natives);
        var result = ExitCode.Done;
        List<string> published = [], kept = [], named = [];
        foreach (var plan in PlanReader.Read(request.Assembly!))
        {
            try
            {
                (plan.Publish ? published : kept).AddRange(Carry(plan, cancellationToken));
                named.AddRange(NamedFiles.List(plan, request.Project));
            }
            catch (Exception e) when (e is not OperationCanceledException && ErrorMessages.Explain(e) is { } explained)
            {
                terminal.Error.WriteLine(BuildErrors.Of(e, explained.Code, request.Project, request.Project, plan).ToString());
                result = Math.Max(result, explained.Code);
            }
        }
        if (result != ExitCode.Done) return result;
        WriteLists(published, kept);
        WriteList(Named, named);
        return ExitCode.Done;
    }

    private IEnumerable<string> Carry(PruningPlan plan, CancellationToken cancellationToken)
    {
        var name = plan.Model.Replace('\\', '/');
        if (name.StartsWith("./", StringComparison.Ordinal)) name = name[2..];
        var model = request.Models.FirstOrDefault(m => m.Name == name)
            ?? throw new EspalierException($"The project has no model '{plan.Model}'. Add <OnnxModel Include=\"{plan.Model}\" /> to it.");
        model.Identify(plan, _hashes);
        var files = SlimFiles.InFolder(_output, plan.Policy);
        var stampFile = Path.Combine(_output, plan.Policy + ".stamp");
        var stamp = Stamp.Compute(plan, model, request, _hashes);
        if (files.All(File.Exists) && File.Exists(stampFile) && File.ReadAllLines(stampFile) is [var old, ..] && old == stamp)
        {
            if (BuildOutcome.MayWarn(plan)) Warn(plan, ReportJson.Parse(File.ReadAllText(files.Report!)));
            return WithPackage(plan, model, [.. Copied(stampFile)]);
        }
        NamedFiles.Require(plan, request.Project);
        var since = Stopwatch.StartNew();
        using var dense = OnnxModel.Open(model.Path);
        var analysis = AxisAnalysis.Run(dense, model.Axes);
        using var progress = new StepProgress(terminal, plan.Policy, cancellationToken);
        var stated = plan with { AllowInterface = model.Axes.AllowInterface, HoistInitializers = model.HoistInitializers };
        var carried = NamedFiles.Rooted(stated, request.Project);
        var results = new StepResults(request.Cache ?? Path.Combine(_output, "cache"), _hashes);
        var job = new SlimJob(dense, analysis, carried, model.Axes.Dimensions, progress, cancellationToken)
        {
            FileName = Path.GetFileName(files.Model),
            Results = results,
            Samples = Samples(plan, plan.Calibration?.Method, plan.Calibration?.Samples),
            More = Samples(plan, plan.Recover?.Method, plan.Recover?.Samples),
            Method = (rule, group) => (_assembly ??= new PolicyAssembly(request)).Score(plan, rule, group),
        };
        File.Delete(stampFile);
        var slim = job.Run();
        var report = slim.Report with { Plan = PlanContent.WithoutLocations(NamedFiles.AsStated(slim.Report.Plan, plan)) };
        var copied = files.Save(slim with { Report = report }, dense);
        progress.Dispose();
        // The targets say it: not every logger shows what a tool says.
        terminal.Out.WriteLine("Espalier -> " + BuildOutcome.Line(plan.Policy, report, since.Elapsed, results.Reused));
        Warn(plan, report);
        AtomicFile.WriteAllText(stampFile, string.Join('\n', [stamp, .. copied]) + "\n");
        return WithPackage(plan, model, copied);
    }

    private Func<IEnumerable<IReadOnlyDictionary<string, NamedTensor>>>? Samples(PruningPlan plan, string? method, int? most)
        => method is null ? null : () => (_assembly ??= new PolicyAssembly(request)).Samples(plan, method, most ?? int.MaxValue);

    // Also of a model that is up to date: a warning that comes once is overlooked.
    private void Warn(PruningPlan plan, PruningReport report)
    {
        if (BuildOutcome.Warning(plan, report, request.Project) is { } warning) terminal.Error.WriteLine(warning.ToString());
    }

    private IEnumerable<string> WithPackage(PruningPlan plan, BuildModel model, IReadOnlyList<string> made)
        => request.Package ? made.Concat(ModelPackage.Write(_output, plan, model, made)) : made;

    private static IEnumerable<string> Copied(string stampFile) => File.ReadLines(stampFile).Skip(1).Where(l => l.Length > 0);

    /// <summary>The lists that the targets copy from; what no policy makes any more is removed, and what a killed build left.</summary>
    private void WriteLists(List<string> published, List<string> kept)
    {
        string[] written = [.. published, .. kept];
        var known = written.ToHashSet(StringComparer.Ordinal);
        var policies = written.Where(f => f.EndsWith(".onnx", StringComparison.Ordinal) && !f.Contains('/')).Select(f => f[..^5]).ToList();
        foreach (var file in Directory.EnumerateFiles(_output))
        {
            var name = Path.GetFileName(file);
            if (!known.Contains(name)
                && !policies.Any(p => name == p + ".stamp" || name == p + SlimFiles.TextExtension || name == p + SlimFiles.PageExtension)
                && name is not ("build.request" or "build.stamp" or Published or Kept or Named or FolderLock.FileName))
                File.Delete(file);
        }
        foreach (var folder in Directory.EnumerateDirectories(_output, "*" + ModelPackage.Extension))
            if (!known.Any(f => f.StartsWith(Path.GetFileName(folder) + "/", StringComparison.Ordinal)))
                Directory.Delete(folder, recursive: true);
        WriteList(Published, published);
        WriteList(Kept, kept);
    }

    private void WriteList(string name, List<string> files)
        => AtomicFile.WriteAllText(Path.Combine(_output, name), string.Concat(files.Select(f => f + "\n")));

    /// <summary>The files of that list, with their folder.</summary>
    public static IEnumerable<string> Listed(string output)
        => File.ReadLines(Path.Combine(output, Published)).Select(file => Path.Combine(output, file));
}
