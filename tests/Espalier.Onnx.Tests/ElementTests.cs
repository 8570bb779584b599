using Espalier.Onnx.Payloads;
using Google.Protobuf;
using static Espalier.Onnx.TensorProto.Types;

namespace Espalier.Onnx.Tests;

public class ElementTests
{
    private static readonly OnnxModel Model = OnnxModel.Wrap(new ModelProto());

    private static TensorContent Raw(DataType type, int count, IPayload payload)
        => Model.Content(Model.NewTensor("t", type, [count], payload));

    [Theory]
    [InlineData(DataType.Float), InlineData(DataType.Double), InlineData(DataType.Float16), InlineData(DataType.Bfloat16)]
    [InlineData(DataType.Float8E4M3Fn), InlineData(DataType.Float8E5M2), InlineData(DataType.Float8E4M3Fnuz),
        InlineData(DataType.Float8E5M2Fnuz), InlineData(DataType.Float4E2M1)]
    public void Floats_that_every_type_can_hold_come_back(DataType type)
    {
        float[] values = [0, 1, -1, 0.5f, 2, -3, 6, 1.5f, 4];
        Assert.Equal(values, Raw(type, values.Length, TensorContent.FromFloats(type, values)).ToFloats());
    }

    // Values of the ONNX documentation ("Float stored in 8 bits"): largest and smallest numbers of each form.
    [Theory]
    [InlineData(DataType.Float8E4M3Fn, 0x7E, 448f), InlineData(DataType.Float8E4M3Fn, 0x01, 0.001953125f)]
    [InlineData(DataType.Float8E4M3Fnuz, 0x7F, 240f), InlineData(DataType.Float8E4M3Fnuz, 0x01, 0.0009765625f)]
    [InlineData(DataType.Float8E5M2, 0x7B, 57344f), InlineData(DataType.Float8E5M2, 0x7C, float.PositiveInfinity)]
    [InlineData(DataType.Float8E5M2Fnuz, 0x7F, 57344f), InlineData(DataType.Float8E8M0, 0x80, 2f)]
    [InlineData(DataType.Float8E4M3Fn, 0x7F, float.NaN), InlineData(DataType.Float8E5M2Fnuz, 0x80, float.NaN)]
    public void Eight_bit_floats_have_the_values_of_their_definition(DataType type, byte code, float value)
        => Assert.Equal(value, Raw(type, 1, TensorContent.FromBytes(new[] { code })).ToFloats()[0]);

    [Fact]
    public void Every_small_float_survives_decoding_and_encoding()
    {
        foreach (var type in new[] { DataType.Float8E4M3Fn, DataType.Float8E4M3Fnuz, DataType.Float8E5M2, DataType.Float8E5M2Fnuz,
            DataType.Float8E8M0, DataType.Float4E2M1 })
        {
            for (var code = 0; code < (type == DataType.Float4E2M1 ? 16 : 256); code++)
            {
                var value = SmallFloats.Decode(type, code);
                if (float.IsFinite(value))
                {
                    Assert.Equal(code, SmallFloats.Encode(type, value));
                }
            }
        }
    }

    [Fact]
    public void Rounding_is_to_nearest_even_and_saturates()
    {
        Assert.Equal([448f, -448f, 1f, 1.25f], Raw(DataType.Float8E4M3Fn, 4,
            TensorContent.FromFloats(DataType.Float8E4M3Fn, [1e9f, float.NegativeInfinity, 1.0625f, 1.1876f])).ToFloats());
        Assert.Equal([1f, 1.015625f],
            Raw(DataType.Bfloat16, 2, TensorContent.FromFloats(DataType.Bfloat16, [1.00390625f, 1.01171875f])).ToFloats());
        Assert.True(float.IsNaN(Raw(DataType.Bfloat16, 1, TensorContent.FromFloats(DataType.Bfloat16, [float.NaN])).ToFloats()[0]));
    }

