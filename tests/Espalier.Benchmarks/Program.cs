using System.Diagnostics;
using BenchmarkDotNet.Running;
using Espalier.Benchmarks;

// `memory` prints peak memory and times of one pass, `chain` the inference's time per node, `bounds` what
// small files that demand much take, `gradients` [`scores`] what they cost; anything else goes to BenchmarkDotNet.
if (args is ["memory", ..])
{
    OnePass.Run(args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 1024);
    return;
}
if (args is ["chain"])
{
    Chains.Print();
    return;
}
if (args is ["bounds"])
{
    Bounds.Print();
    return;
}
if (args is ["gradients", ..])
{
    Gradients.Print([.. args[1..].Where(a => a != "scores")], areTrained: !args.Contains("scores"));
    return;
}
BenchmarkSwitcher.FromAssembly(typeof(LargeModelBenchmark).Assembly).Run(args);

namespace Espalier.Benchmarks
{
    /// <summary>One pass in a fresh process, so that its peak memory is that of the pass alone.</summary>
    internal static class OnePass
    {
        public static void Run(int width)
        {
            using (var warm = new LargeFiles(layers: 3, width: 64))
            {
                warm.OpenGatherSave();
            }
            using var files = new LargeFiles(layers: 25, width);
            var copy = Time(files.Copy);
            var (cpu, allocated) = (Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes());
            var slim = Time(files.OpenGatherSave);
            (cpu, allocated) = (Environment.CpuUsage.TotalTime - cpu, GC.GetTotalAllocatedBytes() - allocated);
            Console.WriteLine(FormattableString.Invariant(
                $"model {new FileInfo(files.Dense).Length / 1e6:0.0} MB, slim {new FileInfo(files.Slim).Length / 1e6:0.0} MB"));
            Console.WriteLine(FormattableString.Invariant($"copy {copy.TotalMilliseconds:0} ms; open, gather half of the units, save ")
                + FormattableString.Invariant(
                    $"{slim.TotalMilliseconds:0} ms ({cpu.TotalMilliseconds:0} ms of processor time), {slim / copy:0.00} times the copy"));
            Console.WriteLine(FormattableString.Invariant($"{allocated / 1e6:0.00} MB allocated on the managed heap"));
            using var process = Process.GetCurrentProcess();
            Console.WriteLine(FormattableString.Invariant($"peak memory of the process {process.PeakWorkingSet64 / 1e6:0.0} MB"));
        }

        private static TimeSpan Time(Action action)
        {
            var watch = Stopwatch.StartNew();
            action();
            return watch.Elapsed;
        }
    }
}
