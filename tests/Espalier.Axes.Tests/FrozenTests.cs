using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>What must not be pruned, or not as if it were exact.</summary>
public sealed class FrozenTests
{
    private static (GraphBuilder Graph, string X) Images()
    {
        var g = new GraphBuilder(19);
        return (g, g.Input("x", "batch", 3, 8, 8));
    }

    [Fact]
    public void Softmax_over_channels_is_inexact()
    {
        var (g, x) = Images();
        g.Output(g.Conv(g.Softmax(g.Conv(x, "a", 3, 16), 1), "b", 16, 5));
        RuleCheck.On(g).Inexact("a.weight", 0, 16, "Softmax");
    }

    [Theory]
    [InlineData("ReduceMax")]
    [InlineData("ReduceLogSumExp")]
    public void A_statistic_over_channels_is_inexact(string op)
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 16);
        var attention = g.Sigmoid(g.Conv(g.Node(op, y, ("axes", new[] { 1 }), ("keepdims", 1)), "gate", 1, 1));
        g.Output(g.Conv(g.Mul(y, attention), "b", 16, 5));
        RuleCheck.On(g).Inexact("a.weight", 0, 16, op);
    }

    [Fact]
    public void Mean_over_positions_is_exact()
    {
        var (g, x) = Images();
        var y = g.Node("ReduceMean", g.Conv(x, "a", 3, 16), ("axes", new[] { 2, 3 }), ("keepdims", 0));
        g.Output(g.Linear(y, "b", 16, 5));
        RuleCheck.On(g).Group("a.weight", 0, 16, Axis.Channels, ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void L2_norm_over_channels_can_be_pruned_and_is_exact_only_if_it_says_so_rightly()
    {
        var (g, x) = Images();
        var y = g.Sigmoid(g.Conv(x, "a", 3, 16));
        y = g.Node("Div", [y, g.Node("ReduceL2", y, ("axes", new[] { 1 }), ("keepdims", 1))]);
        g.Output(g.Conv(y, "b", 16, 5));
        // sigmoid(0) is a half, so a masked channel still enters the norm.
        RuleCheck.On(g).Inexact("a.weight", 0, 16, "ReduceL2");
    }

    [Fact]
    public void Local_response_normalisation_reaches_across_channels()
    {
        var (g, x) = Images();
        g.Output(g.Conv(g.Node("LRN", g.Conv(x, "a", 3, 16), ("size", 5)), "b", 16, 5));
        var analysis = RuleCheck.On(g).Analysis;
        Assert.All(analysis.Groups.Where(n => n.Occurrences.Any(o => o.Tensor == "a.weight" && o.Axis == 0)),
            n => Assert.NotEqual(Exactness.Exact, n.Exactness));
    }

    [Fact]
    public void An_unknown_operator_is_a_barrier_and_names_itself()
    {
        var (g, x) = Images();
        var y = g.Node("test.custom::Frobnicate", g.Conv(g.Relu(g.Conv(x, "a", 3, 16)), "b", 16, 12));
        g.Output(g.Conv(y, "c", 12, 5));
        RuleCheck.On(g).Group("a.weight", 0, 16, Axis.Channels, ("b.weight", 1)).Frozen("b.weight", 0, "Frobnicate")
            .Frozen("c.weight", 1, "Frobnicate");
    }

    [Theory]
    [InlineData("ArgMax")]
    [InlineData("NonZero")]
    public void Positions_along_an_axis_freeze_it(string op)
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 16);
        var positions = op == "ArgMax" ? g.Node(op, y, ("axis", 1), ("keepdims", 0)) : g.Node(op, y);
        g.Output(g.Rename(positions, "where"), TensorProto.Types.DataType.Int64);
        RuleCheck.On(g).Frozen("a.weight", 0, op);
    }

    [Fact]
    public void Top_k_over_units_freezes_them_or_says_how_many_must_stay()
    {
        var g = new GraphBuilder(19);
        var x = g.Input("x", "batch", 6);
        var y = g.Nodes("TopK", 2, [g.Linear(g.Relu(g.Linear(x, "a", 6, 12)), "b", 12, 10), g.Longs(3)], ("axis", 1));
        g.Output(y[0], "batch", 3);
        g.Output(y[1], TensorProto.Types.DataType.Int64, "batch", 3);
        RuleCheck.On(g).Group("a.weight", 1, 12, Axis.Neurons, ("b.weight", 0)).Frozen("b.weight", 1, "TopK").IsExact();
    }

    [Theory]
    [InlineData(7)]
    [InlineData(11)]
    public void As_many_units_stay_as_are_chosen_among_them(int opset)
    {
        var g = new GraphBuilder(19, opset);
        var y = g.Linear(g.Input("x", "batch", 6), "a", 6, 10);
        y = opset < 10 ? g.Nodes("TopK", 2, [y], ("axis", 1), ("k", 3))[0] : g.Nodes("TopK", 2, [y, g.Longs(3)], ("axis", 1))[0];
        g.Output(g.Linear(y, "b", 3, 4));
        var check = RuleCheck.On(g).Inexact("a.weight", 1, 10, "TopK");
        Assert.Equal(3, check.Analysis.Groups.Single(n => n.Occurrences.Any(o => o.Tensor == "a.weight" && o.Axis == 1)).MinKeep);
    }

    [Fact]
    public void Outputs_and_inputs_keep_their_shape()
    {
        var (g, x) = Images();
        var y = g.Conv(x, "a", 3, 16);
        g.Output(g.Rename(g.Relu(y), "features"), "batch", 16, 8, 8);
        g.Output(g.Conv(y, "b", 16, 5), "batch", 5, 8, 8);
        RuleCheck.On(g).Frozen("a.weight", 0, "features").Frozen("a.weight", 1, "x").Frozen("b.weight", 0, "output");
    }

    [Fact]
    public void Data_dependent_indices_freeze_the_rows_of_a_table()
    {
        var g = new GraphBuilder(19);
        g.Input("ids", TensorProto.Types.DataType.Int64, "batch", "sequence");
        var y = g.Node("Gather", [g.Weight("table", 30, 12), "ids"], ("axis", 0));
        g.Output(g.Linear(y, "a", 12, 5));
        RuleCheck.On(g).Group("table", 1, 12, null, ("a.weight", 0)).Frozen("table", 0, "Gather").IsExact();
    }

    [Fact]
    public void Parts_that_cannot_be_matched_freeze_only_themselves()
    {
        var (g, x) = Images();
        // 12 channels seen as 3 rows of 4 and, transposed, as 4 groups of 3: no common refinement.
        var y = g.Conv(g.Relu(g.Conv(x, "a", 3, 16)), "b", 16, 12);
        y = g.Reshape(g.Transpose(g.Reshape(y, -1, 3, 4, 8, 8), 0, 2, 1, 3, 4), -1, 12, 8, 8);
        g.Output(g.Conv(g.Relu(g.Conv(y, "c", 12, 12, new(1, Group: 4))), "d", 12, 5));
        RuleCheck.On(g).Group("a.weight", 0, 16, Axis.Channels, ("b.weight", 1)).IsExact();
    }

    [Fact]
    public void A_sparse_initializer_is_named_where_its_axes_are_not_known()
    {
        var g = new GraphBuilder();
        g.Output(g.Linear(g.Relu(g.MatMul(g.Linear(g.Input("x", "n", 6), "a", 6, 8), "w")), "b", 8, 4));
        using var dense = g.Build();
        var proto = dense.Proto.Clone();
        proto.Graph.SparseInitializer.Add(new SparseTensorProto
        {
            Dims = { 8, 8 },
            Values = new TensorProto { Name = "w", DataType = (int)TensorProto.Types.DataType.Float, Dims = { 2 }, FloatData = { 1, 2 } },
            Indices = new TensorProto { DataType = (int)TensorProto.Types.DataType.Int64, Dims = { 2 }, Int64Data = { 3, 9 } },
        });
        using var model = dense.Derive(proto);
        RuleCheck.On(model).Frozen("a.weight", 1, "'w', a sparse initializer, whose axes are not followed")
            .Frozen("b.weight", 0, "'w', a sparse initializer");
    }
}
