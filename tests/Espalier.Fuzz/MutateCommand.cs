using System.Diagnostics;
using System.Globalization;

namespace Espalier.Fuzz;

/// <summary>Seeded changes of real files, in chunks of a process each.</summary>
internal sealed class MutateCommand(int count, int seed, string findingsFolder, string state)
{
    private const int Chunk = 10_000;

    private readonly Lock _lock = new();
    private readonly Findings _findings = new(findingsFolder);
    private readonly Tally _tally = new();
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private int _next;

    public static int Run(int count, int seed, int jobs, string findingsFolder)
    {
        var state = Directory.CreateTempSubdirectory("espalier-mutate-").FullName;
        try
        {
            return new MutateCommand(count, seed, Path.GetFullPath(findingsFolder), state).Run(jobs);
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }

    private int Run(int jobs)
    {
        using var judge = new Judge(Path.Combine(state, "judge"), _findings);
        var workers = Enumerable.Range(0, Math.Max(1, jobs))
            .Select(k => new Thread(() => Work(Path.Combine(state, Numbers.Text(k)), judge.Folder))).ToList();
        foreach (var worker in workers) worker.Start();
        while (workers.Exists(w => !w.Join(1000))) judge.Work(TimeSpan.FromSeconds(10));
        judge.Work(TimeSpan.FromMinutes(10));
        Console.WriteLine(_tally.Table());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{_tally.Total} changed files in {_watch.Elapsed.TotalMinutes:0} minutes; {judge.Text}; ")
            + $"{_findings.Count} kinds of finding in {findingsFolder}");
        return _findings.Count == 0 ? 0 : 1;
    }

    private void Work(string folder, string judged)
    {
        using var inWork = new InWork(folder);
        while (true)
        {
            int from = Interlocked.Add(ref _next, Chunk) - Chunk, to = Math.Min(count, from + Chunk);
            if (from >= count) return;
            while (from < to) from = Part(from, to, folder, judged, inWork);
            lock (_lock)
            {
                File.WriteAllText(Path.Combine(findingsFolder, "table.md"), _tally.Table());
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{_watch.Elapsed.TotalMinutes:0.0} min: {_tally.Total} of {count}, {_findings.Count} findings"));
            }
        }
    }

    /// <summary>A process that works on a chunk, or on what is left of it.</summary>
    /// <returns>
    /// The first number that was not reached: behind the file that ended the process, where one did.
    /// </returns>
    private int Part(int from, int to, string folder, string judged, InWork inWork)
    {
        using var child = Child.Start(AppContext.BaseDirectory, runsModels: false,
            "chunk", Numbers.Text(from), Numbers.Text(to), Numbers.Text(seed), findingsFolder, folder, judged);
        var errors = Child.Errors(child);
        child.WaitForExit();
        var tally = Path.Combine(folder, MutateChunk.TallyFile);
        lock (_lock)
        {
            _tally.Add(Tally.Read(tally));
            File.Delete(tally);
            if (child.ExitCode == 0) return to;
            var mutation = MutateChunk.Mutation(Seeds.Real(), seed, inWork.Index);
            _findings.Add($"process ended with {child.ExitCode}: {FuzzCommand.First(errors.ToString())}",
                $"{inWork.Index}: {mutation.What}\n{errors}", mutation.Bytes);
            return inWork.Index + 1;
        }
    }
}
