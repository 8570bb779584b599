using Espalier.Axes;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Gradients;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Runtime.Tests.Gradients;

/// <summary>Training a slim model towards the dense one, and its parts.</summary>
public sealed class RecoveryTests
{
    /// <summary>Against the algorithm as the paper has it, in double.</summary>
    [Fact]
    public void Adam_is_the_algorithm()
    {
        var random = new Random(1);
        float[] weight = [.. Enumerable.Range(0, 37).Select(_ => (float)random.NextDouble())];
        double[] expected = [.. weight.Select(w => (double)w)], mean = new double[37], square = new double[37];
        var adam = new Adam();
        for (int step = 1; step <= 25; step++)
        {
            float[] gradient = [.. weight.Select(_ => (float)(random.NextDouble() - 0.3))];
            double rate = 0.1 / step;
            adam.Begin();
            adam.Update("w", weight, gradient, rate);
            for (int i = 0; i < 37; i++)
            {
                mean[i] = (0.9 * mean[i]) + (0.1 * gradient[i]);
                square[i] = (0.999 * square[i]) + (0.001 * gradient[i] * gradient[i]);
                expected[i] -= rate * (mean[i] / (1 - Math.Pow(0.9, step))) / (Math.Sqrt(square[i] / (1 - Math.Pow(0.999, step))) + 1e-8);
            }
        }
        for (int i = 0; i < 37; i++) Assert.Equal(expected[i], weight[i], 4e-6);
    }

    /// <summary>The gradient of what is measured, by central differences of what is measured.</summary>
    [Theory]
    [InlineData(Metric.KullbackLeibler, false, 4, 6)]
    [InlineData(Metric.KullbackLeibler, true, 4, 6)]
    [InlineData(Metric.KullbackLeibler, false, 2, 3, 6)]
    [InlineData(Metric.KullbackLeibler, false, 2, 3, 4, 5)]
    [InlineData(Metric.Embedding, false, 3, 5, 6)]
    [InlineData(Metric.Embedding, false, 3, 6)]
    [InlineData(Metric.Embedding, false, 2, 4, 3, 3)]
    [InlineData(Metric.RelativeError, false, 4, 6)]
    [InlineData(Metric.RelativeError, false, 7)]
    public void A_loss_has_the_gradient_of_the_divergence(Metric metric, bool ofProbabilities, params int[] shape)
    {
        var random = new Random(5);
        int count = shape.Aggregate(1, (p, n) => p * n);
        double[] dense = Values(), slim = Values();
        var loss = new OutputLoss(metric);
        float[] gradient = loss.Gradients(Named(dense), Named(slim))["y"];
        for (int i = 0; i < count; i++)
        {
            double Moved(double step)
            {
                double[] moved = [.. slim];
                moved[i] += step;
                var tally = new DivergenceTally(metric);
                tally.Add(Named(dense), Named(moved));
                return tally.Mean;
            }
            double difference = (Moved(1e-4) - Moved(-1e-4)) / 2e-4;
            // What is no distribution any more is compared otherwise: of probabilities the row moves as a whole.
            if (!ofProbabilities) Assert.Equal(difference, gradient[i], 2e-4);
            else Assert.True(gradient[i] < 0);
        }

        double[] Values()
        {
            double[] values = [.. Enumerable.Range(0, count).Select(_ => random.NextDouble())];
            if (!ofProbabilities) return values;
            for (int start = 0; start < count; start += shape[^1])
            {
                double sum = values.AsSpan(start, shape[^1]).ToArray().Sum();
                for (int j = 0; j < shape[^1]; j++) values[start + j] /= sum;
            }
            return values;
        }

        Dictionary<string, NamedTensor> Named(double[] values)
            => new() { ["y"] = new NamedTensor("y", "float64", [.. shape.Select(s => (long)s)], values) };
    }

    /// <summary>
    /// Of what a network was disturbed by, training takes most away; the same twice; vectors alone leave matrices as they are; and steps
    /// that only do harm leave the model as it was.
    /// </summary>
    [Fact]
    public void Training_comes_nearer_and_never_further()
    {
        using var dense = Network(0);
        using var slim = Network(0.1f);
        var random = new Random(7);
        var samples = Enumerable.Range(0, 256).Select(_ => (IReadOnlyDictionary<string, NamedTensor>)new Dictionary<string, NamedTensor>
        {
            ["x"] = new NamedTensor("x", "float32", [1, 8],
                Enumerable.Range(0, 8).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray()),
        }).ToList();
        var (fitted, heldOut) = (samples[..192], samples[192..]);
        Recovered Train(RecoveryOptions options) => new Recovery(dense, slim, options).Run(fitted, heldOut);

        var trained = Train(new(200, 0.01));
        Assert.True(trained.Curve.Min(c => c.Divergence) < 0.1 * trained.Curve[0].Divergence, string.Join(' ', trained.Curve));
        Assert.Empty(trained.Untrained);
        Assert.Equal(trained.Model.ToBytes(), Train(new(200, 0.01)).Model.ToBytes());

        var vectors = Train(new(200, 0.01) { Trained = Espalier.Train.Vectors });
        Assert.True(vectors.Curve.Min(c => c.Divergence) < vectors.Curve[0].Divergence);
        foreach (var tensor in slim.Proto.Graph.Initializer)
        {
            float[] now = vectors.Model.Content(vectors.Model.Proto.Graph.Initializer.Single(t => t.Name == tensor.Name)).ToFloats();
            Assert.Equal(tensor.Dims.Count > 1, slim.Content(tensor).ToFloats().SequenceEqual(now));
        }

        var harmed = Train(new(5, 1));
        Assert.Same(slim, harmed.Model);
        Assert.True(harmed.Curve[1].Divergence > harmed.Curve[0].Divergence);

        static OnnxModel Network(float noise)
        {
            var g = new GraphBuilder(seed: 3);
            using var model = g.Output(g.Linear(g.Relu(g.Linear(g.Input("x", "n", 8), "a", 8, 16)), "b", 16, 4)).Build();
            var (proto, random) = (model.Proto.Clone(), new Random(9));
            foreach (var tensor in proto.Graph.Initializer)
            {
                float[] values = model.Content(tensor).ToFloats();
                for (int i = 0; i < values.Length; i++) values[i] += noise * (float)(random.NextDouble() - 0.5);
                tensor.RawData = Google.Protobuf.ByteString.CopyFrom(
                    System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values).ToArray());
                tensor.FloatData.Clear();
            }
            return OnnxModel.Wrap(proto);
        }
    }
}
