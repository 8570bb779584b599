using Espalier.Calibration.Checks;
using Espalier.Calibration.Trimming;
using Espalier.Onnx;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Runtime.Tests.Checks;

/// <summary>Positions that a mask leaves out, and embeddings, which are means over the others.</summary>
public class PaddingTests
{
    /// <summary>Rows of an attention over positions with a mask; without it every row sees the padding.</summary>
    private static OnnxModel Encoder(bool masks)
    {
        var g = new GraphBuilder(seed: 5);
        string x = g.Node("Gather", [g.Weight("table", 20, 6), g.Input("ids", DataType.Int64, "batch", "sequence")]);
        string mask = g.Node("Cast", [g.Input("mask", DataType.Int64, "batch", "sequence")], ("to", 1L));
        string map = g.MatMul(g.Linear(x, "q", 6, 6), g.Transpose(x, 0, 2, 1));
        string away = g.Mul(g.Node("Sub", [g.Scalar("one", 1), mask]), g.Scalar("far", masks ? -1e4f : -1e-9f));
        string y = g.MatMul(g.Softmax(g.Add(map, g.Node("Unsqueeze", [away, g.Longs(1)]))), x);
        g.Output(g.Rename(y, "y"), "batch", "sequence", 6);
        return g.Build();
    }

    private static List<IReadOnlyDictionary<string, NamedTensor>> Samples(params int[] lengths)
    {
        var random = new Random(1);
        return [.. lengths.Select(n => new Dictionary<string, NamedTensor>
        {
            ["ids"] = new("ids", "int64", [1, 8], Enumerable.Range(0, 8).Select(_ => (long)random.Next(20)).ToArray()),
            ["mask"] = new("mask", "int64", [1, 8], Enumerable.Range(0, 8).Select(i => i < n ? 1L : 0).ToArray()),
        })];
    }

    [Fact]
    public void Samples_end_where_their_mask_does()
    {
        using var model = Encoder(masks: true);
        var (samples, notes) = (Samples(3, 8, 5), new List<string>());
        var cut = Padding.Trim(model, samples, notes, default);
        Assert.Equal([3, 8, 5], cut.Select(s => s["ids"].Shape[1]));
        Assert.Equal([3, 8, 5], cut.Select(s => s["mask"].Values.LongLength));
        Assert.Equal(((long[])samples[2]["ids"].Values)[..5], (long[])cut[2]["ids"].Values);
        Assert.Contains("16 of 24 positions", Assert.Single(notes), StringComparison.Ordinal);
    }

    /// <summary>A mask that the model does not heed, or that is none, cuts nothing off.</summary>
    [Fact]
    public void A_mask_is_not_believed_but_tried()
    {
        using var model = Encoder(masks: false);
        var (samples, notes) = (Samples(3, 8), new List<string>());
        Assert.Same(samples, Padding.Trim(model, samples, notes, default));
        Assert.Contains("'mask'", Assert.Single(notes), StringComparison.Ordinal);
        using var other = Encoder(masks: true);
        var whole = Samples(8, 8);
        Assert.Same(whole, Padding.Trim(other, whole, notes, default));
        Assert.Single(notes);
    }

    /// <summary>Of [batch, sequence, features] the means (1, 1) and (1, −1) have a right angle between them, those of maps too.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_embedding_is_a_mean_over_positions(bool map)
    {
        long[] shape = map ? [2, 2, 1, 2] : [2, 2, 2];
        float[] dense = map ? [2, 0, 0, 2, 1, 1, 1, 1] : [2, 0, 0, 2, 1, 1, 1, 1], changed = map ? [0, 2, -2, 0, 3, 3, 3, 3] : [0, -2, 2, 0, 3, 3, 3, 3];
        var tally = new OutputTally(Metric.Embedding);
        tally.Add(new("y", "float32", shape, dense), new("y", "float32", shape, changed));
        Assert.Equal(0.5, tally.Divergence(Metric.Embedding)!.Value, 1e-9);
        Assert.Equal(0.5, tally.Agreement(Metric.Embedding)!.Value, 1e-9);
        Assert.Null(new OutputTally(Metric.Embedding).Divergence(Metric.Embedding));
    }
}
