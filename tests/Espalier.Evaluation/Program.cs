using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using Espalier;
using Espalier.Evaluation;

// The table of all methods on the trained networks (README of tests):
//   dotnet run -c Release --project tests/Espalier.Evaluation -- [NETWORK…] [--presets A,B] [--ratios 0.9,0.5] [--draws N] [--most N]
// measures what results.tsv does not have yet, one process per network and preset, and writes the page and its plots anew.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string root = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Espalier.RepositoryRoot").Value!;
var options = Options.Parse(args);
var tasks = Espalier.Evaluation.Task.All(root, options.Most).Where(t => options.Networks.Count == 0 || options.Networks.Contains(t.Name)).ToList();
if (options.Child)
{
    // What a process of its own is for: peak memory and processor time of one method.
    foreach (var row in Measurement.Run(tasks.Single(), options.Presets.Single(), options.Ratios, options.Draws)) Console.WriteLine(row.ToText());
    return 0;
}
string folder = Path.Combine(root, "tests", "Espalier.Evaluation");
var results = new Results(Path.Combine(folder, "results.tsv"));
// As many at a time as there are cores, one thread for each: processor times are then those of one thread.
var dense = tasks.Where(t => !results.Has(t.Name, Preset.Magnitude, 1, 0, options.Most)).Select(t => (Task: t, Preset: Preset.Magnitude, Draws: 1, Ratios: (double[])[1]));
// The row of the dense network: what is left of everything, whoever removes nothing.
var work = dense.Concat(tasks.SelectMany(task => options.Presets.Select(preset => (Task: task, Preset: preset, Draws: Measurement.Draws(preset, options.Draws))))
    .Select(w => (w.Task, w.Preset, w.Draws, Ratios: Missing(w.Task, w.Preset, w.Draws))).Where(w => w.Ratios.Length > 0)).ToList();
Parallel.ForEach(Partitioner.Create(work, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, w =>
{
    Console.Error.WriteLine($"{w.Task.Name} {w.Preset}");
    var rows = Children.Run([w.Task.Name, "--child", "--presets", $"{w.Preset}", "--ratios", string.Join(',', w.Ratios), "--draws", $"{w.Draws}", "--most", $"{options.Most}"]);
    lock (results) results.Add(rows, options.Most);
});
Page.Write(folder, results);
return 0;

double[] Missing(Espalier.Evaluation.Task task, Preset preset, int draws)
    => [.. options.Ratios.Where(r => Enumerable.Range(0, draws).Any(d => !results.Has(task.Name, preset, r, d, options.Most)))];
