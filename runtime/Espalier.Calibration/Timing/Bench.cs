using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;
using Espalier.Runtime;

namespace Espalier.Calibration.Timing;

/// <summary>
/// CPU time (user and system, of the whole process) per run. The models take turns in short bursts, each warmed up, so that a
/// change of clock or load meets both alike; the ratio is taken per round.
/// </summary>
internal static class Bench
{
    /// <summary>Measures one model, or two against each other, on the same inputs.</summary>
    /// <param name="inputs">Inputs of both; null for random ones.</param>
    /// <exception cref="EspalierException">A model does not load or does not run.</exception>
    public static BenchResult Run(OnnxModel a, OnnxModel? b = null, IReadOnlyDictionary<string, NamedTensor>? inputs = null,
        BenchOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(a);
        options ??= new BenchOptions();
        inputs ??= RandomInputs.For(a, 0, RandomInputs.Fit(a, cancellationToken: cancellationToken));
        using var first = Sessions.Open(a, options.Threads, spinning: true);
        using var second = b is null ? null : Sessions.Open(b, options.Threads, spinning: true);
        return Run(first, second, inputs, options, progress, cancellationToken);
    }

    /// <summary>Measures open sessions.</summary>
    public static BenchResult Run(ModelSession a, ModelSession? b, IReadOnlyDictionary<string, NamedTensor> inputs,
        BenchOptions? options = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(inputs);
        options ??= new BenchOptions();
        IReadOnlyCollection<NamedTensor> tensors = [.. inputs.Values];
        int runsA = Calibrate(a), runsB = b is null ? 0 : Calibrate(b);
        var timesA = new List<double>();
        var timesB = new List<double>();
        var ratios = new List<double>();
        for (int round = 0; round < options.Rounds; round++)
        {
            // Who goes first alternates: the second burst of a round finds other caches.
            double tb = 0, ta = 0;
            if (round % 2 == 0) ta = Burst(a, runsA);
            if (b is not null) tb = Burst(b, runsB);
            if (round % 2 == 1) ta = Burst(a, runsA);
            timesA.Add(ta);
            if (b is not null)
            {
                timesB.Add(tb);
                ratios.Add(tb / ta);
            }
            progress?.Report(round + 1);
        }
        return new BenchResult(Median(timesA), b is null ? null : Median(timesB), b is null ? null : Median(ratios),
            options.Rounds * (runsA + runsB));

        int Calibrate(ModelSession session)
        {
            session.Run(tensors, cancellationToken);
            double once = Math.Max(1e-3, Burst(session, 1));
            return (int)Math.Clamp(Math.Ceiling(options.BurstMilliseconds / once), 1, 100_000);
        }

        double Burst(ModelSession session, int runs)
        {
            // Not measured: brings the model's weights back into the caches.
            session.Run(tensors, cancellationToken);
            var start = Environment.CpuUsage.TotalTime;
            for (int i = 0; i < runs; i++) session.Run(tensors, cancellationToken);
            return (Environment.CpuUsage.TotalTime - start).TotalMilliseconds / runs;
        }
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToList();
        int middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
