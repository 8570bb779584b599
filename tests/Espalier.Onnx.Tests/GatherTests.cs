using CsCheck;
using Espalier.Onnx.Payloads;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class GatherTests
{
    private static readonly DataType[] Types =
    [
        DataType.Float, DataType.Double, DataType.Float16, DataType.Int8, DataType.Int16, DataType.Int64, DataType.Bool,
        DataType.Complex128,
        DataType.Int4, DataType.Uint4, DataType.Float4E2M1, DataType.Int2, DataType.Uint2,
    ];

    private static readonly Gen<(DataType Type, int[] Dims, int[]?[] Kept, int Seed)> Cases =
        from type in Gen.Int[0, Types.Length - 1].Select(i => Types[i])
        from dims in Gen.Int[0, 7].Array[0, 5]
        from kept in Gen.Int[0, int.MaxValue].Array[0, 7].Null().Array[dims.Length]
        from ordered in Gen.Bool
        from seed in Gen.Int
        select (type, dims, dims.Select((extent, axis) => Pick(kept[axis], extent, ordered)).ToArray(), seed);

    private static int[]? Pick(int[]? raw, int extent, bool ordered)
        => raw is null
            ? null
            : extent == 0 ? [] : [.. ordered ? raw.Select(r => r % extent).Distinct().Order() : raw.Select(r => r % extent)];

    [Fact]
    public void A_gather_picks_what_an_element_by_element_loop_picks()
        => Cases.Sample(c =>
        {
            var (type, dims, kept, seed) = c;
            var bits = DataTypes.Bits(type);
            var bytes = new byte[DataTypes.Bytes(type, dims.Aggregate(1L, (a, b) => a * b))];
            new Random(seed).NextBytes(bytes);
            if (dims.Aggregate(bits, (a, b) => a * b) % 8 is var used and > 0)
            {
                // The bits after the last packed element are padding: zero, as writers leave it.
                bytes[^1] &= (byte)((1 << used) - 1);
            }
            var content = Content(type, dims, bytes);
            var payload = content.Gather(kept);
            var expected = Naive(bytes, dims, kept, bits);
            Assert.Equal(expected.Length, payload.Length);
            using var stream = new MemoryStream();
            payload.CopyTo(stream);
            Assert.Equal(expected, stream.ToArray());
            // Any part can be read alone: a gather of a gather depends on it.
            for (var start = 0; start < expected.Length; start += 1 + (expected.Length / 5))
            {
                var part = new byte[Math.Min(3, expected.Length - start)];
                ((ByteSource)payload).Read(start, part);
                Assert.Equal(expected.AsSpan(start, part.Length).ToArray(), part);
            }
        }, iter: 5000, seed: "0000BsEsPaL1");

    [Theory]
    [InlineData(DataType.Float, 0, 3, 40_000, 5), InlineData(DataType.Float, 1, 3, 40_000, 5), InlineData(DataType.Float, 2, 3, 40_000, 5)]
    [InlineData(DataType.Float, 2, 3, 2, 70_000), InlineData(DataType.Int8, 2, 1, 2, 200_000), InlineData(DataType.Double, 2, 1, 2, 30_000)]
    [InlineData(DataType.Float16, 1, 2, 90_000, 1), InlineData(DataType.Complex128, 2, 1, 2, 9000),
        InlineData(DataType.Int4, 2, 1, 3, 9001)]
    public void Rows_longer_than_the_window_are_gathered_in_pieces(DataType type, int axis, int first, int second, int third)
    {
        int[] dims = [first, second, third];
        var bits = DataTypes.Bits(type);
        var bytes = new byte[DataTypes.Bytes(type, (long)first * second * third)];
        new Random(7).NextBytes(bytes);
        // Dense, sparse and very sparse stretches.
        int[] indices = [.. Enumerable.Range(0, dims[axis])
            .Where(i => i % 7 != 3 && (i < 20_000 ? i % 1000 > 40 : i < 60_000 ? i % 97 == 0 : i % 9000 == 1))];
        foreach (var order in new[] { indices, [.. indices.Reverse()] })
        {
            var kept = new int[]?[3];
            kept[axis] = order.Length == 0 ? [1] : order;
            using var stream = new MemoryStream();
            Content(type, dims, bytes).Gather(kept).CopyTo(stream);
            Assert.True(Naive(bytes, dims, kept, bits).AsSpan().SequenceEqual(stream.ToArray()));
        }
    }

    [Fact]
    public void Strings_are_gathered_too()
    {
        var tensor = new TensorProto { DataType = (int)DataType.String, Dims = { 2, 2 } };
        tensor.StringData.AddRange(new[] { "a", "b", "c", "d" }.Select(ByteString.CopyFromUtf8));
        using var model = OnnxModel.Wrap(new ModelProto());
        var gathered = model.NewTensor("t", DataType.String, [2, 1], model.Content(tensor).Gather([null, [1]]));
        Assert.Equal(["b", "d"], gathered.StringData.Select(s => s.ToStringUtf8()));
    }

    [Fact]
    public void Indices_outside_the_tensor_are_refused()
    {
        var content = Content(DataType.Float, [2, 2], new byte[16]);
        Assert.Throws<ArgumentException>(() => content.Gather([null]));
        Assert.Throws<ArgumentException>(() => content.Gather([null, [2]]));
        Assert.Throws<ArgumentException>(() => content.Gather([[-1], null]));
    }

    private static TensorContent Content(DataType type, int[] dims, byte[] bytes)
    {
        var tensor = new TensorProto { DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange(dims.Select(d => (long)d));
        return OnnxModel.Wrap(new ModelProto()).Content(tensor);
    }

    private static byte[] Naive(byte[] bytes, int[] dims, int[]?[] kept, int bits)
    {
        var lists = dims.Select((extent, axis) => kept[axis] ?? [.. Enumerable.Range(0, extent)]).ToArray();
        var count = lists.Aggregate(1, (a, l) => a * l.Length);
        var result = new byte[((count * bits) + 7) / 8];
        for (var i = 0; i < count; i++)
        {
            var (rest, source, stride) = (i, 0, 1);
            for (var axis = dims.Length - 1; axis >= 0; axis--)
            {
                source += lists[axis][rest % lists[axis].Length] * stride;
                rest /= lists[axis].Length;
                stride *= dims[axis];
            }
            for (var bit = 0; bit < bits; bit++)
            {
                var (from, to) = ((source * bits) + bit, (i * bits) + bit);
                result[to / 8] |= (byte)(((bytes[from / 8] >> (from % 8)) & 1) << (to % 8));
            }
        }
        return result;
    }
}
