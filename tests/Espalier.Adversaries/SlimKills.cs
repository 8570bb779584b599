using System.Globalization;

namespace Espalier.Adversaries;

/// <summary>
/// Kills <c>espalier slim</c> at seeded moments. Half of them are even over its usual duration, half over the part in which it writes. Its
/// files are then those of before or those that it was to write, and the next run writes them as if nothing had happened.
/// </summary>
internal sealed class SlimKills
{
    private const string Model = "slim.onnx", Report = "slim.json", Diff = "slim.txt";
    private const string Tool = "Espalier.Cli.dll";
    private static readonly string[] Texts = [Report, Diff], Keeps = ["0.5", "0.625"];

    private readonly string _folder;
    private readonly bool _external;
    private readonly Random _random;
    private readonly Dictionary<string, byte[]>[] _whole;
    // The next kill, and what was written last.
    private int _next;
    private int? _before;
    // Temporary files of earlier kills, which stay for an hour.
    private int _young;

    /// <summary>Runs each variant without a kill, for its files and its duration.</summary>
    /// <param name="root">Gets a folder.</param>
    /// <param name="external">Whether the weights are in a file beside the model.</param>
    /// <param name="seed">Of the moments.</param>
    /// <param name="width">Of the model's layers.</param>
    /// <param name="runs">How often each variant runs to learn what is usual.</param>
    public SlimKills(string root, bool external, int seed, int width, int runs)
    {
        (_external, _random) = (external, new Random(seed));
        _folder = Directory.CreateDirectory(Path.Combine(root, external ? "external" : "one file")).FullName;
        LargeModel.Write(Path.Combine(_folder, "dense.onnx"), layers: 4, width: width, external: external);
        Directory.CreateDirectory(Output);
        _whole = [.. Keeps.Select((_, v) =>
        {
            Clear();
            for (int k = 0; k < runs; k++) Live(v);
            return Files();
        })];
        Clear();
        if (external && _whole.Any(w => w.Count != 4))
            throw new InvalidOperationException("a model with external data was written without");
    }

    /// <summary>What was found.</summary>
    public Kills Found { get; } = new();

    private string Output => Path.Combine(_folder, "out");

    /// <summary>Kills that often, more than before.</summary>
    public void Run(int kills)
    {
        int last = _next + kills;
        for (; _next < last; _next++)
        {
            int k = _next;
            // Every second one begins with nothing there.
            if (k / 2 % 2 == 1)
            {
                Clear(keepLeftovers: true);
                _before = null;
            }
            int now = _before is { } variant ? 1 - variant : k % Keeps.Length;
            var fate = k % 2 == 0 ? Victim.Run(Start(now), _random.NextDouble() * Found.Usual)
                : Victim.Run(Start(now), _random.NextDouble() * Found.Writing, IsWriting);
            Judge(_before, now, fate, k);
            Live(now);
            if (Difference(now) is { } wrong) Found.Wrong.Add(Invariant($"kill {k}: the next run is wrong: {wrong}"));
            _before = now;
        }
    }

