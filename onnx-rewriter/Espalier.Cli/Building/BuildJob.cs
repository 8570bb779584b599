using Espalier.Axes;
using Espalier.Cli.Host;
using Espalier.Cli.Services;
using Espalier.Onnx;

namespace Espalier.Cli.Building;

/// <summary>Slims the models of a project by the policies of its compiled assembly.</summary>
internal sealed class BuildJob(BuildRequest request, Terminal terminal)
{
    private readonly string _output = request.Output ?? throw new UsageException("the request has no output folder.");
    private PolicyAssembly? _assembly;

    /// <summary>Does what has changed and leaves the rest.</summary>
    /// <returns>One of <see cref="ExitCode"/>; every policy is tried, so that one build shows all errors.</returns>
    public int Run(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(_output);
        using var alone = FolderLock.Enter(_output, terminal, cancellationToken);
        NativeLibraries.Register(request.Natives);
        var result = ExitCode.Done;
        var written = new List<string>();
        foreach (var plan in PlanReader.Read(request.Assembly!))
        {
            try
            {
                written.AddRange(Carry(plan, cancellationToken));
            }
            catch (Exception e) when (ErrorMessages.Explain(e) is { } explained)
            {
                terminal.Error.WriteLine(BuildErrors.Format(e, explained.Code, plan, request.Project));
                result = Math.Max(result, explained.Code);
            }
        }
        if (result != ExitCode.Done) return result;
        WriteList(written);
        return ExitCode.Done;
    }

    private IEnumerable<string> Carry(PruningPlan plan, CancellationToken cancellationToken)
    {
        var name = plan.Model.Replace('\\', '/');
        if (name.StartsWith("./", StringComparison.Ordinal)) name = name[2..];
        var model = request.Models.FirstOrDefault(m => m.Name == name)
            ?? throw new EspalierException($"The project has no model '{plan.Model}'. Add <OnnxModel Include=\"{plan.Model}\" /> to it.");
        var files = SlimFiles.InFolder(_output, plan.Policy);
        var stampFile = Path.Combine(_output, plan.Policy + ".stamp");
        var stamp = Stamp.Compute(plan, model, request);
        if (files.All(File.Exists) && File.Exists(stampFile) && File.ReadAllLines(stampFile) is [var old, ..] && old == stamp)
            return Copied(stampFile);

        using var dense = OnnxModel.Open(model.Path);
        var analysis = AxisAnalysis.Run(dense, model.Axes);
        var progress = new Progress(terminal, plan.Policy);
        var stated = plan with { AllowInterface = model.Axes.AllowInterface, HoistInitializers = model.HoistInitializers };
        var carried = NamedFiles.Rooted(stated, request.Project);
        var job = new SlimJob(dense, analysis, carried, model.Axes.Dimensions, progress, cancellationToken)
        {
            FileName = Path.GetFileName(files.Model),
            Samples = plan.Calibration?.Method is null ? null : () => (_assembly ??= new PolicyAssembly(request)).Calibrate(plan),
            Method = (rule, group) => (_assembly ??= new PolicyAssembly(request)).Score(plan, rule, group),
        };
        File.Delete(stampFile);
        var slim = job.Run();
        var report = slim.Report with { Plan = Stamp.WithoutLocations(NamedFiles.AsStated(slim.Report.Plan, plan)) };
        var copied = files.Save(slim with { Report = report }, dense);
        var (before, after) = (slim.Report.Before, slim.Report.After);
        terminal.Error.WriteLine($"espalier: {plan.Policy}: {Figures.Short(before.Parameters)} → {Figures.Short(after.Parameters)} "
            + $"parameters, {Figures.Short(before.Macs)} → {Figures.Short(after.Macs)} MACs");
        AtomicFile.WriteAllText(stampFile, string.Join('\n', [stamp, .. copied]) + "\n");
        return copied;
    }

    private static IEnumerable<string> Copied(string stampFile) => File.ReadLines(stampFile).Skip(1).Where(l => l.Length > 0);

    /// <summary>The list that the targets copy from; what no policy makes any more is removed, and what a killed build left.</summary>
    private void WriteList(List<string> written)
    {
        var known = written.ToHashSet(StringComparer.Ordinal);
        var policies = written.Where(f => f.EndsWith(".onnx", StringComparison.Ordinal)).Select(f => f[..^5]).ToList();
        foreach (var file in Directory.EnumerateFiles(_output))
        {
            var name = Path.GetFileName(file);
            if (!known.Contains(name)
                && !policies.Any(p => name == p + ".stamp" || name == p + SlimFiles.TextExtension || name == p + SlimFiles.PageExtension)
                && name is not ("build.request" or "build.stamp" or "outputs.txt" or FolderLock.FileName))
                File.Delete(file);
        }
        AtomicFile.WriteAllText(Path.Combine(_output, "outputs.txt"), string.Concat(written.Select(f => f + "\n")));
    }

    /// <summary>The files of that list, with their folder.</summary>
    public static IEnumerable<string> Listed(string output)
        => File.ReadLines(Path.Combine(output, "outputs.txt")).Select(file => Path.Combine(output, file));
}
