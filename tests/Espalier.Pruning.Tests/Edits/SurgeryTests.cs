using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Edits;

namespace Espalier.Pruning.Tests.Edits;

/// <summary>What surgery refuses, and what it leaves of a file beside the weights.</summary>
public sealed class SurgeryTests
{
    private static Selection Keep(Group group, params int[] units)
        => new(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. units] }, []);

    [Fact]
    public void A_group_does_not_go_whole()
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Exactness == Exactness.Exact);
        string message = Assert.Throws<EspalierException>(() => Surgery.Apply(analysis, Keep(group))).Message;
        Assert.Equal($"Group '{group.Name}' must keep at least 1 of its 8 units; the selection keeps 0.", message);
    }

    [Fact]
    public void A_frozen_group_stays()
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        var frozen = analysis.Groups.First(g => g.Exactness == Exactness.Frozen && g.Size > 1);
        string message = Assert.Throws<EspalierException>(() => Surgery.Apply(analysis, Keep(frozen, 0))).Message;
        Assert.Equal($"Group '{frozen.Name}' cannot be pruned. {frozen.Reason}", message);
    }

    [Theory]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(-1, 1)]
    [InlineData(1, 8)]
    public void Kept_units_ascend(int first, int second)
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Exactness == Exactness.Exact);
        Assert.Throws<ArgumentException>(() => Surgery.Apply(analysis, Keep(group, first, second)));
    }

    /// <summary>A residual network of two sublayers.</summary>
    private static GraphBuilder Residual(WeightStorage storage)
    {
        var g = new GraphBuilder(3, storage: storage);
        string x = g.Linear(g.Input("x", "batch", Planted.Inputs), "in", Planted.Inputs, 8);
        for (int l = 0; l < 2; l++) x = g.Add(x, g.Linear(g.Relu(g.Linear(x, $"up{l}", 8, 12)), $"down{l}", 12, 8));
        g.Output(g.Rename(g.Linear(x, "out", 8, 3), "y"), "batch", 3);
        return g;
    }

    /// <summary>
    /// What a removed block read goes with it, from the inputs of old files too; what nothing read before is
    /// none of its business.
    /// </summary>
    [Theory]
    [InlineData(WeightStorage.Initializer)]
    [InlineData(WeightStorage.GraphInput)]
    public void Only_what_the_edits_left_unused_goes(WeightStorage storage)
    {
        var g = Residual(storage);
        g.Rename(g.Relu(g.MatMul("x", g.Weight("idle", Planted.Inputs, 2))), "nobody");
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var block = analysis.Blocks.First(b => b.Nodes.Any(n => analysis.Nodes[n].Proto.Input.Contains("up0.weight")));
        using var slim = Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>>(), [block.Id])).Model;
        string[] gone = ["up0.weight", "up0.bias", "down0.weight", "down0.bias"];
        var graph = slim.Proto.Graph;
        Assert.Equal(dense.Proto.Graph.Initializer.Select(t => t.Name).Except(gone), graph.Initializer.Select(t => t.Name));
        Assert.Equal(dense.Proto.Graph.Input.Select(t => t.Name).Except(gone), graph.Input.Select(t => t.Name));
        Assert.Contains(graph.Node, n => n.Output.Contains("nobody"));
        Assert.DoesNotContain(graph.Node, n => n.Input.Intersect(gone).Any());
    }

    /// <summary>Where a removed unit is no zero for another reason, a mean is that of what is left.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_mean_over_inexact_units_is_not_corrected(bool inexact)
    {
        var g = new GraphBuilder(3);
        string y = g.Linear(g.Input("x", "batch", Planted.Inputs), "up", Planted.Inputs, 8);
        string mean = g.Node("ReduceMean", y, ("axes", new[] { 1 }), ("keepdims", 1));
        string z = g.Mul(y, mean);
        if (inexact) z = g.Mul(z, g.Softmax(y, 1));
        g.Output(g.Rename(g.Linear(z, "down", 8, 3), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Exactness == (inexact ? Exactness.Inexact : Exactness.Exact));
        using var slim = Surgery.Apply(analysis, Keep(group, 0, 1, 4, 5, 6)).Model;
        Assert.Equal(dense.Proto.Graph.Node.Count + (inexact ? 0 : 1), slim.Proto.Graph.Node.Count);
    }

    /// <summary>
    /// A shape that was computed and is restated copies what is dynamic by zeros: no nodes are added for it,
    /// and those that made it go.
    /// </summary>
    [Fact]
    public void A_restated_shape_copies_dynamic_axes()
    {
        var g = new GraphBuilder(3);
        string y = g.Linear(g.Input("x", "batch", "length", Planted.Inputs), "up", Planted.Inputs, 8);
        string shape = g.Node("Shape", [y]);
        string batch = g.Node("Gather", [shape, g.Longs(0)]), length = g.Node("Gather", [shape, g.Longs(1)]);
        string split = g.Node("Reshape", [y, g.Node("Concat", [batch, length, g.Longs(4, 2)], ("axis", 0L))]);
        string back = g.Node("Reshape", [g.Relu(split), g.Longs(0, 0, 8)]);
        g.Output(g.Rename(g.Linear(back, "down", 8, 3), "y"), "batch", "length", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Exactness == Exactness.Exact && g.Size == 4);
        using var slim = Surgery.Apply(analysis, Keep(group, 0, 2, 3)).Model;
        var reshape = slim.Proto.Graph.Node.First(n => n.OpType == "Reshape");
        Assert.Equal([0, 0, 3, 2], slim.Content(slim.Proto.Graph.Initializer.Single(t => t.Name == reshape.Input[1])).ToLongs());
        Assert.DoesNotContain(slim.Proto.Graph.Node, n => n.OpType is "Shape" or "Gather" or "Concat");
    }

    [Fact]
    public void A_sliced_weight_keeps_its_description()
    {
        using var plain = Planted.Mlp(1, 8);
        var proto = plain.Proto.Clone();
        proto.Graph.Initializer.Single(t => t.Name == "fc1.weight").DocString = "the first";
        using var dense = OnnxModel.Wrap(proto);
        var analysis = AxisAnalysis.Run(dense);
        using var slim = Surgery.Apply(analysis, Keep(analysis.Groups.Single(g => g.Exactness == Exactness.Exact), 1, 2)).Model;
        Assert.Equal("the first", slim.Proto.Graph.Initializer.Single(t => t.Name == "fc1.weight").DocString);
    }
}
