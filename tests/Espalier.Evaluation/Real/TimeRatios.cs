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

    public static IReadOnlyList<Figure> Measure(RealNetwork network, OnnxModel dense, OnnxModel slim)
    {
        var (a, b) = (network.ForBatches(dense), network.ForBatches(slim));
        return [.. Settings.Where(s => s.Batch == 1 || network.TakesBatches).Select(s =>
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
}
