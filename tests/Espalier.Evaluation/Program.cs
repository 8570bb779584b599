using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using Espalier;
using Espalier.Evaluation;
using Espalier.Evaluation.Real;

// The table of all methods on the trained networks (README of tests):
// dotnet run -c Release --project tests/Espalier.Evaluation -- [NETWORK…] [--presets A,B] [--ratios 0.9,0.5] [--draws N]
// [--most N] [--closer] measures what results.tsv does not have yet, one process per network and preset, and writes the page
// and its plots anew; --closer measures what leads at each budget on all test items.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["real", ..]) return RealCommand.Run(args[1..]);
string root = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>()
    .Single(a => a.Key == "Espalier.RepositoryRoot").Value!;
var options = Options.Parse(args);
var tasks = Espalier.Evaluation.Task.All(root, options.Most)
    .Where(t => options.Networks.Count == 0 || options.Networks.Contains(t.Name)).ToList();
if (options.Child)
{
    // What a process of its own is for: peak memory and processor time of one method.
    foreach (var row in Measurement.Run(tasks.Single(), options.Presets.Single(), options.Ratios, options.Draws))
        Console.WriteLine(row.ToText());
    return 0;
}
string folder = Path.Combine(root, "tests", "Espalier.Evaluation");
var (results, closer) = (new Results(Path.Combine(folder, "results.tsv")), new Results(Path.Combine(folder, "closer.tsv")));
// The row of the dense network: what is left of everything, whoever removes nothing.
Measure(results, options.Most,
    [.. tasks.Where(t => !results.Has(t.Name, Preset.Magnitude, 1, 0, options.Most))
        .Select(t => new Work(t.Name, Preset.Magnitude, 1, [1]))]);
Measure(results, options.Most,
    [.. tasks.SelectMany(t => options.Presets.Select(p => (Task: t, Preset: p)))
        .Select(w => new Work(w.Task.Name, w.Preset, Measurement.Draws(w.Preset, options.Draws), options.Ratios))]);
// Whoever leads on some of the items need not lead on all.
if (options.Closer)
{
    foreach (int most in tasks.Select(t => Espalier.Evaluation.Task.Items(t.Name)).Where(n => n > options.Most).Distinct())
        Measure(closer, most,
            [.. tasks.Where(t => Espalier.Evaluation.Task.Items(t.Name) == most).SelectMany(t => Standing.Leaders(results, t.Name)
            .Select(l => new Work(t.Name, l.Preset, Measurement.Draws(l.Preset, options.Draws), l.Ratios)))]);
}
Page.Write(folder, results, closer);
return 0;

// As many at a time as there are cores, one thread for each: processor times are then those of one thread.
static void Measure(Results into, int most, IReadOnlyList<Work> all)
{
    var left = all.Select(w =>
        w with { Ratios = [.. w.Ratios.Where(r => Enumerable.Range(0, w.Draws).Any(d => !into.Has(w.Network, w.Preset, r, d, most)))] })
            .Where(w => w.Ratios.Count > 0);
    Parallel.ForEach(Partitioner.Create(left.ToList(), EnumerablePartitionerOptions.NoBuffering),
        new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, w =>
    {
        Console.Error.WriteLine($"{w.Network} {w.Preset}");
        var lines = Children.Run([w.Network, "--child", "--presets", $"{w.Preset}", "--ratios", string.Join(',', w.Ratios), "--draws",
            $"{w.Draws}", "--most", $"{most}"]);
        lock (into) into.Add(lines.Select(Row.Parse), most);
    });
}

/// <summary>What one process measures.</summary>
internal sealed record Work(string Network, Preset Preset, int Draws, IReadOnlyList<double> Ratios);
