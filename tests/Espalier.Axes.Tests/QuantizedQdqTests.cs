using Espalier.Axes.Groups;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Networks with QuantizeLinear and DequantizeLinear round their layers.</summary>
public sealed class QuantizedQdqTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Convolutions_with_residual_and_depthwise(bool perChannel, bool zeros)
    {
        var g = new GraphBuilder(3);
        var x = g.Qdq(g.Input("x", "batch", 3, 8, 8), 1 / 128f);
        var y = g.Qdq(g.Relu(g.QdqConv(x, "stem", (3, 8), new(perChannel, zeros))), 1 / 32f, 0);
        var z = g.Relu(g.QdqConv(y, "expand", (8, 12), new(perChannel, zeros), 1));
        z = g.Relu(g.QdqConv(g.Qdq(z, 1 / 32f, 0), "depth", (12, 12), new(perChannel, zeros), new(Group: 12)));
        z = g.QdqConv(g.Qdq(z, 1 / 32f, 0), "project", (12, 8), new(perChannel, zeros), 1);
        y = g.Qdq(g.Add(y, z), 1 / 16f);
        y = g.Qdq(g.GlobalPool(y), 1 / 64f);
        g.Output(g.QdqLinear(g.Flatten(y), "head", 8, 5, new(perChannel, zeros)));
        RuleCheck.On(g)
            .Group("stem.weight", 0, 8, Axis.Channels, ("stem.bias", 0), ("expand.weight", 1), ("project.weight", 0),
                ("head.weight", 0))
            .Group("expand.weight", 0, 12, Axis.Channels, ("expand.bias", 0), ("depth.weight", 0), ("depth.bias", 0),
                ("project.weight", 1)).IsExact();
    }

    [Fact]
    public void Scales_and_zero_points_of_channels_are_sliced()
    {
        var g = new GraphBuilder(3);
        var x = g.Qdq(g.Input("x", "batch", 3, 8, 8), 1 / 128f);
        g.Output(g.QdqConv(g.QdqConv(x, "a", (3, 10), new(true, true)), "b", (10, 4), new(true, true)));
        RuleCheck.On(g)
            .Group("a.weight", 0, 10, null, ("a.scale", 0), ("a.zero", 0), ("a.bias", 0), ("a.biasScale", 0), ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Another_zero_point_is_not_zero()
    {
        var g = new GraphBuilder(3);
        var x = g.Qdq(g.Input("x", "batch", 6), 1 / 128f);
        var y = g.QdqLinear(x, "a", 6, 10, new(false, false, Requantizes: false));
        string s = g.Scalar("s", 1 / 32f);
        var q = g.Node("QuantizeLinear", [y, s, g.Integers("z1", DataType.Uint8, [120])]);
        y = g.Node("DequantizeLinear", [q, s, g.Integers("z2", DataType.Uint8, [121])]);
        // The second operand of a product is zero at removed units whatever the first is; a sum over the first alone is not.
        g.Output(g.Node("ReduceSum", [y, g.Longs(1)]));
        RuleCheck.On(g).Inexact("a.weight", 1, 10, "ReduceSum");
    }

    [Fact]
    public void Integers_that_are_moved_keep_their_zero_point()
    {
        var g = new GraphBuilder(5, opset: 18);
        var x = g.Qdq(g.Input("x", "batch", 3, 8, 8), 1 / 128f);
        var y = g.Relu(g.QdqConv(x, "a", (3, 8), new(true, false)));
        string s = g.Scalar("s", 1 / 32f), z = g.Integers("z", DataType.Uint8, [7]);
        var q = g.Node("QuantizeLinear", [y, s, z]);
        q = g.Node("MaxPool", q, ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }));
        q = g.Node("Pad", [q, g.Longs(0, 0, 1, 1, 0, 0, 1, 1), g.Integers("fill", DataType.Uint8, [7])]);
        var parts = g.Split(q, 1, 4, 4);
        q = g.Transpose(g.Concat(1, parts[1], parts[0]), 0, 2, 3, 1);
        q = g.Reshape(q, 0, 36, 8);
        q = g.Node("ReduceMax", [g.Slice(q, 1, 3, 33), g.Longs(1)], ("keepdims", 0));
        // All that is left is summed as it is: so it must be zero.
        g.Output(g.Node("ReduceSum", [g.Node("DequantizeLinear", [q, s, z]), g.Longs(1)]));
        RuleCheck.On(g).Group("a.weight", 0, 4, null, ("a.bias", 0)).IsExact();
    }

    [Fact]
    public void Padding_with_another_number_is_not_zero()
    {
        var g = new GraphBuilder(5, opset: 18);
        var x = g.Qdq(g.Input("x", "batch", 3, 8, 8), 1 / 128f);
        string s = g.Scalar("s", 1 / 32f), z = g.Integers("z", DataType.Uint8, [7]);
        var q = g.Node("QuantizeLinear", [g.QdqConv(x, "a", (3, 8), new(true, false)), s, z]);
        q = g.Node("Pad", [q, g.Longs(0, 0, 1, 1, 0, 0, 1, 1), g.Integers("fill", DataType.Uint8, [0])]);
        g.Output(g.Node("ReduceSum", [g.Node("DequantizeLinear", [q, s, z]), g.Longs(1)]));
        RuleCheck.On(g).Inexact("a.weight", 0, 8, "ReduceSum");
    }

    [Fact]
    public void A_weight_that_two_readers_take_differently_is_inexact()
    {
        var g = new GraphBuilder(3);
        var x = g.Qdq(g.Input("x", "batch", 6), 1 / 128f);
        g.RandomIntegers("w", DataType.Uint8, 60, 100, 6, 10);
        string s = g.Scalar("s", 1 / 256f);
        var a = g.MatMul(x, g.Node("DequantizeLinear", ["w", s, g.Integers("z1", DataType.Uint8, [100])]));
        var b = g.MatMul(x, g.Node("DequantizeLinear", ["w", s, g.Integers("z2", DataType.Uint8, [90])]));
        g.Output(g.Linear(g.Relu(g.Add(a, b)), "out", 10, 4));
        RuleCheck.On(g).Inexact("w", 1, 10, "zero point");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Feed_forward_and_heads_of_a_transformer(bool perChannel)
    {
        const int heads = 4, dim = 6, width = 24;
        var g = new GraphBuilder(17);
        var x = g.Qdq(g.Input("x", "batch", 5, width), 1 / 32f);
        string Project(string name) => g.QdqLinear(x, name, width, width, new(perChannel, true));
        var (q, k, v) = (g.SplitHeads(Project("q"), heads, dim), g.SplitHeads(Project("k"), heads, dim),
            g.SplitHeads(Project("v"), heads, dim));
        var scores = g.Qdq(g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar("root", 0.4f)), 1 / 16f);
        var a = g.Qdq(g.MatMul(g.Qdq(g.Softmax(scores), 1 / 256f, 0), v), 1 / 32f);
        x = g.Qdq(g.Add(x, g.QdqLinear(g.MergeHeads(a, width), "o", width, width, new(perChannel, false))), 1 / 16f);
        var up = g.Qdq(g.Node("Erf", g.QdqLinear(x, "up", width, 40, new(perChannel, false))), 1 / 100f);
        g.Output(g.Add(x, g.QdqLinear(up, "down", 40, width, new(perChannel, false))), "batch", 5, width);
        RuleCheck.On(g)
            .Group("q.weight", 1, heads, Axis.Heads, ("k.weight", 1), ("v.weight", 1), ("o.weight", 0), ("q.bias", 0))
            .Group("q.weight", 1, dim, Axis.HeadDims, ("k.weight", 1))
            .Group("v.weight", 1, dim, Axis.ValueDims, ("o.weight", 0))
            .Group("up.weight", 1, 40, Axis.Neurons, ("up.bias", 0), ("down.weight", 0)).IsExact();
    }

    [Fact]
    public void Scale_per_channel_of_an_activation()
    {
        var g = new GraphBuilder(3);
        var y = g.Linear(g.Input("x", "batch", 6), "a", 6, 10);
        string s = g.Scales("s", 1 / 32f, 10), z = g.Integers("z", DataType.Uint8, [.. Enumerable.Range(0, 10).Select(k => 100L + k)], 10);
        y = g.Node("DequantizeLinear", [g.Node("QuantizeLinear", [y, s, z], ("axis", -1)), s, z], ("axis", 1));
        g.Output(g.Linear(y, "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("a.bias", 0), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Integer_embedding_rows_are_dequantised_after_they_are_read()
    {
        var g = new GraphBuilder(3);
        g.Input("ids", DataType.Int64, "batch", "sequence");
        var q = g.Node("Gather", [g.RandomIntegers("table", DataType.Uint8, 60, 130, 20, 12), "ids"], ("axis", 0));
        var x = g.Node("DequantizeLinear", [q, g.Scalar("s", 1 / 32f), g.Integers("z", DataType.Uint8, [130])]);
        g.Output(g.Linear(g.Relu(x), "out", 12, 4), "batch", "sequence", 4);
        RuleCheck.On(g).Group("table", 1, 12, null, ("out.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(DataType.Int4)]
    [InlineData(DataType.Uint4)]
    [InlineData(DataType.Int8)]
    public void Weights_in_blocks_lose_whole_blocks_of_inputs(DataType type)
    {
        const int block = 16;
        var g = new GraphBuilder(3, opset: 21);
        var x = g.Input("x", "batch", 6);
        string Weight(string name, int k, int n)
        {
            long centre = type == DataType.Uint4 ? 8 : 0;
            var w = g.RandomIntegers($"{name}.weight", type, 6, centre, k, n);
            return g.Node("DequantizeLinear", [w, g.Scales($"{name}.scale", 1 / 32f, k / block, n), g.Integers($"{name}.zero", type,
                [.. Enumerable.Range(0, k / block * n).Select(i => centre + (i % 3) - 1)], k / block, n)], ("axis", 0),
                ("block_size", block));
        }
        var y = g.Relu(g.Add(g.Linear(x, "in", 6, 64), g.Weight("shift", 64)));
        y = g.Relu(g.MatMul(y, Weight("a", 64, 33)));
        g.Output(g.Linear(y, "out", 33, 4));
        RuleCheck.On(g)
            .Group("a.weight", 0, 4, null, ("a.scale", 0), ("a.zero", 0), ("in.weight", 1), ("in.bias", 0), ("shift", 0))
            .Group("a.weight", 1, 33, Axis.Neurons, ("a.scale", 1), ("out.weight", 0)).IsExact();
    }
}
