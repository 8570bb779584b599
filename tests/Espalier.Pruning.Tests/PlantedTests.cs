using Espalier.Axes;
using Espalier.Onnx;

namespace Espalier.Pruning.Tests;

/// <summary>What a method promises, on networks where the promise can be kept: and that a weaker method does not keep it there.</summary>
public class PlantedTests
{
    private const double Lossless = 1e-4;
    private const double Harmed = 1e-2;

    /// <summary>
    /// Neurons 1 and 4 are constant, and read with large weights: variance finds them and the bias makes up for them; a norm keeps them.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_constant_neuron_is_lossless_for_variance_and_bias(bool outputBias)
    {
        using var dense = Planted.Mlp(1, 8, (w, b) =>
        {
            foreach (int u in (int[])[1, 4])
            {
                for (int i = 0; i < Planted.Inputs; i++) w[i * 8 + u] = 0;
                b[u] = 2 + u;
            }
        }, outputBias, 1, 4);
        Assert.True(Slim(dense, Criterion.Variance, Compensation.Bias).Error < Lossless);
        Assert.True(Slim(dense, Criterion.Variance, Compensation.LeastSquares).Error < Lossless);
        Assert.True(Slim(dense, Criterion.Variance, Compensation.None).Error > Harmed);
        Assert.True(Slim(dense, Criterion.L2, Compensation.Bias).Error > Harmed);
        Assert.Equal([1, 4], Slim(dense, Criterion.Variance, Compensation.Bias).Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 2)]
    public void A_constant_channel_is_lossless_for_bias(bool outputBias, int group)
    {
        using var dense = Planted.Cnn(2, 8, (w, b) =>
        {
            // The same place in both halves, so that a grouped convolution couples them.
            foreach (int c in (int[])[2, 6])
            {
                Array.Clear(w, c * 18, 18);
                b[c] = 3 + c;
            }
        }, outputBias, group);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 32, 2, 8, 8));
        int[] removed = group == 1 ? [2, 6] : [2];
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.Bias, removed)) < Lossless);
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.LeastSquares, removed)) < Lossless);
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.None, removed)) > Harmed);
    }

    /// <summary>Neuron 5 is a multiple of neuron 2 and neuron 6 of neuron 3.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_dependent_neuron_is_lossless_for_least_squares(bool outputBias)
    {
        using var dense = Planted.Mlp(3, 8, (w, b) =>
        {
            foreach (var (copy, of, factor) in ((int, int, float)[])[(5, 2, 0.7f), (6, 3, 1.5f)])
            {
                for (int i = 0; i < Planted.Inputs; i++) w[i * 8 + copy] = factor * w[i * 8 + of];
                b[copy] = factor * b[of];
            }
        }, outputBias);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 30000, Planted.Inputs));
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.LeastSquares, 5, 6)) < Lossless);
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.Bias, 5, 6)) > Harmed);
    }

    /// <summary>
    /// Channel 3 repeats channel 1 and, for the grouped convolution, 7 repeats 5: window by window the kept channel takes the load.
    /// </summary>
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public void A_dependent_channel_is_lossless_for_least_squares(bool outputBias, int group)
    {
        using var dense = Planted.Cnn(4, 8, (w, b) =>
        {
            foreach (var (copy, of) in ((int, int)[])[(3, 1), (7, 5)])
            {
                for (int i = 0; i < 18; i++) w[copy * 18 + i] = 0.8f * w[of * 18 + i];
                b[copy] = 0.8f * b[of];
            }
        }, outputBias, group);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, [.. Enumerable.Range(0, 40).Select(i => Planted.Rows(100 + i, 64, 2, 8, 8))]);
        int[] removed = group == 1 ? [3, 7] : [3];
        double lossless = 5e-4; // the ridge: 72 features on 41,000 positions
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.LeastSquares, removed)) < lossless);
        Assert.True(Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.Bias, removed)) > Harmed);
    }

    /// <summary>
    /// Compensation is never worse than a weaker one on the data it was fitted to, and clearly better where units are correlated.
    /// </summary>
    [Fact]
    public void Least_squares_beats_bias_beats_nothing_on_correlated_neurons()
    {
        var random = new Random(8);
        using var dense = Planted.Mlp(5, 16, (w, _) =>
        {
            for (int u = 8; u < 16; u++)
                for (int i = 0; i < Planted.Inputs; i++) w[i * 16 + u] = w[i * 16 + u - 8] + 0.3f * w[i * 16 + u];
        });
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 4096, Planted.Inputs));
        int[] removed = [8, 9, 10, 11, 12, 13];
        double none = Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.None, removed));
        double bias = Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.Bias, removed));
        double squares = Planted.Error(dense, Planted.Without(analysis, statistics, Compensation.LeastSquares, removed));
        Assert.True(squares < 0.7 * bias && bias < none, $"{squares} {bias} {none}");
    }

    [Fact]
    public void Without_covariance_least_squares_falls_back_to_the_bias_and_says_so()
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 500, Planted.Inputs));
        var bare = statistics with { Consumers = statistics.Consumers.ToDictionary(c => c.Key, c => c.Value with { Covariance = null }) };
        var notes = new List<string>();
        using var fallen = Planted.Without(analysis, bare, Compensation.LeastSquares, notes, 1, 2);
        Assert.Contains("fc2.weight", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(Planted.Without(analysis, statistics, Compensation.Bias, 1, 2).ToBytes(), fallen.ToBytes());
    }

    private static (double Error, PruningReport Report) Slim(OnnxModel dense, Criterion score, Compensation compensate)
    {
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.75, Score = score, Compensate = compensate }] };
        var request = Slimmer.Needs(plan, analysis);
        var statistics = request is null
            ? null
            : Espalier.Calibration.Statistics.Calibrator.Run(analysis, [Planted.Rows(5, 2048, Planted.Inputs)], request);
        var (model, report) = Slimmer.Run(plan, analysis, statistics);
        return (Planted.Error(dense, model), report);
    }
}
