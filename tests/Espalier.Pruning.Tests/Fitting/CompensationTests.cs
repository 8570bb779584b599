using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Scales of units, scales of outputs, statistics of norms, and the check on held-out rows.</summary>
public sealed class CompensationTests
{
    private const double Lossless = 1e-4, Harmed = 1e-2;

    /// <summary>
    /// x₂ is a copy of x₀ and goes. Output 0 wants 4x₀ + 2x₁ of x₀ + 2x₁; output 1 wants 0 of x₀: one scale of x₀ for both is 2.
    /// </summary>
    [Fact]
    public void Scales_of_units_by_hand()
    {
        double[] covariance = [1, 0, 1, 0, 1, 0, 1, 0, 1];
        int[] kept = [0, 1];
        var statistics = new ActivationStatistics(0, 1L << 40, [0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1])
        { Covariance = Covariance.Create(covariance, 3) };
        using var dense = Readers(new float[3 * 4], new float[3], new float[3 * 2], 2);
        var consumer = AxisAnalysis.Run(dense).Consumers.Single(c => c.Parameter == "down");
        double[]? Change(double[] weight, int[] units)
        {
            var matrix = ConsumerMatrix.Create(consumer, [3, weight.Length / 3])!;
            return Rescale.Change(FitMoments.Columns(weight, 3, kept), FitMoments.Create(statistics, matrix, 0, weight, kept)!, units);
        }
        Assert.Equal([3, 0], Rounded(Change([1, 2, 3], [0, 1])!));
        Assert.Equal([1, 0, 1, 0], Rounded(Change([1, 2, 3, 1, 0, -1], [0, 1])!));
        // As one unit (a head of two dimensions) both have one scale: of z = x₀ + 2x₁ the target has E[z·y] = 4 + 4 = 8 of E[z²] = 5.
        Assert.Equal([0.6, 1.2], Rounded(Change([1, 2, 3], [0, 0])!));
        Assert.Equal([3, 0], Rounded(Change([1, 2, 3], [0, -1])!));
        // A scale of 31 says that the unit hardly matters by itself.
        Assert.Null(Change([1, 2, 30], [0, 1]));
    }

    private static double[] Rounded(double[] values) => [.. values.Select(v => Math.Round(v, 6) + 0.0)];

