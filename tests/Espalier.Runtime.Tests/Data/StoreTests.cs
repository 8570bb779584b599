using Espalier.Calibration.Arrays;
using Espalier.Calibration.Data;
using Espalier.Calibration.Inputs;

namespace Espalier.Runtime.Tests.Data;

/// <summary>Data that stay on the disk.</summary>
public sealed class StoreTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    /// <summary>Parts in steps below and above the window that is held, forth and back, at an offset.</summary>
    [Fact]
    public void An_array_is_read_from_its_file()
    {
        float[] values = [.. Enumerable.Range(0, 200_000).Select(i => i * 0.5f)];
        using (var writer = new BinaryWriter(File.Create(_file)))
        {
            writer.Write(new byte[20]);
            foreach (float value in values) writer.Write(value);
        }
        var source = new FileElements<float>(_file, 20, values.Length);
        Assert.Equal(values.Length, source.Count);
        foreach (var (start, length) in new[] { (0, 3), (2, 70_000), (65_530, 20), (199_990, 10), (7, 1), (0, 200_000) })
            Assert.Equal(values[start..(start + length)], (float[])source.Read(start, length));
        var array = new ArrayFile(_file, [400, 500], source);
        var part = array.Slice("x", new ArrayPart(3, 1, 500, 400), [400], "float32");
        Assert.Equal([.. Enumerable.Range(0, 400).Select(r => values[(r * 500) + 3])], (float[])part.Values);
        File.WriteAllBytes(_file, new byte[100]);
        var cut = Assert.Throws<EspalierException>(() => source.Read(100_000, 100_000));
        Assert.Contains("has become shorter", cut.Message, StringComparison.Ordinal);
    }

    /// <summary>Bytes are no signed bytes, though the runtime takes an array of these for one of those.</summary>
    [Fact]
    public void A_byte_beyond_a_signed_one_is_refused()
    {
        var array = new ArrayFile("a", [2], new byte[] { 1, 200 });
        var refused = Assert.Throws<EspalierException>(() => array.Slice("x", new ArrayPart(0, 2, 0, 2), [2], "int8"));
        Assert.Contains("200", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public void Samples_come_back_whether_they_are_in_memory_or_not(long most)
    {
        var samples = Enumerable.Range(0, 6).Select(n => (IReadOnlyDictionary<string, NamedTensor>)new Dictionary<string, NamedTensor>
        {
            ["x"] = new("x", "float32", [1, 10], Enumerable.Range(0, 10).Select(i => n + (0.1f * i)).ToArray()),
            ["ids"] = new("ids", "int64", [1, 2], new long[] { n, 7 }),
        }).ToList();
        var store = SampleStore.Create(samples, most);
        Assert.Equal(6, store.Count);
        foreach (int n in new[] { 5, 0, 3 })
            foreach (var (name, tensor) in samples[n])
            {
                Assert.Equal(tensor.Shape, store[n][name].Shape);
                Assert.Equal(tensor.Values, store[n][name].Values);
            }
        // Labels are found by the sample itself.
        Assert.Same(store[4], store[4]);
        Assert.Equal(["x", "ids"], store[4].Keys);
        Assert.False(store[4].ContainsKey("y"));
        Assert.Equal(samples.Select(s => ((long[])s["ids"].Values)[0]), store.Select(s => ((long[])s["ids"].Values)[0]));
    }

    /// <summary>Every eighth is held out, and none is in both parts or in neither.</summary>
    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(41)]
    public void Every_eighth_sample_is_held_out(int count)
    {
        var (fitted, heldOut) = HeldOut.Divide<int>([.. Enumerable.Range(0, count)]);
        Assert.Equal(Enumerable.Range(0, count).Where(i => i % 8 == 7), heldOut);
        Assert.Equal(Enumerable.Range(0, count).Where(i => i % 8 != 7), fitted);
        Assert.Equal(count, fitted.Count + heldOut.Count);
    }
}