    private void Judge(int? before, int now, Victim.Fate fate, int kill)
    {
        if (fate.Killed) Found.Killed++;
        else Found.TooLate++;
        var left = Files();
        int? model = null;
        if (!left.TryGetValue(Model, out byte[]? bytes))
        {
            if (before is null) Found.Absent++;
            else Found.Wrong.Add(Invariant($"kill {kill}: the model of before is gone"));
        }
        else if (Same(bytes, _whole[now][Model])) (model, Found.New) = (now, Found.New + 1);
        else if (before is { } old && Same(bytes, _whole[old][Model])) (model, Found.Old) = (old, Found.Old + 1);
        else Found.Wrong.Add(Invariant($"kill {kill}: the model is neither the old nor the new one, with {bytes.Length} bytes"));
        if (model is { } variant)
            foreach (var (name, data) in _whole[variant].Where(f => f.Key != Model && !Texts.Contains(f.Key)))
                if (!left.TryGetValue(name, out byte[]? there) || !Same(there, data))
                    Found.Wrong.Add(Invariant($"kill {kill}: {name}, which the model names, is not what it was"));
        var of = Texts.Select(t => !left.TryGetValue(t, out byte[]? text) ? null : Same(text, _whole[now][t]) ? now
            : before is { } b && Same(text, _whole[b][t]) ? b : (int?)-1).ToList();
        if (of.Contains(-1)) Found.Wrong.Add(Invariant($"kill {kill}: a report or diff is neither the old nor the new one"));
        else if (before is not null && of.Contains(null)) Found.Wrong.Add(Invariant($"kill {kill}: a report or diff of before is gone"));
        else if (of.Exists(o => o != model)) Found.Mixed++;
        int leftovers = left.Keys.Count(name => IsTemporary(name)
            || (!Texts.Append(Model).Contains(name) && (model is null || !_whole[model.Value].ContainsKey(name)))) - _young;
        if (leftovers > 0) (Found.Littered, Found.Leftovers) = (Found.Littered + 1, Found.Leftovers + leftovers);
        _young = left.Keys.Count(IsTemporary);
    }

    /// <summary>The last run: what kills left goes with the first one after an hour.</summary>
    public void Clean()
    {
        foreach (string file in Directory.EnumerateFiles(Output, "*", Everything).Where(f => IsTemporary(Path.GetFileName(f))))
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow - TimeSpan.FromHours(2));
        Live(_before ?? 0);
        foreach (string name in Files().Keys.Where(IsTemporary)) Found.Wrong.Add($"{name} is left for good");
    }

    private static bool IsTemporary(string name) => name[0] == '.';

    private bool IsWriting() => Directory.EnumerateFiles(Output, ".*", Everything).Skip(_young).Any();

    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = 0 };

    private System.Diagnostics.ProcessStartInfo Start(int variant)
    {
        string tool = Path.Combine(Assets.Root, "onnx-rewriter", "Espalier.Cli", "bin", PackedFeed.Configuration, "net10.0", Tool);
        return Dotnet.Start(_folder, "exec", tool, "slim", "dense.onnx", "-o", Path.Combine("out", Model),
            "--keep", Keeps[variant], "--score", "l1", "--report", Path.Combine("out", Report), "--diff", Path.Combine("out", Diff));
    }

    private void Live(int variant)
    {
        _young = Files().Keys.Count(IsTemporary);
        var fate = Victim.Run(Start(variant), until: IsWriting);
        if (fate.Code != 0) throw new InvalidOperationException($"slim fails where nobody kills it: {fate.Text}");
        Found.Add(fate.Took, fate.Took - fate.Waited);
    }

    private Dictionary<string, byte[]> Files()
        => Directory.EnumerateFiles(Output, "*", Everything)
            .ToDictionary(f => Path.GetFileName(f), f => IsTemporary(Path.GetFileName(f))
                ? []
                : File.ReadAllBytes(f), StringComparer.Ordinal);

    /// <summary>What is there and should not be, or the other way round; temporary files of earlier kills may be.</summary>
    private string? Difference(int variant)
    {
        var there = Files();
        foreach (var (name, bytes) in _whole[variant])
            if (!there.Remove(name, out byte[]? found) || !Same(found, bytes)) return $"{name} is not what it is without a kill";
        return there.Keys.FirstOrDefault(n => !IsTemporary(n)) is { } more ? $"{more} should not be there" : null;
    }

    private void Clear(bool keepLeftovers = false)
    {
        foreach (string file in Directory.EnumerateFiles(Output, "*", Everything))
            if (!keepLeftovers || !IsTemporary(Path.GetFileName(file))) File.Delete(file);
    }

    private static bool Same(byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b);

    private string Invariant(FormattableString text)
        => (_external ? "external data, " : "one file, ") + text.ToString(CultureInfo.InvariantCulture);
}
