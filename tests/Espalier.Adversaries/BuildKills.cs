using System.Diagnostics;
using System.Globalization;

namespace Espalier.Adversaries;

/// <summary>
/// Kills <c>dotnet build</c> of a project with a policy, and everything that it started, at seeded moments over its usual duration. The
/// next build succeeds, and slim model, manifest, report and diff are byte for byte what they are without a kill, in obj and in bin.
/// </summary>
internal sealed class BuildKills
{
    private readonly string[] _keeps;
    private readonly Workspace _app;
    private readonly Random _random;
    private readonly Dictionary<string, byte[]>[] _whole;

    /// <summary>Restores, and builds each variant without a kill.</summary>
    /// <param name="feed">The packages.</param>
    /// <param name="seed">Of the moments.</param>
    /// <param name="keeps">What a policy keeps, in turn; of one alone the outputs are always gone before.</param>
    public BuildKills(PackedFeed feed, int seed, params string[] keeps)
    {
        (_random, _keeps) = (new Random(seed), keeps);
        _app = PolicyProject.Write(new Workspace(feed, "Killed"));
        _whole = [.. keeps.Select((_, v) =>
        {
            PolicyProject.Policy(_app, keeps[v]);
            Build(restore: v == 0).Succeeds();
            return Files();
        })];
        if (_whole[0].Keys.Except(_whole[^1].Keys).Any() || _whole[0].Count < 8)
            throw new InvalidOperationException("the builds did not write their files");
    }

    /// <summary>What was found.</summary>
    public Kills Found { get; } = new();

    /// <summary>Kills that often, or until the time is over.</summary>
    public void Run(int kills, TimeSpan longest)
    {
        var watch = Stopwatch.StartNew();
        int before = _keeps.Length - 1;
        for (int k = 0; k < kills && watch.Elapsed < longest; k++)
        {
            int now = (before + 1) % _keeps.Length;
            bool absent = k % 3 == 2 || now == before;
            if (absent) foreach (string folder in Folders.Where(Directory.Exists)) Directory.Delete(folder, recursive: true);
            if (now != before) PolicyProject.Policy(_app, _keeps[now]);
            var fate = Victim.Run(Dotnet.Start(_app.Folder, Arguments), _random.NextDouble() * Found.Usual, folder: _app.Folder);
            Judge(absent ? null : before, now, fate, k);
            // As it left them; another time stamp of the policy would be another build.
            if (Build() is { Code: not 0 } next) Wrong(k, $"the next build fails: {next.Text}");
            else if (PolicyProject.Difference(_whole[now], Files()) is { } wrong) Wrong(k, $"after the next build '{wrong}' is wrong");
            before = now;
        }
    }

    private void Judge(int? before, int now, Victim.Fate fate, int kill)
    {
        if (fate.Killed) Found.Killed++;
        else Found.TooLate++;
        var left = Files();
        if (!left.TryGetValue(PolicyProject.Model, out byte[]? model))
        {
            if (before is null) Found.Absent++;
            else Wrong(kill, "the model of before is gone");
        }
        else if (model.AsSpan().SequenceEqual(_whole[now][PolicyProject.Model])) Found.New++;
        else if (before is { } old && model.AsSpan().SequenceEqual(_whole[old][PolicyProject.Model])) Found.Old++;
        else Wrong(kill, "the model is neither the old nor the new one");
        int leftovers = left.Keys.Count(n => !_whole[now].ContainsKey(n));
        if (leftovers > 0) (Found.Littered, Found.Leftovers) = (Found.Littered + 1, Found.Leftovers + leftovers);
    }

    private void Wrong(int kill, string what)
        => Found.Wrong.Add(string.Create(CultureInfo.InvariantCulture, $"build, kill {kill}: {what}"));

    private DotnetText Build(bool restore = false)
    {
        var watch = Stopwatch.StartNew();
        var built = Dotnet.Run(_app.Folder, restore ? Arguments[..^1] : Arguments);
        Found.Add(watch.Elapsed.TotalSeconds);
        return built;
    }

    private static string[] Arguments => ["build", "-c", "Release", "-nologo", "--no-restore"];

    private string[] Folders => [_app.Made(""), _app.Output("espalier")];

    private Dictionary<string, byte[]> Files() => PolicyProject.Files(_app);
}
