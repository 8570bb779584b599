using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Axes;
using Espalier.Calibration;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests;

/// <summary>Processor time is that of the whole process: these run when no other test does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TimedCollection
{
    public const string Name = "timed";
}

/// <summary>Budgets of time on a network that is run.</summary>
[Collection(TimedCollection.Name)]
public sealed class TimedTests
{
    /// <summary>Bounds are wide, because the machine may have other work: what must show is that an eighth of the products is faster, and the model itself about as fast.</summary>
    [Fact]
    public void Time_is_that_of_the_changed_model_over_the_dense_ones()
    {
        using var dense = Wide(512);
        using var small = Wide(64);
        var probe = new ModelProbe(AxisAnalysis.Of(dense), ProbeTests.Samples(64, 1));
        Assert.InRange(probe.Time(dense).Ratio, 0.5, 2);
        var time = probe.Time(small);
        Assert.InRange(time.Ratio, 0.001, 0.5);
        Assert.InRange(time.Changed, 1e-6, time.Dense);

        static Onnx.OnnxModel Wide(int hidden)
        {
            var g = new GraphBuilder(6);
            g.Output(g.Rename(g.Linear(g.Relu(g.Linear(g.Input("x", "batch", 64), "a", 64, hidden)), "b", hidden, 512), "y"), "batch", 512);
            return g.Build();
        }
    }

    /// <summary>Three wide products: time follows their sizes. Both layers shrink until half of the time is left, as measured once more.</summary>
    [Fact]
    public void A_budget_of_time_is_met_as_measured()
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", 64);
        x = g.Relu(g.Linear(x, "a", 64, 512));
        x = g.Relu(g.Linear(x, "b", 512, 512));
        g.Output(g.Rename(g.Linear(x, "c", 512, 4), "y"), "batch", 4);
        using var dense = g.Build();
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Score = Criterion.L2, Compensate = With.None, RoundTo = 16 }], Budget = new Budget(Latency: 0.5), Allocate = Allocation.Latency };
        var slim = ProbeTests.Slim(dense, plan, 64, out var analysis, 8);
        string note = Assert.Single(slim.Report.Notes, n => n.Contains("processor time", StringComparison.Ordinal));
        double claimed = double.Parse(Regex.Match(note, "machine: ([0-9.]+) of").Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.InRange(claimed, 0.05, 0.5 * 1.02);
        // The machine may be busy with something else now: the second measurement gets room.
        var again = new ModelProbe(analysis, ProbeTests.Samples(64, 1)).Time(slim.Model);
        Assert.InRange(again.Ratio, 0.05, 0.75);
        Assert.InRange(again.Changed, 1e-6, again.Dense);
        Assert.Contains(slim.Report.Groups, group => group.Kept < group.Size);
    }
}
