using System.Globalization;
using Espalier.Axes;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Timing;
using Espalier.Onnx;

namespace Espalier.Evaluation.Real;

/// <summary>Processor time of a slim model over that of the dense one, both in turns in one process.</summary>
internal static class TimeRatios
{
    /// <summary>Batch and threads, and how the column is called.</summary>
    private static readonly (string Name, int Batch, int Threads)[] Settings =
        [("1x1", 1, 1), ("32x1", 32, 1), ("1x2", 1, 2), ("32x2", 32, 2)];

    /// <summary>Names of the figures: batch × threads.</summary>
    public static IEnumerable<string> Names => Settings.Select(s => s.Name);

    /// <summary>Those of one thread.</summary>
    public static IEnumerable<string> OneThread => Settings.Where(s => s.Threads == 1).Select(s => s.Name);

    /// <summary>What a time ratio is held against: MACs with the channels of convolutions padded to a kernel's block.</summary>
    public const string Padded = "padded";

    /// <summary>Time ratios beyond this multiple of the padded share have an operator that is to blame.</summary>
    public const double Most = 1.1;

    /// <summary>The ratios, the padded share, and where they are too far apart, the operator.</summary>
    public static (IReadOnlyList<Figure> Figures, string Operator) Measure(RealNetwork network, OnnxModel dense, OnnxModel slim)
    {
        double padded = AxisAnalysis.Run(slim).Cost.PredictedTime() / AxisAnalysis.Run(dense).Cost.PredictedTime();
        var (a, b) = (network.ForBatches(dense), network.ForBatches(slim));
        var ratios = Ratios(network, a, b);
        double worst = ratios.Where(r => OneThread.Contains(r.Name, StringComparer.Ordinal)).Max(r => r.Value);
        return ([.. ratios, new(Padded, padded)], worst <= Most * padded ? "" : ToBlame(network, a, b, padded));
    }

    private static string ToBlame(RealNetwork network, OnnxModel a, OnnxModel b, double padded)
    {
        var times = OperatorTimes.Compare(a, b, [.. network.TimingInputs(1).Values]);
        var slowest = OperatorTimes.Slowest(times, padded);
        return string.Create(CultureInfo.InvariantCulture, $"time: {slowest.Operator} takes {slowest.B:0.00} ms of a run of "
            + $"{times.Sum(t => t.B):0.00} ms, in the dense model {slowest.A:0.00} of {times.Sum(t => t.A):0.00} ms");
    }

    private static List<Figure> Ratios(RealNetwork network, OnnxModel a, OnnxModel b)
        => [.. Settings.Where(s => s.Batch == 1 || network.TakesBatches).Select(s =>
        {
            using var first = Sessions.Open(a, s.Threads, spinning: true);
            using var second = Sessions.Open(b, s.Threads, spinning: true);
            // A run of 32 takes long enough by itself.
            var options = s.Batch == 1
                ? new BenchOptions { Threads = s.Threads, Rounds = 9, BurstMilliseconds = 100 }
                : new BenchOptions { Threads = s.Threads, Rounds = 3, BurstMilliseconds = 1 };
            return new Figure(s.Name, Bench.Run(first, second, network.TimingInputs(s.Batch), options).Ratio!.Value);
        })];
}
