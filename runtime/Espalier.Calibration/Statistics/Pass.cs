using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Sums;
using Espalier.Onnx;

namespace Espalier.Calibration.Statistics;

/// <summary>One instrumented copy of a model, its session and its sums.</summary>
internal sealed class Pass : IDisposable
{
    private readonly MeasurementPlan _plan;
    private readonly CancellationToken _cancellation;
    private readonly OnnxModel _copy;
    private readonly TileProducts _products;
    private readonly List<Accumulator> _sites = [];
    private readonly List<RowSums> _rows = [];
    private readonly List<BlockSums> _blocks = [];
    private readonly List<SignalTap> _signals = [];

    public Pass(MeasurementPlan plan, CancellationToken cancellation)
    {
        (_plan, _cancellation, _products) = (plan, cancellation, new(plan.Options.Threads));
        var instrumentation = new Instrumentation(plan.Model.Proto.Clone());
        foreach (var site in plan.Content.Sites)
        {
            if (site.Covariance) _rows.Add(new RowSums(instrumentation.Rows(site, _rows.Count), _products, cancellation));
            else _sites.Add(new Accumulator(instrumentation.Tap(site, _sites.Count)));
        }
        foreach (var block in plan.Content.Blocks)
            _blocks.Add(new BlockSums(instrumentation.Tap(block, plan.Shapes[block.Input].Length, plan.Request.BlockAngles)));
        foreach (var signal in plan.Content.Signals)
            _signals.Add(instrumentation.Tap(signal, plan.Shapes[signal.Tensor].Length, plan.Next));
        _copy = instrumentation.Derive(plan.Model);
    }

    public void Run(IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples, SampleBatches batches, Action<long> progress)
    {
        if (_sites.Count + _rows.Count + _blocks.Count + _signals.Count == 0) return;
        using var session = Sessions.Open(_copy, _plan.Options.Threads);
        bool batching = true;
        long done = 0;
        int number = 0;
        if (_sites.Count > 0) SetReferences();
        var (fitted, heldOut) = _plan.Request.HeldOut ? HeldOut.Divide(samples) : (samples, []);
        Batches(fitted);
        foreach (var site in _rows) site.HoldOut();
        Batches(heldOut);

        // The first sample alone gives the reference rows; it is run again with the others.
        void SetReferences()
        {
            var outputs = Execute([samples[0]]);
            foreach (var site in _sites)
            {
                site.Add(outputs);
                site.Recentre();
            }
        }

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
            _cancellation.ThrowIfCancellationRequested();
            NamedTensor[] own = [.. _sites.Select(s => s.ReferenceInput()), .. _rows.SelectMany(s => s.Tap.Inputs(number))];
            number++;
            return session.Run([.. SampleBatches.Join(batch), .. own], _cancellation);
        }
    }

    public void Dispose()
    {
        _copy.Dispose();
        _products.Dispose();
    }

    private void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
    {
        foreach (var site in _sites) site.Add(outputs);
        foreach (var site in _rows) site.Add(outputs);
        foreach (var signal in _signals) signal.Add(outputs);
        foreach (var block in _blocks) block.Add(outputs);
    }

    public void Finish(MeasurementResults results)
    {
        foreach (var signal in _signals)
        {
            if (signal.Finish() is { } mean) results.Signals[signal.Signal] = mean;
            else results.Notes.Add($"No statistics of '{signal.Signal.Tensor}': {signal.Obstacle}.");
        }
        foreach (var sums in _sites)
        {
            if (!sums.IsFinite) Overflowed(sums.Tap.Site, results);
            else if (sums.Tap.Site.Place is { } place) results.Tensors[place] = ToMoments(sums.Whole());
            else foreach (var s in sums.Finish()) results.Consumers[s.Consumer] = s;
        }
        foreach (var sums in _rows)
        {
            if (sums.IsFinite) foreach (var s in sums.Finish()) results.Consumers[s.Consumer] = Asked(s, sums.Tap.Site);
            else Overflowed(sums.Tap.Site, results);
        }
        foreach (var block in _blocks) block.Finish(results);
    }

    private static AxisMoments ToMoments(ActivationStatistics s) => new(s.Mean, s.Variance);

    /// <summary>A site has a covariance where one of its consumers asked for it.</summary>
    private ActivationStatistics Asked(ActivationStatistics s, Site site) => _plan.Request.Covariance.Contains(s.Consumer) ? s : s with
    {
        Covariance = null,
        HeldOut = null,
        PerBatch = site.PerGroup ? null : s.PerBatch?.Select(p => p with { Covariance = null, HeldOut = null }).ToList(),
    };

    private static void Overflowed(Site site, MeasurementResults results)
    {
        string readers = site.Place is null ? string.Join(", ", site.Consumers.Select(c => c.Node)) : "an axis of activations";
        results.Notes.Add($"No statistics for {readers}: '{site.Activation}' is not finite on some sample.");
    }

    /// <summary>Sums of a block's rows, one number per run.</summary>
    private sealed class BlockSums(BlockTap tap)
    {
        private readonly List<double> _cosines = [], _angles = [];
        private readonly List<long> _rows = [];

        public void Add(IReadOnlyDictionary<string, NamedTensor> outputs)
        {
            if (tap.Angle is not null) _angles.Add(((float[])outputs[tap.Angle].Values)[0]);
            _cosines.Add(((float[])outputs[tap.Sum].Values)[0]);
            _rows.Add(((long[])outputs[tap.Shape].Values).Aggregate(1L, (a, b) => a * b));
        }

        public void Finish(MeasurementResults results)
        {
            if (tap.Angle is not null && _angles.Sum() / _rows.Sum() / Math.PI is var angle && double.IsFinite(angle))
                results.Angles[tap.Block.Id] = angle;
            double cosine = _cosines.Sum() / _rows.Sum();
            if (double.IsFinite(cosine)) results.Cosines[tap.Block.Id] = cosine;
            else results.Notes.Add($"No similarity for block '{tap.Block.Name}': its tensors are not finite on some sample.");
        }
    }
}
