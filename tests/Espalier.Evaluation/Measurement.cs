using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Sums;
using Espalier.Onnx;
using Espalier.Pruning;
using Espalier.Pruning.Factoring;

namespace Espalier.Evaluation;

/// <summary>Measures one method on one network.</summary>
internal static class Measurement
{
    /// <summary>Channels stay multiples of 4: the finest that runs fast, so that budgets are met closely.</summary>
    private const int ChannelMultiple = 4;

    /// <summary>Every budget on every draw of calibration data, on each of the held-out sets.</summary>
    /// <param name="splits">The held-out sets; null for the test.</param>
    public static IEnumerable<Row> Run(Task task, Preset preset, IReadOnlyList<double> ratios, int draws,
        IReadOnlyList<Split>? splits = null)
    {
        splits ??= [Split.Test];
        using var dense = OnnxModel.Open(task.Model);
        var items = splits.ToDictionary(s => s, s => task.Evaluate(dense, s));
        var analysis = AxisAnalysis.Run(dense);
        using var process = Process.GetCurrentProcess();
        for (int draw = 0; draw < draws; draw++)
        {
            var samples = Inputs(task.Calibration(dense, draw), dense, Presets.Get(preset).Inputs, draw);
            var attempts = new Attempts(analysis, preset, samples);
            foreach (double ratio in ratios)
            {
                if (ratio == 1)
                {
                    foreach (var split in splits)
                        yield return new(task.Name, preset, 1, draw) { Score = items[split].Average(), Error = 0, Macs = 1, Split = split };
                    continue;
                }
                var before = Environment.CpuUsage.TotalTime;
                var nothing = new Row(task.Name, preset, ratio, draw) { Score = double.NaN, Error = double.NaN, Macs = double.NaN };
                var (slim, row) = attempts.Slim(nothing, Plan(task.Axes, analysis, preset, ratio, draw));
                row = row with { Seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds };
                foreach (var split in splits)
                {
                    double[]? now = slim is null ? null : task.Evaluate(slim, split);
                    process.Refresh();
                    row = row with { Split = split, Megabytes = process.PeakWorkingSet64 / 1e6 };
                    yield return now is null
                        ? row
                        : row with { Score = now.Average(), Error = StandardError([.. now.Zip(items[split], (a, b) => a - b)]) };
                }
            }
        }
    }

    /// <summary>Slims to several budgets on one draw, of which statistics are taken once.</summary>
    private sealed class Attempts(AxisAnalysis analysis, Preset preset, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        private readonly CalibrationOptions _settings = new() { Threads = Environment.ProcessorCount };
        private readonly Remembering _probe = new(new ModelProbe(analysis, samples, new() { Threads = Environment.ProcessorCount })
        { Metric = Presets.Get(preset).Metric ?? OutputRoles.MetricOf(analysis) });
        private CalibrationStatistics? _statistics;

        /// <summary>The slim model, if any, and the row with what came of it.</summary>
        public (OnnxModel? Slim, Row Row) Slim(Row row, PruningPlan plan)
        {
            try
            {
                if (Slimmer.Needs(plan, analysis) is { } needs)
                    _statistics ??= Calibrator.Run(analysis, samples, needs, options: _settings);
                var result = Slimmer.Run(plan, analysis, _statistics, _probe);
                return (result.Model, row with
                {
                    Macs = (double)result.Report.After.Macs / result.Report.Before.Macs,
                    Notes = Remarks.OfNotes(result.Report.Notes),
                });
            }
            catch (EspalierException e)
            {
                // The method has nothing to remove here, or not enough: the page shows why.
                return (null, row with { Refusal = Remarks.OneLine(e.Message) });
            }
        }
    }

