using System.Buffers.Binary;
using Espalier.Onnx.Limits;
using Espalier.Onnx.Payloads;
using Espalier.TestKit;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class MalformedTests(ITestOutputHelper output)
{
    /// <summary>Opens bytes and uses everything; true when they are a model. Any exception but the one is a failed test.</summary>
    private static bool Use(ReadOnlyMemory<byte> bytes, OnnxLimits? limits = null)
    {
        try
        {
            using var model = OnnxModel.Parse(bytes, limits);
            foreach (var (tensor, _) in ModelTensors.Enumerate(model.Proto))
            {
                var content = model.Content(tensor);
                if (content.ByteLength == 0)
                {
                    continue;
                }
                var buffer = new byte[Math.Min(content.ByteLength, 64)];
                content.ReadBytes(0, buffer);
                content.ReadBytes(content.ByteLength - buffer.Length, buffer);
                if (DataTypes.IsFloat(content.Type) && content.Count < 10_000)
                {
                    Assert.Equal(content.Count, content.ToFloats().Length);
                }
            }
            Assert.Equal(bytes.Length, model.ToBytes().Length);
            var edited = model.Proto.Clone();
            edited.DocString += "x";
            using var derived = model.Derive(edited);
            Assert.True(derived.ToBytes().Length > 0);
            return true;
        }
        catch (OnnxFormatException e)
        {
            Assert.NotEmpty(e.What);
            Assert.NotEmpty(e.Advice);
            return false;
        }
    }

    private static byte[] Small()
    {
        var builder = new GraphBuilder(seed: 5);
        var proto = builder.Build().Proto.Clone();
        proto.Graph.Initializer.Add(new TensorProto
        {
            Name = "w",
            DataType = (int)DataType.Float,
            Dims = { 16, 20 },
            RawData = ByteString.CopyFrom(new byte[1280])
        });
        proto.Graph.Initializer.Add(new TensorProto
        {
            Name = "i",
            DataType = (int)DataType.Int64,
            Dims = { 3 },
            Int64Data = { 1, -1, 300 }
        });
        proto.Graph.Node.Add(new NodeProto
        {
            OpType = "Constant",
            Output = { "c" },
            Attribute = { SmallModels.Tensor("value",
                new TensorProto { DataType = (int)DataType.Float, Dims = { 2 }, FloatData = { 1, 2 } }) },
        });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        proto.Graph.Node.Add(SmallModels.Node("own:Any", "c w", "o", SmallModels.Ints("k", 1, 2)));
        return proto.ToByteArray();
    }

    [Fact]
    public void A_model_cut_at_any_byte_is_refused()
    {
        var bytes = Small();
        Assert.True(Use(bytes));
        var plain = Enumerable.Range(0, bytes.Length).Where(n => Use(bytes.AsMemory(0, n))).ToArray();
        // What is left when only whole fields after the graph are cut off is a model again.
        Assert.All(plain, n => Assert.NotNull(ModelProto.Parser.ParseFrom(bytes.AsSpan(0, n)).Graph));
        Assert.True(plain.Length < 10, $"{plain.Length} of {bytes.Length} prefixes were taken for models");
    }

    [Fact]
    public void A_file_that_was_cut_short_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        var bytes = File.ReadAllBytes(Assets.Path("vgg.onnx"));
        File.WriteAllBytes(folder / "cut.onnx", bytes[..(bytes.Length / 2)]);
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(folder / "cut.onnx"));
        Assert.Contains("cut.onnx", error.Message);
        Assert.NotNull(error.Offset);
        File.WriteAllBytes(folder / "empty.onnx", []);
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(folder / "empty.onnx"));
        File.WriteAllText(folder / "text.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n");
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(folder / "text.onnx"));
        Assert.Throws<FileNotFoundException>(() => OnnxModel.Open(folder / "none.onnx"));
    }

    [Fact]
    public void Random_damage_ends_in_the_one_exception_or_in_a_model()
    {
        var (refused, total) = (0, 0);
        var sources = Assets.Networks().Select(n => (Name: n, Bytes: File.ReadAllBytes(Assets.Path(n)), Runs: 40))
            .Append(("small", Small(), 4000));
        foreach (var (name, original, runs) in sources)
        {
            // The weights are most of a file and any bits are weights: damage is done where the structure is.
            var structure = ByteMutations.Structure(original);
            var random = new Random(11);
            for (var run = 0; run < runs; run++)
            {
                var bytes = ByteMutations.Apply(random, original, structure).Bytes;
                if (bytes.Length == original.Length)
                    for (var more = random.Next(3); more > 0; more--) bytes =
                        ByteMutations.Apply(random, bytes, bytes.Length == original.Length ? structure : null).Bytes;
                var before = GC.GetAllocatedBytesForCurrentThread();
                refused += Use(bytes) ? 0 : 1;
                total++;
                var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                Assert.True(allocated < 10_000_000 + (20L * bytes.Length),
                    $"{name}, run {run}: {allocated} bytes were allocated for {bytes.Length}");
            }
        }
        output.WriteLine($"{refused} of {total} refused");
        Assert.InRange(refused, total / 4, total - 1);
    }

    private static byte[] Field(int number, params byte[] content)
    {
        using var stream = new MemoryStream();
        using var writer = new CodedOutputStream(stream);
        writer.WriteTag(number, WireFormat.WireType.LengthDelimited);
        writer.WriteLength(content.Length);
        writer.Flush();
        stream.Write(content);
        return stream.ToArray();
    }

    private static byte[] Repeat(byte[] bytes, int times)
    {
        var result = new byte[bytes.Length * times];
        bytes.CopyTo(result, 0);
        for (var done = bytes.Length; done < result.Length; done *= 2)
        {
            result.AsSpan(0, Math.Min(done, result.Length - done)).CopyTo(result.AsSpan(done));
        }
        return result;
    }

    [Theory]
    [InlineData("empty initializers"), InlineData("empty nodes"), InlineData("empty attributes"), InlineData("empty value infos"),
        InlineData("empty metadata")]
    [InlineData("empty functions"), InlineData("unknown fields"), InlineData("empty names"), InlineData("small numbers")]
    public void Small_files_that_would_become_gigabytes_of_objects_are_refused_before_they_do(string what)
    {
        static byte[] Graph(byte[] content) => Field(7, content);
        var bytes = what switch
        {
            "empty initializers" => Graph(Repeat([0x2A, 0], 3_000_000)),
            "empty nodes" => Graph(Repeat([0x0A, 0], 3_000_000)),
            "empty attributes" => Graph(Field(1, Repeat([0x2A, 0], 3_000_000))),
            "empty value infos" => Graph(Repeat([0x6A, 0], 1_200_000)),
            "empty metadata" => [.. Graph([]), .. Repeat([0x72, 0], 1_200_000)],
            "empty functions" => [.. Graph([]), .. Repeat([0xCA, 0x01, 0], 1_200_000)],
            "unknown fields" => [.. Graph([]), .. Repeat([0x78, 0], 3_000_000)],
            "empty names" => Graph(Field(1, Repeat([0x0A, 0], 5_000_000))),
            _ => Graph(Field(1, Field(5, Field(8, new byte[20_000_000])))),
        };
        // Nodes and the like reach their default counts; where memory is the limit, an eighth of it makes do with files an eighth as large.
        var limits = what is "empty initializers" or "empty nodes" or "empty attributes" ? OnnxLimits.Default
            : new OnnxLimits { DecodedBytes = OnnxLimits.Default.DecodedBytes / 8 };
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(bytes, limits));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        output.WriteLine($"{what}, {bytes.Length} bytes: {error.Message} ({allocated} bytes allocated)");
        Assert.Contains("limit", error.Message + error.Advice, StringComparison.OrdinalIgnoreCase);
        Assert.True(allocated < 1_000_000, $"{allocated} bytes were allocated");
    }

    [Theory]
    [InlineData(int.MaxValue), InlineData(0x7FFF_FFFFu + 1L), InlineData(uint.MaxValue), InlineData(long.MaxValue), InlineData(-1)]
    public void A_length_of_more_than_there_is_is_refused(long length)
    {
        Span<byte> number = stackalloc byte[WireNumber.MaxVarint];
        var claim = number[..WireNumber.Write(number, (ulong)length)].ToArray();
        byte[][] places =
        [
            [0x3A, .. claim], Field(7, [0x2A, .. claim]), Field(7, Field(5, [0x4A, .. claim, 1, 2, 3])),
            Field(7, Field(5, [0x22, .. claim, 1, 2, 3])),
            [.. Field(7), 0x9A, 0x06, .. claim],
        ];
        Assert.All(places, bytes => Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(bytes)));
    }

    [Fact]
    public void Deep_nesting_is_refused_whatever_nests()
    {
        byte[] nested = Field(1);
        for (var i = 0; i < 1000; i++)
        {
            // A graph in an attribute in a node in a graph …
            nested = Field(1, Field(5, Field(6, nested)));
        }
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(Field(7, nested)));
        byte[] type = [];
        for (var i = 0; i < 1000; i++)
        {
            type = Field(4, Field(1, type));
        }
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(Field(7, Field(11, Field(2, type)))));
        byte[] groups = new byte[100_000];
        Array.Fill(groups, (byte)0x0B);
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse((byte[])[.. Field(7), .. groups]));
    }

    public static TheoryData<string, TensorProto> WrongTensors() => new()
    {
        { "too few bytes", new TensorProto { DataType = 1, Dims = { 3 }, RawData = ByteString.CopyFrom(new byte[8]) } },
        { "too many bytes", new TensorProto { DataType = 1, Dims = { 3 }, RawData = ByteString.CopyFrom(new byte[16]) } },
        { "too many bytes of a large one", new TensorProto { DataType = 1, Dims = { 3 }, RawData = ByteString.CopyFrom(new byte[1600]) } },
        { "no bytes", new TensorProto { DataType = 1, Dims = { 3 } } },
        { "negative dimension", new TensorProto { DataType = 1, Dims = { -1, -3 }, RawData = ByteString.CopyFrom(new byte[12]) } },
        { "product overflows",
            new TensorProto { DataType = 1, Dims = { 1L << 32, 1L << 32 }, RawData = ByteString.CopyFrom(new byte[4]) } },
        { "product overflows beside a zero", new TensorProto { DataType = 1, Dims = { 1L << 40, 1L << 40, 0 } } },
        { "product overflows to 1",
            new TensorProto { DataType = 1, Dims = { 3, 6148914691236517206, 2 }, RawData = ByteString.CopyFrom(new byte[16]) } },
        { "odd floats", new TensorProto { DataType = 1, Dims = { 3 }, FloatData = { 1, 2 } } },
        { "wrong field", new TensorProto { DataType = 1, Dims = { 2 }, Int32Data = { 1, 2 } } },
        { "two fields", new TensorProto { DataType = 1, Dims = { 1 }, FloatData = { 1 }, RawData = ByteString.CopyFrom(new byte[4]) } },
        { "int4 too short", new TensorProto { DataType = (int)DataType.Int4, Dims = { 5 }, RawData = ByteString.CopyFrom(new byte[2]) } },
        { "int2 too long", new TensorProto { DataType = (int)DataType.Int2, Dims = { 5 }, RawData = ByteString.CopyFrom(new byte[3]) } },
        { "string with raw data",
            new TensorProto { DataType = (int)DataType.String, Dims = { 1 }, RawData = ByteString.CopyFrom(new byte[3]) } },
        { "too few strings", new TensorProto { DataType = (int)DataType.String, Dims = { 2 }, StringData = { ByteString.Empty } } },
        { "complex half", new TensorProto { DataType = (int)DataType.Complex64, Dims = { 2 }, FloatData = { 1, 2, 3 } } },
        { "rank", new TensorProto { DataType = 1, Dims = { Enumerable.Repeat(1L, 65) }, FloatData = { 1 } } },
    };

    [Theory, MemberData(nameof(WrongTensors))]
    public void A_tensor_whose_shape_and_bytes_disagree_is_refused(string what, TensorProto tensor)
    {
        var file = new ModelProto { Graph = new GraphProto { Initializer = { tensor } } }.ToByteArray();
        output.WriteLine($"{what}: {Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse(file)).Message}");
    }

    [Theory]
    [InlineData(DataType.Int4, 5, 3), InlineData(DataType.Int2, 5, 2), InlineData(DataType.Float4E2M1, 1, 1),
        InlineData(DataType.Complex128, 2, 32), InlineData((DataType)77, 9, 5), InlineData(DataType.Float, 0, 0)]
    public void Right_tensors_of_odd_types_are_accepted(DataType type, long count, int bytes)
        => Assert.True(Use(new ModelProto
        {
            Graph = new GraphProto
            {
                Initializer = { new TensorProto { DataType = (int)type,
            Dims = { count }, RawData = ByteString.CopyFrom(new byte[bytes]) } }
            }
        }.ToByteArray()));

    [Fact]
    public void Doubled_messages_and_pieces_of_elements_are_refused()
    {
        Assert.Throws<OnnxFormatException>(() => OnnxModel.Parse((byte[])[.. Field(7), .. Field(7)]));
        byte[] head = [0x08, 2, 0x10, 1];
        Assert.True(Use(Field(7, Field(5, [.. head, .. Field(4, new byte[8])]))));
        Assert.Throws<OnnxFormatException>(() =>
            OnnxModel.Parse(Field(7, Field(5, [.. head, .. Field(4, new byte[4]), .. Field(4, new byte[4])]))));
        Assert.Throws<OnnxFormatException>(() =>
            OnnxModel.Parse(Field(7, Field(5, [.. head, .. Field(9, new byte[4]), .. Field(9, new byte[8])]))));
    }

    [Fact]
    public void No_file_can_hold_the_token_of_another_payload()
    {
        // A model whose small tensor has the bytes of a token that an earlier opening could have made, but for the secret.
        var bytes = new byte[24];
        for (var i = 0; i < 6; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * 4), 0x0080_0000 + i);
        }
        var file = new ModelProto
        {
            Graph = new GraphProto
            { Initializer = { new TensorProto { DataType = 1, Dims = { 6 }, RawData = ByteString.CopyFrom(bytes) } } }
        }.ToByteArray();
        using var model = OnnxModel.Parse(file);
        Assert.Equal(file, model.ToBytes());
        Assert.Equal(6, model.Content(model.Proto.Graph.Initializer[0]).Count);
    }

    [Fact]
    public void Limits_can_be_set_lower_and_the_walk_can_be_cancelled()
    {
        var path = Assets.Path("vit.onnx");
        foreach (var limits in new OnnxLimits[] { new() { Nodes = 10 }, new() { Initializers = 3 }, new() { Attributes = 3 },
            new() { Rank = 1 }, new() { NameLength = 4 }, new() { FileSize = 1000 }, new() { DecodedBytes = 10_000 },
            new() { NestingDepth = 0 } })
        {
            Assert.Throws<OnnxFormatException>(() => OnnxModel.Open(path, limits));
        }
        Assert.Throws<OperationCanceledException>(() => OnnxModel.Open(path, ct: new CancellationToken(canceled: true)));
    }
}
