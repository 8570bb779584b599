using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Scores;

public class ScorerTests
{
    /// <summary>
    /// Hidden layer of 3 neurons between 2 inputs and 2 outputs: the norms run over the column and the row of each neuron, each occurrence
    /// scaled to mean 1; the bias does not count.
    /// </summary>
    [Theory]
    [InlineData(Criterion.L1, new[] { 3.0, 3, 4 }, new[] { 2.0, 2, 5 })]
    [InlineData(Criterion.L2, new[] { 5.0, 9, 16 }, new[] { 2.0, 4, 25 })]
    public void Norms_run_over_the_whole_coupled_group(Criterion criterion, double[] columns, double[] rows)
    {
        var g = new GraphBuilder();
        g.Input("x", "batch", 2);
        string w1 = g.Floats("w1", [1, 0, -4, 2, -3, 0], 2, 3), b1 = g.Floats("b1", [1, 0, 2], 3),
            w2 = g.Floats("w2", [1, -1, 2, 0, 0, 5], 3, 2);
        string y = g.Rename(g.MatMul(g.Relu(g.Add(g.MatMul("x", w1), b1)), w2), "y");
        g.Output(y, "batch", 2);
        var analysis = AxisAnalysis.Run(g.Build());
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        double[] scores = Planted.Score(analysis, group, new() { Score = criterion });
        double[] sums = [.. columns.Select((c, u) => c / columns.Average() + rows[u] / rows.Average())];
        double[] expected = criterion == Criterion.L2 ? [.. sums.Select(Math.Sqrt)] : sums;
        for (int u = 0; u < 3; u++) Assert.Equal(expected[u] / expected.Average(), scores[u], 1e-6);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    public void Slice_sums_equal_plain_loops(int axis, int power)
    {
        int[] shape = [3, 4, 5];
        float[] w = [.. Seeded.Normals(new Random(1), 60).Select(v => (float)v)];
        // In two blocks, with the boundary inside a slice.
        var slices = new SliceSums(shape, axis, power);
        slices.Add(w.AsSpan(0, (w.Length / 2) + 1), 0);
        slices.Add(w.AsSpan((w.Length / 2) + 1), (w.Length / 2) + 1);
        double[] sums = slices.Values;
        for (int u = 0; u < shape[axis]; u++)
        {
            double sum = 0;
            for (int i = 0; i < 60; i++)
            {
                int[] at = [i / 20, i / 5 % 4, i % 5];
                if (at[axis] == u) sum += Math.Pow(Math.Abs(w[i]), power);
            }
            Assert.Equal(sum, sums[u], 1e-5);
        }
    }

    /// <summary>
    /// A convolution and a flattened product read the same channels: scores sum over outputs, window positions and consumers.
    /// </summary>
    [Theory]
    [InlineData(Criterion.Variance)]
    [InlineData(Criterion.Wanda)]
    [InlineData(Criterion.Fluctuation)]
    [InlineData(Criterion.ActivationShare)]
    public void Activation_scores_equal_plain_loops(Criterion criterion)
    {
        const int channels = 4, size = 3, outputs = 2;
        var g = new GraphBuilder(7);
        g.Input("x", "batch", 1, size, size);
        string h = g.Relu(g.Conv("x", "first", 1, channels));
        string read = g.Conv(h, "second", channels, outputs);
        string flat = g.Linear(g.Flatten(h), "third", channels * size * size, 2);
        g.Output(g.Rename(read, "y"), "batch", outputs, size, size);
        g.Output(g.Rename(flat, "z"), "batch", 2);
        var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        Assert.Equal(2, group.Consumers.Count);
        var statistics = Statistics(analysis);

        double[] expected = new double[channels];
        foreach (var consumer in group.Consumers)
        {
            bool conv = consumer.Kind == ConsumerKind.Convolution;
            var tensor = model.Proto.Graph.Initializer.Single(t => t.Name == consumer.Parameter);
            float[] w = model.Content(tensor).ToFloats();
            int features = conv ? channels * 9 : channels * size * size;
            int outs = w.Length / features;
            for (int f = 0; f < features; f++)
            {
                double reads = 0;
                for (int o = 0; o < outs; o++)
                {
                    double v = conv || consumer.OutputAxis == 0 ? w[o * features + f] : w[f * outs + o];
                    reads += criterion switch { Criterion.Variance => v * v, Criterion.Fluctuation => 1.0 / outs, _ => Math.Abs(v) };
                }
                var seen = statistics.Consumers[consumer.Id];
                expected[f / 9] += reads * criterion switch
                {
                    Criterion.Wanda => Math.Sqrt(seen.SquareMean[f]),
                    Criterion.ActivationShare => seen.AbsoluteMean[f] / seen.AbsoluteMean.Sum(),
                    _ => seen.Variance[f],
                };
            }
        }
        double[] scores = Planted.Score(analysis, group, new() { Score = criterion }, statistics);
        for (int c = 0; c < channels; c++) Assert.Equal(expected[c] / expected.Average(), scores[c], 1e-6);
    }

    /// <summary>
    /// WIFN of FLAP, mean_i |W_ij| · ‖x_j‖ over all rows, differs from Wanda by √rows / outputs, which is the same for every
    /// unit: it needs no criterion of its own.
    /// </summary>
    [Fact]
    public void The_weighted_input_feature_norm_of_flap_is_wanda()
    {
        const int hidden = 8, rows = 300, outputs = 3;
        using var model = Planted.Mlp(3, hidden);
        var analysis = AxisAnalysis.Run(model);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        float[] Weight(string name) => model.Content(model.Proto.Graph.Initializer.Single(t => t.Name == name)).ToFloats();
        float[] w1 = Weight("fc1.weight"), b1 = Weight("fc1.bias"), w2 = Weight("fc2.weight");
        var samples = Planted.Rows(5, rows, Planted.Inputs);
        var x = (float[])samples["x"].Values;
        var expected = new double[hidden];
        for (int u = 0; u < hidden; u++)
        {
            double squares = 0;
            for (int n = 0; n < rows; n++)
            {
                double sum = b1[u];
                for (int i = 0; i < Planted.Inputs; i++) sum += (double)x[(n * Planted.Inputs) + i] * w1[(i * hidden) + u];
                squares += Math.Pow(Math.Max(0, sum), 2);
            }
            expected[u] = Enumerable.Range(0, outputs).Average(o => Math.Abs((double)w2[(u * outputs) + o])) * Math.Sqrt(squares);
        }
        double[] scores = Planted.Score(analysis, group, new() { Score = Criterion.Wanda },
            Planted.Calibrate(analysis, samples));
        for (int u = 0; u < hidden; u++) Assert.Equal(expected[u] / expected.Average(), scores[u], 1e-4);
    }

    [Fact]
    public void Random_scores_follow_the_seed()
    {
        var analysis = AxisAnalysis.Run(Planted.Mlp(1, 8));
        var group = analysis.Groups.First(x => x.Exactness == Exactness.Exact);
        double[] Of(int seed)
            => Planted.Score(analysis, group, new() { Score = Criterion.Random }, seed: seed);
        Assert.Equal(Of(5), Of(5));
        Assert.NotEqual(Of(5), Of(6));
    }

    [Fact]
    public void A_criterion_that_needs_calibration_says_so()
    {
        var analysis = AxisAnalysis.Run(Planted.Mlp(1, 8));
        var group = analysis.Groups.First(x => x.Exactness == Exactness.Exact);
        var e = Assert.Throws<EspalierException>(() => Planted.Score(analysis, group, new() { Score = Criterion.Variance }));
        Assert.Contains(group.Name, e.Message, StringComparison.Ordinal);
        Assert.Contains("calibration", e.Message, StringComparison.Ordinal);
    }

    private static CalibrationStatistics Statistics(AxisAnalysis analysis)
    {
        var random = new Random(11);
        return new CalibrationStatistics(analysis.Consumers.ToDictionary(c => c.Id, c =>
        {
            double[] Values() => [.. Enumerable.Range(0, 36).Select(_ => random.NextDouble())];
            return new ActivationStatistics(c.Id, 100, Values(), Values(), Values(), Values(), null);
        }), new Dictionary<int, double>(), 100);
    }
}
