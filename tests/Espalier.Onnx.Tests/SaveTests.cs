using Espalier.Onnx.Files;
using Espalier.Onnx.Payloads;
using Espalier.TestKit;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class SaveTests
{
    [Fact]
    public void A_model_can_be_written_over_the_file_that_it_has_open()
    {
        using var folder = new TemporaryFolder();
        foreach (var external in new[] { false, true })
        {
            var path = folder / "m.onnx";
            LargeModel.Write(path, layers: 2, width: 200, external: external);
            using var model = OnnxModel.Open(path);
            var before = model.Content(model.Proto.Graph.Initializer[1]).ToFloats();
            using var slim = ExternalDataTests.Slim(model, [.. Enumerable.Range(0, 100)]);
            // Windows may refuse to replace an open file, and then says so.
            if (Record.Exception(() => slim.Save(path)) is { } refusal)
            {
                Assert.True(OperatingSystem.IsWindows());
                Assert.Contains("dispose the model", Assert.IsType<IOException>(refusal).Message);
            }
            else
            {
                slim.Save(path);
                using var read = OnnxModel.Open(path);
                Assert.Equal([100L, 200], read.Proto.Graph.Initializer[1].Dims);
                Assert.Equal(before.Take(20_000), read.Content(read.Proto.Graph.Initializer[1]).ToFloats());
            }
            // The model that is open still has the old weights.
            Assert.Equal(before, model.Content(model.Proto.Graph.Initializer[1]).ToFloats());
        }
    }

    private sealed class Liar(long announced, byte[] bytes, Action? act = null) : IPayload
    {
        public long Length => announced;
        public void CopyTo(Stream destination)
        {
            act?.Invoke();
            destination.Write(bytes);
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void A_write_that_fails_leaves_what_was_there(bool external)
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "source.onnx", layers: 2, width: 200);
        using var model = OnnxModel.Open(folder / "source.onnx");
        var options = new OnnxSaveOptions { ExternalData = external };
        model.Save(folder / "m.onnx", options);
        var files = folder.Files();
        var before = files.Select(f => Convert.ToHexString(File.ReadAllBytes(folder / f))).ToArray();
        using var cancel = new CancellationTokenSource();
        foreach (var (payload, error) in new (IPayload, Type)[]
        {
            (new Liar(160_000, new byte[159_999]), typeof(InvalidOperationException)),
            (new Liar(160_000, new byte[160_001]), typeof(InvalidOperationException)),
            (new Liar(160_000, new byte[160_000], () => throw new IOException("disk full")), typeof(IOException)),
            (new Liar(160_000, new byte[160_000], cancel.Cancel), typeof(OperationCanceledException)),
        })
        {
            var edited = model.Proto.Clone();
            edited.Graph.Initializer[1] = model.NewTensor("layer1.weight", DataType.Float, [200, 200], payload);
            using var derived = model.Derive(edited);
            Assert.Equal(error, Record.Exception(() => derived.Save(folder / "m.onnx", options, cancel.Token))?.GetType());
            Assert.Equal(files, folder.Files());
            Assert.Equal(before, files.Select(f => Convert.ToHexString(File.ReadAllBytes(folder / f))));
        }
    }

    [Fact]
    public void Files_appear_together_or_not_at_all()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "source.onnx", layers: 2, width: 200);
        using var model = OnnxModel.Open(folder / "source.onnx");
        // A folder is in the way of the main file: the second file must not stay behind.
        Directory.CreateDirectory(folder / "m.onnx");
        Assert.ThrowsAny<IOException>(() => model.Save(folder / "m.onnx", new() { ExternalData = true }));
        Assert.Equal(["source.onnx"], folder.Files());
        // What would have appeared with it, and what the file of before named, stay as they were.
        const string earlier = "m.onnx.0123456789abcdef.data";
        File.WriteAllText(folder / earlier, "old");
        File.WriteAllText(folder / "report", "old");
        using var beside = new OutputFiles();
        beside.Add(folder / "report", "new");
        beside.Add(folder / "other", "new");
        Assert.ThrowsAny<IOException>(() => model.Save(beside, folder / "m.onnx", new() { ExternalData = true }));
        beside.Dispose();
        Assert.Equal([earlier, "report", "source.onnx"], folder.Files());
        Assert.Equal(["old", "old"], new[] { earlier, "report" }.Select(f => File.ReadAllText(folder / f)));
    }

    /// <summary>A process may be killed between any two steps: whoever looks in between finds a whole model, and its weights.</summary>
    [Theory]
    [InlineData(false), InlineData(true)]
    public async Task At_every_moment_there_is_the_old_model_or_the_new_one(bool external)
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "source.onnx", layers: 2, width: 200);
        using var model = OnnxModel.Open(folder / "source.onnx");
        using var slim = ExternalDataTests.Slim(model, [.. Enumerable.Range(0, 100)]);
        var options = new OnnxSaveOptions { ExternalData = external };
        string path = folder / "m.onnx";
        var whole = new List<(byte[] Main, IReadOnlyList<string> Files)>();
        foreach (var each in new[] { slim, model })
        {
            var files = each.Save(path, options);
            whole.Add((File.ReadAllBytes(path), files));
        }
        bool done = false;
        var looks = Task.Run(() =>
        {
            int seen = 0;
            for (; !Volatile.Read(ref done); seen++)
            {
                byte[] main = File.ReadAllBytes(path);
                Assert.Contains(whole, w => main.AsSpan().SequenceEqual(w.Main));
            }
            return seen;
        });
        for (int k = 0; k < 100 && !looks.IsCompleted; k++)
        {
            (k % 2 == 0 ? slim : model).Save(path, options);
            Assert.Equal([.. whole[k % 2].Files.Append("source.onnx").Order(StringComparer.Ordinal)], folder.Files());
        }
        Volatile.Write(ref done, true);
        Assert.True(await looks > 10);
    }

    [Fact]
    public void What_a_killed_process_left_goes_when_it_is_old_and_is_in_nobodys_way_before()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "source.onnx", layers: 2, width: 200);
        using var model = OnnxModel.Open(folder / "source.onnx");
        string[] left = [".m.onnx.abcdefgh.ijk.tmp", ".m.onnx.data.abcdefgh.ijk.tmp", ".m.onnx.bcdefghi.jkl.tmp",
            ".other.onnx.abcdefgh.ijk.tmp", ".m.onnx.tmp"];
        foreach (string file in left)
        {
            File.WriteAllText(folder / file, "half");
            if (file != left[2]) File.SetLastWriteTimeUtc(folder / file, DateTime.UtcNow - OutputFiles.Stale - TimeSpan.FromMinutes(1));
        }
        var written = model.Save(folder / "m.onnx", new() { ExternalData = true });
        Assert.Equal([.. left[2..].Concat(written).Append("source.onnx").Order(StringComparer.Ordinal)], folder.Files());
    }

    [Fact]
    public void A_derived_model_outlives_the_one_it_comes_from_and_closed_files_are_not_read()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "m.onnx", layers: 2, width: 64);
        var model = OnnxModel.Open(folder / "m.onnx");
        var derived = model.Derive(model.Proto.Clone());
        var content = derived.Content(derived.Proto.Graph.Initializer[0]);
        model.Dispose();
        model.Dispose();
        Assert.Equal(64 * 64, content.ToFloats().Length);
        derived.Dispose();
        Assert.Throws<ObjectDisposedException>(() => content.ToFloats());
        Assert.Throws<ObjectDisposedException>(() => derived.Save(folder / "n.onnx"));
        Assert.Equal(["m.onnx"], folder.Files());
    }

    [Fact]
    public void Weights_of_another_model_are_refused_with_a_reason()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "m.onnx", layers: 1, width: 64);
        using var model = OnnxModel.Open(folder / "m.onnx");
        using var stranger = OnnxModel.Wrap(model.Proto.Clone());
        Assert.Contains("another model", Assert.Throws<InvalidOperationException>(() => stranger.ToBytes()).Message);
        Assert.Throws<InvalidOperationException>(() => stranger.Content(stranger.Proto.Graph.Initializer[0]));
    }

    [Fact]
    public void A_new_tensor_needs_as_many_bytes_as_its_shape()
    {
        using var model = OnnxModel.Wrap(new Espalier.Onnx.ModelProto());
        Assert.Throws<ArgumentException>(() => model.NewTensor("t", DataType.Float, [3], TensorContent.FromLongs([1])));
    }

    private sealed class Zeros(long length) : IPayload
    {
        public long Length => length;
        public void CopyTo(Stream destination)
        {
            var block = new byte[1 << 20];
            for (var rest = length; rest > 0; rest -= block.Length)
            {
                destination.Write(block, 0, (int)Math.Min(rest, block.Length));
            }
        }
    }

    [Fact]
    public void What_does_not_fit_one_file_is_refused_as_one_before_anything_is_written()
    {
        using var model = OnnxModel.Wrap(new Espalier.Onnx.ModelProto { Graph = new() });
        var edited = model.Proto.Clone();
        for (var i = 0; i < 3; i++)
        {
            edited.Graph.Initializer.Add(model.NewTensor($"t{i}", DataType.Float, [200_000_000], new Zeros(800_000_000)));
        }
        using var big = model.Derive(edited);
        Assert.Throws<NotSupportedException>(() => big.ToBytes());
        Assert.Throws<NotSupportedException>(() => big.Save(Stream.Null));
        using var folder = new TemporaryFolder();
        Assert.Throws<NotSupportedException>(() => big.Save(folder / "m.onnx", new() { ExternalData = false }));
        Assert.Empty(folder.Files());
    }
}
