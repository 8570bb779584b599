using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Benchmarks;

/// <summary>What small files that demand much take to be opened and understood: processor time, and the largest heap meanwhile.</summary>
internal static class Bounds
{
    /// <summary>One line for each; the limits are 2 s and ten times the file and 64 MB.</summary>
    public static void Print()
    {
        Inspect(BoundGraphs.Parts().Build().Proto);
        Console.WriteLine("| graph | file MB | s of processor time | largest heap MB | limit MB |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var (name, make) in BoundGraphs.All)
        {
            var proto = make().Build().Proto;
            double file = proto.CalculateSize() / 1e6;
            var (seconds, heap) = Inspect(proto);
            Console.WriteLine(
                FormattableString.Invariant($"| {name} | {file:0.0} | {seconds:0.00} | {heap / 1e6:0} | {(10 * file) + 67:0} |"));
        }
    }

    private static (double Seconds, long Heap) Inspect(ModelProto proto)
    {
        string path = Path.GetTempFileName();
        try
        {
            OnnxModel.Wrap(proto).Save(path);
            long before = GC.GetTotalMemory(true), most = 0;
            using var done = new CancellationTokenSource();
            var watcher = new Thread(() =>
            {
                while (!done.IsCancellationRequested)
                {
                    most = Math.Max(most, GC.GetTotalMemory(false));
                    Thread.Sleep(5);
                }
            });
            watcher.Start();
            var cpu = Environment.CpuUsage.TotalTime;
            using (var model = OnnxModel.Open(path)) _ = AxisAnalysis.Run(model).Cost;
            double seconds = (Environment.CpuUsage.TotalTime - cpu).TotalSeconds;
            done.Cancel();
            watcher.Join();
            return (seconds, most - before);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
