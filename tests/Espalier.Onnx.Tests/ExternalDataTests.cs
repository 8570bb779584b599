using Espalier.Onnx.Limits;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class ExternalDataTests
{
    [Fact]
    public void External_data_are_read_and_written_again_beside_the_model()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "one.onnx", layers: 3, width: 300);
        LargeModel.Write(folder / "two.onnx", layers: 3, width: 300, external: true);
        using var one = OnnxModel.Open(folder / "one.onnx");
        using var two = OnnxModel.Open(folder / "two.onnx");
        foreach (var (a, b) in one.Proto.Graph.Initializer.Zip(two.Proto.Graph.Initializer))
        {
            Assert.Equal(one.Content(a).ToFloats(), two.Content(b).ToFloats());
        }

        var written = two.Save(folder / "again.onnx");
        Assert.Equal(["again.onnx"], written.Take(1));
        Assert.Matches(@"^again\.onnx\.[0-9a-f]{16}\.data$", Assert.Single(written.Skip(1)));
        Assert.Equal([.. written.Order(StringComparer.Ordinal), "one.onnx", "two.onnx", "two.onnx.weights"], folder.Files());
        using var again = OnnxModel.Open(folder / "again.onnx");
        AssertExternal(again, written[1], one);

        // On request to one file and back to two.
        again.Save(folder / "single.onnx", new() { ExternalData = false });
        using var single = OnnxModel.Open(folder / "single.onnx");
        Assert.DoesNotContain(single.Proto.Graph.Initializer, t => t.ExternalData.Count > 0);
        Assert.Equal(one.Proto.Graph.Initializer.Select(t => Hash(one, t)), single.Proto.Graph.Initializer.Select(t => Hash(single, t)));
        Assert.Equal(single.ToBytes(), again.ToBytes());
        string data = single.Save(folder / "split.onnx", new() { ExternalData = true })[1];
        using var split = OnnxModel.Open(folder / "split.onnx");
        AssertExternal(split, data, one);
        Assert.DoesNotContain(folder.Files(), f => f.StartsWith("single.onnx.", StringComparison.Ordinal));
    }

    private static void AssertExternal(OnnxModel model, string file, OnnxModel expected)
    {
        foreach (var (tensor, original) in model.Proto.Graph.Initializer.Zip(expected.Proto.Graph.Initializer))
        {
            Assert.Equal(file, Entry(tensor, "location"));
            Assert.Equal(0, long.Parse(Entry(tensor, "offset")) % 65536);
            Assert.Equal(Hash(expected, original), Hash(model, tensor));
        }
    }

    private static string Entry(TensorProto tensor, string key) => tensor.ExternalData.Single(e => e.Key == key).Value;

    private static string Hash(OnnxModel model, TensorProto tensor)
    {
        var bytes = new byte[model.Content(tensor).ByteLength];
        model.Content(tensor).ReadBytes(0, bytes);
        return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes));
    }

    [Fact]
    public void A_gathered_tensor_goes_from_the_source_file_to_the_new_one_and_the_runtime_loads_it()
    {
        using var folder = new TemporaryFolder();
        LargeModel.Write(folder / "dense.onnx", layers: 2, width: 256, external: true);
        using var dense = OnnxModel.Open(folder / "dense.onnx");
        int[] kept = [.. Enumerable.Range(0, 256).Where(i => i % 3 != 0)];
        using var slim = Slim(dense, kept);
        slim.Save(folder / "slim.onnx");
        using var session = new Microsoft.ML.OnnxRuntime.InferenceSession(folder / "slim.onnx");
        Assert.Equal(["x"], session.InputNames);
        using var read = OnnxModel.Open(folder / "slim.onnx");
        var values = dense.Content(dense.Proto.Graph.Initializer[0]).ToFloats();
        Assert.Equal(Enumerable.Range(0, 256).SelectMany(i => kept.Select(k => values[(i * 256) + k])),
            read.Content(read.Proto.Graph.Initializer[0]).ToFloats());
        Assert.Equal(kept.SelectMany(k => Enumerable.Range(0, 256)
            .Select(j => dense.Content(dense.Proto.Graph.Initializer[1]).ToFloats()[(k * 256) + j])).Take(500),
            read.Content(read.Proto.Graph.Initializer[1]).ToFloats().Take(500));
    }

    internal static OnnxModel Slim(OnnxModel dense, int[] kept)
    {
        var edited = dense.Proto.Clone();
        for (var i = 0; i < edited.Graph.Initializer.Count; i++)
        {
            var tensor = edited.Graph.Initializer[i];
            int[]?[] axes = [i == 0 ? null : kept, i == edited.Graph.Initializer.Count - 1 ? null : kept];
            var payload = dense.Content(tensor).Gather(axes);
            edited.Graph.Initializer[i] = dense.NewTensor(tensor.Name, DataType.Float,
                tensor.Dims.Select((d, a) => axes[a]?.Length ?? d), payload);
        }
        return dense.Derive(edited);
    }

    [Fact]
    public void Tensors_that_share_their_bytes_go_on_sharing_them()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder / "w", new byte[200_000]);
        var proto = Model(("location", "w"), ("offset", "0"), ("length", "200000"));
        proto.Graph.Initializer.Add(proto.Graph.Initializer[0].Clone());
        File.WriteAllBytes(folder / "m.onnx", proto.ToByteArray());
        using var model = OnnxModel.Open(folder / "m.onnx");
        Assert.Equal(200_000, new FileInfo(folder / model.Save(folder / "n.onnx")[1]).Length);
    }

    private static ModelProto Model(params (string Key, string Value)[] entries)
    {
        var tensor = new TensorProto
        {
            Name = "w",
            DataType = (int)DataType.Float,
            Dims = { 50_000 },
            DataLocation = DataLocation.External
        };
        tensor.ExternalData.AddRange(entries.Select(e => new StringStringEntryProto { Key = e.Key, Value = e.Value }));
        return new() { IrVersion = 8, Graph = new GraphProto { Name = "g", Initializer = { tensor } } };
    }

    public static TheoryData<string, string, string> Attacks() => new()
    {
        { "../secret", "0", "200000" }, { "..", "0", "200000" }, { "sub/../../secret", "0", "200000" }, { "sub/../inside", "0", "200000" },
        { "..\\secret", "0", "200000" },
        { "{outside}/secret", "0", "200000" }, { "/etc/passwd", "0", "200000" }, { "\\\\server\\share\\file", "0", "200000" },
        { "//server/share/file", "0", "200000" },
        { "", "0", "200000" }, { ".", "0", "200000" }, { "sub", "0", "200000" }, { "a\0b", "0", "200000" }, { "missing", "0", "200000" },
        { "INSIDE-NOT", "0", "200000" },
        { "symlink", "0", "200000" }, { "symlinked/secret", "0", "200000" }, { "hardlink", "0", "200000" }, { "pipe", "0", "200000" },
        { "inside", "1", "200000" }, { "inside", "-1", "200000" }, { "inside", "9223372036854775807", "200000" },
        { "inside", "18446744073709551616", "200000" },
        { "inside", "0", "199999" }, { "inside", "0", "-1" }, { "inside", "0", "9223372036854775807" }, { "inside", "0x0", "200000" },
        { "inside", " 0", "200000" },
        { "short", "0", "200000" }, { "empty", "0", "200000" },
    };

    [Theory, MemberData(nameof(Attacks))]
    public void What_a_model_may_not_name_is_refused(string location, string offset, string length)
    {
        using var outside = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder / "model" + "/sub");
        var at = folder / "model";
        File.WriteAllBytes(folder / "secret", new byte[200_000]);
        File.WriteAllBytes(outside / "secret", new byte[200_000]);
        File.WriteAllBytes(Path.Combine(at, "inside"), new byte[200_000]);
        File.WriteAllBytes(Path.Combine(at, "short"), new byte[1000]);
        File.WriteAllBytes(Path.Combine(at, "empty"), []);
        if (location is "hardlink" or "pipe" or "symlink" or "symlinked/secret" && !Make(location, at, outside))
        {
            return;
        }
        File.WriteAllBytes(Path.Combine(at, "m.onnx"),
            Model(("location", location.Replace("{outside}", outside.Path)), ("offset", offset), ("length", length)).ToByteArray());
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(Path.Combine(at, "m.onnx")));
        Assert.Contains("'w'", error.What);
        Assert.EndsWith("m.onnx", error.Path);
    }

    /// <summary>Makes the link; false, with nothing to test, where the system has no such thing.</summary>
    private static bool Make(string name, string at, TemporaryFolder outside)
    {
        if (OperatingSystem.IsWindows())
        {
            return false;
        }
        switch (name)
        {
            case "symlink":
                File.CreateSymbolicLink(Path.Combine(at, "symlink"), Path.Combine(at, "inside"));
                return true;
            case "symlinked/secret":
                Directory.CreateSymbolicLink(Path.Combine(at, "symlinked"), outside.Path);
                return true;
        }
        using var tool = System.Diagnostics.Process.Start(name == "pipe" ? "mkfifo" : "ln",
            name == "pipe" ? [Path.Combine(at, "pipe")] : [outside / "secret", Path.Combine(at, "hardlink")]);
        tool.WaitForExit();
        Assert.Equal(0, tool.ExitCode);
        return true;
    }

    [Fact]
    public void Plain_files_in_the_directory_and_below_are_read_with_or_without_a_length()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder / "sub");
        File.WriteAllBytes(folder / "sub/w", new byte[204_096]);
        foreach (var entries in new (string, string)[][]
        {
            [("location", "sub/w"), ("offset", "4096"), ("length", "200000")], [("location", "sub/w")],
            [("location", "./sub/w"), ("checksum", "00"), ("offset", "0")],
        })
        {
            File.WriteAllBytes(folder / "m.onnx", Model(entries).ToByteArray());
            using var model = OnnxModel.Open(folder / "m.onnx");
            Assert.Equal(200_000, model.Content(model.Proto.Graph.Initializer[0]).ByteLength);
        }
    }

    [Fact]
    public void Unknown_keys_and_doubled_ones_are_refused_and_so_are_bytes_without_a_directory()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder / "w", new byte[200_000]);
        foreach (var extra in new[] { "__class__", "location" })
        {
            File.WriteAllBytes(folder / "m.onnx", Model(("location", "w"), (extra, "w")).ToByteArray());
            Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(folder / "m.onnx"));
        }
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(Model(("location", "w")).ToByteArray()));
    }
}
