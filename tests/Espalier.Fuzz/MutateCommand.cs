using System.Diagnostics;
using System.Globalization;
using Espalier.TestKit;

namespace Espalier.Fuzz;

/// <summary>Seeded changes of real files, in chunks of a process each.</summary>
internal static class MutateCommand
{
    private const int Chunk = 20_000;

    public static int Run(int count, int seed, string findingsFolder)
    {
        var watch = Stopwatch.StartNew();
        var findings = new Findings(findingsFolder);
        var state = Directory.CreateTempSubdirectory("espalier-mutate-").FullName;
        try
        {
            using var inWork = new InWork(state);
            using var judge = new Judge(Path.Combine(state, "judge"), findings);
            var tally = new Tally();
            for (int from = 0; from < count;)
            {
                int to = Math.Min(count, from + Chunk);
                using var child = Child.Start(AppContext.BaseDirectory, runsModels: false,
                    "chunk", Numbers.Text(from), Numbers.Text(to), Numbers.Text(seed), Path.GetFullPath(findingsFolder), state);
                var errors = Child.Errors(child);
                while (!child.WaitForExit(1000)) judge.Work(TimeSpan.FromSeconds(10));
                tally.Add(Tally.Read(Path.Combine(state, "tally.json")));
                File.Delete(Path.Combine(state, "tally.json"));
                from = to;
                if (child.ExitCode != 0)
                {
                    // What was counted before is in no table: the rest goes on behind the file that ended the process.
                    var mutation = MutateChunk.Mutation(Seeds.Real(), seed, inWork.Index);
                    findings.Add($"process ended with {child.ExitCode}: {FuzzCommand.First(errors.ToString())}", $"{inWork.Index}: {mutation.What}\n{errors}", mutation.Bytes);
                    from = inWork.Index + 1;
                }
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{watch.Elapsed.TotalMinutes:0.0} min: {from} of {count}, {findings.Count} findings; {judge.Text}"));
            }
            judge.Work(TimeSpan.FromMinutes(10));
            Console.WriteLine(tally.Table());
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tally.Total} changed files in {watch.Elapsed.TotalMinutes:0} minutes; {judge.Text}; {findings.Count} kinds of finding in {findingsFolder}"));
            return findings.Count == 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(state, recursive: true);
        }
    }
}
