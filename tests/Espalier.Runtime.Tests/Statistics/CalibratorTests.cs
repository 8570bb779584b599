using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Sums;
using Espalier.Calibration.Windows;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Statistics;

public class CalibratorTests
{
    private static Consumer Product(int id, OnnxModel model, string weight, int activationAxis, int parameterAxis = 0, int outputAxis = 1)
        => Reader(id, model, weight, ConsumerKind.MatrixProduct, (activationAxis, parameterAxis, outputAxis));

    private static Consumer Convolution(int id, OnnxModel model, string weight)
        => Reader(id, model, weight, ConsumerKind.Convolution, (1, 1, 0));

    private static Consumer Reader(int id, OnnxModel model, string weight, ConsumerKind kind,
        (int Activation, int Parameter, int Output) axes)
    {
        var node = model.Proto.Graph.Node.First(n => n.Input.Contains(weight));
        string activation = node.Input[0] == weight ? node.Input[1] : node.Input[0];
        return new Consumer(id, new NodeInfo(model.Proto.Graph.Node.IndexOf(node), node, 0), kind)
        {
            Activation = activation,
            ActivationAxis = axes.Activation,
            Parameter = weight,
            ParameterAxis = axes.Parameter,
            OutputAxis = axes.Output,
            Contracted = null!,
        };
    }

    private static Consumer InSubgraph(Consumer consumer) => consumer with { Node = consumer.Node with { Scope = 1 } };

