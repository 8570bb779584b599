using Espalier.Axes;
using Espalier.Calibration.Statistics;
using Espalier.Pruning.Spreads;
using Espalier.Pruning.Weights;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests.Allocators;

/// <summary>Allocations on networks: what they ask for, what is planted for them to find, and what they must leave alone.</summary>
public sealed class AllocationModelTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    private static int[] Kept(SlimResult slim) => [.. slim.Report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept)];

    [Theory]
    [InlineData(Allocation.ImportanceLinear)]
    [InlineData(Allocation.ImportanceSigmoid)]
    [InlineData(Allocation.ImportanceSoftmax)]
    public void Layers_that_do_nothing_are_pruned_first(Allocation allocation)
    {
        using var dense = Planted.Residual(4, 6, 24, l => l == 2 ? 0.01f : 3);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.8), Allocate = allocation };
        var slim = Planted.Slim(dense, plan, 6, out var analysis);
        int[] kept = Kept(slim);
        Assert.True(kept[2] < kept.Where((_, l) => l != 2).Min(), string.Join(' ', kept));
        Assert.True(slim.Report.After.Macs <= 0.8 * slim.Report.Before.Macs);
        var uniform = Slimmer.Run(plan with { Allocate = Allocation.Uniform }, analysis);
        var probe = new ModelProbe(analysis, Planted.Samples(6, 16));
        Assert.True(probe.Divergence(slim.Model) < probe.Divergence(uniform.Model),
            $"{probe.Divergence(slim.Model)}, {probe.Divergence(uniform.Model)}");
    }

    /// <summary>
    /// With fewer samples than features a refit gives the layer's outputs back on the samples that it sees, whatever is
    /// removed. A wide layer is then not taken for one that can lose anything, beside a narrow one of little effect that cannot
    /// be fitted so.
    /// </summary>
    [Fact]
    public void A_refit_is_judged_on_samples_that_it_has_not_seen()
    {
        const int width = 8;
        var g = new GraphBuilder(3);
        var random = new Random(3);
        string x = g.Input("x", "batch", width);
        foreach (int hidden in (int[])[128, 16])
        {
            string h = g.Node("Tanh", [g.MatMul(x, g.Floats($"l{hidden}.up", Planted.Floats(random, width * hidden), width, hidden))]);
            float scale = hidden == 16 ? 0.05f : 0.2f;
            x = g.Add(x,
                g.Add(g.MatMul(h,
                    g.Floats($"l{hidden}.down", [.. Planted.Floats(random, hidden * width).Select(v => v * scale)], hidden, width)),
                    g.Floats($"l{hidden}.bias", new float[width], width)));
        }
        g.Output(g.Rename(x, "y"), "batch", width);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares)],
            Budget = new Budget(Macs: 0.95),
            Allocate = Allocation.Divergence
        };
        var samples = Enumerable.Range(0, 64).Select(i => Planted.Rows(i, 1, width)).ToList();
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples),
            new ModelProbe(analysis, samples));
        Assert.Equal([128, 8], Kept(slim));
    }

    /// <summary>Layers that do alike are pruned alike: nothing in the importance of blocks tells them apart.</summary>
    [Fact]
    public void Importance_leaves_alike_what_is_alike()
    {
        using var dense = Planted.Residual(1, 6, 24, _ => 3);
        foreach (var allocation in (Allocation[])[Allocation.ImportanceLinear, Allocation.ImportanceSigmoid, Allocation.ImportanceSoftmax])
        {
            var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = allocation };
            Assert.Equal(Kept(Slimmer.Run(plan with { Allocate = Allocation.Uniform }, AxisAnalysis.Run(dense))),
                Kept(Planted.Slim(dense, plan, 6, out _)));
        }
    }

    [Fact]
    public void Importance_asks_for_the_similarity_of_all_blocks_and_nothing_more()
    {
        using var dense = Planted.Residual(3, 6, 8, _ => 1);
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = Allocation.ImportanceLinear };
        var needs = Slimmer.Needs(plan, analysis)!;
        Assert.Equal(analysis.Blocks.Select(b => b.Id), needs.Blocks!.Order());
        Assert.Empty(needs.Consumers!);
        foreach (var weights in (Allocation[])[Allocation.Uniform, Allocation.PqIndex, Allocation.GlobalMagnitude])
            Assert.Null(Slimmer.Needs(plan with { Allocate = weights }, analysis));
    }

    /// <summary>
    /// Weights of the same size, half of the units dead: the index says half, without a budget, and nothing is lost. None dead: all stay.
    /// </summary>
    [Fact]
    public void The_PQ_index_removes_what_is_dead_and_no_more()
    {
        foreach (bool dead in (bool[])[true, false])
        {
            var g = new GraphBuilder(1);
            var random = new Random(5);
            float[] Signs(int rows, int columns, Func<int, int, bool> isDead)
                => [.. Enumerable.Range(0, rows * columns)
                    .Select(i => isDead(i / columns, i % columns) ? 0 : random.Next(2) == 0 ? 0.3f : -0.3f)];
            string x = g.Input("x", "batch", 6);
            string h = g.Relu(g.MatMul(x, g.Floats("up", Signs(6, 20, (_, u) => dead && u % 2 == 0), 6, 20)));
            g.Output(g.Rename(g.MatMul(h, g.Floats("down", Signs(20, 3, (u, _) => dead && u % 2 == 0), 20, 3)), "y"), "batch", 3);
            using var dense = g.Build();
            var slim = Slimmer.Run(new PruningPlan { Prune = [Neurons()], Allocate = Allocation.PqIndex }, AxisAnalysis.Run(dense));
            Assert.Equal(dead ? 10 : 20, Assert.Single(Kept(slim)));
            Assert.Equal(0, Planted.Error(dense, slim.Model), 1e-6);
        }
    }

    [Fact]
    public void Other_allocations_need_a_ratio_or_a_budget()
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        foreach (var allocation in Enum.GetValues<Allocation>().Except([Allocation.PqIndex, Allocation.Latency]))
            Assert.Contains("PqIndex",
                Assert.Throws<EspalierException>(() =>
                    Slimmer.Run(new PruningPlan { Prune = [Neurons()], Allocate = allocation }, analysis)).Message,
                    StringComparison.Ordinal);
        var e = Assert.Throws<EspalierException>(() =>
            Slimmer.Needs(new PruningPlan
            {
                Prune = [Neurons()],
                Allocate = Allocation.Latency,
                Budget = new Budget(Macs: 0.5)
            }, analysis));
        Assert.Contains("Latency", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<EspalierException>(() =>
            Slimmer.Needs(new PruningPlan { Prune = [Neurons()], Budget = new Budget(Latency: 1.5) }, analysis));
        Assert.Contains("1.5", e.Message, StringComparison.Ordinal);
    }

    /// <summary>A unit of a product: its column and its row; the bias is a vector and does not count.</summary>
    [Fact]
    public void Magnitudes_are_means_over_the_coupled_weights()
    {
        var g = new GraphBuilder(1);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 2), g.Floats("up", [1, -4, 3, 0], 2, 2)), g.Floats("bias", [9, 9], 2)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("down", [-2, 16], 2, 1)), "y"), "batch", 1);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Kind == Axis.Neurons);
        var magnitudes = Magnitudes.Measure(new WeightTable(analysis), [group])[group.Id];
        Assert.Equal(3, magnitudes.PerUnit);
        Assert.Equal([(1 + 3 + 2) / 3.0, (4 + 0 + 16) / 3.0], magnitudes.Mean);
        Assert.Equal((1 + Math.Sqrt(3) + Math.Sqrt(2)) / 3, magnitudes.RootMean[0], 1e-6);
        Assert.Equal((2 + 0 + 4) / 3.0, magnitudes.RootMean[1], 1e-6);
    }

    /// <summary>
    /// The second of two layers in a row has weights a hundredth as large: one threshold takes them, standardised scores do not see it.
    /// </summary>
    [Fact]
    public void Global_magnitude_prunes_where_weights_are_small()
    {
        var g = new GraphBuilder(2);
        var random = new Random(2);
        float[] Weights(int count, float scale) => [.. Planted.Floats(random, count).Select(v => v * scale)];
        string x = g.Input("x", "batch", 8);
        x = g.Relu(g.MatMul(x, g.Floats("a", Weights(8 * 32, 1), 8, 32)));
        x = g.Relu(g.MatMul(x, g.Floats("b", Weights(32 * 32, 0.01f), 32, 32)));
        g.Output(g.Rename(g.MatMul(x, g.Floats("c", Weights(32 * 3, 0.01f), 32, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune = [Neurons(Criterion.L1)],
            Budget = new Budget(Macs: 0.6),
            Allocate = Allocation.GlobalMagnitude
        };
        int[] magnitude = Kept(Slimmer.Run(plan, analysis)),
            standard = Kept(Slimmer.Run(plan with { Allocate = Allocation.Global }, analysis));
        Assert.Equal(32, magnitude[0]);
        Assert.True(magnitude[1] < 20 && standard[0] < 30, $"{magnitude[0]} {magnitude[1]}, {standard[0]} {standard[1]}");
    }

    [Fact]
    public void Search_is_never_worse_than_its_start_and_the_same_every_time()
    {
        using var dense = Planted.Residual(4, 6, 20, l => 1 + l);
        var plan = new PruningPlan
        {
            Prune = [Neurons(Criterion.Variance, Compensation.Bias)],
            Budget = new Budget(Macs: 0.5),
            Allocate = Allocation.Divergence,
            Seed = 4
        };
        var start = Planted.Slim(dense, plan, 6, out var analysis);
        var found = Planted.Slim(dense, plan with { Allocate = Allocation.Search }, 6, out _);
        var probe = new ModelProbe(analysis, Planted.Samples(6, 16));
        Assert.True(probe.Divergence(found.Model) <= probe.Divergence(start.Model),
            $"{probe.Divergence(start.Model)} → {probe.Divergence(found.Model)}");
        Assert.True(found.Report.After.Macs <= 0.5 * found.Report.Before.Macs);
        Assert.Equal(found.Model.ToBytes(), Planted.Slim(dense, plan with { Allocate = Allocation.Search }, 6, out _).Model.ToBytes());
    }
}
