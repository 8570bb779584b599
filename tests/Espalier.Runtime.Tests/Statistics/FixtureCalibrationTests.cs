using System.Diagnostics;
using Espalier.Axes.Graph;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Data;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Statistics;

/// <summary>
/// On trained networks and their own calibration data: every convolution and every product with a weight, against plain loops.
/// </summary>
public class FixtureCalibrationTests(ITestOutputHelper output)
{
    private static List<Consumer> Readers(OnnxModel model)
    {
        var weights = model.Proto.Graph.Initializer.ToDictionary(t => t.Name, t => t.Dims.Count, StringComparer.Ordinal);
        var readers = new List<Consumer>();
        foreach (var node in model.Proto.Graph.Node)
        {
            if (node.OpType is not ("Conv" or "MatMul" or "Gemm") || !weights.TryGetValue(node.Input[1], out int rank)) continue;
            bool transposed = node.Attribute.Any(a => a.Name == "transB" && a.I == 1);
            int stacked = rank == 3 && node.OpType == "MatMul" ? 1 : 0;
            bool isConvolution = node.OpType == "Conv";
            var kind = isConvolution ? ConsumerKind.Convolution : ConsumerKind.MatrixProduct;
            readers.Add(new Consumer(readers.Count, new NodeInfo(0, node, 0), kind)
            {
                Activation = node.Input[0],
                ActivationAxis = isConvolution ? 1 : -1,
                Parameter = node.Input[1],
                ParameterAxis = isConvolution ? 1 : stacked + (transposed ? 1 : 0),
                OutputAxis = isConvolution ? 0 : stacked + (transposed ? 0 : 1),
                Contracted = null!,
                Batched = isConvolution ? node.Attribute.Any(a => a.Name == "group" && a.I > 1) : stacked > 0,
            });
        }
        return readers;
    }

    [Theory]
    [InlineData("resnet", "calibration-images-idx3-ubyte.gz")]
    [InlineData("mobilenet", "calibration-images-idx3-ubyte.gz")]
    [InlineData("vit", "calibration-images-idx3-ubyte.gz")]
    [InlineData("bert", "bert-calibration.tsv")]
    [InlineData("moe", "lm-calibration.txt")]
    public void Trained_networks_agree_with_plain_loops(string network, string data)
    {
        using var model = OnnxModel.Open(Assets.Path(network + ".onnx"));
        var samples = CalibrationData.Read(Assets.Path(data), model, new DataOptions { Samples = 2, Length = 40 });
        var readers = Readers(model);
        var fetched = Direct.Fetch(model, readers.Select(r => r.Activation).Distinct(), samples);
        readers = [.. readers.Select(r => r.ActivationAxis >= 0
            ? r
            : r with { ActivationAxis = fetched[r.Activation][0].Shape.Count - 1 })];
        var stats = Calibrator.Run(new CalibratedModel(model, readers, []), samples, new CalibrationRequest());
        Assert.Empty(stats.Notes);
        Assert.Equal(readers.Count, stats.Consumers.Count);
        foreach (var r in readers)
        {
            var tensors = fetched[r.Activation];
            var node = r.Node.Proto;
            int[] Ints(string name) => [.. node.Attribute.Single(a => a.Name == name).Ints.Select(i => (int)i)];
            var rows = tensors.SelectMany(t => r.Kind == ConsumerKind.Convolution
                ? Direct.Patches(t, (Ints("kernel_shape"), Ints("strides"), Ints("dilations"), Ints("pads")))
                : Direct.Rows(t, r.ActivationAxis)).ToList();
            var mean = rows[0].Select((_, i) => rows.Average(row => row[i])).ToArray();
            var s = stats.Consumers[r.Id];
            Assert.Equal(rows.Count, s.Count);
            double scale = Math.Sqrt(rows.Average(row => row.Average(v => v * v)));
            for (int i = 0; i < mean.Length; i++)
            {
                double variance = rows.Average(row => (row[i] - mean[i]) * (row[i] - mean[i]));
                Assert.True(Math.Abs(mean[i] - s.Mean[i]) < 1e-5 * scale + 1e-6 * Math.Abs(mean[i]),
                    $"{r.Node} mean {i}: {mean[i]} {s.Mean[i]}");
                Assert.True(Math.Abs(variance - s.Variance[i]) < 1e-5 * scale * scale + 1e-5 * variance,
                    $"{r.Node} variance {i}: {variance} {s.Variance[i]}");
                Assert.True(Math.Abs(rows.Average(row => Math.Abs(row[i])) - s.AbsoluteMean[i]) < 1e-5 * scale + 1e-5 * s.AbsoluteMean[i],
                    $"{r.Node} {i}");
            }
        }
    }

    [Theory]
    [InlineData("resnet", "calibration-images-idx3-ubyte.gz")]
    [InlineData("gpt", "lm-calibration.txt")]
    public void Covariances_of_a_whole_network_are_positive_and_agree_with_the_variances(string network, string data)
    {
        using var model = OnnxModel.Open(Assets.Path(network + ".onnx"));
        var samples = CalibrationData.Read(Assets.Path(data), model, new DataOptions { Samples = 16 });
        var readers = Readers(model)
            .Select(r => r.ActivationAxis >= 0 ? r : r with { ActivationAxis = r.Node.Proto.OpType == "Gemm" ? 1 : 2 }).ToList();
        var watch = Stopwatch.StartNew();
        var stats = Calibrator.Run(new CalibratedModel(model, readers, []), samples,
            new CalibrationRequest { Covariance = readers.Select(r => r.Id).ToHashSet() });
        output.WriteLine($"{network}: {readers.Count} consumers, 16 samples, covariance of all: {watch.Elapsed.TotalSeconds:f2} s");
        Assert.Empty(stats.Notes);
        var random = new Random(1);
        foreach (var s in stats.Consumers.Values)
        {
            int n = s.Mean.Length;
            for (int trial = 0; trial < 3; trial++)
            {
                // vᵀCv is the variance of v·x, which cannot be negative.
                var v = Enumerable.Range(0, n).Select(_ => random.NextDouble() - 0.5).ToArray();
                double form = 0;
                for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) form += v[i] * s.Covariance![i, j] * v[j];
                Assert.True(form > -1e-6 * s.Variance.Sum(), $"consumer {s.Consumer}: {form}");
            }
            for (int i = 0; i < n; i++) Assert.Equal(s.Variance[i], s.Covariance![i, i]);
        }
    }
}
