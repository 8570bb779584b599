using Espalier.Axes;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;

namespace Espalier.Pruning.Tests.Scores;

/// <summary>What each score must find, on networks where it is planted, and where another score does not.</summary>
public class PlantedScoreTests
{
    private const int Hidden = 8;
    private const double Lossless = 1e-4;
    private const double Harmed = 1e-2;

    /// <summary>
    /// Neurons of equal norm along six directions; neuron 5 repeats neuron 2 and both are read loudly: distances find the pair,
    /// and of the two the second goes; norms keep it, and without it the rest could not make up for what they remove.
    /// </summary>
    [Fact]
    public void Geometric_median_finds_a_repeated_neuron()
    {
        using var dense = Planted.Mlp(3, Hidden, (w, b) =>
        {
            Array.Clear(w);
            foreach (var (unit, input) in ((int, int)[])[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 2), (6, 5), (7, 0)])
                w[(input * Hidden) + unit] = unit == 7 ? -1 : 1;
            b[5] = b[2];
        }, true, 2, 5);
        var (error, removed) = Slim(dense, Criterion.GeometricMedian, Compensation.LeastSquares);
        Assert.Equal([5], removed);
        Assert.True(error < Lossless, $"{error}");
        foreach (var other in (Criterion[])[Criterion.L2, Criterion.Lamp])
        {
            (error, removed) = Slim(dense, other, Compensation.LeastSquares);
            Assert.DoesNotContain(removed, u => u is 2 or 5);
            Assert.True(error > Harmed, $"{other}: {error}");
        }
    }

    /// <summary>Neuron 3 is made by zeros and read ten times as loudly: it does nothing, whatever reads it.</summary>
    [Theory]
    [InlineData(Criterion.L2, Aggregate.Product, true)]
    [InlineData(Criterion.L1, Aggregate.Product, true)]
    [InlineData(Criterion.Lamp, Aggregate.Product, true)]
    [InlineData(Criterion.L2, Aggregate.Sum, false)]
    [InlineData(Criterion.L2, Aggregate.Mean, false)]
    [InlineData(Criterion.L2, Aggregate.Max, false)]
    [InlineData(Criterion.Lamp, Aggregate.Sum, false)]
    public void A_dead_neuron_is_found_by_the_product(Criterion criterion, Aggregate aggregate, bool found)
    {
        using var dense = Planted.Mlp(1, Hidden, (w, b) => Silence(w, b, 3, 0), true, 3);
        var (error, removed) = Slim(dense, criterion, Compensation.None, aggregate);
        Assert.Equal(found, removed.Contains(3));
        if (found) Assert.True(error < Lossless, $"{error}");
        else Assert.True(error > Harmed, $"{error}");
    }

    /// <summary>Neuron 3 is made and read by zeros; the seed of the random scores is one that keeps it.</summary>
    [Theory]
    [InlineData(Criterion.Lamp, true)]
    [InlineData(Criterion.Random, false)]
    public void Lamp_finds_a_neuron_without_weights(Criterion criterion, bool found)
    {
        using var dense = Planted.Mlp(1, Hidden, (w, b) => Silence(w, b, 3, 0), true);
        foreach (var tensor in dense.Proto.Graph.Initializer.Where(t => t.Name == "fc2.weight"))
        {
            float[] w = dense.Content(tensor).ToFloats();
            Array.Clear(w, 3 * 3, 3);
            tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(w));
        }
        var (error, removed) = Slim(dense, criterion, Compensation.None);
        Assert.Equal(found, removed.Contains(3));
        Assert.True(found ? error < Lossless : error > Harmed, $"{error}");
    }

    /// <summary>Channel 3 has the scale and shift 0 behind a convolution with large weights.</summary>
    [Fact]
    public void Norm_scale_finds_a_channel_that_its_normalisation_silences()
    {
        var g = new GraphBuilder(4);
        g.Input("x", "batch", 2, 8, 8);
        float[] w = Planted.Floats(new Random(4), Hidden * 18);
        for (int i = 0; i < 18; i++) w[(3 * 18) + i] *= 10;
        string h = g.Node("Conv", ["x", g.Floats("conv1.weight", w, Hidden, 2, 3, 3)]);
        h = g.Relu(g.Node("BatchNormalization",
            [h, g.Floats("scale", [1, 2, -1, 0, 1, 3, -2, 1], Hidden), g.Floats("shift", [1, 1, 1, 0, 1, 1, 1, 1], Hidden),
                g.Weight("mean", Hidden), g.Positive("var", Hidden)]));
        g.Output(g.Rename(g.Node("Conv", [h, g.Weight("conv2.weight", 4, Hidden, 3, 3)]), "y"), "batch", 4, 4, 4);
        using var dense = g.Build();
        var (error, removed) = Slim(dense, Criterion.NormScale, Compensation.None, axis: Axis.Channels);
        Assert.Equal([3], removed);
        Assert.True(error < Lossless, $"{error}");
        (error, removed) = Slim(dense, Criterion.L2, Compensation.None, axis: Axis.Channels);
        Assert.DoesNotContain(3, removed);
        Assert.True(error > Harmed, $"{error}");
    }

    /// <summary>
    /// Neuron 4 is constant and loud: it does not fluctuate, and the bias makes up for it; its share of the activation is large.
    /// </summary>
    [Theory]
    [InlineData(Criterion.Fluctuation, true)]
    [InlineData(Criterion.ActivationShare, false)]
    [InlineData(Criterion.Wanda, false)]
    public void Fluctuation_finds_a_constant_neuron(Criterion criterion, bool found)
    {
        using var dense = Planted.Mlp(1, Hidden, (w, b) => Silence(w, b, 4, 6), true, 4);
        var (error, removed) = Slim(dense, criterion, Compensation.Bias);
        Assert.Equal(found, removed.Contains(4));
        Assert.True(found ? error < Lossless : error > Harmed, $"{error}");
    }

    /// <summary>Neuron 2 is loud and never fires: it has no share of the activation, though its weights are the largest.</summary>
    [Theory]
    [InlineData(Criterion.ActivationShare, true)]
    [InlineData(Criterion.L2, false)]
    public void Activation_share_finds_a_neuron_that_never_fires(Criterion criterion, bool found)
    {
        using var dense = Planted.Mlp(1, Hidden, (_, b) => b[2] = -100, true, 2);
        var (error, removed) = Slim(dense, criterion, Compensation.None);
        Assert.Equal(found, removed.Contains(2));
        Assert.True(found ? error < Lossless : error > Harmed, $"{error}");
    }

    /// <summary>
    /// Neuron 6 fires like the others, but nothing reads it: that is seen by what weighs the activation, not by its fluctuation alone.
    /// </summary>
    [Theory]
    [InlineData(Criterion.ActivationShare, true)]
    [InlineData(Criterion.Variance, true)]
    [InlineData(Criterion.Fluctuation, false)]
    public void Fluctuation_does_not_see_what_reads_a_neuron(Criterion criterion, bool found)
    {
        using var dense = Planted.Mlp(2, Hidden, (w, _) =>
        {
            for (int i = 0; i < Planted.Inputs; i++) w[(i * Hidden) + 6] *= 3;
        });
        var tensor = dense.Proto.Graph.Initializer.Single(t => t.Name == "fc2.weight");
        float[] reader = dense.Content(tensor).ToFloats();
        Array.Clear(reader, 6 * 3, 3);
        tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(reader));
        var (error, removed) = Slim(dense, criterion, Compensation.None);
        Assert.Equal(found, removed.Contains(6));
        Assert.True(found ? error < Lossless : error > Harmed, $"{error}");
    }

    private static void Silence(float[] w, float[] b, int unit, float bias)
    {
        for (int i = 0; i < Planted.Inputs; i++) w[(i * Hidden) + unit] = 0;
        b[unit] = bias;
    }

    /// <summary>One of eight units goes.</summary>
    private static (double Error, IReadOnlyList<int> Removed) Slim(OnnxModel dense, Criterion score, Compensation compensate,
        Aggregate aggregate = Aggregate.Sum, Axis axis = Axis.Neurons)
    {
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Axis = axis, Keep = 7.0 / Hidden, RoundTo = 1, Score = score,
            Aggregate = aggregate, Compensate = compensate }],
            Seed = 1
        };
        var statistics = Planted.Statistics(analysis, plan, [Planted.Rows(5, 30000, Planted.Inputs)]);
        var (model, report) = Slimmer.Run(plan, analysis, statistics);
        return (Planted.Error(dense, model), report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
    }
}
