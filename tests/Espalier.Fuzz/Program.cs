using System.CommandLine;
using Espalier.Fuzz;

// What tests/README.md says of each; the commands without a description are those that the others start.
var root = new RootCommand("Adversaries of opening, inference and slimming.");
var seed = new Option<int>("--seed") { Description = "Seed of everything that is drawn.", DefaultValueFactory = _ => 1 };
var findings = new Option<string>("--findings")
{
    Description = "Folder of what was found: the file, and how it ended.",
    DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "findings"),
};

var minutes = new Option<double>("--minutes") { Description = "How long.", DefaultValueFactory = _ => 60 };
var corpus = new Option<string>("--corpus")
{
    Description = "Folder of files that reach something of their own; it grows.",
    DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "corpus"),
};
var fuzz = new Command("fuzz", "Files that are changed towards what no file reached before.") { minutes, seed, corpus, findings };
fuzz.SetAction(r => FuzzCommand.Run(TimeSpan.FromMinutes(r.GetValue(minutes)), r.GetValue(seed), r.GetRequiredValue(corpus),
    r.GetRequiredValue(findings)));
root.Add(fuzz);

var count = new Option<int>("--count") { Description = "How many changed files.", DefaultValueFactory = _ => 1_000_000 };
var jobs = new Option<int>("--jobs") { Description = "How many processes at once.", DefaultValueFactory = _ => 1 };
var mutate = new Command("mutate", "Real files with seeded changes.") { count, seed, jobs, findings };
mutate.SetAction(r => MutateCommand.Run(r.GetValue(count), r.GetValue(seed), r.GetValue(jobs), r.GetRequiredValue(findings)));
root.Add(mutate);

var folder = new Argument<string>("folder");
var testdata = new Command("testdata",
    "A folder of single operators and small models: saved untouched, slimmed, and compared.") { folder };
testdata.SetAction(r => TestDataCommand.Run(r.GetRequiredValue(folder)));
root.Add(testdata);

var files = new Argument<string[]>("files");
var check = new Command("check", "How single files end, with the exception.") { files };
check.SetAction(r => CheckCommand.Run(r.GetRequiredValue(files)));
root.Add(check);

var arguments = new Argument<string[]>("arguments");
var inner = new Command("inner") { arguments };
inner.Hidden = true;
inner.SetAction(r => r.GetRequiredValue(arguments) switch
{
    ["loop", var seconds, var at, var grown, var found, var state] =>
        FuzzLoop.Run(TimeSpan.FromSeconds(Numbers.Parse(seconds)), Numbers.Parse(at), grown, found, state),
    ["chunk", var from, var to, var at, var found, var state, var judged] =>
        MutateChunk.Run(Numbers.Parse(from), Numbers.Parse(to), Numbers.Parse(at), found, state, judged),
    ["judge"] => Judge.Serve(),
    _ => 2,
});
root.Add(inner);
return root.Parse(args).Invoke();
