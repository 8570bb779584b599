using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Statistics;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Tests.Allocators;

/// <summary>Budgets that are spent by what the outputs of changed models lose.</summary>
public sealed class DivergenceTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    [Fact]
    public void A_budget_by_divergence_is_taken_from_the_layers_that_do_little()
    {
        using var dense = Planted.Residual(4, 6, 24, l => l == 1 ? 0.01f : 3);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.78), Allocate = Allocation.Divergence };
        var slim = Planted.Slim(dense, plan, 6, out var analysis);
        int[] kept = [.. slim.Report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept)];
        Assert.True(kept[1] <= 3, string.Join(' ', kept));
        Assert.All([kept[0], kept[2], kept[3]], k => Assert.True(k >= 22, string.Join(' ', kept)));
        Assert.True(slim.Report.After.Macs <= 0.78 * slim.Report.Before.Macs);
        var uniform = Slimmer.Run(plan with { Allocate = Allocation.Uniform }, analysis);
        Assert.True(Planted.Error(dense, slim.Model) < 0.2 * Planted.Error(dense, uniform.Model));
    }

    [Fact]
    public void A_choice_by_divergence_is_the_same_every_time()
    {
        using var dense = Planted.Residual(3, 6, 20, l => 1 + l);
        var plan = new PruningPlan
        {
            Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares)],
            Budget = new Budget(Macs: 0.6),
            Allocate = Allocation.Divergence,
            Schedule = Schedule.Sequential
        };
        Assert.Equal(Planted.Slim(dense, plan, 6, out _).Model.ToBytes(), Planted.Slim(dense, plan, 6, out _).Model.ToBytes());
    }

    [Fact]
    public void A_plan_that_runs_models_needs_data()
    {
        using var dense = Planted.Residual(2, 6, 8, _ => 1);
        var analysis = AxisAnalysis.Run(dense);
        foreach (var plan in (PruningPlan[])[
            new() { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = Allocation.Divergence },
            new() { Prune = [Neurons() with { Keep = 0.5 }], Schedule = Schedule.Sequential },
            new() { Drop = [new DropRule { AtMost = 1, Score = Criterion.OutputDivergence }] }])
        {
            Assert.NotNull(Slimmer.Needs(plan, analysis));
            Assert.Contains("calibration data", Assert.Throws<EspalierException>(() => Slimmer.Run(plan, analysis)).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Layers_whose_weights_may_be_shaken_lose_more()
    {
        using var dense = Planted.Residual(4, 6, 24, l => l == 1 ? 0.01f : 3);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = Allocation.ZerothOrder };
        var slim = Planted.Slim(dense, plan, 6, out var analysis);
        int[] kept = [.. slim.Report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept)];
        Assert.Equal(kept.Min(), kept[1]);
        Assert.True(kept.Max() >= kept[1] + 4, string.Join(' ', kept));
        Assert.InRange(slim.Report.After.Macs, 1, 0.6 * slim.Report.Before.Macs);
        var probe = new ModelProbe(analysis, Planted.Samples(6, 16));
        var sensitivity =
            ZerothOrder.Measure(new(analysis), analysis.Groups.Where(g => g.Exactness == Exactness.Exact), probe.Divergence, 0);
        double[] all = [.. sensitivity.OrderBy(e => e.Key).Select(e => e.Value)];
        Assert.True(all[1] < 0.05 * new[] { all[0], all[2], all[3] }.Min(), string.Join(' ', all));
    }
}