    /// <summary>relu(x·up + b)·down with the given weights.</summary>
    private static OnnxModel Readers(float[] up, float[] bias, float[] down, int outputs)
    {
        int hidden = bias.Length, inputs = up.Length / hidden;
        var g = new GraphBuilder(1);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", inputs), g.Floats("up", up, inputs, hidden)),
            g.Floats("bias", bias, hidden)));
        g.Output(g.Rename(g.Add(g.MatMul(h, g.Floats("down", down, hidden, outputs)),
            g.Floats("shift", [.. Enumerable.Repeat(0.5f, outputs)], outputs)), "y"), "batch", outputs);
        return g.Build();
    }

    /// <summary>
    /// Unit 5 is a copy of unit 2. Where it is read in proportion to it, a scale is lossless; where it is not, only least squares is.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_scale_makes_up_for_a_copy_that_is_read_alike(bool alike)
    {
        var random = new Random(3);
        float[] up = Planted.Floats(random, Planted.Inputs * 8), bias = Planted.Floats(random, 8), down = Planted.Floats(random, 8 * 3);
        for (int i = 0; i < Planted.Inputs; i++) up[(i * 8) + 5] = up[(i * 8) + 2];
        bias[5] = bias[2];
        for (int o = 0; o < 3 && alike; o++) down[(5 * 3) + o] = 1.5f * down[(2 * 3) + o];
        using var dense = Readers(up, bias, down, 3);
        var analysis = AxisAnalysis.Run(dense);
        var statistics =
            Calibrator.Run(analysis, [.. Enumerable.Range(0, 8).Select(i => Planted.Rows(i, 512, Planted.Inputs))], Request(analysis));
        double Error(Compensation method, List<string> notes)
            => Planted.Error(dense, Planted.Without(analysis, statistics, method, notes, 5));
        var notes = new List<string>();
        double rescaled = Error(Compensation.Rescale, notes), squares = Error(Compensation.LeastSquares, notes),
            alone = Error(Compensation.Bias, notes);
        Assert.Empty(notes);
        Assert.True(squares < 1e-3 && alone > Harmed, $"{squares} {alone}");
        if (alike) Assert.True(rescaled < 1e-3, $"{rescaled}");
        else Assert.True(rescaled > Harmed, $"{rescaled}");
    }

    private static CalibrationRequest Request(AxisAnalysis analysis)
        => new() { Covariance = analysis.Consumers.Select(c => c.Id).ToHashSet(), HeldOut = true };

    /// <summary>
    /// Twelve rows say nothing about 28 independent units: a refit follows their noise. It is noticed, and the bias alone corrects.
    /// </summary>
    [Fact]
    public void A_refit_that_follows_noise_gives_way_to_the_bias()
    {
        // Every unit has an input of its own.
        float[] up = [.. Enumerable.Range(0, 40 * 40).Select(i => i % 41 == 0 ? 1f : 0)];
        using var dense = Readers(up, [.. Enumerable.Repeat(0.3f, 40)], Planted.Floats(new Random(4), 40 * 3), 3);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 12).Select(i => Planted.Rows(i, 1, 40)).ToArray();
        var statistics = Calibrator.Run(analysis, samples, Request(analysis));
        int[] removed = [.. Enumerable.Range(0, 12)];
        var notes = new List<string>();
        using var checkedFit = Planted.Without(analysis, statistics, Compensation.LeastSquares, notes, removed);
        Assert.Contains("on held-out samples a refit has a larger error than the bias", Assert.Single(notes), StringComparison.Ordinal);
        Assert.Equal(Planted.Without(analysis, statistics, Compensation.Bias, removed).ToBytes(), checkedFit.ToBytes());
        // Without the check the same data are followed, to the worse.
        using var followed = Planted.Without(analysis, Calibrator.Run(analysis, samples, Request(analysis) with { HeldOut = false }),
            Compensation.LeastSquares, removed);
        var inputs = SeededInputs.For(dense, 99, new Dictionary<string, long> { ["batch"] = 1000 });
        double Squares(OnnxModel slim)
            => Ort.Run(dense, inputs)[0].Values.Zip(Ort.Run(slim, inputs)[0].Values, (a, b) => (a - b) * (a - b)).Average();
        Assert.True(Squares(followed) > 1.1 * Squares(checkedFit), $"{Squares(followed)} {Squares(checkedFit)}");
    }

    /// <summary>Moments are those of the samples that are not held out, and the rows of the others are kept as they are.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Every_eighth_sample_is_held_out_of_the_moments(int group)
    {
        using var dense = Planted.Cnn(2, 8, group: group);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 17).Select(i => Planted.Rows(i, 1, 2, 8, 8)).ToArray();
        var consumer = analysis.Consumers.Single(c => c.Parameter == "conv2.weight");
        ActivationStatistics Of(IEnumerable<IReadOnlyDictionary<string, NamedTensor>> some, bool heldOut)
        {
            var all = Calibrator.Run(analysis, some, Request(analysis) with { HeldOut = heldOut }).Consumers[consumer.Id];
            return all.PerBatch is { } groups ? groups[group - 1] : all;
        }
        var (both, fitted) = (Of(samples, true), Of(samples.Where((_, i) => i % 8 != 7), false));
        Assert.Equal(fitted.Count, both.Count);
        Assert.Equal(fitted.Mean, both.Mean);
        Assert.Equal(fitted.Covariance!.ToArray(), both.Covariance!.ToArray());
        var (rows, held) = (both.HeldOut!, Of(samples.Where((_, i) => i % 8 == 7), false));
        Assert.Equal(held.Count, rows.Count);
        for (int f = 0; f < held.Mean.Length; f++)
            Assert.Equal(held.Mean[f], Enumerable.Range(0, rows.Count).Average(r => (double)rows[r][f]), 1e-5);
        Assert.Null(fitted.HeldOut);
        Assert.Null(Of(samples.Take(7), true).HeldOut);
    }

    /// <summary>The same beside a slim model: the error is what the units that are gone added.</summary>
    [Fact]
    public void Held_out_rows_of_two_models_are_in_no_moment()
    {
        using var dense = Planted.Mlp(2, 8);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 8).Select(i => Planted.Rows(i, 20 + i, Planted.Inputs)).ToArray();
        var consumer = analysis.Consumers.Single(c => c.Parameter == "fc2.weight");
        var group = Assert.Single(analysis.Groups, g => g.Exactness == Exactness.Exact);
        int[] kept = [0, 2, 3, 5, 7], gone = [1, 4, 6];
        using var slim =
            Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. kept] }, [])).Model;
        using var run = new ModelProbe(analysis, samples).Stages([[new FitPoint(consumer, analysis.OutputOf(consumer), [0, 1, 2])]]);
        var both = run.Next(slim)[consumer.Id];
        Assert.Equal(samples.Take(7).Sum(s => s.Values.Single().Shape[0]), both.Count);
        float[] weight = new WeightTable(analysis).Floats("fc2.weight");
        var hidden = Planted.Fetch(dense, consumer.Activation, samples[7]);
        Assert.Equal(hidden.Shape[0], both.HeldOut!.Count);
        for (int r = 0; r < both.HeldOut.Count; r++)
        {
            for (int k = 0; k < kept.Length; k++)
                Assert.Equal(((float[])hidden.Values)[(r * 8) + kept[k]], both.HeldOut[r][k], 1e-5f);
            for (int o = 0; o < 3; o++)
                Assert.Equal(gone.Sum(g => ((float[])hidden.Values)[(r * 8) + g] * weight[(g * 3) + o]),
                    both.HeldOut[r][both.HeldOutErrors + o], 1e-4);
        }
    }

    /// <summary>
    /// Mean and variance of every output channel on the calibration data are the dense model's, for products and convolutions;
    /// with the bias alone the variance is not.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scale_and_shift_keep_mean_and_variance_of_the_output(bool images)
    {
        using var dense = images ? Planted.Cnn(3, 8) : Planted.Mlp(3, 8);
        var analysis = AxisAnalysis.Run(dense);
        var rows = images ? Planted.Rows(5, 200, 2, 8, 8) : Planted.Rows(5, 2000, Planted.Inputs);
        var statistics = Planted.Calibrate(analysis, rows);
        var expected = Channels(dense, rows);
        var affine = Channels(Planted.Without(analysis, statistics, Compensation.Affine, 1, 2, 4), rows);
        var bias = Channels(Planted.Without(analysis, statistics, Compensation.Bias, 1, 2, 4), rows);
        Assert.All(expected.Zip(affine), p =>
        {
            Assert.Equal(p.First.Mean, p.Second.Mean, 1e-3 * Math.Sqrt(p.First.Variance));
            Assert.Equal(p.First.Variance, p.Second.Variance, 2e-3 * p.First.Variance);
        });
        Assert.Contains(expected.Zip(bias), p => Math.Abs(p.First.Variance - p.Second.Variance) > 0.1 * p.First.Variance);
    }

    private static List<(double Mean, double Variance)> Channels(OnnxModel model, IReadOnlyDictionary<string, NamedTensor> rows)
    {
        using var session = Sessions.Open(model);
        var y = session.Run(rows.Values)["y"];
        var values = (float[])y.Values;
        int channels = (int)y.Shape[1], inner = (int)y.Shape.Skip(2).Aggregate(1L, (a, b) => a * b);
        return [.. Enumerable.Range(0, channels).Select(c =>
        {
            double[] own = [.. values.Where((_, i) => i / inner % channels == c).Select(v => (double)v)];
            double mean = own.Average();
            return (mean, own.Average(v => (v - mean) * (v - mean)));
        })];
    }

    /// <summary>
    /// Behind batch norms that are left, every channel has the mean β and the deviation |γ| again; with running statistics of
    /// the dense model it has not.
    /// </summary>
    [Fact]
    public void Batch_norms_that_are_left_are_measured_anew()
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", 2, 8, 8);
        for (int l = 0; l < 3; l++)
        {
            x = g.Node("Conv", [x, g.Weight($"conv{l}", l == 0 ? 8 : l == 1 ? 8 : 4, l == 0 ? 2 : 8, 3, 3)]);
            int width = l == 2 ? 4 : 8;
            x = g.Node("BatchNormalization",
                [x, g.Positive($"gamma{l}", width), g.Weight($"beta{l}", width), g.Weight($"mean{l}", width),
                    g.Positive($"variance{l}", width)], ("epsilon", 1e-6f));
            if (l < 2) x = g.Relu(x);
        }
        g.Output(g.Rename(x, "y"), "batch", 4, 2, 2);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        IReadOnlyDictionary<string, NamedTensor>[] samples = [.. Enumerable.Range(0, 6).Select(i => Planted.Rows(i, 20 + i, 2, 8, 8))];
        SlimResult Slim(Compensation method)
        {
            var plan = new PruningPlan
            { Prune = [new PruneRule { Axis = Axis.Channels, Keep = 0.5, RoundTo = 1, Score = Criterion.L2, Compensate = method }] };
            return Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples),
                new ModelProbe(analysis, samples));
        }
        var all = new Dictionary<string, NamedTensor>
        {
            ["x"] = new("x", "float32", [samples.Sum(s => s["x"].Shape[0]), 2, 8, 8],
                samples.SelectMany(s => (float[])s["x"].Values).ToArray()),
        };
        var weights = new WeightTable(analysis);
        var expected = weights.Floats("beta2").Zip(weights.Floats("gamma2"));
        var slim = Slim(Compensation.Affine);
        Assert.DoesNotContain(slim.Report.Notes, n => n.Contains("running statistics", StringComparison.Ordinal)
            || n.Contains("compensated", StringComparison.Ordinal));
        Assert.All(expected.Zip(Channels(slim.Model, all)), p =>
        {
            Assert.Equal(p.First.First, p.Second.Mean, 1e-3);
            Assert.Equal(Math.Abs(p.First.Second), Math.Sqrt(p.Second.Variance), 1e-3);
        });
        Assert.Contains(expected.Zip(Channels(Slim(Compensation.Bias).Model, all)),
            p => Math.Abs(Math.Abs(p.First.Second) - Math.Sqrt(p.Second.Variance)) > 0.05);
        // The first norm sees what it saw.
        var kept = slim.Report.Groups[0].RemovedUnits;
        float[] own = [.. weights.Floats("mean0").Where((_, i) => !kept.Contains(i))];
        Assert.Equal(own, new WeightTable(AxisAnalysis.Run(slim.Model)).Floats("mean0"));
    }

    /// <summary>
    /// What a norm gives is fitted feature by feature to what it gave: by the normal equations the error that is left has no
    /// mean and does not go along with the feature, for scale and shift; without a shift it is orthogonal to it. Norms before
    /// everything that lost inputs stay byte for byte.
    /// </summary>
    [Theory]
    [InlineData("LayerNormalization")]
    [InlineData("root mean square, node by node")]
    public void Scale_and_shift_of_norms_are_fitted_to_the_dense_output(string norm)
    {
        const int width = 12;
        var g = new GraphBuilder(5);
        string x = g.Linear(g.Input("x", "batch", 4, width), "in", width, width);
        for (int l = 0; l < 2; l++)
        {
            x = g.Add(x, g.Linear(g.Relu(g.Linear(Norm(l), $"up{l}", width, 24)), $"down{l}", 24, width));
        }
        // The last norm comes behind everything that lost inputs.
        g.Output(g.Rename(g.Linear(Norm(2), "out", width, 3), "y"), "batch", 4, 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 8).Select(i => Planted.Rows(i, 40, 4, width)).ToList();
        var probe = new ModelProbe(analysis, samples);
        var plan = Presets.Complete(new PruningPlan { Preset = Preset.Perp, Prune = [new() { Axis = Axis.Neurons, Keep = 0.5 }] },
            hasData: true);
        var statistics = Planted.Statistics(analysis, plan, samples);
        var (slim, report) = Slimmer.Run(plan, analysis, statistics, probe);
        Assert.DoesNotContain(report.Notes, n => n.Contains("stays as it is", StringComparison.Ordinal));
        var (before, after) = (new WeightTable(analysis), new WeightTable(AxisAnalysis.Run(slim)));
        Assert.Equal(before.Floats("gamma0"), after.Floats("gamma0"));
        Assert.NotEqual(before.Floats("gamma1"), after.Floats("gamma1"));
        Assert.NotEqual(before.Floats("gamma2"), after.Floats("gamma2"));
        int[] readers = [.. analysis.Consumers.Where(c => c.Parameter is "up1.weight" or "out.weight").Select(c => c.Id)];
        Assert.Equal(2, readers.Length);
        bool shifts = norm == "LayerNormalization";
        FitPoint Point(Consumer c) => new(c, new(c.Activation, c.ActivationAxis, c.Contracted, []), [.. Enumerable.Range(0, width)]);
        using var run = probe.Stages([[.. analysis.Consumers.Where(c => readers.Contains(c.Id)).Select(Point)]]);
        foreach (var seen in run.Next(slim).Values)
            for (int i = 0; i < width; i++) AssertFitted(seen, i);

        string Norm(int l)
            => norm == "LayerNormalization" ? g.Node(norm, [x, g.Positive($"gamma{l}", width), g.Weight($"beta{l}", width)], ("axis", -1L))
            : g.Mul(g.Node("Div",
                [x, g.Node("Sqrt",
                    [g.Add(g.Node("ReduceMean", [g.Mul(x, x)], ("axes", new long[] { -1 })), g.Scalar($"epsilon{l}", 1e-5f))])]),
                    g.Positive($"gamma{l}", width));

        // What is left of the error goes along with the result no more.
        void AssertFitted(ErrorStatistics seen, int i)
        {
            double variance = seen.Covariance[i, i], cross = seen.Cross[(i * width) + i], m = seen.InputMean[i], off = seen.ErrorMean[i];
            Assert.Equal(0, shifts ? off : (cross + (off * m)) / variance, 1e-3);
            if (shifts) Assert.Equal(0, cross, 1e-3 * variance);
        }
    }

    /// <summary>
    /// On images that calibration has not seen: each method is nearer to the dense model than nothing, and least squares nearest.
    /// </summary>
    [Fact]
    public void Methods_on_a_trained_network()
    {
        using var dense = OnnxModel.Open(Assets.Path("resnet.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var calibration = CalibrationData.Read(Assets.Path("calibration-images-idx3-ubyte.gz"), dense, new DataOptions { Samples = 64 });
        var test = CalibrationData.Read(Assets.Path("t10k-images-idx3-ubyte.gz"), dense, new DataOptions { Samples = 200 });
        PruningPlan Plan(Compensation method)
            => new()
            {
                Budget = new Budget(Macs: 0.6),
                Prune = [new PruneRule { Axis = Axis.Channels, RoundTo = 1, Score = Criterion.Variance, Compensate = method }],
                Allocate = Allocation.Uniform
            };
        var statistics = Calibrator.Run(analysis, calibration, Slimmer.Needs(Plan(Compensation.LeastSquares), analysis)!);
        var divergence = Enum.GetValues<Compensation>().ToDictionary(m => m, m =>
        {
            using var slim = Slimmer.Run(Plan(m), analysis, statistics).Model;
            return Agreement.Compare(dense, slim, test).Outputs[0].MeanKl!.Value;
        });
        string figures = string.Join(", ", divergence.Select(d => FormattableString.Invariant($"{d.Key} {d.Value:f4}")));
        Assert.True(divergence[Compensation.Rescale] < divergence[Compensation.Bias]
            && divergence[Compensation.Affine] < divergence[Compensation.None]
            && divergence[Compensation.LeastSquares] < divergence[Compensation.Rescale], figures);
    }
}
