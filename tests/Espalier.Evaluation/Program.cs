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
foreach (var task in tasks)
{
    // Row of the dense network: what is left of everything, whoever removes nothing.
    if (!results.Has(task.Name, Preset.Magnitude, 1, 0, options.Most)) Measure(Preset.Magnitude, [1], 1);
    foreach (var preset in options.Presets)
    {
        int draws = Measurement.Draws(preset, options.Draws);
        double[] missing = [.. options.Ratios.Where(r => Enumerable.Range(0, draws).Any(d => !results.Has(task.Name, preset, r, d, options.Most)))];
        if (missing.Length == 0) continue;
        Console.Error.WriteLine($"{task.Name} {preset}");
        Measure(preset, missing, draws);
    }

    void Measure(Preset preset, double[] ratios, int draws) => results.Add(
        Children.Run([task.Name, "--child", "--presets", $"{preset}", "--ratios", string.Join(',', ratios), "--draws", $"{draws}", "--most", $"{options.Most}"]), options.Most);
}
Page.Write(folder, results);
return 0;
