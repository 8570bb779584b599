using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Budgets;

namespace Espalier.Pruning.Tests.Plans;

/// <summary>Budgets of parts of a network, by the names of its nodes.</summary>
public class ComponentTests
{
    private const int Width = 8, Hidden = 64;

    /// <summary>
    /// Two towers on one input and a head on both; nodes are named <c>/left/…</c>, <c>/right/…</c>, <c>/head/…</c>. The neurons
    /// between a tower and the head reach both components.
    /// </summary>
    private static OnnxModel Towers()
    {
        var g = new GraphBuilder(4);
        string x = g.Input("x", "batch", Width);
        string Tower(string name) => g.Relu(g.Linear(g.Relu(g.Linear(x, $"{name}.a", Width, Hidden)), $"{name}.b", Hidden, Hidden));
        var (left, right) = (Tower("left"), Tower("right"));
        g.Output(g.Rename(g.Add(g.Linear(left, "head.l", Hidden, 4), g.Linear(right, "head.r", Hidden, 4)), "y"), "batch", 4);
        var model = g.Build();
        string scope = "left";
        foreach (var node in model.Proto.Graph.Node)
        {
            scope = node.Input.Select(i => i.Split('.')[0]).FirstOrDefault(i => i is "left" or "right" or "head") ?? scope;
            node.Name = $"/{scope}/{node.Name}";
        }
        return model;
    }

    /// <summary>What a component costs after, as a fraction: counted in the slim model.</summary>
    private static double Share(AxisAnalysis dense, OnnxModel slim, string scope, CostUnit unit = CostUnit.Macs)
    {
        bool In(NodeInfo node) => node.Proto.Name.StartsWith($"/{scope}/", StringComparison.Ordinal);
        return AxisAnalysis.Run(slim).CostOf(In).Evaluate(unit) / dense.CostOf(In).Evaluate(unit);
    }

    private static SlimResult Slim(AxisAnalysis analysis, Budget budget, Allocation allocation = Allocation.Uniform)
    {
        var plan = Presets.Complete(new PruningPlan
        {
            Preset = Preset.Magnitude,
            Prune = [new() { Axis = Axis.Neurons }],
            Budget = budget,
            Allocate = allocation == Allocation.Uniform ? null : allocation
        }, hasData: false);
        var samples = Enumerable.Range(0, 4).Select(i => Planted.Rows(i, 16, Width)).ToList();
        var needs = Slimmer.Needs(plan, analysis);
        return Slimmer.Run(plan, analysis, needs is null
            ? null
            : Calibrator.Run(analysis, samples, needs), needs is null ? null : new ModelProbe(analysis, samples));
    }

    [Fact]
    public void The_parts_of_a_partition_cost_what_the_whole_costs()
    {
        using var dense = Towers();
        var analysis = AxisAnalysis.Run(dense);
        double Parts(CostUnit unit) => ((string[])["left", "right", "head"])
            .Sum(s => analysis.CostOf(n => n.Proto.Name.StartsWith($"/{s}/", StringComparison.Ordinal)).Evaluate(unit));
        Assert.Equal(analysis.Cost.Evaluate(CostUnit.Macs), Parts(CostUnit.Macs), 1e-6);
        Assert.Equal(analysis.Cost.Evaluate(CostUnit.Parameters), Parts(CostUnit.Parameters), 1e-6);
        // What is no tensor of the file is in no part.
        Assert.Equal(dense.Proto.Graph.Initializer.Sum(t => dense.Content(t).ByteLength), Parts(CostUnit.Bytes), 1e-6);
    }

    [Fact]
    public void Only_what_a_component_has_is_pruned_for_it()
    {
        using var dense = Towers();
        var analysis = AxisAnalysis.Run(dense);
        var (slim, report) = Slim(analysis, new Budget { Components = [new("/left/*", Macs: 0.3)] });
        Assert.InRange(Share(analysis, slim, "left"), 0.27, 0.3);
        Assert.Equal(1, Share(analysis, slim, "right"));
        Assert.All(report.Groups.Where(g => g.Kept < g.Size), g => Assert.StartsWith("left", g.Name, StringComparison.Ordinal));
    }

    public static TheoryData<Allocation> Allocations => [.. Enum.GetValues<Allocation>().Except([Allocation.Latency])];

    /// <summary>However units are spread: every bound of a component and of the whole holds, and none is far from being used up.</summary>
    [Theory]
    [MemberData(nameof(Allocations))]
    public void Every_bound_holds(Allocation allocation)
    {
        using var dense = Towers();
        var analysis = AxisAnalysis.Run(dense);
        var (slim, report) = Slim(analysis,
            new Budget(Macs: 0.5) { Components = [new("left/*", Macs: 0.9, Parameters: 0.3), new("head/*", Parameters: 0.7)] }, allocation);
        Assert.InRange(Share(analysis, slim, "left", CostUnit.Parameters), 0.1, 0.3);
        Assert.InRange(Share(analysis, slim, "head", CostUnit.Parameters), 0.2, 0.7);
        Assert.InRange((double)report.After.Macs / report.Before.Macs, 0.3, 0.5);
        Assert.True(Share(analysis, slim, "right") > Share(analysis, slim, "left"));
    }

