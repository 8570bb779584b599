using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Statistics;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Scores by the outputs of a model whose units have gates.</summary>
public sealed class GateScoreTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    /// <summary>
    /// What removal of a unit costs is the divergence of the model without it; the curvature ranks alike, and finds the units
    /// that the head does not read.
    /// </summary>
    [Fact]
    public void Gates_score_units_by_the_outputs()
    {
        var random = new Random(5);
        float[] second = [.. Planted.Floats(random, 12 * 6).Select((v, i) => i / 6 is 3 or 8 ? v * 1e-4f : v)];
        var g = new GraphBuilder(5);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6),
            g.Floats("up", [.. Planted.Floats(random, 6 * 12).Select((v, i) => i % 12 is 3 or 8 ? 9 * v : v)], 6, 12)), g.Floats("b",
            Planted.Floats(random, 12), 12)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("down", second, 12, 6)), "y"), "batch", 6);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var probe = new ModelProbe(analysis, Planted.Samples(6, 16));
        double[] Score(Criterion criterion)
            => GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = criterion }, probe)[group.Id];
        double[] removal = Score(Criterion.OutputDivergence), fisher = Score(Criterion.Fisher);
        for (int u = 0; u < group.Size; u++)
        {
            double expected = Surgery.Use(analysis,
                new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. Enumerable.Range(0, group.Size).Except([u])] },
                    []), null, slim => probe.Divergence(slim.Model));
            Assert.Equal(expected, removal[u], 1e-3 * (expected + 1e-6));
        }
        foreach (double[] scores in (double[][])[removal, fisher])
            Assert.Equal([3, 8], Enumerable.Range(0, 12).OrderBy(u => scores[u]).Take(2).Order());
        var report =
            Planted.Slim(dense, new PruningPlan { Prune = [Neurons(Criterion.Fisher, Compensation.Rescale) with { Keep = 10 / 12.0 }] },
            6, out _).Report;
        Assert.Equal([3, 8], report.Groups.Single(x => x.Kept < x.Size).RemovedUnits);
    }

    /// <summary>
    /// The Fisher information of a gate is E[jᵀ(diag p − ppᵀ)j], where j is what the unit adds to the logits of the softmax.
    /// Half of a gate comes near to it; a whole one, which asks for the removal, does not.
    /// </summary>
    [Fact]
    public void Curvature_is_the_fisher_information_of_the_gate()
    {
        const int units = 4, classes = 3;
        var random = new Random(5);
        float[] up = [.. Planted.Floats(random, 6 * units)],
            down = [.. Planted.Floats(random, units * classes).Select((v, i) => (1 + (i / classes)) * v)];
        var g = new GraphBuilder(5);
        string h = g.Rename(g.Relu(g.MatMul(g.Input("x", "batch", 6), g.Floats("up", up, 6, units))), "h");
        g.Output(g.Rename(g.Softmax(g.MatMul(h, g.Floats("down", down, units, classes))), "y"), "batch", classes);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var samples = Planted.Samples(6, 16);
        double[] Score(Criterion criterion)
        {
            double[] scores = GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = criterion },
                new ModelProbe(analysis, samples))[group.Id];
            return [.. scores.Select(s => s / scores.Sum())];
        }
        var information = new double[units];
        foreach (float[] x in samples.SelectMany(s => ((float[])s["x"].Values).Chunk(6)))
        {
            double[] hidden = [.. Enumerable.Range(0, units).Select(u => Math.Max(0.0, x.Select((v, i) => v * up[(i * units) + u]).Sum()))];
            double[] exp = [.. Enumerable.Range(0, classes)
                .Select(c => Math.Exp(hidden.Select((v, u) => v * down[(u * classes) + c]).Sum()))];
            for (int u = 0; u < units; u++)
            {
                double[] j = [.. Enumerable.Range(0, classes).Select(c => hidden[u] * down[(u * classes) + c])];
                double mean = j.Zip(exp, (v, e) => v * e).Sum() / exp.Sum();
                information[u] += j.Zip(exp, (v, e) => e * (v - mean) * (v - mean)).Sum() / exp.Sum();
            }
        }
        double[] expected = [.. information.Select(i => i / information.Sum())];
        double Off(double[] scores) => scores.Zip(expected, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(Off(Score(Criterion.Fisher)) < 0.7 * Off(Score(Criterion.OutputDivergence)),
            $"{Off(Score(Criterion.Fisher))} {Off(Score(Criterion.OutputDivergence))}");
    }

    /// <summary>
    /// The right answers are those of the network without unit 4, which drowns them: its removal moves the outputs most of all
    /// and lowers the loss. By the loss it goes first, by the divergence last.
    /// </summary>
    [Fact]
    public void By_the_loss_of_the_task_goes_what_makes_it_worse()
    {
        using var dense = Planted.Mlp(3, 8, loud: [4]);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, g => g.Exactness == Exactness.Exact);
        var samples = Planted.Samples(6, 32);
        using var without = Planted.Without(analysis, null, Compensation.None, 4);
        using var session = Calibration.Graph.Sessions.Open(without);
        var labels = samples.Select(s => (float[])session.Run(s.Values).Values.Single().Values)
            .Select(y => y.Chunk(3).Select(row => (long)Array.IndexOf(row, row.Max())).ToArray()).ToList();
        double[] Score(ModelProbe probe)
            => GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = Criterion.OutputDivergence },
                probe)[group.Id];
        double[] loss = Score(new ModelProbe(analysis, samples) { Metric = Metric.TaskLoss, Labels = new Targets(dense, samples, labels) }),
            divergence = Score(new ModelProbe(analysis, samples));
        Assert.Equal((4, 0.0), (Array.IndexOf(loss, loss.Min()), loss.Min()));
        Assert.Equal(4, Array.IndexOf(divergence, divergence.Max()));
        Assert.Equal(8, loss.Distinct().Count());
        Assert.Contains("no output of 'y' [512,3]",
            Assert.Throws<EspalierException>(() => Score(new ModelProbe(analysis, samples) { Metric = Metric.TaskLoss })).Message,
            StringComparison.Ordinal);
        var refused = new PruningPlan
        {
            Prune = [Neurons(Criterion.Fisher, Compensation.None) with { Keep = 0.5 }],
            DivergenceMetric = Metric.TaskLoss
        };
        Assert.Contains("not at its least in the dense model",
            Assert.Throws<EspalierException>(() => Planted.Slim(dense, refused, 6, out _)).Message, StringComparison.Ordinal);
    }
}