    [Theory]
    [InlineData(DataType.Int8, -128, 127), InlineData(DataType.Uint8, 0, 255), InlineData(DataType.Int16, short.MinValue, short.MaxValue)]
    [InlineData(DataType.Uint16, 0, ushort.MaxValue), InlineData(DataType.Int32, int.MinValue, int.MaxValue),
        InlineData(DataType.Uint32, 0, uint.MaxValue)]
    [InlineData(DataType.Int64, long.MinValue, long.MaxValue), InlineData(DataType.Uint64, 0, long.MaxValue),
        InlineData(DataType.Bool, 0, 1)]
    [InlineData(DataType.Int4, -8, 7), InlineData(DataType.Uint4, 0, 15), InlineData(DataType.Int2, -2, 1),
        InlineData(DataType.Uint2, 0, 3)]
    public void Integers_come_back_and_those_that_do_not_fit_are_refused(DataType type, long low, long high)
    {
        long[] values = [low, high, 1, 0, low];
        var content = Raw(type, values.Length, TensorContent.FromLongs(type, values));
        Assert.Equal(values, content.ToLongs());
        Assert.Equal(values.Select(v => (float)v), content.ToFloats());
        if (high < long.MaxValue)
        {
            Assert.Throws<OverflowException>(() => TensorContent.FromLongs(type, [high + 1]));
        }
    }

    [Fact]
    public void Typed_fields_hold_the_same_elements_as_raw_data()
    {
        Assert.Equal([1.5f, -2f],
            Model.Content(new TensorProto { DataType = (int)DataType.Float, Dims = { 2 }, FloatData = { 1.5f, -2f } }).ToFloats());
        Assert.Equal([1.5f, -2f],
            Model.Content(new TensorProto { DataType = (int)DataType.Double, Dims = { 2 }, DoubleData = { 1.5, -2 } }).ToFloats());
        Assert.Equal([1.5f, -2f],
            Model.Content(new TensorProto { DataType = (int)DataType.Float16, Dims = { 2 }, Int32Data = { 0x3E00, 0xC000 } }).ToFloats());
        Assert.Equal([1.5f, -2f],
            Model.Content(new TensorProto { DataType = (int)DataType.Bfloat16, Dims = { 2 }, Int32Data = { 0x3FC0, 0xC000 } }).ToFloats());
        Assert.Equal([-3L, 7],
            Model.Content(new TensorProto { DataType = (int)DataType.Int8, Dims = { 2 }, Int32Data = { -3, 7 } }).ToLongs());
        Assert.Equal([-3L, 7],
            Model.Content(new TensorProto { DataType = (int)DataType.Int64, Dims = { 2 }, Int64Data = { -3, 7 } }).ToLongs());
        Assert.Equal([3L, uint.MaxValue],
            Model.Content(new TensorProto { DataType = (int)DataType.Uint32, Dims = { 2 }, Uint64Data = { 3, uint.MaxValue } }).ToLongs());
        Assert.Equal([-3L, 7, 2],
            Model.Content(new TensorProto { DataType = (int)DataType.Int4, Dims = { 3 }, Int32Data = { 0x7D, 0x02 } }).ToLongs());
    }

    [Theory]
    [InlineData(DataType.Float), InlineData(DataType.Float16), InlineData(DataType.Int4), InlineData(DataType.Uint2),
        InlineData(DataType.Int64), InlineData(DataType.Float4E2M1)]
    public void Parts_are_the_parts_of_the_whole(DataType type)
    {
        const int Count = 20_001;
        var bytes = new byte[DataTypes.Bytes(type, Count)];
        new Random(2).NextBytes(bytes);
        var content = Raw(type, Count, TensorContent.FromBytes(bytes));
        var whole = content.ToFloats();
        foreach (var (first, length) in new[] { (0, Count), (1, 1), (3, 7), (8191, 9000), (20_000, 1), (Count, 0), (5, 16_390) })
        {
            var part = new float[length];
            content.ReadFloats(first, part);
            Assert.Equal(whole.AsSpan(first, length).ToArray(), part);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => content.ReadFloats(Count, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => content.ReadFloats(-1, new float[1]));
    }

    [Fact]
    public void Strings_are_not_numbers()
    {
        var content =
            Model.Content(new TensorProto { DataType = (int)DataType.String, Dims = { 1 }, StringData = { ByteString.CopyFromUtf8("a") } });
        Assert.Throws<NotSupportedException>(() => content.ToFloats());
        Assert.Throws<NotSupportedException>(() => content.ToLongs());
    }
}
