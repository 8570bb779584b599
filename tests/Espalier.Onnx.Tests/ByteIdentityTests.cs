using Espalier.Onnx.Payloads;
using Espalier.Onnx.Wire;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class ByteIdentityTests(ITestOutputHelper output)
{
    public static TheoryData<string> Networks => [.. Assets.Networks()];

    public static TheoryData<string> RealModels => [.. Models.Names()];

    [Theory]
    [MemberData(nameof(Networks))]
    public void An_untouched_network_is_written_as_it_was_read(string file) => Untouched(Assets.Path(file));

    [Theory]
    [MemberData(nameof(RealModels))]
    public void An_untouched_real_model_is_written_as_it_was_read(string file) => Untouched(Models.Path(file));

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_small_edit_of_a_network_leaves_everything_else_as_it_was(string file) => Edited(Assets.Path(file));

    [Theory]
    [MemberData(nameof(RealModels))]
    public void A_small_edit_of_a_real_model_leaves_everything_else_as_it_was(string file) => Edited(Models.Path(file));

    private void Untouched(string path)
    {
        var file = File.ReadAllBytes(path);
        using var folder = new TemporaryFolder();
        using var model = OnnxModel.Open(path);
        model.Save(folder / "copy.onnx");
        Same(path, file, File.ReadAllBytes(folder / "copy.onnx"));
        Assert.Equal(["copy.onnx"], folder.Files());
        using var clone = model.Derive(model.Proto.Clone());
        Same(path, file, clone.ToBytes());
        using var parsed = OnnxModel.Parse(file);
        Same(path, file, parsed.ToBytes());
        output.WriteLine($"{Path.GetFileName(path)}: {file.Length} bytes");
    }

    /// <summary>
    /// The same edit made by plain parsing and writing of the whole file, without this library's splicing, must give the same bytes.
    /// </summary>
    private static void Edited(string path)
    {
        var plain = ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));
        using var model = OnnxModel.Open(path);
        var edited = model.Proto.Clone();
        foreach (var proto in new[] { plain, edited })
        {
            proto.ProducerName = "edited";
            proto.Graph.Node[^1].DocString = new string('x', 300);
            proto.Graph.Node.RemoveAt(0);
        }
        using var derived = model.Derive(edited);
        Same(path, plain.ToByteArray(), derived.ToBytes());
    }

    [Fact]
    public void The_files_are_read_without_taking_their_weights()
    {
        foreach (var name in Assets.Networks())
        {
            using var model = OnnxModel.Open(Assets.Path(name));
            var plain = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Assets.Path(name)));
            Assert.True(model.Proto.CalculateSize() < plain.CalculateSize() / 2, name);
            foreach (var (mine, theirs) in ModelTensors.Enumerate(model.Proto).Zip(ModelTensors.Enumerate(plain)))
            {
                var content = model.Content(mine.Tensor);
                var bytes = new byte[content.ByteLength];
                content.ReadBytes(0, bytes);
                Assert.True(bytes.AsSpan().SequenceEqual(TypedFields.Raw(theirs.Tensor, content.Type).ToArray()), theirs.Tensor.Name);
            }
        }
    }

    [Fact]
    public void Large_typed_fields_are_kept_out_too_and_written_in_their_own_field()
    {
        var random = new Random(3);
        var graph = new GraphProto { Name = "g" };
        TensorProto Tensor(DataType type, int count, Action<TensorProto> fill)
        {
            var tensor = new TensorProto { Name = type.ToString(), DataType = (int)type, Dims = { count } };
            fill(tensor);
            return tensor;
        }
        var sizes = (Small: 100, Large: 9000);
        graph.Initializer.Add(Tensor(DataType.Float, sizes.Large,
            t => t.FloatData.AddRange(Enumerable.Range(0, sizes.Large).Select(_ => random.NextSingle() - 0.5f))));
        graph.Initializer.Add(Tensor(DataType.Double, sizes.Large,
            t => t.DoubleData.AddRange(Enumerable.Range(0, sizes.Large).Select(_ => random.NextDouble()))));
        graph.Initializer.Add(Tensor(DataType.Int64, sizes.Large,
            t => t.Int64Data.AddRange(Enumerable.Range(0, sizes.Large)
                .Select(_ => random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(60)))));
        graph.Initializer.Add(Tensor(DataType.Int8, sizes.Large,
            t => t.Int32Data.AddRange(Enumerable.Range(0, sizes.Large).Select(_ => random.Next(-128, 128)))));
        graph.Initializer.Add(Tensor(DataType.Float16, sizes.Large,
            t => t.Int32Data.AddRange(Enumerable.Range(0, sizes.Large).Select(_ => random.Next(0x7C00)))));
        graph.Initializer.Add(Tensor(DataType.Uint64, sizes.Large,
            t => t.Uint64Data.AddRange(Enumerable.Range(0, sizes.Large).Select(_ => (ulong)random.NextInt64() >> 1))));
        graph.Initializer.Add(Tensor(DataType.Int32, sizes.Small, t => t.Int32Data.AddRange(Enumerable.Range(0, sizes.Small))));
        graph.Initializer.Add(Tensor(DataType.Int4, sizes.Large,
            t => t.Int32Data.AddRange(Enumerable.Range(0, sizes.Large / 2).Select(_ => random.Next(256)))));
        // In an attribute, in a subgraph, in a function, in a sparse tensor.
        var inner = new GraphProto
        {
            Name = "inner",
            Node = { Constant(Tensor(DataType.Uint32, sizes.Large,
                t => t.Uint64Data.AddRange(Enumerable.Range(0, sizes.Large).Select(i => (ulong)i)))) }
        };
        graph.Node.Add(new NodeProto
        {
            OpType = "If",
            Attribute = { new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = inner } }
        });
        graph.SparseInitializer.Add(new SparseTensorProto
        {
            Dims = { 100_000 },
            Values = Tensor(DataType.Float, sizes.Large, t => t.RawData = ByteString.CopyFrom(new byte[sizes.Large * 4])),
            Indices = Tensor(DataType.Int64, sizes.Large, t => t.Int64Data.AddRange(Enumerable.Range(0, sizes.Large).Select(i => (long)i))),
        });
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.Functions.Add(new FunctionProto
        {
            Name = "f",
            Node = { Constant(
                Tensor(DataType.Bool, sizes.Large, t => t.Int32Data.AddRange(Enumerable.Range(0, sizes.Large).Select(i => i % 2)))) }
        });

        var bytes = proto.ToByteArray();
        using var model = OnnxModel.Parse(bytes);
        Assert.True(model.Proto.CalculateSize() < 2500, $"{model.Proto.CalculateSize()} bytes of messages");
        Assert.Equal(12, ModelTensors.Enumerate(model.Proto).Count());
        foreach (var (mine, theirs) in ModelTensors.Enumerate(model.Proto).Zip(ModelTensors.Enumerate(proto)))
        {
            var content = model.Content(mine.Tensor);
            var expected = TypedFields.Raw(theirs.Tensor, content.Type).ToArray();
            var read = new byte[content.ByteLength];
            content.ReadBytes(0, read);
            Assert.True(expected.AsSpan().SequenceEqual(read), theirs.Tensor.Name);
            for (var start = 1; start < read.Length; start += 977)
            {
                var part = new byte[Math.Min(13, read.Length - start)];
                content.ReadBytes(start, part);
                Assert.True(expected.AsSpan(start, part.Length).SequenceEqual(part), theirs.Tensor.Name);
            }
        }
        proto.ProducerName = "edited";
        var edited = model.Proto.Clone();
        edited.ProducerName = "edited";
        using var derived = model.Derive(edited);
        Assert.Equal(proto.ToByteArray(), derived.ToBytes());
    }

    [Fact]
    public void Unknown_fields_are_kept()
    {
        // Field 99 of the model, of the graph and of a node, which no version of the format has.
        byte[] unknown = [0x9A, 0x06, 3, 1, 2, 3];
        byte[] node = [0x22, 3, (byte)'A', (byte)'d', (byte)'d', .. unknown];
        byte[] graph = [0x0A, (byte)node.Length, .. node, .. unknown];
        byte[] file = [0x08, 8, 0x3A, (byte)graph.Length, .. graph, .. unknown];
        using var model = OnnxModel.Parse(file);
        var edited = model.Proto.Clone();
        edited.IrVersion = 9;
        using var derived = model.Derive(edited);
        byte[] expected = [0x08, 9, .. file[2..]];
        Assert.Equal(expected, derived.ToBytes());
    }

    [Fact]
    public void A_file_whose_writer_had_another_order_of_fields_is_still_copied_as_it_was()
    {
        // opset_import before ir_version, and a length in more bytes than it needs.
        byte[] file = [0x42, 2, 0x10, 17, 0x08, 8, 0x3A, 0x83, 0x00, 0x12, 1, (byte)'g'];
        using var model = OnnxModel.Parse(file);
        Assert.Equal(file, model.ToBytes());
        using var clone = model.Derive(model.Proto.Clone());
        Assert.Equal(file, clone.ToBytes());
    }

    private static NodeProto Constant(TensorProto tensor)
        => new()
        {
            OpType = "Constant",
            Attribute = { new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = tensor } }
        };

    private static void Same(string path, byte[] expected, byte[] actual)
    {
        var at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(expected.Length == actual.Length
            && at == expected.Length, $"{path}: {actual.Length} bytes for {expected.Length}; they differ from byte {at} on");
    }
}
