using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Sums;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>The unit in which what calibration costs is stated: one run of the dense model over all samples.</summary>
internal static class DensePass
{
    /// <summary>Processor time of the whole process, in batches as calibration makes them, on all cores.</summary>
    public static TimeSpan Measure(OnnxModel dense, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
        CancellationToken cancellation = default)
    {
        var options = new CalibrationOptions();
        using var session = Sessions.Open(dense, options.Threads);
        var batches = new SampleBatches(dense, options.BatchSize, options.BatchElements).Joined(samples);
        // The first run allocates.
        session.Run(batches[0], cancellation);
        var before = Environment.CpuUsage.TotalTime;
        foreach (var batch in batches) session.Run(batch, cancellation);
        return Environment.CpuUsage.TotalTime - before;
    }
}
