using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Regression of the divergence on what is removed.</summary>
public class MaskRegressionTests
{
    /// <summary>
    /// Two hidden layers; units differ in how loudly they are made, how loudly they are read and how often they are on, so that
    /// no norm tells what they do.
    /// </summary>
    internal static OnnxModel Uneven(int seed, int first, int second)
    {
        var g = new GraphBuilder(seed);
        var random = new Random(seed);
        string x = g.Input("x", "batch", 6);
        x = Layer(x, "a", 6, first);
        x = Layer(x, "b", first, second);
        float[] head = Scaled(second, 4, rows: true, 1);
        return g.Output(g.Rename(g.MatMul(x, g.Floats("head", head, second, 4)), "y"), "batch", 4).Build();

        string Layer(string input, string name, int inputs, int outputs)
            => g.Relu(g.Add(g.MatMul(input, g.Floats($"{name}.weight", Scaled(inputs, outputs, rows: false, 1), inputs, outputs)),
                g.Floats($"{name}.bias", [.. Planted.Floats(random, outputs).Select(v => v - 1)], outputs)));

        float[] Scaled(int rowCount, int columns, bool rows, double spread)
        {
            float[] scales = [.. Planted.Floats(random, rows ? rowCount : columns).Select(v => (float)Math.Exp(spread * v))];
            return [.. Planted.Floats(random, rowCount * columns)
                .Select((v, i) => v / MathF.Sqrt(rowCount) * scales[rows ? i / columns : i % columns])];
        }
    }

    /// <summary>
    /// The order is that of removing each unit alone much more than the norm's is, and the same seed gives the same scores.
    /// </summary>
    [Theory]
    [InlineData(1, 16, 24)]
    [InlineData(2, 16, 24)]
    [InlineData(3, 60, 60)]
    public void The_order_is_that_of_single_removals(int seed, int first, int second)
    {
        using var dense = Uneven(seed, first, second);
        var analysis = AxisAnalysis.Run(dense);
        var groups = analysis.Groups.Where(g => g.Exactness == Exactness.Exact).ToList();
        Assert.Equal(first + second, groups.Sum(g => g.Size));
        var probe = new ModelProbe(analysis, Planted.Samples(6, 16));
        double[] Joined(IReadOnlyDictionary<int, double[]> scores) => [.. groups.SelectMany(g => scores[g.Id])];
        double[] By(Criterion criterion, int draw = 0)
            => Joined(GateScores.Measure(new(analysis), groups.ToDictionary(g => g.Id, _ => criterion), probe, draw));
        double[] removal = By(Criterion.OutputDivergence), regression = By(Criterion.MaskRegression);
        Assert.All(regression, v => Assert.True(v >= 0));
        var norms = groups.ToDictionary(g => g.Id, g => Planted.Score(analysis, g, new() { Score = Criterion.L2 }));
        double norm = Spearman(Joined(norms), removal), own = Spearman(regression, removal);
        Assert.True(own > 0.8 && own > norm + 0.15, $"{own:0.000} by masks, {norm:0.000} by norms");
        Assert.Equal(regression, By(Criterion.MaskRegression));
        Assert.NotEqual(regression, By(Criterion.MaskRegression, draw: 1));
    }

    /// <summary>What adds up is found to rounding, whatever the masks; what no mask misses is zero.</summary>
    [Fact]
    public void Sums_are_taken_apart()
    {
        var random = new Random(4);
        double[] lost = [.. Enumerable.Range(0, 60).Select(_ => random.NextDouble())];
        var masks = Enumerable.Range(0, 4).SelectMany(round => MaskRegression.Masks(60, 120, round)).ToList();
        double[] found = MaskRegression.Regress(60, masks, [.. masks.Select(m => m.Sum(u => lost[u]))]);
        for (int u = 0; u < 60; u++) Assert.Equal(lost[u], found[u], 0.02);
        Assert.All(MaskRegression.Regress(60, masks, new double[masks.Count]), v => Assert.Equal(0, v));
    }

    /// <summary>Masks come in halves of one stratum, none twice; of a handful of units there are as many as there can be.</summary>
    [Fact]
    public void Masks_are_halves_of_neighbours()
    {
        var masks = MaskRegression.Masks(100, 200, 3);
        Assert.Equal(masks.Count, masks.Select(m => string.Join(',', m)).Distinct().Count());
        foreach (var pair in masks.Chunk(2).Take(20))
            Assert.Equal(Enumerable.Range(pair[0].Concat(pair[1]).Min(), 10), pair[0].Concat(pair[1]).Order());
        Assert.Equal([0, 1, 2, 3], MaskRegression.Masks(4, 200, 3).Select(Assert.Single).Order());
        Assert.Equal([0], Assert.Single(MaskRegression.Masks(1, 200, 3)));
    }

    [Fact]
    public void Groups_of_many_units_go_by_the_norm()
    {
        using var dense = Uneven(1, 300, 10);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Planted.Samples(6, 4);
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.MaskRegression,
            Compensate = Compensation.None }]
        };
        Assert.Contains("Give calibration data", Assert.Throws<EspalierException>(() => Slimmer.Run(plan, analysis)).Message,
            StringComparison.Ordinal);
        var notes = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples),
            new ModelProbe(analysis, samples)).Report.Notes;
        Assert.Single(notes, n => n.Contains("by L2 instead of MaskRegression: it has more than 256 units", StringComparison.Ordinal));
    }

    internal static double Spearman(double[] a, double[] b)
    {
        double[] Ranks(double[] v) => [.. v.Select(x => v.Count(y => y < x) + ((v.Count(y => y == x) - 1) / 2.0))];
        return MathNet.Numerics.Statistics.Correlation.Pearson(Ranks(a), Ranks(b));
    }
}
