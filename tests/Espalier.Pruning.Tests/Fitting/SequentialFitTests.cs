using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Layers that are fitted one after the other, to what those before them have become.</summary>
public sealed class SequentialFitTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    /// <summary>Errors of one layer are inputs of the next: fitted to them, the network comes nearer to the dense one.</summary>
    [Fact]
    public void Layers_that_are_fitted_in_sequence_make_up_for_those_before_them()
    {
        double[] error = new double[2];
        for (int seed = 0; seed < 4; seed++)
        {
            var g = new GraphBuilder(seed);
            string x = g.Input("x", "batch", 8);
            for (int l = 0; l < 5; l++)
                x = g.Node("Tanh", [g.Add(g.MatMul(x, g.Weight($"l{l}.weight", l == 0 ? 8 : 32, 32)), g.Weight($"l{l}.bias", 32))]);
            g.Output(g.Rename(g.Add(g.MatMul(x, g.Weight("out.weight", 32, 3)), g.Weight("out.bias", 3)), "y"), "batch", 3);
            using var dense = g.Build();
            foreach (var schedule in (Schedule[])[Schedule.OneShot, Schedule.Sequential])
            {
                var plan = new PruningPlan
                { Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Keep = 0.5 }], Schedule = schedule };
                error[(int)schedule] += RootMeanSquare(dense, Planted.Slim(dense, plan, 8, out _, 64).Model);
            }
        }
        Assert.True(error[1] < 0.9 * error[0], $"{error[0]}, {error[1]}");
    }

    /// <summary>
    /// Layers that lose nothing get other inputs than before where layers before them lost some: they are fitted too. Layers
    /// before the first pruned one stay as they are.
    /// </summary>
    [Fact]
    public void Layers_that_lose_nothing_are_fitted_in_sequence_too()
    {
        double[] error = new double[2];
        for (int seed = 0; seed < 4; seed++)
        {
            var g = new GraphBuilder(seed);
            string x = g.Input("x", "batch", 8);
            for (int l = 0; l < 5; l++)
            {
                string product = g.MatMul(x, g.Weight($"l{l}.weight", l == 0 ? 8 : 32, 32));
                x = g.Node("Tanh", [l == 4 ? product : g.Add(product, g.Weight($"l{l}.bias", 32))]);
            }
            g.Output(g.Rename(g.Add(g.MatMul(x, g.Weight("out.weight", 32, 3)), g.Weight("out.bias", 3)), "y"), "batch", 3);
            using var dense = g.Build();
            foreach (var schedule in (Schedule[])[Schedule.OneShot, Schedule.Sequential])
            {
                var plan = new PruningPlan
                {
                    Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Pattern = "l1*",
                    Keep = 0.5 }],
                    Schedule = schedule
                };
                var slim = Planted.Slim(dense, plan, 8, out _, 512);
                error[(int)schedule] += RootMeanSquare(dense, slim.Model);
                string[] Changed()
                    => [.. dense.Proto.Graph!.Initializer.Select(i => i.Name)
                        .Where(n => Weight(slim.Model, n) is var now && Weight(dense, n) is var before && now.Length == before.Length
                            && !now.SequenceEqual(before)).Order(StringComparer.Ordinal)];
                Assert.Equal(schedule == Schedule.OneShot
                    ? ["l2.bias"]
                    : (string[])["l2.bias", "l3.bias", "l3.weight", "l4.weight", "out.bias", "out.weight"], Changed());
                Assert.Equal(dense.Proto.Graph.Node.Count, slim.Model.Proto.Graph!.Node.Count);
            }
        }
        Assert.True(error[1] < 0.9 * error[0], $"{error[0]}, {error[1]}");
    }

    /// <summary>
    /// Moments beside a slim model are those of its rows, whatever the window: errors are what the units that are gone added.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Moments_beside_a_slim_model_follow_from_those_of_the_dense_one(bool convolution)
    {
        using var dense = convolution ? Planted.Cnn(3, 8) : Planted.Mlp(3, 8);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        int[] kept = [0, 2, 3, 6];
        using var slim =
            Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. kept] }, [])).Model;
        IReadOnlyDictionary<string, NamedTensor>[] samples = [.. Enumerable.Range(0, 5)
            .Select(i => convolution ? Planted.Rows(i, 7, 2, 8, 8) : Planted.Rows(i, 7, Planted.Inputs))];
        var reader = Assert.Single(group.Consumers);
        var output = analysis.OutputOf(reader)!;
        int outputs = (int)output.Channels.Size!.Value;
        using var run = new ModelProbe(analysis, samples).Stages([[new FitPoint(reader, output, [.. Enumerable.Range(0, outputs)])]]);
        var seen = run.Next(slim)[reader.Id];
        var statistics =
            Calibrator.Run(analysis, samples, new CalibrationRequest { Covariance = new HashSet<int> { reader.Id } }).Consumers[reader.Id];
        // The layer before is not compensated, so what is left of it is what it was: the moments are those of the dense model.
        var weights = new WeightTable(analysis);
        var matrix = ConsumerMatrix.Create(reader, weights.Shape(reader.Parameter)!)!;
        int[] features = [.. kept.SelectMany(k => Enumerable.Range(k * matrix.Window, matrix.Window))];
        var expected = FitMoments.Create(statistics, matrix, 0, matrix.Matrix(weights.Floats(reader.Parameter), 0), features)!;
        var found = FitMoments.Create(seen, null);
        Assert.Equal(expected.Count, found.Count);
        double scale = statistics.Variance.Max();
        foreach (var (a, b) in new[] { (expected.InputMean, found.InputMean), (expected.ErrorMean, found.ErrorMean),
            (expected.Cross, found.Cross), (expected.Covariance(), found.Covariance()), (expected.ErrorVariance(), found.ErrorVariance()) })
        {
            Assert.Equal(a.Length, b.Length);
            Assert.All(a.Zip(b), p => Assert.Equal(p.First, p.Second, scale * 2e-4));
        }
    }

    private static float[] Weight(OnnxModel model, string name)
        => model.Content(model.Proto.Graph!.Initializer.Single(i => i.Name == name)).ToFloats();

    private static double RootMeanSquare(OnnxModel a, OnnxModel b)
    {
        var inputs = SeededInputs.For(a, 99, new Dictionary<string, long> { ["batch"] = 256 });
        return Math.Sqrt(Ort.Run(a, inputs)[0].Values.Zip(Ort.Run(b, inputs)[0].Values, (x, y) => (x - y) * (x - y)).Average());
    }
}
