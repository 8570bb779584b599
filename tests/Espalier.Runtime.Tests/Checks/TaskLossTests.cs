using System.IO.Compression;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Checks;

/// <summary>The loss of a task: where right answers come from, and what is made of them.</summary>
public sealed class TaskLossTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, true);

    private string Write(string name, params string[] lines)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, string.Join('\n', lines) + "\n");
        return path;
    }

    /// <summary>
    /// Three rows, of which one has no label, by hand; logits, their logarithms of probabilities and the probabilities
    /// themselves say the same.
    /// </summary>
    [Fact]
    public void Loss_is_what_the_right_class_loses()
    {
        double[][] dense = [[1, 2, 3], [0, 0, 0], [5, 1, 1]], changed = [[1, 2, 2], [0, 3, 0], [0, 9, 0]];
        long[] labels = [2, 1, -1];
        double expected = 0;
        for (int r = 0; r < 2; r++) expected += (Math.Log(Softmax(dense[r])[labels[r]]) - Math.Log(Softmax(changed[r])[labels[r]])) / 2;
        foreach (Func<double[], double[]> form in (Func<double[], double[]>[])[z => z, Softmax,
            z => [.. Softmax(z).Select(p => Math.Log(p))]])
        {
            var tally = new OutputTally(Metric.TaskLoss);
            tally.Add(Tensor(dense, form), Tensor(changed, form), labels);
            Assert.Equal(expected, tally.Divergence(Metric.TaskLoss)!.Value, 1e-5);
            Assert.Equal(Math.Min(1, Math.Exp(-expected)), tally.Agreement(Metric.TaskLoss)!.Value, 1e-5);
            // The other way round it is a gain: a divergence below zero, an agreement of one.
            var gain = new OutputTally(Metric.TaskLoss);
            gain.Add(Tensor(changed, form), Tensor(dense, form), labels);
            Assert.Equal(-expected, gain.Divergence(Metric.TaskLoss)!.Value, 1e-5);
            Assert.Equal(Math.Min(1, Math.Exp(expected)), gain.Agreement(Metric.TaskLoss)!.Value, 1e-5);
            var without = new OutputTally(Metric.TaskLoss);
            without.Add(Tensor(dense, form), Tensor(changed, form));
            Assert.Null(without.Divergence(Metric.TaskLoss));
        }
        Assert.True(Math.Abs(expected) > 0.1);

        static double[] Softmax(double[] z) => [.. z.Select(v => Math.Exp(v) / z.Sum(Math.Exp))];
        static NamedTensor Tensor(double[][] rows, Func<double[], double[]> form)
            => new("y", "float32", [rows.Length, 3], rows.SelectMany(form).Select(v => (float)v).ToArray());
    }

    /// <summary>A table of five tokens, with a mask and types beside them that have the same shape and small numbers too.</summary>
    private static OnnxModel Language()
    {
        var g = new GraphBuilder();
        string ids = g.Input("ids", TensorProto.Types.DataType.Int64, "batch", "sequence"),
            mask = g.Input("mask", TensorProto.Types.DataType.Int64, "batch", "sequence");
        string types = g.Input("types", TensorProto.Types.DataType.Int64, "batch", "sequence");
        string x = g.Add(g.Node("Gather", [g.Weight("table", 5, 4), ids]), g.Node("Gather", [g.Weight("kinds", 2, 4), types]));
        x = g.Mul(x, g.Unsqueeze(g.Node("Cast", mask, ("to", 1L)), 2));
        return g.Output(g.Rename(g.Linear(x, "head", 4, 5), "y"), "batch", "sequence", 5).Build();
    }

    private static Dictionary<string, NamedTensor> Sentence(params long[] ids) => new()
    {
        ["ids"] = new("ids", "int64", [1, ids.Length], ids),
        ["mask"] = new("mask", "int64", [1, ids.Length], ids.Select(_ => 1L).ToArray()),
        ["types"] = new("types", "int64", [1, ids.Length], new long[ids.Length]),
    };

    [Fact]
    public void The_label_of_a_token_is_the_next_one()
    {
        using var model = Language();
        NamedTensor y = new("y", "float32", [2, 3, 5], new float[30]);
        Assert.Equal([1, 2, -1, 4, 0, -1], new Targets(model).Of(y, [Sentence(3, 1, 2), Sentence(0, 4, 0)])!);
        // Tokens that are no classes of the output, and outputs that are no rows of classes.
        Assert.Null(new Targets(model).Of(y with { Shape = [2, 3, 4], Values = new float[24] }, [Sentence(3, 1, 2), Sentence(0, 4, 0)]));
        Assert.Null(new Targets(model).Of(y with { Shape = [6, 5] }, [Sentence(3, 1, 2), Sentence(0, 4, 0)]));
    }

    [Fact]
    public void Labels_come_before_the_next_token_where_there_is_one_for_each_row()
    {
        using var model = Language();
        IReadOnlyDictionary<string, NamedTensor>[] samples = [Sentence(3, 1), Sentence(0, 4)];
        NamedTensor y = new("y", "float32", [2, 2, 5], new float[20]), pooled = new("p", "float32", [2, 5], new float[10]);
        Assert.Equal([0, -100, 1, 2], new Targets(model, samples, [[0, -100], [1, 2]]).Of(y, samples)!);
        var single = new Targets(model, samples, [[3], [4]]);
        Assert.Equal([4, 3], single.Of(pooled, [samples[1], samples[0]])!);
        Assert.Equal([1, -1, 4, -1], single.Of(y, samples)!);
        Assert.Contains("labels have 5, but the output 'p' has 5 classes",
            Assert.Throws<EspalierException>(() => new Targets(model, samples, [[3], [5]]).Of(pooled, samples)).Message,
            StringComparison.Ordinal);
        Assert.Contains("2 calibration samples and 1 labels",
            Assert.Throws<EspalierException>(() => new Targets(model, samples, [[3]])).Message, StringComparison.Ordinal);
        Assert.Contains("'p' [2,5]",
            Assert.Throws<EspalierException>(() =>
                new Targets(model).Of(new Dictionary<string, NamedTensor> { ["p"] = pooled }, samples)).Message, StringComparison.Ordinal);
        Assert.Contains("and 3 a sample",
            Assert.Throws<EspalierException>(() =>
                new Targets(model, samples, [[1, 1, 1], [1, 1, 1]]).Of(new Dictionary<string, NamedTensor> { ["p"] = pooled },
                    samples)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Labels_are_read_from_files_and_from_the_data()
    {
        using var model = Language();
        IEnumerable<long>? Read(string? path, string? labels = null, int samples = 3)
            => CalibrationLabels.Read(path, model, samples, new DataOptions { Labels = labels })?.Select(Assert.Single);
        Assert.Equal([4, -1, 12], Read(null, Write("a.txt", "4", "-1", "", "12", "7"))!);
        Assert.Equal([4, 1, 2], Read(Write("b.tsv", "4\tone text", "1\tanother", "0\t ", "2\tlast"))!);
        Assert.Null(Read(Write("c.tsv", "first\tone", "1\ttwo", "2\tthree")));
        Assert.Null(Read(Write("d.txt", "1 text")));
        string idx = Path.Combine(_folder, "e-labels-idx1-ubyte");
        File.WriteAllBytes(idx, [0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 5]);
        Assert.Equal([9, 0, 5], Read("b.tsv", idx)!);
        Assert.Contains("3 labels for 4 samples", Assert.Throws<EspalierException>(() => Read(null, idx, 4)).Message,
            StringComparison.Ordinal);
        Assert.Contains("no labels at 'nowhere.npy'", Assert.Throws<EspalierException>(() => Read(null, "nowhere.npy")).Message,
            StringComparison.Ordinal);
        Assert.Contains("no number at the start of line 1", Assert.Throws<EspalierException>(() => Read(null, Write("f.txt", "x"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("of no kind that labels are read from",
            Assert.Throws<EspalierException>(() => Read(null, Write("f.bin", "x"))).Message, StringComparison.Ordinal);
        string archive = Path.Combine(_folder, "g.npz");
        using (var zip = ZipFile.Open(archive, ZipArchiveMode.Create))
        {
            byte[] header =
                System.Text.Encoding.ASCII.GetBytes("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }".PadRight(117) + "\n");
            using var s = zip.CreateEntry("labels.npy").Open();
            s.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header,
                .. System.Runtime.InteropServices.MemoryMarshal.AsBytes<long>(new long[] { 1, 2, 3, 4 })]);
        }
        Assert.Equal([[1, 2], [3, 4]], CalibrationLabels.Read(archive, model, 2)!);
    }

    /// <summary>
    /// Of the trained decoder: what its own next tokens cost, by plain loops, with half of the weights of one product gone.
    /// </summary>
    [Fact]
    public void The_trained_decoder_is_judged_by_its_next_characters()
    {
        using var dense = OnnxModel.Open(Assets.Path("gpt.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var samples = CalibrationData.Read(Assets.Path("lm-calibration.txt"), dense,
            new DataOptions { Samples = 4, Vocabulary = Assets.Path("gpt-alphabet.json") });
        var group = analysis.Groups.First(g => g.Kind == Axis.Neurons && g.Exactness == Exactness.Exact);
        var probe = new ModelProbe(analysis, samples) { Metric = Metric.TaskLoss };
        Assert.Equal(0, probe.Divergence(dense), 1e-9);
        using var changed = MaskedModel(analysis, group);
        using var first = Sessions.Open(dense);
        using var second = Sessions.Open(changed);
        double loss = 0;
        int count = 0;
        foreach (var sample in samples)
        {
            long[] ids = sample.Values.Select(t => t.Values).OfType<long[]>().First();
            float[] x = Logits(first, sample), y = Logits(second, sample);
            int classes = x.Length / ids.Length;
            for (int t = 0; t + 1 < ids.Length; t++, count++)
                loss += Nats(y.AsSpan(t * classes, classes), ids[t + 1]) - Nats(x.AsSpan(t * classes, classes), ids[t + 1]);
        }
        Assert.True(loss / count > 0.001, $"{loss / count}");
        Assert.Equal(loss / count, probe.Divergence(changed), 1e-4 * (loss / count));

        static float[] Logits(ModelSession session, IReadOnlyDictionary<string, NamedTensor> sample)
            => session.Run(sample.Values).Values.Where(o => o.Shape.Count == 3).Select(o => o.Values).OfType<float[]>().First();
        static double Nats(ReadOnlySpan<float> z, long label)
        {
            double max = double.NegativeInfinity, sum = 0;
            foreach (float v in z) max = Math.Max(max, v);
            foreach (float v in z) sum += Math.Exp(v - max);
            return max + Math.Log(sum) - z[(int)label];
        }
        static OnnxModel MaskedModel(AxisAnalysis analysis, Group group)
            => Espalier.Oracle.MaskedModel.Build(analysis.Model, group.Occurrences.GroupBy(o => o.Tensor).ToDictionary(o => o.Key,
                o => (IReadOnlyDictionary<int, int[]>)o.ToDictionary(p => p.Axis, p => p.Term.UnitMap(group.Factor).Select((u, i) => (u, i))
                    .Where(e => e.u >= 0 && e.u % 2 == 0).Select(e => e.i).ToArray())));
    }
}
