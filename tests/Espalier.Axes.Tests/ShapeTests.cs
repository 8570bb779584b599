using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Operators that cut, join and rearrange axes.</summary>
public sealed class ShapeTests
{
    private static (GraphBuilder Graph, string X) Images(int size = 8, int channels = 3)
    {
        var g = new GraphBuilder(11);
        return (g, g.Input("x", "batch", channels, size, size));
    }

    private static (GraphBuilder Graph, string X) Rows(int width = 6)
    {
        var g = new GraphBuilder(11);
        return (g, g.Input("x", "batch", width));
    }

    [Fact]
    public void Concat_of_two_branches()
    {
        var (g, x) = Images();
        g.Output(g.Conv(g.Concat(1, g.Conv(x, "a", 3, 8), g.Conv(x, "b", 3, 12, 1)), "c", 20, 5));
        RuleCheck.On(g).Group("a.weight", 0, 8, Axis.Channels, ("c.weight", 1))
            .Group("b.weight", 0, 12, Axis.Channels, ("c.weight", 1)).IsExact();
    }

    [Fact]
    public void Nested_concat_as_in_dense_blocks()
    {
        var (g, x) = Images();
        var stem = g.Conv(x, "stem", 3, 8);
        var l1 = g.Conv(g.Relu(g.BatchNorm(stem, "bn1", 8)), "l1", 8, 4);
        var cat1 = g.Concat(1, stem, l1);
        var l2 = g.Conv(g.Relu(g.BatchNorm(cat1, "bn2", 12)), "l2", 12, 4);
        var cat2 = g.Concat(1, cat1, l2);
        g.Output(g.Conv(g.Relu(g.BatchNorm(cat2, "bn3", 16)), "out", 16, 5, 1));
        RuleCheck.On(g)
            .Group("stem.weight", 0, 8, Axis.Channels, ("bn1.scale", 0), ("l1.weight", 1), ("bn2.var", 0), ("l2.weight", 1),
                ("bn3.mean", 0), ("out.weight", 1))
            .Group("l1.weight", 0, 4, Axis.Channels, ("bn2.scale", 0), ("l2.weight", 1), ("out.weight", 1))
            .Group("l2.weight", 0, 4, Axis.Channels, ("bn3.shift", 0), ("out.weight", 1)).IsExact();
    }