    /// <summary>The group between tower and head is in the cost of both: the tighter of them decides.</summary>
    [Theory]
    [InlineData(0.9, 0.25)]
    [InlineData(0.25, 0.9)]
    public void A_group_that_reaches_two_components_counts_in_both(double tower, double head)
    {
        using var dense = Towers();
        var analysis = AxisAnalysis.Run(dense);
        var (slim, _) = Slim(analysis, new Budget { Components = [new("left/*", Macs: tower), new("head/*", Macs: head)] });
        Assert.InRange(Share(analysis, slim, "left"), 0.05, tower);
        Assert.InRange(Share(analysis, slim, "head"), 0.05, head);
        Assert.Equal(head > tower ? 1 : Share(analysis, slim, "right"), Share(analysis, slim, "right"));
    }

    [Fact]
    public void What_cannot_be_is_refused_with_figures()
    {
        using var dense = Towers();
        var analysis = AxisAnalysis.Run(dense);
        string Message(Budget budget) => Assert.Throws<EspalierException>(() => Slim(analysis, budget)).Message;
        Assert.Equal("The component budget 'leftt/*' matches the name of no node of the model. Its nodes are in 'left', 'right', 'head'.",
            Message(new Budget { Components = [new("leftt/*", Macs: 0.5)] }));
        Assert.Equal("The component budget 'left/*' bounds nothing. Give it macs or parameters.",
            Message(new Budget { Components = [new("left/*")] }));
        Assert.Equal("The budget of macs of component 'left/*' is 40, but must lie in (0, 1]: a fraction of what it is in the dense model.",
            Message(new Budget { Components = [new("left/*", Macs: 40)] }));
        Assert.Matches(@"^No choice under these rules meets the budget of 0\.001 of the dense model's macs in component "
            + @"'left/\*': the least they can reach is 0\.0\d\d\. ", Message(new Budget { Components = [new("left/*", Macs: 0.001)] }));
    }

    /// <summary>A trained network as an exporter names its nodes: the stem, the layers and the rest.</summary>
    [Fact]
    public void Components_of_a_trained_network()
    {
        using var dense = OnnxModel.Open(Assets.Path("resnet.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan
        {
            Prune = [new() { Axis = Axis.Channels, RoundTo = 1 }],
            Allocate = Allocation.Global,
            Budget = new Budget { Components = [new("layers/*", Macs: 0.6), new("stem/*", Macs: 0.5)] },
        }, hasData: false);
        var (slim, report) = Slimmer.Run(plan, analysis);
        Assert.InRange((double)report.After.Macs / report.Before.Macs, 0.4, 0.6);
        Assert.InRange(Share(analysis, slim, "layers"), 0.4, 0.6);
        Assert.InRange(Share(analysis, slim, "stem"), 0.1, 0.5);
    }

    /// <summary>
    /// A choice is priced without the copies of what layers share, which a component's file has: its bound is lowered until that is met.
    /// </summary>
    [Fact]
    public void A_bound_of_a_component_is_met_by_the_file()
    {
        const int units = 16;
        var g = new GraphBuilder(4);
        string bias = g.Weight("bias", units), x = g.Input("x", "batch", Width);
        foreach (string name in new[] { "a", "b", "c" })
            x = g.Relu(g.Add(g.MatMul(x, g.Weight(name, name == "a" ? Width : units, units)), bias));
        g.Output(g.Rename(g.MatMul(x, g.Weight("d", units, 4)), "y"), "batch", 4);
        using var dense = g.Build();
        foreach (var node in dense.Proto.Graph.Node) node.Name = $"/left/{node.Name}";
        var analysis = AxisAnalysis.Run(dense);
        for (double bound = 0.3; bound < 0.9; bound += 0.05)
        {
            var plan = new PruningPlan
            {
                Budget = new Budget { Components = [new("/left/*", Parameters: bound)] },
                Prune = [new PruneRule { Axis = Axis.Neurons, RoundTo = 1, Score = Criterion.L2 }],
            };
            var (slim, report) = Slimmer.Run(plan, analysis);
            Assert.InRange(report.After.Parameters, 1, bound * report.Before.Parameters);
            slim.Dispose();
        }
    }

    /// <summary>Only the bound that was missed is lowered, and by what it was missed by; later rounds lower it by more.</summary>
    [Fact]
    public void A_missed_bound_is_lowered_alone()
    {
        var plan = new PruningPlan
        {
            Budget = new Budget(Macs: 0.9, Parameters: 0.8) { Components = [new("a", Parameters: 0.6), new("b", Parameters: 0.6)] },
        };
        var miss = new BudgetMiss(CostUnit.Parameters, 0.6, 0.75, "a");
        var lowered = WrittenBudget.Tightened(plan, [miss], round: 1).Budget!;
        Assert.Equal((0.9, 0.8), (lowered.Macs!.Value, lowered.Parameters!.Value));
        Assert.Equal([0.48, 0.6], lowered.Components!.Select(c => Math.Round(c.Parameters!.Value, 12)));
        Assert.Equal(0.48 * 0.96, WrittenBudget.Tightened(plan, [miss], round: 3).Budget!.Components![0].Parameters!.Value, 1e-12);
        var whole = WrittenBudget.Tightened(plan, [new BudgetMiss(CostUnit.Parameters, 0.8, 1, null)], round: 1).Budget!;
        Assert.Equal(0.8 * 0.8, whole.Parameters!.Value, 1e-12);
    }
}