    /// <summary>
    /// What a method takes statistics of: the samples of a draw, or as many that are made up where it wants them so.
    /// </summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Inputs(
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, OnnxModel dense, InputSource source, int draw) => source switch
        {
            InputSource.Noise => RandomInputs.Many(dense, samples.Count, draw, RandomInputs.Fit(dense)),
            InputSource.OutOfDistribution => NaturalInputs.Many(dense, samples.Count, draw, RandomInputs.Fit(dense), like: samples),
            _ => samples,
        };

    /// <summary>A preset under a budget of multiply-accumulates, over all exact groups of the network's kinds.</summary>
    public static PruningPlan Plan(IReadOnlyList<Axis> axes, AxisAnalysis analysis, Preset preset, double ratio, int seed)
    {
        var plan = Presets.Complete(new PruningPlan
        {
            Preset = preset,
            Prune = [.. Axes(axes, preset)
            .Select(axis =>
                new PruneRule { Name = axis.ToString(), Axis = axis, RoundTo = axis == Axis.Channels
                    ? ChannelMultiple
                    : 1, AllowInexact = axis == Axis.Experts })
            .Where(rule =>
                analysis.Groups.Any(g => (g.Exactness == Exactness.Exact || rule.AllowInexact)
                    && g.Kind.ToString() == rule.Axis.ToString()))],
            Budget = new Budget(Macs: ratio),
            Seed = seed,
        }, hasData: true);
        return plan with { LowRank = RankSplit.Usual(plan, analysis) };
    }

    private static double StandardError(double[] differences)
    {
        double mean = differences.Average();
        return Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / Math.Max(1, differences.Length - 1) / differences.Length);
    }

    /// <summary>What a method removes: methods on experts remove experts, whose router is normalised anew over those that stay.</summary>
    private static IEnumerable<Axis> Axes(IReadOnlyList<Axis> axes, Preset preset)
        => Presets.Get(preset).Score is Criterion.RouterSimilarity or Criterion.RouterUse ? [Axis.Experts] : axes;

    /// <summary>Draws that can differ: a method without data and without chance has one.</summary>
    public static int Draws(Preset preset, int draws) => preset != Preset.Random && !Presets.Get(preset).NeedsCalibration ? 1 : draws;

    /// <summary>Budgets share what was measured: a model is run once, whichever budget asks for it.</summary>
    private sealed class Remembering(IModelProbe probe) : IModelProbe
    {
        private readonly Dictionary<string, double> _known = new(StringComparer.Ordinal);

        public CalibrationStatistics Measure(CalibrationRequest request) => probe.Measure(request);

        public IStagedRun Stages(IReadOnlyList<IReadOnlyList<FitPoint>> stages) => probe.Stages(stages);

        public CalibrationStatistics Measure(OnnxModel changed, CalibrationRequest request) => probe.Measure(changed, request);

        public IModelProbe On(AxisAnalysis same) => new Remembering(probe.On(same));

        public ModelTime Time(OnnxModel changed) => probe.Time(changed);

        public IGatedRun Gated(OnnxModel gated, bool heldOut)
            => new RememberingRun(probe.Gated(gated, heldOut), Hash(gated.ToBytes()) + (heldOut ? " held out " : " "), _known);

        public (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor) => probe.Channels(changed, tensor);

        public double Divergence(OnnxModel changed) => Known(changed, " whole", probe.Divergence);

        public double HeldOutDivergence(OnnxModel changed) => Known(changed, " held out", probe.HeldOutDivergence);

        private double Known(OnnxModel changed, string kind, Func<OnnxModel, double> measure)
        {
            string key = Hash(changed.ToBytes()) + kind;
            return _known.TryGetValue(key, out double divergence) ? divergence : _known[key] = measure(changed);
        }
    }

    private sealed class RememberingRun(IGatedRun run, string model, Dictionary<string, double> known) : IGatedRun
    {
        public double Divergence(IReadOnlyDictionary<string, float[]> settings)
        {
            string key = model + string.Join(' ', settings.OrderBy(s => s.Key, StringComparer.Ordinal)
                .Select(s => s.Key + Hash(MemoryMarshal.AsBytes(s.Value.AsSpan()).ToArray())));
            return known.TryGetValue(key, out double divergence) ? divergence : known[key] = run.Divergence(settings);
        }

        public void Dispose() => run.Dispose();
    }

    private static string Hash(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes));
}
