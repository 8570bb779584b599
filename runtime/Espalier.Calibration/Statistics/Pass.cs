using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>One instrumented copy of a model, its session and its sums.</summary>
internal sealed class Pass : IDisposable
{
    private readonly OnnxModel _copy;
    private readonly List<Accumulator> _sites = [];
    private readonly List<(BlockTap Tap, List<double> Sums, List<double> Angles, List<long> Rows)> _blocks = [];
    private readonly List<SignalTap> _signals = [];
    private readonly int _threads;

    public Pass(OnnxModel model, IReadOnlyList<Site> sites, IReadOnlyList<Block> blocks, bool angles, IReadOnlyList<UnitSignal> signals,
        NextToken? next, IReadOnlyDictionary<string, long[]> shapes, int threads)
    {
        _threads = threads;
        var proto = model.Proto.Clone();
        var instrumentation = new Instrumentation(proto);
        foreach (var site in sites) _sites.Add(new Accumulator(instrumentation.Tap(site, _sites.Count)));
        foreach (var block in blocks) _blocks.Add((instrumentation.Tap(block, shapes[block.Input].Length, angles), [], [], []));
        foreach (var signal in signals) _signals.Add(instrumentation.Tap(signal, shapes[signal.Tensor].Length, next));
        _copy = instrumentation.Derive(model);
    }

    public void Run(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, bool holdOut, SampleBatches batches,
        Action<long> progress, CancellationToken cancellation)
    {
        if (_sites.Count + _blocks.Count + _signals.Count == 0) return;
        using var session = Sessions.Open(_copy, _threads);
        // The first sample alone gives the reference rows; it is run again with the others.
        Add(Execute([samples[0]]));
        foreach (var site in _sites) site.Recentre();
        foreach (var signal in _signals) signal.Clear();
        foreach (var (_, sums, turns, rows) in _blocks)
        {
            sums.Clear();
            turns.Clear();
            rows.Clear();
        }

        bool batching = true;
        long done = 0;
        var (fitted, heldOut) = holdOut ? HeldOut.Divide(samples) : (samples, []);
        Batches(fitted);
        if (heldOut.Count == 0) return;
        foreach (var site in _sites) site.HoldOut();
        Batches(heldOut);

        void Batches(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> part)
        {
            foreach (var batch in batches.Of(part))
            {
                if (batching && batch.Count > 1)
                {
                    try
                    {
                        Add(Execute(batch));
                        progress(done += batch.Count);
                        continue;
                    }
                    catch (EspalierException)
                    {
                        // The batch axis is dynamic by declaration only: a Reshape inside has a fixed size. A bad sample fails again below.
                        batching = false;
                    }
                }
                foreach (var sample in batch)
                {
                    Add(Execute([sample]));
                    progress(++done);
                }
            }
        }

        IReadOnlyDictionary<string, NamedTensor> Execute(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> batch)
        {
            cancellation.ThrowIfCancellationRequested();
            return session.Run([.. SampleBatches.Join(batch), .. _sites.Select(s => s.ReferenceInput())], cancellation);
        }
    }

    public void Dispose() => _copy.Dispose();

    private void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        foreach (var site in _sites) site.Add(outputs);
        foreach (var signal in _signals) signal.Add(outputs);
        foreach (var (tap, sums, turns, rows) in _blocks)
        {
            if (tap.Angle is not null) turns.Add(((float[])outputs[tap.Angle].Values)[0]);
            sums.Add(((float[])outputs[tap.Sum].Values)[0]);
            rows.Add(((long[])outputs[tap.Shape].Values).Aggregate(1L, (a, b) => a * b));
        }
    }

    public void Finish(CalibrationRequest request, Dictionary<int, ActivationStatistics> statistics, Dictionary<int, double> cosines,
        Dictionary<int, double> angles,
        Dictionary<UnitSignal, SignalStatistics> signals, Dictionary<TensorAxis, AxisMoments> tensors, List<string> notes)
    {
        foreach (var signal in _signals)
        {
            if (signal.Finish() is { } mean) signals[signal.Signal] = mean;
            else notes.Add($"No statistics of '{signal.Signal.Tensor}': {signal.Obstacle}.");
        }
        foreach (var site in _sites)
        {
            if (!site.IsFinite)
            {
                notes.Add("No statistics for "
                    + $"{(site.Tap.Site.Place is null ? string.Join(", ", site.Tap.Site.Consumers.Select(c => c.Node)) : "an axis of activations")}: '{site.Tap.Site.Activation}' is not finite on some sample.");
                continue;
            }
            if (site.Tap.Site.Place is { } place)
            {
                var moments = site.Whole();
                tensors[place] = new(moments.Mean, moments.Variance);
                continue;
            }
            foreach (var s in site.Finish())
            {
                bool covariance = request.Covariance.Contains(s.Consumer);
                statistics[s.Consumer] = covariance ? s : s with
                {
                    Covariance = null,
                    HeldOut = null,
                    PerBatch = site.Tap.Site.PerGroup
                        ? null
                        : s.PerBatch?.Select(p => p with { Covariance = null, HeldOut = null }).ToList(),
                };
            }
        }
        foreach (var (tap, sums, turns, rows) in _blocks)
        {
            if (tap.Angle is not null && turns.Sum() / rows.Sum() / Math.PI is var angle && double.IsFinite(angle))
                angles[tap.Block.Id] = angle;
            double cosine = sums.Sum() / rows.Sum();
            if (double.IsFinite(cosine)) cosines[tap.Block.Id] = cosine;
            else notes.Add($"No similarity for block '{tap.Block.Name}': its tensors are not finite on some sample.");
        }
    }
}

/// <summary>
/// Which samples are held out where something that is fitted is to be checked: every fourth, so that neither part is of another
/// kind where data are sorted.
/// </summary>
internal static class HeldOut
{
    public static (IReadOnlyList<T> Fitted, IReadOnlyList<T> HeldOut) Divide<T>(IReadOnlyList<T> samples)
        => ([.. samples.Where((_, i) => i % 4 != 3)], [.. samples.Where((_, i) => i % 4 == 3)]);
}