    private static List<IReadOnlyDictionary<string, NamedTensor>> Samples(int count, string name, params long[] shape)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
            for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() * 3 - 1);
            return new Dictionary<string, NamedTensor> { [name] = new(name, "float32", shape, values) };
        })];
    }

    private static CalibrationStatistics Run(OnnxModel model, Consumer[] consumers,
        IEnumerable<IReadOnlyDictionary<string, NamedTensor>> samples, int[]? covariance = null, Block[]? blocks = null,
        CalibrationOptions? options = null)
        => Calibrator.Run(new CalibratedModel(model, consumers, blocks ?? []), samples,
            new CalibrationRequest { Covariance = (covariance ?? []).ToHashSet(), BlockAngles = true }, options: options);

    [Theory]
    [InlineData(9)]
    [InlineData(11)]
    [InlineData(17)]
    public void Matrix_products_have_the_moments_of_the_contracted_axis(int opset)
    {
        var g = new GraphBuilder(opset: opset);
        var h = g.Relu(g.Linear(g.Input("x", "batch", "sequence", 6), "up", 6, 10));
        var model = g.Output(g.Linear(h, "down", 10, 4)).Build();
        var consumer = Product(3, model, "down.weight", 2);
        var samples = Samples(7, "x", 1, 5, 6);
        var stats = Run(model, [consumer], samples, [3], options: new CalibrationOptions { BatchSize = 3 });
        var rows = Direct.Fetch(model, consumer.Activation, samples).SelectMany(t => Direct.Rows(t, 2)).ToList();
        Direct.Agree(Direct.Of(rows), stats.Consumers[3], covariance: true);
        Assert.Equal(7, stats.Samples);
        Assert.Empty(stats.Notes);
    }

    /// <summary>ONNX Runtime computes every node of a graph. What no statistic needs is not among them: here it could not run.</summary>
    [Theory]
    [InlineData(WeightStorage.Initializer)]
    [InlineData(WeightStorage.ConstantNode)]
    [InlineData(WeightStorage.GraphInput)]
    public void What_comes_after_the_observed_layers_is_not_computed(WeightStorage storage)
    {
        var g = new GraphBuilder(storage: storage);
        var h = g.Linear(g.Input("x", "batch", 6), "up", 6, 10);
        var model = g.Output(g.Linear(g.Node("Reshape", [h, g.Longs(-1, 7)]), "down", 7, 4)).Build();
        var samples = Samples(5, "x", 1, 6);
        Assert.Throws<EspalierException>(() => Run(model, [Product(0, model, "down.weight", 1)], samples));
        var stats = Run(model, [Product(0, model, "up.weight", 1)], samples, [0]);
        Direct.Agree(Direct.Of(samples.SelectMany(s => Direct.Rows(s["x"], 1)).ToList()), stats.Consumers[0], covariance: true);
    }

    /// <summary>Not every exporter sorts the nodes of a file, and ONNX Runtime takes them so.</summary>
    [Fact]
    public void The_nodes_of_a_file_may_be_in_any_order()
    {
        var g = new GraphBuilder();
        var h = g.Relu(g.Linear(g.Relu(g.Linear(g.Input("x", "batch", 6), "first", 6, 10)), "second", 10, 8));
        using var sorted = g.Output(g.Linear(h, "third", 8, 4)).Build();
        var proto = sorted.Proto.Clone();
        NodeProto[] nodes = [.. proto.Graph.Node.Reverse()];
        proto.Graph.Node.Clear();
        proto.Graph.Node.AddRange(nodes);
        using var model = sorted.Derive(proto);
        var samples = Samples(5, "x", 1, 6);
        Consumer Of(OnnxModel m) => Product(0, m, "second.weight", 1);
        Assert.Equal(Run(sorted, [Of(sorted)], samples, [0]).Consumers[0].Covariance!.ToArray(),
            Run(model, [Of(model)], samples, [0]).Consumers[0].Covariance!.ToArray());
    }

    [Fact]
    public void A_large_mean_does_not_drown_a_small_variance()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 8);
        var shifted = g.Add(x, g.Floats("offset", [.. Enumerable.Repeat(1000f, 8)], 8));
        var model = g.Output(g.Linear(shifted, "fc", 8, 3)).Build();
        var consumer = Product(0, model, "fc.weight", 1);
        var samples = Samples(200, "x", 1, 8);
        var stats = Run(model, [consumer], samples, [0]).Consumers[0];
        var direct = Direct.Of(Direct.Fetch(model, consumer.Activation, samples).SelectMany(t => Direct.Rows(t, 1)).ToList());
        // float32's own Σx² − (Σx)²/n would be wrong in the first digit here: 1e6 · 6e-8 against a variance of 0.75.
        for (int i = 0; i < 8; i++) Assert.Equal(direct.Variance[i], stats.Variance[i], 5);
        for (int i = 0; i < 64; i++) Assert.Equal(direct.Covariance[i / 8, i % 8], stats.Covariance![i / 8, i % 8], 5);
    }

    [Fact]
    public void Axes_that_are_not_the_last_and_weights_on_the_left_are_read_along_the_contracted_axis()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 6, 5);
        var model = g.Output(g.Node("MatMul", [g.Weight("w", 4, 6), x])).Build();
        var consumer = Product(0, model, "w", 1, 1, 0);
        var samples = Samples(4, "x", 1, 6, 5);
        var stats = Run(model, [consumer], samples, [0]);
        Direct.Agree(Direct.Of(samples.SelectMany(s => Direct.Rows(s["x"], 1)).ToList()), stats.Consumers[0], covariance: true);
    }

    [Theory]
    [InlineData(9, 3, 1, 1, 1)]
    [InlineData(17, 3, 2, 1, 1)]
    [InlineData(17, 3, 1, 2, 2)]
    [InlineData(11, 5, 3, 1, 0)]
    [InlineData(17, 1, 1, 1, 0)]
    [InlineData(17, 1, 2, 1, 0)]
    public void Convolutions_have_the_moments_of_the_patch(int opset, int k, int stride, int dilation, int pad)
    {
        var g = new GraphBuilder(opset: opset);
        var x = g.Input("x", "batch", 3, "height", "width");
        var y = g.Node("Conv", [g.Relu(x), g.Weight("w", 4, 3, k, k)], ("kernel_shape", new[] { k, k }),
            ("strides", new[] { stride, stride }),
            ("dilations", new[] { dilation, dilation }), ("pads", new[] { pad, pad, pad, pad }));
        var model = g.Output(y).Build();
        var consumer = Convolution(0, model, "w");
        var samples = Samples(5, "x", 1, 3, 9, 11);
        var stats = Run(model, [consumer], samples, [0], options: new CalibrationOptions { BatchSize = 2 });
        var rows = Direct.Fetch(model, consumer.Activation, samples)
            .SelectMany(t => Direct.Patches(t, ([k, k], [stride, stride], [dilation, dilation], [pad, pad, pad, pad]))).ToList();
        Direct.Agree(Direct.Of(rows), stats.Consumers[0], covariance: true);
    }

    [Theory]
    [InlineData("SAME_UPPER", 0, 0, 1, 1)]
    [InlineData("SAME_LOWER", 1, 1, 0, 0)]
    [InlineData("VALID", 0, 0, 0, 0)]
    public void Automatic_padding_is_the_convolution_s_own(string mode, int top, int left, int bottom, int right)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 2, "h", "w");
        var model = g.Output(g.Node("Conv", [g.Relu(x), g.Weight("w", 4, 2, 3, 3)], ("kernel_shape", new[] { 3, 3 }),
            ("strides", new[] { 2, 2 }), ("auto_pad", mode))).Build();
        var consumer = Convolution(0, model, "w");
        var samples = Samples(3, "x", 1, 2, 8, 10);
        var stats = Run(model, [consumer], samples, [0]);
        var rows = Direct.Fetch(model, consumer.Activation, samples)
            .SelectMany(t => Direct.Patches(t, ([3, 3], [2, 2], [1, 1], [top, left, bottom, right]))).ToList();
        Direct.Agree(Direct.Of(rows), stats.Consumers[0], covariance: true);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(1)]
    public void Large_maps_are_read_at_a_regular_spacing(int k)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 2, "h", "w");
        var model = g.Output(g.Conv(g.Relu(x), "c", 2, 4, k)).Build();
        var consumer = Convolution(0, model, "c.weight");
        var samples = Samples(3, "x", 1, 2, 20, 30);
        var stats = Run(model, [consumer], samples, options: new CalibrationOptions { PositionsPerSample = 100 });
        Assert.Contains("one position in 3", Assert.Single(stats.Notes));
        var rows = Direct.Fetch(model, consumer.Activation, samples)
            .SelectMany(t => Direct.Patches(t, ([k, k], [3, 3], [1, 1], [k / 2, k / 2, k / 2, k / 2]))).ToList();
        Direct.Agree(Direct.Of(rows), stats.Consumers[0], covariance: false);
    }

    /// <summary>A covariance is that of the positions that the sampling names: every row of them with every column.</summary>
    [Theory]
    [InlineData(3, 1, 1)]
    [InlineData(3, 2, 1)]
    [InlineData(3, 1, 2)]
    [InlineData(1, 1, 1)]
    public void Large_maps_lend_a_covariance_some_of_their_positions(int k, int stride, int dilation)
    {
        var g = new GraphBuilder();
        int[] both = [stride, stride], apart = [dilation, dilation], pads = [k / 2, 0, k / 2, 1];
        string w = g.Weight("w", 4, 2, k, k), x = g.Relu(g.Input("x", "batch", 2, "h", "w"));
        g.Output(g.Node("Conv", [x, w], ("strides", Longs(both)), ("dilations", Longs(apart)), ("pads", Longs(pads))));
        using var model = g.Build();
        var consumer = Convolution(0, model, "w");
        var samples = Samples(3, "x", 1, 2, 20, 30);
        var stats = Run(model, [consumer], samples, [0], options: new CalibrationOptions { PositionsPerSample = 100 });
        Assert.Empty(stats.Notes);
        var attributes = model.Proto.Graph.Node.Single(n => n.OpType == "Conv").Attribute;
        var sampling = Sampling.Create(new Window(2, 1, [k, k], [.. attributes]), [1, 2, 20, 30], 100)!;
        Assert.InRange(sampling.Taken[0] * sampling.Taken[1], 100, 120);
        var rows = Direct.Fetch(model, consumer.Activation, samples).SelectMany(t =>
        {
            var all = Direct.Patches(t, ([k, k], both, apart, pads));
            Assert.Equal(sampling.Sizes[0] * sampling.Sizes[1], all.Count);
            return sampling.Positions(0, 0)
                .SelectMany(r => sampling.Positions(1, 0).Select(c => all[(int)((r * sampling.Sizes[1]) + c)]));
        }).ToList();
        Direct.Agree(Direct.Of(rows), stats.Consumers[0], covariance: true);

        static long[] Longs(int[] values) => Array.ConvertAll(values, v => (long)v);
    }

    /// <summary>Over many batches every position is taken about as often as any other.</summary>
    [Fact]
    public void Positions_are_taken_evenly()
    {
        var sampling = Sampling.Create(new Window(1, 1, [1, 1], []), [1, 1, 12, 31], 20)!;
        for (int axis = 0; axis < 2; axis++)
        {
            var counts = Enumerable.Range(0, 1000).SelectMany(b => sampling.Positions(axis, b)).GroupBy(p => p)
                .ToDictionary(p => p.Key, p => p.Count());
            double mean = 1000.0 * sampling.Taken[axis] / sampling.Sizes[axis];
            Assert.Equal(sampling.Sizes[axis], counts.Count);
            Assert.All(counts.Values, c => Assert.InRange(c, 0.8 * mean, 1.2 * mean));
        }
    }

    [Fact]
    public void Grouped_convolutions_have_the_whole_patch_and_a_covariance_per_group()
    {
        var g = new GraphBuilder();
        var model = g.Output(g.Conv(g.Relu(g.Input("x", "batch", 6, 7, 7)), "c", 6, 9, new(Group: 3))).Build();
        var consumer = Convolution(5, model, "c.weight") with { Batched = true };
        var samples = Samples(4, "x", 1, 6, 7, 7);
        var tensors = Direct.Fetch(model, consumer.Activation, samples);
        var whole = Direct.Of(tensors.SelectMany(t => Direct.Patches(t, ([3, 3], [1, 1], [1, 1], [1, 1, 1, 1]))).ToList());

        Direct.Agree(whole, Run(model, [consumer], samples).Consumers[5], covariance: false);
        var stats = Run(model, [consumer], samples, [5]).Consumers[5];
        Direct.Agree(whole, stats, covariance: false);
        Assert.Equal(3, stats.PerBatch!.Count);
        for (int group = 0; group < 3; group++)
            Direct.Agree(
                Direct.Of(tensors.SelectMany(t => Direct.Patches(t, ([3, 3], [1, 1], [1, 1], [1, 1, 1, 1]), (2 * group, 2))).ToList()),
                stats.PerBatch[group], covariance: true);
    }

    [Fact]
    public void Experts_are_pooled_and_kept_apart()
    {
        var g = new GraphBuilder();
        var x = g.Unsqueeze(g.Input("x", "batch", "sequence", 5), 1);
        var h = g.Relu(g.Node("MatMul", [x, g.Weight("up", 4, 5, 6)]));
        var model = g.Output(g.Node("MatMul", [h, g.Weight("down", 4, 6, 3)])).Build();
        var up = Product(0, model, "up", 3, 1, 2) with { Batched = true };
        var down = Product(1, model, "down", 3, 1, 2) with { Batched = true };
        var samples = Samples(6, "x", 1, 7, 5);
        var stats = Run(model, [up, down], samples, [0, 1]).Consumers;

        // All experts read one input.
        Assert.Null(stats[0].PerBatch);
        Direct.Agree(Direct.Of(samples.SelectMany(s => Direct.Rows(s["x"], 2)).ToList()), stats[0], covariance: true);
        var hidden = Direct.Fetch(model, h, samples);
        Direct.Agree(Direct.Of(hidden.SelectMany(t => Direct.Rows(t, 3)).ToList()), stats[1], covariance: false);
        for (int e = 0; e < 4; e++)
            Direct.Agree(Direct.Of(hidden.SelectMany(t => Direct.Rows(t, 3, 1, e)).ToList()), stats[1].PerBatch![e], covariance: true);
    }

    [Fact]
    public void Blocks_have_the_mean_cosine_of_their_rows()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 4, 6, 6);
        var one = g.Relu(g.Add(x, g.Conv(x, "a", 4, 4)));
        var flat = g.Transpose(g.Reshape(one, 0, 4, 36), 0, 2, 1);
        var two = g.Add(flat, g.Linear(flat, "b", 4, 4));
        var model = g.Output(two).Build();
        Block[] blocks = [new(0, x, one, [], [0]), new(1, flat, two, [], [1]), new(2, flat, flat, [], [2])];
        var samples = Samples(5, "x", 1, 4, 6, 6);
        var stats = Run(model, [], samples, blocks: blocks);
        foreach (var block in blocks)
        {
            int axis = block.Id == 0 ? 1 : 2;
            var rows = Direct.Fetch(model, block.Output, samples).SelectMany(t => Direct.Rows(t, axis));
            var from = block.Input == "x" ? samples.Select(s => s["x"]) : Direct.Fetch(model, block.Input, samples);
            double expected = from.SelectMany(t => Direct.Rows(t, axis)).Zip(rows, (a, b) =>
            {
                double norm = Math.Sqrt(a.Sum(v => v * v) * b.Sum(v => v * v));
                return norm == 0 ? a.SequenceEqual(b) ? 1 : 0 : a.Zip(b, (p, q) => p * q).Sum() / norm;
            }).Average();
            Assert.Equal(expected, stats.BlockCosine[block.Id], 5);
            double angle = from.SelectMany(t => Direct.Rows(t, axis)).Zip(rows, (a, b) =>
            {
                double norm = Math.Sqrt(a.Sum(v => v * v) * b.Sum(v => v * v));
                return norm == 0
                    ? a.SequenceEqual(b) ? 0 : 0.5
                    : Math.Acos(Math.Clamp(a.Zip(b, (p, q) => p * q).Sum() / norm, -1, 1)) / Math.PI;
            }).Average();
            Assert.Equal(angle, stats.BlockAngle[block.Id], 1e-3);
        }
        Assert.InRange(stats.BlockAngle[0], 0.05, 0.5);
        Assert.Equal(1, stats.BlockCosine[2], 5);
        Assert.InRange(stats.BlockCosine[0], 0.1, 0.999);
    }

    [Fact]
    public void Readers_of_one_activation_share_one_measurement()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "sequence", 6);
        var sum = g.Add(g.Linear(x, "q", 6, 5), g.Linear(x, "k", 6, 5));
        var model = g.Output(g.Linear(g.Relu(sum), "o", 5, 2)).Build();
        Consumer[] consumers =
        [
            Product(0, model, "q.weight", 2),
            Product(1, model, "k.weight", 2),
            Product(2, model, "o.weight", 2),
        ];
        var samples = Samples(6, "x", 1, 4, 6);
        var seen = new Progress();
        var request = new CalibrationRequest { Covariance = new HashSet<int> { 1, 2 } };
        var whole = Calibrator.Run(new CalibratedModel(model, consumers, []), samples, request, seen);
        Assert.Null(whole.Consumers[0].Covariance);
        Assert.Same(whole.Consumers[0].Mean, whole.Consumers[1].Mean);
        Assert.Equal(new CalibrationProgress(6, 6), seen.Last);

        var narrow = Calibrator.Run(new CalibratedModel(model, consumers, []), samples, request,
            options: new CalibrationOptions { CovarianceFeatures = 5 });
        Assert.Null(narrow.Consumers[1].Covariance);
        Assert.NotNull(narrow.Consumers[2].Covariance);
        Assert.Contains("6 features", Assert.Single(narrow.Notes));
    }

    private sealed class Progress : IProgress<CalibrationProgress>
    {
        public CalibrationProgress Last { get; private set; }
        public void Report(CalibrationProgress value) => Last = value;
    }

    [Fact]
    public void Samples_of_several_lengths_and_a_batch_axis_in_name_only_are_run_one_by_one()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", "sequence", 6);
        var mixed = g.Reshape(x, 1, -1, 6);
        var fixedBatch = g.Reshape(mixed, 1, 6, -1);
        var model = g.Output(g.Linear(g.Transpose(fixedBatch, 0, 2, 1), "fc", 6, 2)).Build();
        var samples = Samples(4, "x", 1, 3, 6).Concat(Samples(3, "x", 1, 5, 6)).ToList();
        var consumer = Product(0, model, "fc.weight", 2);
        Assert.Equal(4 * 3 + 3 * 5, Run(model, [consumer], samples).Consumers[0].Count);
    }

    [Fact]
    public void Consumers_in_subgraphs_and_overflows_are_left_out_with_a_note()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 6);
        var huge = g.Node("Exp", g.Mul(x, g.Scalar("s", 1000)));
        var model = g.Output(g.Add(g.Linear(huge, "a", 6, 2), g.Linear(x, "b", 6, 2))).Build();
        var stats = Run(model,
            [Product(0, model, "a.weight", 1),
                Product(1, model, "b.weight", 1),
            InSubgraph(Product(2, model, "b.weight", 1))], Samples(3, "x", 1, 6));
        Assert.Equal([1], stats.Consumers.Keys);
        Assert.Equal(2, stats.Notes.Count);
        Assert.Contains("subgraph", stats.Notes[0]);
        Assert.Contains("not finite", stats.Notes[1]);
    }

    [Fact]
    public void Samples_that_do_not_fit_the_model_are_refused_by_name()
    {
        var g = new GraphBuilder();
        var model = g.Output(g.Linear(g.Input("x", "batch", 6), "fc", 6, 2)).Build();
        var consumer = Product(0, model, "fc.weight", 1);
        Assert.Contains("'x' was given as float32[1,5]",
            Assert.Throws<EspalierException>(() => Run(model, [consumer], Samples(2, "x", 1, 5))).Message);
        Assert.Contains("no samples", Assert.Throws<EspalierException>(() => Run(model, [consumer], [])).Message);
    }
}
