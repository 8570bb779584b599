using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Espalier.Mutations;

// Breaks the product line by line and runs the tests: what survives is not tested, unless the list says why nothing can notice it.
var check = new Option<bool>("--check") { Description = "Only see whether every mutation still fits the sources." };
var only = new Option<string?>("--only") { Description = "Numbers to try, such as 3,17-20. Default: all." };
var work = new Option<string?>("--work")
{ Description = "Folder for the copy of the repository, which then stays. Default: a temporary one, which is deleted." };
var quick = new Option<bool>("--quick")
{ Description = "Leave out the stages that run whole test projects: what survives then may yet be killed by them." };
var command = new RootCommand("Mutation testing of the operator table, code rules, surgery, scores and compensation.")
    { check, only, work, quick };
command.SetAction(parsed =>
{
    string root = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(a => a.Key == "Espalier.RepositoryRoot").Value!;
    string folder = parsed.GetValue(work)
        ?? Path.Combine(Path.GetTempPath(), "espalier-mutations-" + Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
    try
    {
        return Run(root, Path.GetFullPath(folder), parsed.GetValue(check), parsed.GetValue(quick), Numbers(parsed.GetValue(only)));
    }
    catch (Exception e) when (e is InvalidOperationException or FormatException or IOException)
    {
        Console.Error.WriteLine(e.Message);
        return 2;
    }
    finally
    {
        if (parsed.GetValue(work) is null && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }
});
return command.Parse(args).Invoke();

static int Run(string root, string folder, bool check, bool quick, Func<int, bool> wanted)
{
    var mutations = MutationList.Read(Path.Combine(AppContext.BaseDirectory, "Mutations"), root);
    // All of them are written, so that a number means the same in every build.
    var sources = Schemata.Sources(mutations, root, out var wrong);
    if (wrong.Count > 0)
    {
        foreach (string line in wrong) Console.Error.WriteLine(line);
        return 2;
    }
    if (check)
    {
        Console.WriteLine($"{mutations.Count} mutations fit the sources.");
        return 0;
    }
    var copy = new WorkingCopy(root, folder);
    copy.Fill(sources);
    var tried = mutations.Where(m => wanted(m.Number))
        .Select(m => quick ? m with { Stages = [.. m.Stages.Where(s => s.Arguments.Count > 0)] } : m).ToList();
    Console.WriteLine($"{tried.Count} of {mutations.Count} mutations; building {folder} …");
    if (copy.Build(tried.SelectMany(m => m.Stages).Select(s => s.Project).Distinct(StringComparer.Ordinal)) is { Length: > 0 } errors)
    {
        Console.Error.WriteLine(errors);
        return 2;
    }
    Console.WriteLine("| number | mutation | killed by |\n|---|---|---|");
    var trials = new Trials(copy);
    var watch = Stopwatch.StartNew();
    int killed = 0, explained = 0;
    var survivors = new List<Mutation>();
    foreach (var mutation in tried)
    {
        string? killer = trials.Try(mutation);
        if (killer is not null) killed++;
        else if (mutation.Equivalent is not null) explained++;
        else survivors.Add(mutation);
        string fate = killer ?? (mutation.Equivalent is { } why ? "survives: " + why : "**survives**");
        if (killer is not null && mutation.Equivalent is not null) fate += " (although the list says that nothing could)";
        Console.WriteLine($"| {mutation.Number} | `{mutation.ToString().Replace("|", "\\|", StringComparison.Ordinal)}` | "
            + $"{fate.Replace("|", "\\|", StringComparison.Ordinal)} |");
    }
    Console.WriteLine($"\n{tried.Count} mutations in {watch.Elapsed.TotalMinutes:0} minutes: {killed} killed, {explained} survive and "
        + $"are explained, {survivors.Count} survive.");
    foreach (var mutation in survivors) Console.WriteLine($"{mutation.Number} survives: {mutation}");
    return survivors.Count > 0 ? 1 : 0;
}

static Func<int, bool> Numbers(string? text)
{
    if (text is null) return _ => true;
    var ranges = text.Split(',').Select(r => r.Split('-')).Select(r => (From: Number(r[0]), To: Number(r[^1]))).ToList();
    return n => ranges.Exists(r => n >= r.From && n <= r.To);

    static int Number(string digits) => int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
}
