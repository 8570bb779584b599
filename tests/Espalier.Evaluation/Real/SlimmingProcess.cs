using System.Diagnostics;
using Espalier.Axes;
using Espalier.Axes.Roles;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Sums;
using Espalier.Calibration.Trimming;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Evaluation.Real;

/// <summary>Slims in a process of its own, so that its peak memory is of nothing else.</summary>
internal static class SlimmingProcess
{
    /// <summary>The parent's side.</summary>
    /// <param name="path">Where the slim model goes.</param>
    public static Slimmed Run(RealNetwork network, RealKey key, string path, Children.Limits limits)
    {
        // Made before, since that is none of the method's time.
        string data = key.Samples > 0 ? network.Calibration(key.Samples, key.Draw) : "-";
        try
        {
            var lines = Children.Run(["real", "child", .. key.ToString().Split('\t'), network.Model, data,
                string.Join(',', network.Axes), string.Join(',', network.Outputs), path], limits);
            return Slimmed.Parse(lines[^1].Split('\t'));
        }
        catch (Exception e) when (e is EspalierException or InvalidOperationException)
        {
            return new Slimmed { Refusal = Remarks.OneLine(e.Message) };
        }
    }

    /// <summary>The child's side.</summary>
    public static void Answer(string[] arguments)
    {
        var key = RealKey.Parse(arguments);
        var (model, data, outputs, path) = (arguments[5], arguments[6], arguments[8], arguments[9]);
        Axis[] axes = [.. arguments[7].Split(',').Select(Enum.Parse<Axis>)];
        using var dense = OnnxModel.Open(model);
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples = key.Samples > 0
            ? Padding.Trim(dense, CalibrationData.Read(data, dense, new DataOptions { Samples = key.Samples }), [], default)
            : [];
        // What the command line leaves to a budget by default.
        if (key.Preset == Preset.Best) axes = [.. axes, Axis.HeadDims, Axis.ValueDims];
        var slimmed = Slim(key, dense, axes, samples, (path, outputs.Split(',', StringSplitOptions.RemoveEmptyEntries)));
        if (samples.Count > 0 && slimmed.Refusal.Length == 0)
            slimmed = slimmed with { Passes = slimmed.Seconds / DensePass.Measure(dense, samples).TotalSeconds };
        Console.WriteLine(slimmed);
    }

    private static Slimmed Slim(RealKey key, OnnxModel dense, Axis[] axes, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples,
        (string Path, string[] Outputs) target)
    {
        var settings = new CalibrationOptions { Threads = Environment.ProcessorCount };
        var before = Environment.CpuUsage.TotalTime;
        try
        {
            var analysis = AxisAnalysis.Run(dense);
            var plan = Measurement.Plan(axes, analysis, key.Preset, key.Ratio, key.Draw);
            var inputs = samples.Count > 0 ? Measurement.Inputs(samples, dense, Presets.Get(key.Preset).Inputs, key.Draw) : null;
            var statistics = inputs is not null && Slimmer.Needs(plan, analysis) is { } needs
                ? Calibrator.Run(analysis, inputs, needs, options: settings)
                : null;
            var probe = inputs is null ? null : new ModelProbe(analysis, inputs, settings)
            { Metric = Presets.Get(key.Preset).Metric ?? OutputRoles.MetricOf(analysis), Outputs = target.Outputs };
            var result = Slimmer.Run(plan, analysis, statistics, probe);
            result.Model.Save(target.Path);
            return new()
            {
                Macs = (double)result.Report.After.Macs / result.Report.Before.Macs,
                Bytes = (double)result.Report.After.Bytes / result.Report.Before.Bytes,
                Seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds,
                Megabytes = Peak(),
                Notes = Remarks.OfNotes(result.Report.Notes),
            };
        }
        catch (EspalierException e)
        {
            return new()
            {
                Seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds,
                Megabytes = Peak(),
                Refusal = Remarks.OneLine(e.Message),
            };
        }
    }

    private static double Peak()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1e6;
    }
}
