using System.Globalization;
using Espalier;
using Espalier.Evaluation;
using Espalier.Evaluation.Real;

// The table of all methods on the trained networks (README of tests):
// dotnet run -c Release --project tests/Espalier.Evaluation -- [NETWORK…] [--presets A,B] [--ratios 0.9,0.5] [--draws N]
// [--most N] [--split validation,test] [--fresh] [--closer] [--pages] [--small FOLDER] measures what results.tsv does not have
// yet, one process per network and preset, and writes the pages and plots anew; --closer measures what leads at each budget on all
// test items, --fresh what another version of the product was measured by, --pages nothing, --small networks that train.py made.
// On real networks: the verb 'real'.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["real", ..]) return RealCommand.Run(args[1..]);
var places = Places.Default();
var options = Options.Parse(args);
var tasks = Espalier.Evaluation.Task.All(places.Root, options.Most, places)
    .Where(t => options.Networks.Count == 0 || options.Networks.Contains(t.Name)).ToList();
if (options.Child)
{
    // What a process of its own is for: peak memory and processor time of one method.
    foreach (var row in Measurement.Run(tasks.Single(), options.Presets.Single(), options.Ratios, options.Draws, options.Splits))
        Console.WriteLine(row.ToText());
    return 0;
}
string folder = Path.Combine(places.Root, "tests", "Espalier.Evaluation");
var (results, closer) = (new Results(Path.Combine(folder, "results.tsv")), new Results(Path.Combine(folder, "closer.tsv")));
var table = new Table(CodeVersion.Of(places.Root), options);
if (!options.PagesOnly)
{
    try
    {
        if (Debian.Missing(places) is not null) Debian.Fetch(places, Console.Error.WriteLine);
    }
    catch (EspalierException e)
    {
        Console.Error.WriteLine(e.Message);
        return 1;
    }
    table.Measure(results, [.. tasks.Select(t => t.Name)]);
    if (options.Closer) table.MeasureCloser(results, closer, [.. tasks.Select(t => t.Name)]);
}
if (options.Small is { } small) SmallNetwork.Measure(tasks, small, Path.Combine(folder, "small.tsv"));
foreach (var split in Enum.GetValues<Split>())
    Page.Write(folder, split, results.Of(split), closer.Of(split), table.Version);
return 0;
