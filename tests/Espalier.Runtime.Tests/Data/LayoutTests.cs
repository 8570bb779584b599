using System.IO.Compression;
using System.Text;
using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Data;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Sums;
using Espalier.Onnx;

namespace Espalier.Runtime.Tests.Data;

/// <summary>
/// The layouts in which arrays of samples come, for inputs with a batch axis in front or elsewhere, a fixed one, or none.
/// </summary>
public sealed class LayoutTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"espalier layouts {Guid.NewGuid():n}.npz");

    public void Dispose() => File.Delete(_path);

    /// <summary>Arrays whose elements are 0, 1, 2 …, by the names of inputs.</summary>
    private string Write(params (string Name, int[] Shape)[] arrays)
    {
        File.Delete(_path);
        using var archive = ZipFile.Open(_path, ZipArchiveMode.Create);
        foreach (var (name, shape) in arrays)
        {
            string dims = string.Concat(shape.Select(d => $"{d}, "));
            byte[] header = Encoding.ASCII.GetBytes($"{{'descr': '<f4', 'fortran_order': False, 'shape': ({dims}), }}\n");
            byte[] data = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).SelectMany(v => BitConverter.GetBytes((float)v))];
            using var entry = archive.CreateEntry(name + ".npy").Open();
            entry.Write([0x93, .. "NUMPY"u8, 1, 0, .. BitConverter.GetBytes((ushort)header.Length), .. header, .. data]);
        }
        return _path;
    }

    private static OnnxModel Model(params (string Name, object[] Dims)[] inputs)
    {
        var g = new GraphBuilder();
        foreach (var (name, dims) in inputs) g.Output(g.Node("Identity", g.Input(name, dims)));
        return g.Build();
    }

    private static string Shapes(IReadOnlyDictionary<string, NamedTensor> sample)
        => string.Join(' ', sample.Select(t => $"{t.Key}[{string.Join(',', t.Value.Shape)}]"));

    private static float[] Values(IReadOnlyDictionary<string, NamedTensor> sample, string name) => (float[])sample[name].Values;

    private string Refusal(OnnxModel model, params (string Name, int[] Shape)[] arrays)
        => Assert.Throws<EspalierException>(() => CalibrationData.Read(Write(arrays), model)).Message;

    /// <summary>Three samples of an export with a fixed first axis, stacked, in a row, and one alone.</summary>
    [Theory]
    [InlineData(new[] { 3, 2, 5, 4 }, 3)]
    [InlineData(new[] { 6, 5, 4 }, 3)]
    [InlineData(new[] { 2, 5, 4 }, 1)]
    public void A_fixed_first_axis_is_part_of_a_sample(int[] shape, int count)
    {
        var samples = CalibrationData.Read(Write(("x", shape)), Model(("x", [2, 5, 4])));
        Assert.Equal(Enumerable.Repeat("x[2,5,4]", count), samples.Select(Shapes));
        Assert.Equal(Enumerable.Range(0, 40 * count).Select(v => (float)v), samples.SelectMany(s => Values(s, "x")));
    }

    /// <summary>A model whose batch is fixed to one gets every sample by itself; its axis may be missing.</summary>
    [Theory]
    [InlineData(new[] { 3, 1, 2, 4 })]
    [InlineData(new[] { 3, 2, 4 })]
    [InlineData(new[] { 3, 1, 1, 2, 4 })]
    public void A_batch_that_is_fixed_to_one_takes_sample_by_sample(int[] shape)
    {
        var samples = CalibrationData.Read(Write(("x", shape)), Model(("x", [1, 1, 2, 4])));
        Assert.Equal(Enumerable.Repeat("x[1,1,2,4]", 3), samples.Select(Shapes));
        Assert.Equal([8, 9, 10, 11, 12, 13, 14, 15], Values(samples[1], "x"));
    }

    [Theory]
    [InlineData(new[] { 3, 4, 2 }, "x[1,4,2]")]
    [InlineData(new[] { 3, 7, 4, 2 }, "x[7,4,2]")]
    public void A_dynamic_batch_is_cut_or_kept_as_it_comes(int[] shape, string expected)
        => Assert.Equal(Enumerable.Repeat(expected, 3), CalibrationData.Read(Write(("x", shape)), Model(("x", ["b", "s", 2])))
            .Select(Shapes));

    [Fact]
    public void One_sample_may_come_without_its_batch_axis()
    {
        Assert.Equal("x[1,4,2]", Shapes(Assert.Single(CalibrationData.Read(Write(("x", [4, 2])), Model(("x", ["b", 4, 2]))))));
        // Five tokens are a sample of five, not five samples of one.
        Assert.Equal("ids[1,5]", Shapes(Assert.Single(CalibrationData.Read(Write(("ids", [5])), Model(("ids", ["b", "s"]))))));
    }

    /// <summary>A mask [s, s] once for all samples or one for each; its first axis is not cut.</summary>
    [Theory]
    [InlineData(new[] { 4, 4 }, 0)]
    [InlineData(new[] { 3, 4, 4 }, 16)]
    public void A_mask_over_one_axis_twice_is_read_as_it_is(int[] shape, int second)
    {
        var samples = CalibrationData.Read(Write(("x", [3, 4, 2]), ("mask", shape)), Model(("x", ["b", "s", 2]), ("mask", ["s", "s"])));
        Assert.Equal(Enumerable.Repeat("x[1,4,2] mask[4,4]", 3), samples.Select(Shapes));
        Assert.Equal(second, Values(samples[1], "mask")[0]);
    }

    /// <summary>As many samples as positions: what each axis is does not depend on that.</summary>
    [Fact]
    public void Positions_are_no_samples_where_there_are_as_many()
    {
        var samples = CalibrationData.Read(Write(("ids", [4, 4]), ("positions", [4])), Model(("ids", ["b", "s"]), ("positions", ["s"])));
        Assert.Equal(Enumerable.Repeat("ids[1,4] positions[4]", 4), samples.Select(Shapes));
    }

    /// <summary>A state [2, b, 3] has its batch in the middle: sample k is the k-th slice there, or the k-th state of a stack.</summary>
    [Theory]
    [InlineData(new[] { 2, 4, 3 }, new[] { 3f, 4, 5, 15, 16, 17 })]
    [InlineData(new[] { 4, 2, 1, 3 }, new[] { 6f, 7, 8, 9, 10, 11 })]
    public void A_batch_axis_is_found_behind_others(int[] shape, float[] second)
    {
        var samples = CalibrationData.Read(Write(("x", [4, 5]), ("state", shape)), Model(("x", ["b", 5]), ("state", [2, "b", 3])));
        Assert.Equal(Enumerable.Repeat("x[1,5] state[2,1,3]", 4), samples.Select(Shapes));
        Assert.Equal(second, Values(samples[1], "state"));
    }

    [Fact]
    public void A_name_with_batch_in_it_is_the_batch_on_any_axis()
    {
        var samples = CalibrationData.Read(Write(("x", [5, 3, 2]), ("mask", [3, 5])),
            Model(("x", ["time", "batch", 2]), ("mask", ["batch", "time"])));
        Assert.Equal(Enumerable.Repeat("x[5,1,2] mask[1,5]", 3), samples.Select(Shapes));
        Assert.Equal([2, 3, 8, 9, 14, 15, 20, 21, 26, 27], Values(samples[1], "x"));
    }

    /// <summary>Nodes and edges of one graph are one sample, of a stack of graphs of one size one each.</summary>
    [Fact]
    public void Lists_of_nodes_are_read_as_they_are()
    {
        var model = Model(("nodes", ["n", 3]), ("edges", [2, "e"]), ("graph", ["n"]));
        Assert.Equal("nodes[6,3] edges[2,9] graph[6]",
            Shapes(Assert.Single(CalibrationData.Read(Write(("nodes", [6, 3]), ("edges", [2, 9]), ("graph", [6])), model))));
        Assert.Equal(Enumerable.Repeat("nodes[6,3] edges[2,9] graph[6]", 4),
            CalibrationData.Read(Write(("nodes", [4, 6, 3]), ("edges", [4, 2, 9]), ("graph", [4, 6])), model).Select(Shapes));
        Assert.Equal("wave[16]", Shapes(Assert.Single(CalibrationData.Read(Write(("wave", [16])), Model(("wave", ["length"]))))));
    }

    [Fact]
    public void Numbers_come_once_or_for_every_sample()
    {
        var model = Model(("x", ["b", 2]), ("rate", []), ("scale", [1]));
        foreach (var (rate, scale) in new (int[], int[])[] { ([], [1]), ([1], []), ([3], [3]), ([], [3, 1]) })
            Assert.Equal(Enumerable.Repeat("x[1,2] rate[] scale[1]", 3),
                CalibrationData.Read(Write(("x", [3, 2]), ("rate", rate), ("scale", scale)), model).Select(Shapes));
        Assert.Equal(2, Values(CalibrationData.Read(Write(("x", [3, 2]), ("rate", [3]), ("scale", [1])), model)[2], "rate")[0]);
    }

    [Fact]
    public void An_axis_with_a_name_of_its_own_counts_where_it_has_as_many()
    {
        var model = Model(("ids", ["batch", "s"]), ("mask", ["N", "s"]));
        Assert.Equal(Enumerable.Repeat("ids[1,4] mask[1,4]", 3), CalibrationData.Read(Write(("ids", [3, 4]), ("mask", [3, 4])), model)
            .Select(Shapes));
        Assert.Equal(Enumerable.Repeat("ids[1,4] mask[5,4]", 3), CalibrationData.Read(Write(("ids", [3, 4]), ("mask", [5, 4])), model)
            .Select(Shapes));
    }

    [Fact]
    public void What_does_not_fit_is_said_of_every_input_with_what_would()
    {
        string message = Refusal(Model(("x", [2, 5, 24]), ("mask", ["s", "s"]), ("state", [2, "b", 3]), ("y", ["b", 7])), ("x", [3, 5, 24]),
            ("mask", [4]), ("state", [2, 3, 3]), ("y", [3, 7]));
        foreach (string part in (string[])[_path, "does not fit the model's inputs",
            "'x' came as [3,5,24], which does not fit; it is taken as [n,2,5,24] or [n·2,5,24], n samples, or as [2,5,24], the same for "
                + "every sample.",
            "'mask' came as [4], which does not fit; it is taken as [n,s,s], n samples, or as [s,s], the same for every sample.",
            "'state' came as [2,3,3], 3 samples; it is taken as [n,2,b,3] or [2,n,3], n samples.",
            "'y' came as [3,7], 3 samples; it is taken as [n,b,7] or [n,7], n samples."])
            Assert.Contains(part, message, StringComparison.Ordinal);
        message = Refusal(Model(("x", ["b", 5]), ("y", ["b", 7])), ("x", [3, 5]), ("y", [4, 7]));
        foreach (string part in (string[])["has not the same number of samples for every input", "'x' came as [3,5], 3 samples",
            "'y' came as [4,7], 4 samples"])
            Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains("has no samples", Refusal(Model(("x", ["b", 5])), ("x", [0, 5])), StringComparison.Ordinal);
    }

    /// <summary>What has no batch axis is not joined along another: the mean over axis 0 would be that of several masks.</summary>
    [Fact]
    public void Samples_without_a_batch_axis_run_one_by_one()
    {
        var g = new GraphBuilder();
        string mask = g.Input("mask", "s", "s"), mean = g.Node("ReduceMean", mask, ("axes", new[] { 0 }), ("keepdims", 1));
        g.Output(g.Linear(g.Relu(g.Linear(g.Node("Sub", [mask, mean]), "a", 4, 8)), "b", 8, 3));
        using var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var samples = CalibrationData.Read(Write(("mask", [6, 4, 4])), model);
        // Squared, so that the rows of different samples do not differ by a constant alone.
        foreach (var sample in samples)
            for (int i = 0; i < 16; i++) Values(sample, "mask")[i] *= Values(sample, "mask")[i] / 100;
        ActivationStatistics Seen(int batch)
            => Calibrator.Run(analysis, samples, new CalibrationRequest(),
                options: new CalibrationOptions { BatchSize = batch }).Consumers.Values.Single();
        Assert.Equal((24, 6), ((int)Seen(16).Count, samples.Count));
        Assert.Equal(Seen(1).Mean, Seen(16).Mean, (a, b) => Math.Abs(a - b) < 1e-4 * (1 + Math.Abs(a)));
    }
}
