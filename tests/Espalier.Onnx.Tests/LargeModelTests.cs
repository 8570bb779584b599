using Espalier.TestKit;

namespace Espalier.Onnx.Tests;

public class LargeModelTests(ITestOutputHelper output)
{
    private const int Width = 512;

    /// <summary>
    /// What opening, gathering and writing allocate, for the same number of layers: all of the weights' size is in the width, so anything
    /// that is allocated for weights shows.
    /// </summary>
    [Theory]
    [InlineData(false), InlineData(true)]
    public void Opening_and_writing_with_gather_allocate_nothing_for_the_weights(bool external)
    {
        using var folder = new TemporaryFolder();
        long Measure(int width)
        {
            var path = folder / $"{width}.onnx";
            LargeModel.Write(path, layers: 8, width: width, external: external);
            var start = GC.GetAllocatedBytesForCurrentThread();
            using (var dense = OnnxModel.Open(path))
            {
                var opened = GC.GetAllocatedBytesForCurrentThread() - start;
                using var slim = ExternalDataTests.Slim(dense, [.. Enumerable.Range(0, width).Where(i => i % 2 == 0)]);
                slim.Save(folder / "slim.onnx");
                var all = GC.GetAllocatedBytesForCurrentThread() - start;
                output.WriteLine($"width {width}, {8L * width * width * 4} bytes of weights: {opened} bytes allocated to open, {all} to "
                    + "open, gather and write");
                // Indices of kept units are allowed for, weights are not.
                return all;
            }
        }
        Measure(64);
        var small = Measure(Width);
        var large = Measure(4 * Width);
        var weights = 8L * 16 * Width * Width * 4;
        Assert.True(large < 4 * small && large < weights / 20, $"{large} bytes for a model of {weights}, {small} for one of a sixteenth");
    }

    [Fact]
    public void The_generator_gives_the_same_network_for_the_same_seed_and_the_runtime_runs_it()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "a.onnx", layers: 2, width: 64);
        LargeModel.Write(folder / "b.onnx", layers: 2, width: 64);
        Assert.Equal(File.ReadAllBytes(folder / "a.onnx"), File.ReadAllBytes(folder / "b.onnx"));
        using var session = new Microsoft.ML.OnnxRuntime.InferenceSession(folder / "a.onnx");
        using var input = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory(Enumerable.Repeat(1f, 64).ToArray(), [1, 64]);
        using var run = new Microsoft.ML.OnnxRuntime.RunOptions();
        using var results = session.Run(run, ["x"], [input], ["y"]);
        Assert.Contains(results[0].GetTensorDataAsSpan<float>().ToArray(), v => v > 0);
    }
}
