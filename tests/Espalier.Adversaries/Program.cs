using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Espalier.Adversaries;

// Kills slim and builds at any moment and builds at once: outputs are whole, and the next run is right.
var kills = new Option<int>("--kills") { Description = "How many.", DefaultValueFactory = _ => 1000 };
var seed = new Option<int>("--seed") { Description = "Of the moments.", DefaultValueFactory = _ => 1 };
var minutes = new Option<double>("--minutes") { Description = "The longest.", DefaultValueFactory = _ => 30 };
var builds = new Option<int>("--builds") { Description = "How many at once.", DefaultValueFactory = _ => 8 };
var rounds = new Option<int>("--rounds") { Description = "How often.", DefaultValueFactory = _ => 3 };

var slim = new Command("kill-slim", "Kills espalier slim; half of the kills with external data.") { kills, seed, minutes };
slim.SetAction(parsed => InFolder(folder =>
{
    int first = parsed.GetValue(seed);
    SlimKills[] cases = [new(folder, external: false, first, width: 768, runs: 5),
        new(folder, external: true, first + 1, width: 768, runs: 5)];
    var watch = Stopwatch.StartNew();
    const int Step = 20;
    for (int left = parsed.GetValue(kills) / cases.Length; left > 0 && watch.Elapsed.TotalMinutes < parsed.GetValue(minutes); left -= Step)
        foreach (var each in cases) each.Run(Math.Min(Step, left));
    foreach (var each in cases) each.Clean();
    return Say(["one file", "external data"], [.. cases.Select(c => c.Found)]);
}));
var build = new Command("kill-build", "Kills dotnet build of a project with a policy.") { kills, seed, minutes };
build.SetAction(parsed => WithFeed(feed =>
{
    var all = new BuildKills(feed, parsed.GetValue(seed), "0.5", "0.25");
    all.Run(parsed.GetValue(kills), TimeSpan.FromMinutes(parsed.GetValue(minutes)));
    return Say(["dotnet build"], [all.Found]);
}));
var together = new Command("parallel", "Builds one solution several times at once.") { builds, rounds };
together.SetAction(parsed => WithFeed(feed =>
{
    var solution = new ParallelBuilds(feed);
    int faults = 0;
    Console.WriteLine("| what | round | builds | failed by Espalier or wrong | failed by the SDK | seconds |\n|---|---|---|---|---|---|");
    foreach (bool whole in new[] { false, true })
        for (int k = 0; k < parsed.GetValue(rounds); k++)
        {
            var watch = Stopwatch.StartNew();
            var (wrong, others) = solution.Run(parsed.GetValue(builds), whole);
            faults += wrong.Count;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {(whole ? "whole builds" : "Espalier's targets")} | {k + 1} | {parsed.GetValue(builds)} | {wrong.Count} | "
                + $"{others.Count} "
                + $"| {watch.Elapsed.TotalSeconds:0} |"));
            foreach (string line in wrong.Concat(others).Distinct()) Console.Error.WriteLine(line);
        }
    return faults > 0 ? 1 : 0;
}));
return new RootCommand("Adversaries of files and builds.") { slim, build, together }.Parse(args).Invoke();

static int Say(string[] names, Kills[] found)
{
    Console.WriteLine(Kills.Head);
    for (int k = 0; k < names.Length; k++) Console.WriteLine(found[k].Row(names[k]));
    foreach (string line in found.SelectMany(f => f.Wrong)) Console.Error.WriteLine(line);
    return found.Any(f => f.Wrong.Count > 0) ? 1 : 0;
}

static int InFolder(Func<string, int> run)
{
    string folder = Directory.CreateTempSubdirectory("espalier adversaries ").FullName;
    try
    {
        return run(folder);
    }
    finally
    {
        Directory.Delete(folder, recursive: true);
    }
}

static int WithFeed(Func<PackedFeed, int> run)
{
    using var feed = new PackedFeed();
    return run(feed);
}
