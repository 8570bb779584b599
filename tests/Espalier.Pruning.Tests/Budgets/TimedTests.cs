using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;

namespace Espalier.Pruning.Tests.Budgets;

/// <summary>Budgets of time, on a clock that counts weights: what a real one says is a matter of benchmarks.</summary>
public sealed class TimedTests
{
    /// <summary>A machine on which a model takes a millisecond for a thousand weights.</summary>
    private sealed class Counting(AxisAnalysis analysis, IModelProbe probe) : IModelProbe
    {
        /// <summary>Models that were timed, and calls that ran settings of gates.</summary>
        public int Timed { get; private set; }
        public int Run { get; private set; }

        public ModelTime Time(OnnxModel changed)
        {
            Timed++;
            return new(Milliseconds(analysis.Model), Milliseconds(changed), Milliseconds(changed) / Milliseconds(analysis.Model));
        }

        public CalibrationStatistics Measure(CalibrationRequest request) => probe.Measure(request);
        public CalibrationStatistics Measure(OnnxModel changed, CalibrationRequest request) => probe.Measure(changed, request);
        public double Divergence(OnnxModel changed) => probe.Divergence(changed);

        public double HeldOutDivergence(OnnxModel changed) => probe.HeldOutDivergence(changed);
        public IReadOnlyList<double> Divergences(OnnxModel gated, IReadOnlyList<IReadOnlyDictionary<string, float[]>> settings,
            WorkStep step)
        {
            Run++;
            return probe.Divergences(gated, settings, step);
        }

        public IGatedRun Gated(OnnxModel gated, bool heldOut) => probe.Gated(gated, heldOut);

        public (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor) => probe.Channels(changed, tensor);
        public IStagedRun Stages(IReadOnlyList<IReadOnlyList<FitPoint>> stages) => probe.Stages(stages);

        public IModelProbe On(AxisAnalysis same) => probe.On(same);

        private static double Milliseconds(OnnxModel model)
            => model.Proto.Graph.Initializer.Sum(t => t.Dims.Aggregate(1.0, (a, b) => a * b)) / 1000;
    }

    /// <summary>Whatever machine this is: both models were run, and the ratio is of their times.</summary>
    [Fact]
    public void Time_is_measured_of_both_models()
    {
        using var dense = Wide(256);
        using var small = Wide(64);
        var time = new ModelProbe(AxisAnalysis.Run(dense), Planted.Samples(64, 1)).Time(small);
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
        var analysis = AxisAnalysis.Run(dense);
        var samples = Planted.Samples(64, 8);
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Neurons, Score = Criterion.L2, Compensate = Compensation.None,
            RoundTo = 16 }],
            Budget = new Budget(Latency: 0.5),
            Allocate = allocate
        };
        var clock = new Counting(analysis, new ModelProbe(analysis, samples));
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), clock);
        Assert.InRange(clock.Time(slim.Model).Ratio, 0.3, 0.51);
        Assert.Contains("processor time",
            Assert.Single(slim.Report.Notes, n => n.Contains("of the dense model", StringComparison.Ordinal)
                || n.Contains("processor time", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    /// <summary>Six residual layers and a head.</summary>
    private static OnnxModel Deep()
    {
        var g = new GraphBuilder(7);
        string x = g.Input("x", "batch", 8);
        for (int l = 0; l < 6; l++)
            x = g.Add(x, g.MatMul(g.Relu(g.MatMul(x, g.Weight($"layer{l}.up", 8, 16))), g.Weight($"layer{l}.down", 16, 8)));
        return g.Output(g.Rename(g.MatMul(x, g.Weight("head", 8, 3)), "y"), "batch", 3).Build();
    }

    /// <summary>
    /// Methods on depth remove as many as it takes by the clock, no more, and each model is timed once: a second measurement
    /// may say otherwise.
    /// </summary>
    [Theory]
    [InlineData(Preset.ShortGpt)]
    [InlineData(Preset.Sleb)]
    [InlineData(Preset.FinerCut)]
    public void Depth_goes_until_the_time_is_met(Preset preset)
    {
        using var dense = Deep();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Planted.Samples(8, 8);
        var plan = new PruningPlan { Preset = preset, Prune = [new PruneRule { Axis = Axis.Neurons }], Budget = new Budget(Latency: 0.6) };
        var clock = new Counting(analysis, new ModelProbe(analysis, samples));
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), clock);
        // A layer is 256 of 1560 weights: without two of them 0.672 stay, without three 0.508.
        Assert.Equal((3, 3), (slim.Report.Blocks.Count, clock.Timed));
        Assert.Equal([0, 0, 0, 16, 16, 16], slim.Report.Groups.Select(g => g.Kept).Order());
        Assert.Contains("0.508 of it", Assert.Single(slim.Report.Notes, n => n.Contains("processor time", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        var refused = plan with { Budget = new Budget(Latency: 0.01) };
        Assert.Contains("without any of its",
            Assert.Throws<EspalierException>(() =>
                Slimmer.Run(refused, analysis, Calibrator.Run(analysis, samples, Slimmer.Needs(refused, analysis)!), clock)).Message,
                StringComparison.Ordinal);
    }

    /// <summary>In steps as at once the same layers go, and they are looked for once.</summary>
    [Fact]
    public void Iterations_choose_depth_once()
    {
        using var dense = Deep();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Planted.Samples(8, 8);
        PruningPlan Plan(Schedule schedule) => new()
        {
            Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Wanda, Compensate = Compensation.None,
                RoundTo = 1 }],
            Drop = [new DropRule { Axis = Axis.Sublayers, AtMost = 2, Score = Criterion.OutputDivergence }],
            Schedule = schedule,
        };
        (string Removed, int Run) Of(Schedule schedule)
        {
            var clock = new Counting(analysis, new ModelProbe(analysis, samples));
            var slim = Slimmer.Run(Plan(schedule), analysis,
                Calibrator.Run(analysis, samples, Slimmer.Needs(Plan(schedule), analysis)!), clock);
            Assert.Equal(4, slim.Report.Groups.Count(g => g.Kept == 8));
            return (string.Join(',', slim.Report.Blocks), clock.Run);
        }
        Assert.Equal(2, Of(Schedule.OneShot).Run);
        Assert.Equal(Of(Schedule.OneShot), Of(Schedule.Iterative));
        Assert.Equal(Of(Schedule.OneShot), Of(Schedule.Cubic));
    }
}
