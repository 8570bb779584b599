using Espalier.Onnx;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Weights in blocks that share a scale, several elements to a byte.</summary>
public sealed class QuantizedBlockTests
{
    private const int Block = 16;

    /// <summary>A linear layer in blocks: <c>name.weight</c>, <c>name.scale</c>, <c>name.zero</c>, <c>name.bias</c>.</summary>
    private static string NBits(GraphBuilder g, string x, string name, int k, int n, int bits, bool zeros, bool bias, bool flat = false)
    {
        int blocks = k / Block, bytes = Block * bits / 8, packed = (blocks * bits + 7) / 8;
        string w = g.Integers($"{name}.weight", DataType.Uint8, [.. Enumerable.Range(0, n * blocks * bytes).Select(i => (long)(i * 37 % 251))], n, blocks, bytes);
        string s = g.Scales($"{name}.scale", bits == 4 ? 1 / 64f : 1 / 1024f, flat ? [n * blocks] : [n, blocks]);
        string z = zeros ? g.Integers($"{name}.zero", DataType.Uint8, [.. Enumerable.Range(0, n * packed).Select(i => bits == 4 ? (7 + i % 3) | ((7 + i % 2) << 4) : 120L + i % 9)], flat ? [n * packed] : [n, packed]) : "";
        List<string> inputs = [x, w, s];
        if (zeros || bias) inputs.Add(z);
        if (bias) inputs.AddRange(["", g.Weight($"{name}.bias", n)]);
        return g.Node("com.microsoft::MatMulNBits", [.. inputs], ("K", k), ("N", n), ("bits", bits), ("block_size", Block));
    }

    [Theory]
    [InlineData(4, false, false, false)]
    [InlineData(4, false, true, true)]
    [InlineData(4, true, true, false)]
    [InlineData(4, true, false, true)]
    [InlineData(8, false, true, false)]
    [InlineData(8, true, false, true)]
    [InlineData(8, true, true, false)]
    public void MatMulNBits_loses_rows_and_whole_blocks(int bits, bool zeros, bool bias, bool flat)
    {
        var g = new GraphBuilder(3);
        var y = g.Relu(NBits(g, g.Linear(g.Input("x", "batch", 6), "in", 6, 32), "a", 32, 96, bits, zeros, bias, flat));
        y = g.Relu(NBits(g, y, "b", 96, 24, bits, zeros, bias, flat));
        g.Output(g.Linear(y, "out", 24, 4));
        // Packed zero points hold those of two blocks in a byte, and these go together.
        int units = zeros && bits == 4 ? 3 : 6;
        var check = RuleCheck.On(g)
            .Group("b.weight", 1, units, null, ("b.scale", flat ? 0 : 1), ("a.weight", 0), ("a.scale", 0))
            .Group("b.weight", 0, 24, GroupKind.Neurons, ("b.scale", 0), ("out.weight", 0));
        if (zeros) check.Group("b.zero", flat ? 0 : 1, units, null, ("a.zero", 0));
        if (bias) check.Group("a.bias", 0, units, null, ("b.weight", 1));
        if (!zeros || bits == 8) check.Group("a.weight", 1, 2, null, ("in.weight", 1));
        check.IsExact();
    }

