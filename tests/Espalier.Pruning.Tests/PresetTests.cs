using Espalier.Axes;
using Espalier.Calibration.Statistics;

namespace Espalier.Pruning.Tests;

public class PresetTests
{
    [Fact]
    public void What_a_plan_says_itself_stays()
    {
        var plan = new PruningPlan
        {
            Preset = Preset.Flap,
            Prune = [new() { Axis = Axis.Neurons, Score = Criterion.L1, Aggregate = Aggregate.Max },
                new() { Axis = Axis.Heads, Compensate = Compensation.None }],
            Drop = [new() { AtMost = 1 }],
            Schedule = Schedule.Sequential,
        };
        var complete = Presets.Complete(plan, hasData: true);
        Assert.Equal((null, Metric.JensenShannon, Metric.Cosine),
            (complete.DivergenceMetric, Presets.Complete(new PruningPlan { Preset = Preset.FinerCut }, hasData: true).DivergenceMetric,
            Presets.Complete(new PruningPlan { Preset = Preset.FinerCut, DivergenceMetric = Metric.Cosine },
                hasData: true).DivergenceMetric));
        Assert.Equal((Criterion.L1, Aggregate.Max, Compensation.Bias),
            (complete.Prune[0].Score, complete.Prune[0].Aggregate, complete.Prune[0].Compensate));
        Assert.Equal((Criterion.WeightedFluctuation, Aggregate.Sum, Compensation.None),
            (complete.Prune[1].Score, complete.Prune[1].Aggregate, complete.Prune[1].Compensate));
        Assert.Equal((Criterion.BlockSimilarity, Allocation.Standardized, Schedule.Sequential),
            (complete.Drop[0].Score, complete.Allocate, complete.Schedule));
        Assert.Equal(PlanJson.Serialize(complete), PlanJson.Serialize(Presets.Complete(complete, hasData: false)));
    }

    [Theory]
    [InlineData(true, Preset.Best)]
    [InlineData(false, Preset.Magnitude)]
    public void Without_a_preset_the_data_decide(bool hasData, Preset expected)
    {
        var complete = Presets.Complete(new PruningPlan { Prune = [new() { Axis = Axis.Neurons }] }, hasData);
        var method = Presets.Get(expected);
        Assert.Equal(expected, complete.Preset);
        Assert.Equal((method.Score, method.Compensate, method.Allocate, method.Schedule),
            (complete.Prune[0].Score, complete.Prune[0].Compensate, complete.Allocate, complete.Schedule));
        Assert.Equal(hasData, method.NeedsCalibration);
    }

    [Fact]
    public void Every_preset_has_a_method_with_its_source()
    {
        foreach (var preset in Enum.GetValues<Preset>())
        {
            var method = Presets.Get(preset);
            Assert.NotEmpty(method.Title);
            Assert.Matches("arXiv:[0-9]{4}\\.[0-9]{5}", method.Citation);
        }
    }

    /// <summary>A method may say what it takes statistics of; a plan has the last word.</summary>
    [Fact]
    public void Inputs_are_those_of_the_preset_or_of_the_plan()
    {
        InputSource? Of(Preset preset, InputSource? inputs = null)
            => Presets.Complete(new PruningPlan { Preset = preset, Inputs = inputs }, hasData: true).Inputs;
        Assert.Equal([InputSource.Data, InputSource.Noise, InputSource.OutOfDistribution, InputSource.Noise, InputSource.Data],
            [Of(Preset.Obspa), Of(Preset.ObspaDataFree), Of(Preset.ObspaOutOfDistribution), Of(Preset.Flap, InputSource.Noise),
                Of(Preset.ObspaDataFree, InputSource.Data)]);
    }

    public static TheoryData<Preset> All => [.. Enum.GetValues<Preset>()];

    /// <summary>Every preset meets a budget on a network that has all it may want: blocks, sublayers, heads, neurons.</summary>
    [Theory]
    [MemberData(nameof(All))]
    public void A_preset_meets_its_budget(Preset preset)
    {
        const int width = 12;
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", 5, width);
        for (int l = 0; l < 4; l++)
        {
            var (q, k, v) = (Split(g.Linear(x, $"b{l}.q", width, width)), Split(g.Linear(x, $"b{l}.k", width, width)),
                Split(g.Linear(x, $"b{l}.v", width, width)));
            x = g.Add(x,
                g.Linear(g.MergeHeads(g.MatMul(g.Softmax(g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar(g.Fresh("root"), 0.5f))),
                    v), width), $"b{l}.o", width, width));
            x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"b{l}.up", width, 32)), $"b{l}.down", 32, width));
        }
        g.Output(g.Rename(g.Linear(x, "head", width, 4), "y"), "batch", 5, 4);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 8).Select(i => Planted.Rows(i, 8, 5, width)).ToList();
        double macs = Presets.Get(preset) is { Units: null, LowRank: null } ? 0.6 : 0.9;
        var plan = Presets.Complete(new PruningPlan
        {
            Preset = preset,
            Prune = [new() { Axis = Axis.Heads }, new() { Axis = Axis.Neurons }],
            // Head dimensions, or keys and values, alone are a small part of the cost.
            Budget = new Budget(Macs: macs),
        }, hasData: true);
        var needs = Slimmer.Needs(plan, analysis);
        Assert.Equal(Presets.Get(preset).NeedsCalibration, needs is not null);
        var (slim, report) = Slimmer.Run(plan, analysis, needs is null
            ? null
            : Calibrator.Run(analysis, samples, needs), needs is null ? null : new ModelProbe(analysis, samples));
        Assert.InRange(report.After.Macs, 1, macs * report.Before.Macs);
        Assert.Equal(Presets.Get(preset).Depth is not null, report.Blocks.Count > 0);
        Assert.Equal(Presets.Get(preset).LowRank is not null, report.Factored.Count > 0);
        Assert.InRange(Planted.Error(dense, slim), 1e-6, 10);

        string Split(string t) => g.SplitHeads(t, 3, 4);
    }
}
