using System.Diagnostics;
using System.Globalization;

namespace Espalier.Fuzz;

/// <summary>
/// The fuzzer itself, in the instrumented copy: changes files of the corpus and keeps what reaches something
/// new.
/// </summary>
internal static class FuzzLoop
{
    /// <summary>Larger files reach nothing that smaller ones do not.</summary>
    private const int MostBytes = 60_000;

    /// <summary>Of so many slimmed files one is compared with its masked model.</summary>
    private const int JudgedOneOf = 200;

    private static readonly TimeSpan Between = TimeSpan.FromSeconds(30), MostForOne = TimeSpan.FromSeconds(60);

    private sealed record Entry(MutationSeed Seed, TimeSpan Time);

    public static int Run(TimeSpan most, int seed, string corpus, string findingsFolder, string state)
    {
        var coverage = new Coverage();
        using var inWork = new InWork(state);
        inWork.Watch(MostForOne);
        var (watch, shown) = (Stopwatch.StartNew(), TimeSpan.Zero);
        var (random, findings, tally, entries) = (new Random(seed), new Findings(findingsFolder), new Tally(), new List<Entry>());
        var files = new Queue<string>(Directory.EnumerateFiles(corpus, "*.onnx").Order(StringComparer.Ordinal));
        var judged = Path.Combine(state, "judge");
        while (watch.Elapsed < most)
        {
            // What is there already first, as it is.
            var mutation = files.TryDequeue(out var file) ? new Mutation("corpus", "", File.ReadAllBytes(file))
                : Mutator.Apply(random, Pick(random, entries).Seed, Pick(random, entries).Seed);
            if (mutation.Bytes.Length is 0 or > MostBytes) continue;
            inWork.Bytes = mutation.Bytes;
            inWork.Index++;
            coverage.Begin();
            var passed = Passage.Check(mutation.Bytes);
            bool isNew = coverage.IsNew();
            tally.Count(mutation.Kind, passed);
            if (passed.Ending == Ending.Finding) findings.Add(passed, mutation.What, mutation.Bytes);
            else if (isNew)
            {
                entries.Add(new(MutationSeed.From("", mutation.Bytes), passed.Time));
                if (file is null) FuzzCommand.Add(corpus, mutation.Bytes);
            }
            if (passed.Ending == Ending.Slimmed && random.Next(JudgedOneOf) == 0) FuzzCommand.Add(judged, mutation.Bytes);
            if (watch.Elapsed - shown < Between) continue;
            shown = watch.Elapsed;
            tally.Write(Path.Combine(state, MutateChunk.TallyFile));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{shown.TotalMinutes:0.0} min: {tally.Total} files, {tally.Total / shown.TotalSeconds:0} a second, ")
                + $"{entries.Count} of them new, {coverage.Edges} edges, {findings.Count} findings");
        }
        tally.Write(Path.Combine(state, MutateChunk.TallyFile));
        return 0;
    }

    /// <summary>
    /// Half of the time one of those that were found last; of two that are drawn the quicker.
    /// </summary>
    private static Entry Pick(Random random, List<Entry> entries)
    {
        int from = random.Next(2) == 0 ? 0 : entries.Count * 4 / 5;
        Entry Draw() => entries[random.Next(from, entries.Count)];
        var (one, two) = (Draw(), Draw());
        return one.Time <= two.Time ? one : two;
    }
}