    [Fact]
    public void MatMulNBits_with_packed_zero_points_of_an_odd_number_of_blocks()
    {
        var g = new GraphBuilder(3);
        var y = g.Relu(NBits(g, g.Linear(g.Input("x", "batch", 6), "in", 6, 48), "a", 48, 20, 4, true, false));
        g.Output(g.Linear(y, "out", 20, 4));
        RuleCheck.On(g).Frozen("in.weight", 1, "last byte").Group("a.weight", 0, 20, null, ("a.scale", 0), ("a.zero", 0), ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void MatMulNBits_with_unpacked_zero_points()
    {
        var g = new GraphBuilder(3);
        var x = g.Linear(g.Input("x", "batch", 6), "in", 6, 64);
        g.Integers("w", DataType.Uint8, [.. Enumerable.Range(0, 20 * 4 * 8).Select(i => (long)(i * 37 % 251))], 20, 4, 8);
        var y = g.Node("com.microsoft::MatMulNBits", [x, "w", g.Scales("s", 1 / 64f, 20, 4), g.Positive("z", 20, 4)], ("K", 64), ("N", 20), ("bits", 4), ("block_size", Block));
        g.Output(g.Linear(g.Relu(y), "out", 20, 4));
        RuleCheck.On(g).Group("w", 1, 4, null, ("s", 1), ("z", 1), ("in.weight", 1)).Group("w", 0, 20, null, ("s", 0), ("z", 0), ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void MatMulNBits_that_lists_the_group_of_every_column_is_frozen()
    {
        var g = new GraphBuilder(3);
        var x = g.Linear(g.Input("x", "batch", 6), "in", 6, 32);
        g.Integers("w", DataType.Uint8, new long[20 * 2 * 8], 20, 2, 8);
        var y = g.Node("com.microsoft::MatMulNBits",
            [x, "w", g.Scales("s", 1 / 64f, 20, 2), "", g.Integers("g", DataType.Int32, [.. Enumerable.Range(0, 32).Select(i => (long)(i / 16))], 32)], ("K", 32), ("N", 20), ("bits", 4), ("block_size", Block));
        g.Output(g.Linear(g.Relu(y), "out", 20, 4));
        RuleCheck.On(g).Frozen("in.weight", 1, "g_idx");
    }

    [Fact]
    public void MatMulBnb4_loses_rows_and_whole_blocks()
    {
        var g = new GraphBuilder(3);
        string Layer(string x, string name, int k, int n)
        {
            g.Integers($"{name}.weight", DataType.Uint8, [.. Enumerable.Range(0, n * k / 2).Select(i => (long)(i * 37 % 251))], n * k / 2);
            return g.Node("com.microsoft::MatMulBnb4", [x, $"{name}.weight", g.Scales($"{name}.absmax", 1 / 8f, n * k / Block)], ("K", k), ("N", n), ("block_size", Block), ("quant_type", 1));
        }
        var y = g.Relu(Layer(g.Linear(g.Input("x", "batch", 6), "in", 6, 32), "a", 32, 64));
        g.Output(g.Linear(g.Relu(Layer(y, "b", 64, 20)), "out", 20, 4));
        RuleCheck.On(g)
            .Group("a.weight", 0, 4, null, ("a.absmax", 0), ("b.weight", 0), ("b.absmax", 0))
            .Group("a.weight", 0, 2, null, ("in.weight", 1))
            .Group("b.weight", 0, 20, GroupKind.Neurons, ("b.absmax", 0), ("out.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(DataType.Uint8, 4, false)]
    [InlineData(DataType.Uint8, 4, true)]
    [InlineData(DataType.Uint4, 4, true)]
    [InlineData(DataType.Int4, 4, true)]
    [InlineData(DataType.Uint8, 8, true)]
    public void GatherBlockQuantized_loses_whole_blocks(DataType type, int bits, bool zeros)
    {
        var g = new GraphBuilder(3, opset: 21);
        g.Input("ids", DataType.Int64, "batch", "sequence");
        bool bytes = type == DataType.Uint8;
        int width = bytes ? 64 * bits / 8 : 64, points = bytes ? 4 * bits / 8 : 4;
        long low = type == DataType.Int4 ? -8 : 0, high = bytes ? 251 : 16;
        g.Integers("table", type, [.. Enumerable.Range(0, 10 * width).Select(i => low + (i * 37 % high))], 10, width);
        List<string> inputs = ["table", "ids", g.Scales("s", 1 / 16f, 10, 4)];
        if (zeros) inputs.Add(g.Integers("z", type, [.. Enumerable.Range(0, 10 * points).Select(i => bytes && bits == 4 ? 0x87 : type == DataType.Int4 ? 1L : 7)], 10, points));
        var x = g.Node("com.microsoft::GatherBlockQuantized", [.. inputs], ("block_size", Block), ("bits", bits), ("gather_axis", 0), ("quantize_axis", 1));
        g.Output(g.Linear(g.Relu(x), "out", 64, 4), "batch", "sequence", 4);
        int units = zeros && bytes && bits == 4 ? 2 : 4;
        var check = RuleCheck.On(g, ("sequence", 6)).Group("table", 1, units, null, ("s", 1), ("out.weight", 0)).Frozen("table", 0, "GatherBlockQuantized");
        if (zeros) check.Group("z", 1, units, null, ("s", 1));
        check.IsExact();
    }

    [Theory]
    [InlineData(8, "relu", true)]
    [InlineData(8, "silu", false)]
    [InlineData(8, "gelu", true)]
    [InlineData(8, "identity", false)]
    [InlineData(8, "swiglu", true)]
    [InlineData(4, "relu", false)]
    [InlineData(4, "silu", true)]
    [InlineData(4, "swiglu", false)]
    [InlineData(4, "swiglu", true)]
    public void Experts_lose_hidden_units_with_their_scales(int bits, string activation, bool bias)
    {
        const int experts = 4, hidden = 32, width = 32;
        int fusion = activation == "swiglu" ? 2 : 1, pack = 8 / bits;
        var g = new GraphBuilder();
        var x = g.Linear(g.Input("x", 5, 6), "a", 6, width);
        var router = g.Linear(x, "router", width, experts, bias: false);
        string[] operands =
        [
            x, router,
            g.RandomIntegers("fc1", Espalier.Onnx.TensorProto.Types.DataType.Uint8, 127, 128, experts, fusion * hidden, width / pack), g.Positive("s1", experts, fusion * hidden), bias ? g.Weight("b1", experts, fusion * hidden) : "",
            g.RandomIntegers("fc2", Espalier.Onnx.TensorProto.Types.DataType.Uint8, 127, 128, experts, width, hidden / pack), g.Positive("s2", experts, width), bias ? g.Weight("b2", experts, width) : "",
        ];
        var y = g.Node("com.microsoft::QMoE", operands, ("k", 2), ("expert_weight_bits", bits), ("activation_type", activation), ("swiglu_fusion", fusion == 2 ? 1 : 0));
        g.Output(g.Linear(y, "out", width, 5));
        var check = RuleCheck.On(g).Group("fc1", 1, hidden / pack, null, ("s1", 1), ("fc2", 2)).Inexact("router.weight", 1, experts, "largest");
        check.IsExact();
    }
}
