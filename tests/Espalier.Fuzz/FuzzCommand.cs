using System.Globalization;
using System.Security.Cryptography;
using SharpFuzz;

namespace Espalier.Fuzz;

/// <summary>
/// The fuzzer from outside: instruments a copy of the program, starts it, and starts it again where a file
/// ended it.
/// </summary>
internal static class FuzzCommand
{
    private static readonly string[] Instrumented = ["Espalier.Onnx.dll", "Espalier.Axes.dll", "Espalier.Pruning.dll"];

    public static int Run(TimeSpan time, int seed, string corpus, string findingsFolder)
    {
        var (end, start) = (DateTime.UtcNow + time, DateTime.UtcNow);
        Directory.CreateDirectory(corpus);
        foreach (var (_, bytes) in Seeds.ForFuzzing()) Add(corpus, bytes);
        var findings = new Findings(findingsFolder);
        var work = Directory.CreateTempSubdirectory("espalier-fuzz-").FullName;
        try
        {
            Instrument(Path.Combine(work, "program"));
            var state = Path.Combine(work, "state");
            using var inWork = new InWork(state);
            using var judge = new Judge(Path.Combine(state, "judge"), findings);
            var tally = new Tally();
            for (int round = 0; end - DateTime.UtcNow > TimeSpan.FromSeconds(1); round++)
            {
                int seconds = (int)Math.Ceiling((end - DateTime.UtcNow).TotalSeconds);
                using var child = Child.Start(Path.Combine(work, "program"), runsModels: false,
                    "loop", Numbers.Text(seconds), Numbers.Text(seed + round), Path.GetFullPath(corpus),
                        Path.GetFullPath(findingsFolder), state);
                var errors = Child.Errors(child);
                while (!child.WaitForExit(1000)) judge.Work(TimeSpan.FromSeconds(10));
                if (child.ExitCode != 0) findings.Add($"process ended with {child.ExitCode}: {First(errors.ToString())}",
                    errors.ToString(), inWork.Bytes);
                tally.Add(Tally.Read(Path.Combine(state, MutateChunk.TallyFile)));
                File.Delete(Path.Combine(state, MutateChunk.TallyFile));
            }
            judge.Work(TimeSpan.FromMinutes(5));
            Console.WriteLine(tally.Table());
            double minutes = (DateTime.UtcNow - start).TotalMinutes;
            int files = Directory.EnumerateFiles(corpus).Count();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{tally.Total} files in {minutes:0} minutes; {files} files in the corpus; {judge.Text}; ")
                + $"{findings.Count} kinds of finding in {findingsFolder}");
            return findings.Count == 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Puts a file into the corpus, under the name of its bytes.</summary>
    public static void Add(string corpus, byte[] bytes)
    {
        var path = Path.Combine(corpus, Convert.ToHexStringLower(SHA256.HashData(bytes))[..16] + ".onnx");
        if (File.Exists(path)) return;
        // Whoever waits for it finds it whole.
        File.WriteAllBytes(path + ".part", bytes);
        File.Move(path + ".part", path, overwrite: true);
    }

    /// <summary>What ended the process, without what differs from file to file.</summary>
    internal static string First(string errors) => string.Join(" < ", errors.Split('\n')
        .Where(l => l.Contains("Espalier", StringComparison.Ordinal) || l.Contains("overflow", StringComparison.OrdinalIgnoreCase))
        .Select(l => l.Trim()).Take(3));

    private static void Instrument(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory))
        {
            Directory.CreateDirectory(folder);
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }
        // Messages are made from the format's description and have no decisions of ours.
        foreach (var name in Instrumented) Fuzzer.Instrument(Path.Combine(folder, name), type
            => !type.Contains("Proto", StringComparison.Ordinal), Options.Value);
    }
}
