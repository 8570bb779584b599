using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Convolutions and what stands between them.</summary>
public sealed class ConvolutionTests
{
    private static (GraphBuilder Graph, string X) Start(WeightStorage storage = WeightStorage.Initializer, int channels = 3, int size = 8)
    {
        var g = new GraphBuilder(7, storage: storage);
        return (g, g.Input("x", "batch", channels, size, size));
    }

    [Theory]
    [InlineData(WeightStorage.Initializer)]
    [InlineData(WeightStorage.ConstantNode)]
    [InlineData(WeightStorage.GraphInput)]
    public void Two_convolutions(WeightStorage storage)
    {
        var (g, x) = Start(storage);
        g.Output(g.Conv(g.Conv(x, "c1", 3, 16), "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("c1.bias", 0), ("c2.weight", 1))
            .Frozen("c2.weight", 0, "output").IsExact();
    }

    [Fact]
    public void Batch_norm_and_relu()
    {
        var (g, x) = Start();
        g.Output(g.Conv(g.Relu(g.BatchNorm(g.Conv(x, "c1", 3, 16, new(Bias: false)), "bn", 16)), "c2", 16, 5));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 16, Axis.Channels, ("bn.scale", 0), ("bn.shift", 0), ("bn.mean", 0), ("bn.var", 0),
                ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Residual_couples_every_writer_of_the_stream()
    {
        var (g, x) = Start();
        var stem = g.Relu(g.Conv(x, "stem", 3, 12));
        var a = g.Relu(g.Add(stem, g.Conv(g.Relu(g.Conv(stem, "a1", 12, 8)), "a2", 8, 12)));
        var b = g.Relu(g.Add(g.Conv(g.Relu(g.Conv(a, "b1", 12, 8)), "b2", 8, 12), a));
        g.Output(g.Gemm(g.Flatten(g.GlobalPool(b)), "fc", 12, 5), "batch", 5);
        RuleCheck.On(g)
            .Group("stem.weight", 0, 12, Axis.Channels, ("a2.weight", 0), ("b2.weight", 0), ("a1.weight", 1), ("b1.weight", 1),
                ("fc.weight", 1))
            .Group("a1.weight", 0, 8, Axis.Channels, ("a2.weight", 1))
            .Group("b1.weight", 0, 8, Axis.Channels, ("b2.weight", 1))
            .Frozen("fc.weight", 0, "output").IsExact();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Squeeze_and_excitation(bool convolutions)
    {
        var (g, x) = Start();
        var y = g.Relu(g.Conv(x, "c1", 3, 16));
        var pooled = g.GlobalPool(y);
        var gate = convolutions
            ? g.Sigmoid(g.Conv(g.Relu(g.Conv(pooled, "down", 16, 4, 1)), "up", 4, 16, 1))
            : g.Unsqueeze(g.Sigmoid(g.Gemm(g.Relu(g.Gemm(g.Flatten(pooled), "down", 16, 4)), "up", 4, 16)), 2, 3);
        g.Output(g.Conv(g.Mul(y, gate), "c2", 16, 5));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 16, Axis.Channels, ("down.weight", 1), ("up.weight", 0), ("up.bias", 0), ("c2.weight", 1))
            .Group("down.weight", 0, 4, null, ("up.weight", 1)).IsExact();
    }

    [Fact]
    public void Squeeze_and_excitation_through_reshape_to_literal_channels()
    {
        var (g, x) = Start();
        var y = g.Relu(g.Conv(x, "c1", 3, 16));
        var gate = g.Reshape(g.Node("HardSigmoid", g.Gemm(g.Reshape(g.GlobalPool(y), -1, 16), "fc", 16, 16)), -1, 16, 1, 1);
        g.Output(g.Conv(g.Mul(y, gate), "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("fc.weight", 1), ("fc.weight", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Depthwise_in_an_inverted_residual()
    {
        var (g, x) = Start(channels: 3);
        var s = g.Conv(x, "stem", 3, 8);
        var y = g.Node("Clip", [g.Conv(s, "expand", 8, 24, 1), g.Scalar("lo", 0), g.Scalar("hi", 6)]);
        y = g.Node("Clip", [g.Conv(y, "dw", 24, 24, new(3, Group: 24)), "lo", "hi"]);
        g.Output(g.Conv(g.Add(s, g.Conv(y, "project", 24, 8, 1)), "head", 8, 5));
        RuleCheck.On(g)
            .Group("expand.weight", 0, 24, Axis.Channels, ("dw.weight", 0), ("dw.bias", 0), ("project.weight", 1))
            .Group("stem.weight", 0, 8, Axis.Channels, ("project.weight", 0), ("head.weight", 1)).IsExact();
    }

    [Fact]
    public void Depthwise_with_two_outputs_per_channel()
    {
        var (g, x) = Start();
        g.Output(g.Conv(g.Relu(g.Conv(g.Conv(x, "c1", 3, 8), "dw", 8, 16, new(3, Group: 8))), "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 8, Axis.Channels, ("dw.weight", 0), ("dw.bias", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Grouped_convolution_keeps_its_groups_equal()
    {
        var (g, x) = Start();
        g.Output(g.Conv(g.Relu(g.Conv(g.Conv(x, "c1", 3, 16), "g4", 16, 24, new(3, Group: 4))), "c2", 24, 5));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 4, null, ("g4.weight", 1))
            .Group("g4.weight", 0, 6, Axis.Channels, ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Grouped_convolution_that_expands()
    {
        var (g, x) = Start();
        g.Output(g.Conv(g.Conv(g.Conv(x, "c1", 3, 8), "g2", 8, 32, new(1, Group: 2)), "c2", 32, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 4, null, ("g2.weight", 1))
            .Group("g2.weight", 0, 16, Axis.Channels, ("c2.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Transposed_convolution(int group)
    {
        var (g, x) = Start();
        var y = g.Node("ConvTranspose", [g.Conv(x, "c1", 3, 16), g.Weight("up.weight", 16, 12 / group, 2, 2), g.Weight("up.bias", 12)],
            ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }), ("group", group));
        g.Output(g.Conv(y, "c2", 12, 5));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 16 / group, group == 1 ? Axis.Channels : null, ("up.weight", 0))
            .Group("up.weight", 1, 12 / group, Axis.Channels, ("up.bias", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Depthwise_transposed_convolution()
    {
        var (g, x) = Start();
        var y = g.Node("ConvTranspose", [g.Conv(x, "c1", 3, 16), g.Weight("up.weight", 16, 1, 2, 2)],
            ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }), ("group", 16));
        g.Output(g.Conv(y, "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("up.weight", 0), ("c2.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Flatten_to_a_linear_layer(bool transposed)
    {
        var (g, x) = Start(size: 4);
        var y = g.Node("MaxPool", g.Relu(g.Conv(x, "c1", 3, 8)), ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }));
        g.Output(g.Gemm(g.Relu(g.Gemm(g.Flatten(y), "fc1", 32, 12, transposed)), "fc2", 12, 5, transposed));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 8, Axis.Channels, ("fc1.weight", transposed ? 1 : 0))
            .Group("fc1.weight", transposed ? 0 : 1, 12, Axis.Neurons, ("fc1.bias", 0), ("fc2.weight", transposed ? 1 : 0)).IsExact();
    }

    [Fact]
    public void Linear_layer_viewed_as_channels()
    {
        var g = new GraphBuilder(7);
        var x = g.Input("x", "batch", 6);
        g.Output(g.Conv(g.Relu(g.Reshape(g.Linear(x, "fc", 6, 128), -1, 8, 4, 4)), "c", 8, 5));
        RuleCheck.On(g).Group("fc.weight", 1, 8, null, ("fc.bias", 0), ("c.weight", 1)).IsExact();
    }

    [Fact]
    public void Prelu()
    {
        var (g, x) = Start();
        var y = g.Node("PRelu", [g.Conv(x, "c1", 3, 16), g.Weight("slope", 16, 1, 1)]);
        g.Output(g.Conv(y, "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("slope", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Residual_through_padded_channels()
    {
        var (g, x) = Start();
        var s = g.Relu(g.Conv(x, "stem", 3, 8));
        var skip = g.Node("Pad", [s, g.Longs(0, 0, 0, 0, 0, 4, 0, 0)], ("mode", "constant"));
        var y = g.Relu(g.Add(g.Conv(s, "wide", 8, 12), skip));
        g.Output(g.Conv(y, "c2", 12, 5));
        RuleCheck.On(g)
            .Group("stem.weight", 0, 8, Axis.Channels, ("wide.weight", 0), ("wide.weight", 1), ("c2.weight", 1))
            .Group("wide.weight", 0, 4, null, ("c2.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData("MaxPool")]
    [InlineData("AveragePool")]
    public void Pooling(string op)
    {
        var (g, x) = Start();
        var y = g.Node(op, g.Conv(x, "c1", 3, 16), ("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }),
            ("strides", new[] { 2, 2 }));
        g.Output(g.Conv(y, "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("c2.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Resize(bool sizes)
    {
        var (g, _) = Start();
        var x = g.Input("fixed", 1, 3, 8, 8);
        var y = g.Conv(x, "c1", 3, 16);
        // The sizes hold the channel count as a literal, which has to follow.
        y = sizes
            ? g.Node("Resize", [y, "", "", g.Longs(1, 16, 16, 16)], ("mode", "nearest"))
            : g.Node("Resize", [y, "", g.Floats("scales", [1, 1, 2, 2], 4)], ("mode", "nearest"));
        g.Output(g.Conv(y, "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Group_norm_by_instance_norm_loses_whole_norm_groups_exactly()
    {
        var (g, x) = Start();
        var y = g.Conv(x, "c1", 3, 16);
        var normed =
            g.Node("InstanceNormalization", [g.Reshape(y, 0, 2, -1), g.Positive("ones", 2), g.Weight("zeros", 2)], ("epsilon", 1e-5f));
        y = g.Reshape(normed, 0, 16, 8, 8);
        y = g.Add(g.Mul(y, g.Positive("gn.weight", 16, 1, 1)), g.Weight("gn.bias", 16, 1, 1));
        g.Output(g.Conv(g.Relu(y), "c2", 16, 5));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 2, null, ("ones", 0), ("gn.weight", 0), ("gn.bias", 0), ("c2.weight", 1))
            .Inexact("c1.weight", 0, 8, "InstanceNormalization").IsExact();
    }

    [Fact]
    public void Instance_norm_per_channel()
    {
        var (g, x) = Start();
        var y = g.Node("InstanceNormalization", [g.Conv(x, "c1", 3, 16), g.Positive("in.weight", 16), g.Weight("in.bias", 16)]);
        g.Output(g.Conv(g.Relu(y), "c2", 16, 5));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("in.weight", 0), ("in.bias", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Channels_last_by_transposes()
    {
        var g = new GraphBuilder(7);
        var x = g.Input("x", 1, 8, 8, 3);
        var y = g.Transpose(g.Conv(g.Transpose(x, 0, 3, 1, 2), "c1", 3, 16), 0, 2, 3, 1);
        y = g.Add(g.Relu(y), g.Weight("nhwc.bias", 16));
        y = g.Linear(y, "fc", 16, 12);
        g.Output(g.Transpose(g.Conv(g.Transpose(y, 0, 3, 1, 2), "c2", 12, 5), 0, 2, 3, 1));
        RuleCheck.On(g)
            .Group("c1.weight", 0, 16, Axis.Channels, ("nhwc.bias", 0), ("fc.weight", 0))
            .Group("fc.weight", 1, 12, null, ("fc.bias", 0), ("c2.weight", 1)).IsExact();
    }

    [Fact]
    public void Residual_to_a_graph_input_is_frozen()
    {
        var (g, x) = Start(channels: 8);
        g.Output(g.Add(x, g.Conv(g.Relu(g.Conv(x, "c1", 8, 16)), "c2", 16, 8)));
        RuleCheck.On(g).Group("c1.weight", 0, 16, Axis.Channels, ("c2.weight", 1)).Frozen("c2.weight", 0, "put")
            .Frozen("c1.weight", 1, "input").IsExact();
    }

    [Fact]
    public void One_dimensional_convolution()
    {
        var g = new GraphBuilder(7);
        var x = g.Input("x", "batch", 4, "time");
        var y = g.Node("Conv", [x, g.Weight("c1.weight", 12, 4, 3)], ("kernel_shape", new[] { 3 }), ("pads", new[] { 1, 1 }));
        y = g.Node("Conv", [g.Node("Tanh", y), g.Weight("c2.weight", 5, 12, 3)], ("kernel_shape", new[] { 3 }));
        g.Output(y);
        RuleCheck.On(g).Group("c1.weight", 0, 12, Axis.Channels, ("c2.weight", 1)).IsExact();
    }
}
