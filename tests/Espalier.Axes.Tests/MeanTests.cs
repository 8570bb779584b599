using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Means over an axis that is pruned: zeros add nothing to a sum, and surgery divides it anew.</summary>
public sealed class MeanTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_mean_over_channels_is_exact(int keepDimensions)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 3, 6, 6);
        var y = g.Relu(g.Conv(x, "a", 3, 16));
        var mean = g.Node("ReduceMean", y, ("axes", new[] { 1 }), ("keepdims", keepDimensions));
        if (keepDimensions == 0) mean = g.Unsqueeze(mean, 1);
        g.Output(g.Conv(g.Mul(y, g.Sigmoid(g.Conv(mean, "gate", 1, 1))), "b", 16, 5));
        RuleCheck.On(g).Group("a.weight", 0, 16, Axis.Channels, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void A_mean_over_channels_and_positions_counts_both()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 3, 6, 6);
        var y = g.Conv(x, "a", 3, 16);
        var z = g.Concat(1, y, g.Conv(x, "c", 3, 7));
        g.Output(g.Mul(g.Node("ReduceMean", z, ("axes", new[] { 1, 2, 3 }), ("keepdims", 1)), g.Conv(y, "b", 16, 5)));
        RuleCheck.On(g).Group("a.weight", 0, 16, Axis.Channels, ("b.weight", 1)).Group("c.weight", 0, 7, Axis.Channels).IsExact();
    }

    [Fact]
    public void A_mean_over_what_is_not_zero_is_inexact()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 3, 6, 6);
        var y = g.Sigmoid(g.Conv(x, "a", 3, 16));
        var mean = g.Node("ReduceMean", y, ("axes", new[] { 1 }), ("keepdims", 1));
        g.Output(g.Conv(g.Mul(y, mean), "b", 16, 5));
        RuleCheck.On(g).Inexact("a.weight", 0, 16, "ReduceMean");
    }

    [Theory]
    [InlineData("decomposed")]
    [InlineData("fused")]
    [InlineData("skip")]
    public void The_width_of_a_network_with_root_mean_square_norms_is_exact(string form)
    {
        const int width = 12;
        var g = new GraphBuilder();
        var x = g.Node("Gather", [g.Weight("embedding", 9, width), g.Input("ids", Espalier.Onnx.TensorProto.Types.DataType.Int64, "n", 4)]);
        string Norm(string y, string name)
        {
            if (form != "decomposed")
                return g.Node("SimplifiedLayerNormalization", [y, g.Positive(name, width)], ("epsilon", 1e-3f), ("axis", -1));
            var mean = g.Node("ReduceMean", g.Node("Pow", [y, g.Scalar(name + ".two", 2)]), ("axes", new[] { -1 }), ("keepdims", 1));
            return g.Mul(g.Node("Div", [y, g.Node("Sqrt", g.Add(mean, g.Scalar(name + ".eps", 1e-3f)))]), g.Positive(name, width));
        }
        string Mlp(string y, string name)
            => g.Linear(g.Relu(g.Linear(y, name + ".up", width, 20, bias: false)), name + ".down", 20, width, bias: false);
        var y = Mlp(Norm(x, "n0"), "l0");
        if (form == "skip")
        {
            // Both results are used: the normalised sum, and the sum itself.
            var skip = g.Nodes("com.microsoft::SkipSimplifiedLayerNormalization", 4, [x, y, g.Positive("n1", width)], ("epsilon", 1e-3f));
            x = g.Add(skip[3], Mlp(skip[0], "l1"));
        }
        else
        {
            x = g.Add(x, y);
            x = g.Add(x, Mlp(Norm(x, "n1"), "l1"));
        }
        g.Output(g.Linear(Norm(x, "n2"), "head", width, 5));
        RuleCheck.On(g)
            .Group("embedding", 1, width, Axis.Width, ("n0", 0), ("n1", 0), ("l0.up.weight", 0), ("l1.down.weight", 1),
                ("head.weight", 0))
            .Group("l0.up.weight", 1, 20, Axis.Neurons).IsExact();
    }

    [Fact]
    public void The_width_of_a_network_with_layer_norms_is_inexact()
    {
        var g = new GraphBuilder();
        var x = g.Node("Gather", [g.Weight("embedding", 9, 12), g.Input("ids", Espalier.Onnx.TensorProto.Types.DataType.Int64, "n", 4)]);
        x = g.Add(x, g.Linear(g.Relu(g.Linear(g.LayerNorm(x, "ln", 12), "up", 12, 20)), "down", 20, 12));
        g.Output(g.Linear(x, "head", 12, 5));
        RuleCheck.On(g).Inexact("embedding", 1, 12, "LayerNormalization").Group("up.weight", 1, 20).IsExact();
    }
}
