using BenchmarkDotNet.Attributes;
using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Benchmarks;

/// <summary>Graphs that are long: a concatenation chain (DenseNet-201 has 98), and a residual tower.</summary>
internal static class Chains
{
    /// <summary>x ← concat(x, conv(relu(norm(x)))), n times: the last axis is a sum of n + 1 factors.</summary>
    public static OnnxModel Concatenations(int n)
    {
        var g = new GraphBuilder();
        var y = g.Conv(g.Input("x", "n", 3, 8, 8), "stem", 3, 8);
        for (int k = 0; k < n; k++)
        {
            int width = 8 + (4 * k);
            y = g.Concat(1, y, g.Conv(g.Relu(g.BatchNorm(y, $"bn{k}", width)), $"conv{k}", width, 4, 1));
        }
        return g.Output(g.Conv(y, "out", 8 + (4 * n), 2, 1)).Build();
    }

    /// <summary>x ← x + down(relu(up(x))), n times.</summary>
    public static OnnxModel Residuals(int n)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 8);
        for (int k = 0; k < n; k++) x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"up{k}", 8, 12)), $"down{k}", 12, 8));
        return g.Output(x).Build();
    }

    /// <summary>Processor time of the inference per node, for lengths up to ten times DenseNet-201's.</summary>
    public static void Print()
    {
        AxisAnalysis.Run(Concatenations(98));
        Console.WriteLine("| graph | nodes | groups | ms | µs per node |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var (name, make,
            lengths) in ((string, Func<int, OnnxModel>, int[])[])[("concatenations", Concatenations, [98, 245, 490, 980]),
            ("residual layers", Residuals, [200, 500, 1000, 2000, 4000])])
            foreach (int n in lengths)
            {
                using var model = make(n);
                var times = Enumerable.Range(0, 5).Select(_ =>
                {
                    GC.Collect();
                    var before = Environment.CpuUsage.TotalTime;
                    AxisAnalysis.Run(model);
                    return (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;
                }).Order().ToList();
                var analysis = AxisAnalysis.Run(model);
                Console.WriteLine(FormattableString.Invariant($"| {n} {name} | {analysis.Nodes.Count} | {analysis.Groups.Count} | ")
                    + FormattableString.Invariant($"{times[2]:0} | {times[2] * 1000 / analysis.Nodes.Count:0} |"));
            }
    }
}

/// <summary>The inference alone, over chains of concatenations; time per node should not depend on the length.</summary>
[MemoryDiagnoser, InProcess]
public class ChainBenchmark
{
    private OnnxModel _model = null!;

    /// <summary>Concatenations: DenseNet-201's, and ten times as many.</summary>
    [Params(98, 980)]
    public int Length { get; set; }

    /// <summary>Makes the graph.</summary>
    [GlobalSetup]
    public void Setup() => _model = Chains.Concatenations(Length);

    /// <summary>Closes it.</summary>
    [GlobalCleanup]
    public void Cleanup() => _model.Dispose();

    /// <summary>Axes, groups, blocks, consumers.</summary>
    [Benchmark]
    public int Infer() => AxisAnalysis.Run(_model).Groups.Count;
}