    [Fact]
    public void Concat_of_one_tensor_with_itself()
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 8);
        g.Output(g.Conv(g.Concat(1, y, y), "c", 16, 5));
        RuleCheck.On(g).Group("a.weight", 0, 8, Axis.Channels, ("c.weight", 1)).IsExact();
    }

    [Fact]
    public void Split_in_halves_that_meet_again_stay_equal()
    {
        var (g, x) = Images();
        var parts = g.Split(g.Conv(x, "a", 3, 16), 1, 8, 8);
        g.Output(g.Conv(g.Mul(parts[0], g.Sigmoid(parts[1])), "b", 8, 5));
        RuleCheck.On(g).Group("a.weight", 0, 8, null, ("a.bias", 0), ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Split_without_sizes()
    {
        var (g, x) = Images();
        var parts = g.Nodes("Split", 2, [g.Conv(x, "a", 3, 16)], ("axis", 1));
        g.Output(g.Conv(g.Add(g.Conv(parts[0], "l", 8, 6), g.Conv(parts[1], "r", 8, 6)), "b", 6, 5));
        RuleCheck.On(g).Group("a.weight", 0, 8, null, ("l.weight", 1))
            .Group("l.weight", 0, 6, Axis.Channels, ("r.weight", 0), ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Uneven_split_goes_separate_ways()
    {
        var (g, x) = Images();
        var parts = g.Split(g.Conv(x, "a", 3, 16), 1, 10, 6);
        g.Output(g.Add(g.Conv(parts[0], "l", 10, 4), g.Conv(parts[1], "r", 6, 4)));
        RuleCheck.On(g).Group("a.weight", 0, 10, null, ("l.weight", 1)).Group("a.weight", 0, 6, null, ("r.weight", 1)).IsExact();
    }

    [Fact]
    public void Slices_of_channels_with_open_and_negative_bounds()
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 16);
        var head = g.Slice(y, 1, 0, 10);
        var tail = g.Slice(y, 1, -6, long.MaxValue);
        g.Output(g.Add(g.Conv(head, "l", 10, 4), g.Conv(tail, "r", 6, 4)));
        RuleCheck.On(g).Group("a.weight", 0, 10, null, ("l.weight", 1)).Group("a.weight", 0, 6, null, ("r.weight", 1)).IsExact();
    }

    [Fact]
    public void Shuffle_between_grouped_convolutions()
    {
        var (g, x) = Images();
        var y = g.Conv(g.Conv(x, "stem", 3, 16), "g1", 16, 16, new(1, Group: 2));
        y = g.Reshape(g.Transpose(g.Reshape(y, -1, 2, 8, 8, 8), 0, 2, 1, 3, 4), -1, 16, 8, 8);
        y = g.Conv(y, "dw", 16, 16, new(3, Group: 16));
        g.Output(g.Conv(g.Conv(y, "g2", 16, 8, new(1, Group: 2)), "c", 8, 5));
        RuleCheck.On(g)
            .Group("g1.weight", 0, 4, null, ("g1.bias", 0), ("dw.weight", 0), ("g2.weight", 1))
            .Group("stem.weight", 0, 8, null, ("g1.weight", 1)).Group("g2.weight", 0, 4, null, ("c.weight", 1)).IsExact();
    }

    [Fact]
    public void Shuffle_between_split_units()
    {
        var (g, x) = Images();
        var y = g.Conv(x, "stem", 3, 16);
        for (int i = 0; i < 2; i++)
        {
            var half = g.Split(y, 1, 8, 8);
            var branch = g.Relu(g.Conv(half[1], $"pw{i}", 8, 8, 1));
            branch = g.Relu(g.Conv(g.Conv(branch, $"dw{i}", 8, 8, new(3, Group: 8)), $"out{i}", 8, 8, 1));
            y = g.Concat(1, half[0], branch);
            y = g.Reshape(g.Transpose(g.Reshape(y, -1, 2, 8, 8, 8), 0, 2, 1, 3, 4), -1, 16, 8, 8);
        }
        g.Output(g.Conv(y, "c", 16, 5));
        RuleCheck.On(g)
            .Group("pw0.weight", 0, 8, Axis.Channels, ("dw0.weight", 0), ("out0.weight", 1))
            .Group("stem.weight", 0, 8, Axis.Channels, ("pw0.weight", 1))
            .Group("stem.weight", 0, 4, null, ("out0.weight", 0), ("out1.weight", 0), ("c.weight", 1))
            .Group("stem.weight", 0, 4, null, ("out0.weight", 0), ("pw1.weight", 1)).IsExact();
    }

    [Theory]
    [InlineData("DCR")]
    [InlineData("CRD")]
    public void Depth_to_space(string mode)
    {
        var (g, x) = Images();
        var y = g.Node("DepthToSpace", g.Conv(x, "a", 3, 24), ("blocksize", 2), ("mode", mode));
        g.Output(g.Conv(y, "b", 6, 5));
        RuleCheck.On(g).Group("a.weight", 0, 6, null, ("a.bias", 0), ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Pixel_shuffle_by_reshape()
    {
        var (g, x) = Images();
        var y = g.Reshape(g.Conv(x, "a", 3, 24), -1, 6, 2, 2, 8, 8);
        y = g.Reshape(g.Transpose(y, 0, 1, 4, 2, 5, 3), -1, 6, 16, 16);
        g.Output(g.Conv(y, "b", 6, 5));
        RuleCheck.On(g).Group("a.weight", 0, 6, null, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Space_to_depth()
    {
        var (g, x) = Images();
        g.Output(g.Conv(g.Node("SpaceToDepth", g.Conv(x, "a", 3, 6), ("blocksize", 2)), "b", 24, 5));
        RuleCheck.On(g).Group("a.weight", 0, 6, Axis.Channels, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Focus_slices_and_patch_merging()
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 6);
        string Part(int i, int j) => g.Slice(g.Slice(y, 2, i, long.MaxValue, 2), 3, j, long.MaxValue, 2);
        g.Output(g.Conv(g.Concat(1, Part(0, 0), Part(1, 0), Part(0, 1), Part(1, 1)), "b", 24, 5));
        RuleCheck.On(g).Group("a.weight", 0, 6, Axis.Channels, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Maxout_by_reshape()
    {
        var (g, x) = Images();
        var y = g.Reshape(g.Conv(x, "a", 3, 16), -1, 8, 2, 8, 8);
        g.Output(g.Conv(g.Node("ReduceMax", y, ("axes", new[] { 2 }), ("keepdims", 0)), "b", 8, 5));
        RuleCheck.On(g).Group("a.weight", 0, 8, null, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void Gated_unit_packed_and_separate()
    {
        var (g, x) = Rows();
        var packed = g.Split(g.Linear(x, "p", 6, 24), 1, 12, 12);
        var y = g.Linear(g.Mul(packed[0], g.Sigmoid(packed[1])), "pd", 12, 6);
        var up = g.Linear(y, "up", 6, 10);
        var gate = g.Linear(y, "gate", 6, 10);
        g.Output(g.Linear(g.Mul(g.Mul(gate, g.Sigmoid(gate)), up), "down", 10, 4));
        RuleCheck.On(g)
            .Group("p.weight", 1, 12, Axis.Neurons, ("p.bias", 0), ("pd.weight", 0))
            .Group("up.weight", 1, 10, Axis.Neurons, ("gate.weight", 1), ("down.weight", 0)).IsExact();
    }

    [Fact]
    public void Interleaved_gate_by_strided_slices()
    {
        var (g, x) = Rows();
        var y = g.Linear(x, "p", 6, 24);
        var z = g.Reshape(y, -1, 12, 2);
        var value = g.Node("Gather", [z, g.Longs("zero", [0], [])], ("axis", 2));
        var gate = g.Node("Gather", [z, g.Longs("one", [1], [])], ("axis", 2));
        g.Output(g.Linear(g.Mul(value, g.Sigmoid(gate)), "down", 12, 4));
        RuleCheck.On(g).Group("p.weight", 1, 12, null, ("down.weight", 0)).IsExact();
    }

    [Fact]
    public void Unsqueeze_squeeze_and_flatten()
    {
        var (g, x) = Rows();
        var y = g.Squeeze(g.Relu(g.Unsqueeze(g.Linear(x, "a", 6, 10), 1, 3)), 3, 1);
        y = g.Node("Flatten", g.Unsqueeze(y, 2), ("axis", 1));
        g.Output(g.Linear(y, "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void A_zero_that_may_be_a_size_is_no_copy()
    {
        var g = new GraphBuilder(11);
        // No rows of two positions become two rows of no positions, as of a cache that is empty.
        var none = g.Initializer(GraphBuilder.Tensor("none", Espalier.Onnx.TensorProto.Types.DataType.Float, [0, 2, 10], []));
        none = g.Node("Reshape", [none, g.Longs(2, 0, 10)], ("allowzero", 1));
        g.Output(g.Linear(g.Concat(1, none, g.Linear(g.Input("x", 2, 5, 6), "a", 6, 10)), "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, null, ("none", 2), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Expand_over_a_new_axis()
    {
        var (g, x) = Rows();
        var y = g.Unsqueeze(g.Linear(x, "a", 6, 10), 1);
        y = g.Node("Expand", [y, g.Longs(1, 5, 10)]);
        g.Output(g.Linear(g.Add(y, g.Weight("position", 5, 10)), "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, null, ("position", 1), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Constant_permutation_of_channels_is_followed_or_frozen()
    {
        var (g, x) = Images();
        var y = g.Node("Gather", [g.Conv(x, "a", 3, 6), g.Longs(3, 0, 5, 1, 4, 2)], ("axis", 1));
        g.Output(g.Conv(g.Relu(g.Conv(y, "b", 6, 8)), "c", 8, 5));
        RuleCheck.On(g).Group("b.weight", 0, 8, Axis.Channels, ("c.weight", 1)).IsExact();
    }

    [Fact]
    public void Einsum_with_a_parameter()
    {
        var g = new GraphBuilder(11);
        var x = g.Input("x", "batch", 5, 6);
        var y = g.Node("Einsum", [g.Linear(x, "a", 6, 10), g.Weight("w", 10, 3, 4)], ("equation", "bsi,ihd->bshd"));
        g.Output(g.Node("Einsum", [g.Relu(y), g.Weight("o", 3, 4, 7)], ("equation", "bshd,hdo->bso")));
        RuleCheck.On(g).Group("a.weight", 1, 10, null, ("w", 0)).Group("w", 1, 3, null, ("o", 0))
            .Group("w", 2, 4, null, ("o", 1)).IsExact();
    }

    [Fact]
    public void Product_with_a_parameter_on_the_left()
    {
        var g = new GraphBuilder(11);
        var x = g.Input("x", "batch", 6, 5);
        var y = g.MatMul(g.Weight("mix1", 10, 6), x);
        g.Output(g.MatMul(g.Weight("mix2", 4, 10), g.Relu(y)));
        RuleCheck.On(g).Group("mix1", 0, 10, null, ("mix2", 1)).IsExact();
    }
}
