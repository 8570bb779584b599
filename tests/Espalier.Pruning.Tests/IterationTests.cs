using System.Collections.Immutable;

namespace Espalier.Pruning.Tests;

/// <summary>Plans that are carried out in steps.</summary>
public sealed class IterationTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    [Theory]
    [InlineData(Schedule.Iterative, new[] { 0.85, 0.7, 0.55 })]
    [InlineData(Schedule.Cubic, new[] { 0.653125, 0.475, 0.409375 })]
    [InlineData(Schedule.Greedy,
        new[] { 0.9625, 0.925, 0.8875, 0.85, 0.8125, 0.775, 0.7375, 0.7, 0.6625, 0.625, 0.5875, 0.55, 0.5125, 0.475, 0.4375 })]
    public void Steps_lead_to_the_plan(Schedule schedule, double[] fractions)
    {
        var plan = new PruningPlan { Schedule = schedule, Budget = new Budget(Macs: 0.4), Prune = [Neurons() with { Keep = 0.4 }] };
        Assert.Equal(fractions, Enumerable.Range(1, Iteration.Steps(plan) - 1)
            .Select(t => Iteration.Part(plan, t).Budget!.Macs!.Value),
            (a, b) => Math.Abs(a - b) < 1e-9);
        Assert.Equal(fractions, Enumerable.Range(1, Iteration.Steps(plan) - 1)
            .Select(t => Iteration.Part(plan, t).Prune[0].Keep!.Value), (a, b) => Math.Abs(a - b) < 1e-9);
    }

    /// <summary>Two hundredths in each step: the tightest of what is bounded says how many.</summary>
    [Theory]
    [InlineData(0.9, null, 5)]
    [InlineData(0.9, 0.5, 25)]
    [InlineData(null, 0.975, 2)]
    [InlineData(0.001, null, 50)]
    [InlineData(1.0, 1.0, 1)]
    public void Gradual_steps_are_as_many_as_the_size_needs(double? macs, double? keep, int steps)
    {
        var plan = new PruningPlan
        { Schedule = Schedule.Gradual, Budget = macs is null ? null : new Budget(Macs: macs), Prune = [Neurons() with { Keep = keep }] };
        Assert.Equal(steps, Iteration.Steps(plan));
        for (int t = 1; t < steps; t++)
            Assert.Equal(macs is null ? keep!.Value : macs.Value, 1 - ((1 - (Iteration.Part(plan, t).Budget?.Macs
                ?? Iteration.Part(plan, t).Prune[0].Keep)!.Value) * steps / t), 1e-9);
    }

    /// <summary>
    /// Neuron 0 of the first layer is loud, but only neurons of the second layer read it that nothing reads: once these are
    /// gone it matters to nobody, and only who scores anew sees that.
    /// </summary>
    [Theory]
    [InlineData(Schedule.OneShot, true)]
    [InlineData(Schedule.Iterative, false)]
    [InlineData(Schedule.Cubic, false)]
    [InlineData(Schedule.Greedy, false)]
    [InlineData(Schedule.Gradual, false)]
    public void Scoring_anew_sees_that_the_readers_of_a_unit_are_gone(Schedule schedule, bool stays)
    {
        const int width = 16;
        var random = new Random(5);
        float[] second = [.. Planted.Floats(random, width * width).Select((v, i) => i / width == 0 ? (i % width < 6 ? 20 : 0) : v)];
        float[] head = [.. Planted.Floats(random, width * 3).Select((v, i) => i / 3 < 6 ? v * 1e-7f : i / 3 < 8 ? v * 1e-4f : v)];
        var g = new GraphBuilder(5);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6), g.Floats("fc1", Planted.Floats(random, 6 * width), 6, width)),
            g.Floats("b1", Planted.Floats(random, width), width)));
        h = g.Relu(g.Add(g.MatMul(h, g.Floats("fc2", second, width, width)), g.Floats("b2", [.. Enumerable.Repeat(4f, width)], width)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("head", head, width, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var plan = new PruningPlan { Schedule = schedule, Prune = [Neurons(Criterion.Variance) with { Keep = 0.5 }] };
        var report = Planted.Slim(dense, plan, 6, out _).Report;
        Assert.Equal(Enumerable.Range(0, 8), report.Groups.Single(x => x.Members.Contains("head:0")).RemovedUnits);
        Assert.Equal(stays, !report.Groups.Single(x => x.Members.Contains("fc1:1")).RemovedUnits.Contains(0));
    }
}
