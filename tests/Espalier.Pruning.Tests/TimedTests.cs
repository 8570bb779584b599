using Espalier.Axes;
using Espalier.Calibration;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests;

/// <summary>Budgets of time, on a clock that counts weights: what a real one says is a matter of benchmarks.</summary>
public sealed class TimedTests
{
    /// <summary>A machine on which a model takes a millisecond for a thousand weights.</summary>
    private sealed class Counting(AxisAnalysis analysis, IModelProbe probe) : IModelProbe
    {
        public ModelTime Time(OnnxModel changed) => new(Milliseconds(analysis.Model), Milliseconds(changed), Milliseconds(changed) / Milliseconds(analysis.Model));

        public CalibrationStatistics Measure(CalibrationRequest request) => probe.Measure(request);
        public double Divergence(OnnxModel changed) => probe.Divergence(changed);
        public IReadOnlyList<double> Divergences(OnnxModel gated, IReadOnlyList<IReadOnlyDictionary<string, float[]>> settings) => probe.Divergences(gated, settings);
        public (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor) => probe.Channels(changed, tensor);
        public IReadOnlyDictionary<int, PairedStatistics> Pair(OnnxModel slim, IReadOnlySet<int> consumers) => probe.Pair(slim, consumers);

        private static double Milliseconds(OnnxModel model) => model.Proto.Graph.Initializer.Sum(t => t.Dims.Aggregate(1.0, (a, b) => a * b)) / 1000;
    }

    /// <summary>Whatever machine this is: both models were run, and the ratio is of their times.</summary>
    [Fact]
    public void Time_is_measured_of_both_models()
    {
        using var dense = Wide(256);
        using var small = Wide(64);
        var time = new ModelProbe(AxisAnalysis.Of(dense), ProbeTests.Samples(64, 1)).Time(small);
        Assert.True(time is { Dense: > 0, Changed: > 0, Ratio: > 0 } && double.IsFinite(time.Ratio), time.ToString());

        static OnnxModel Wide(int hidden)
        {
            var g = new GraphBuilder(6);
            g.Output(g.Rename(g.Linear(g.Relu(g.Linear(g.Input("x", "batch", 64), "a", 64, hidden)), "b", hidden, 64), "y"), "batch", 64);
            return g.Build();
        }
    }

    /// <summary>Both layers shrink until half of the time is left, whichever allocation spreads it; the note has the times.</summary>
    [Theory]
    [InlineData(Allocation.Latency)]
    [InlineData(Allocation.Uniform)]
    [InlineData(Allocation.Global)]
    public void A_budget_of_time_is_met_as_measured(Allocation allocate)
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", 64);
        x = g.Relu(g.Linear(x, "a", 64, 256));
        x = g.Relu(g.Linear(x, "b", 256, 256));
        g.Output(g.Rename(g.Linear(x, "c", 256, 4), "y"), "batch", 4);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Of(dense);
        var samples = ProbeTests.Samples(64, 8);
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Score = Criterion.L2, Compensate = With.None, RoundTo = 16 }], Budget = new Budget(Latency: 0.5), Allocate = allocate };
        var clock = new Counting(analysis, new ModelProbe(analysis, samples));
        var slim = Slimmer.Run(dense, plan, analysis, Calibrator.Run(analysis, samples, Slimmer.Needs(plan, analysis)!), clock);
        Assert.InRange(clock.Time(slim.Model).Ratio, 0.3, 0.51);
        Assert.Contains("processor time", Assert.Single(slim.Report.Notes, n => n.Contains("of the dense model", StringComparison.Ordinal) || n.Contains("processor time", StringComparison.Ordinal)), StringComparison.Ordinal);
    }
}
