using Espalier.Axes.Roles;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Groups whose units are coordinates, and where outputs of products end up.</summary>
public sealed class LinearGroupTests
{
    private const int Width = 12, Heads = 2, Dim = 4, All = Heads * Dim;

    /// <summary>An attention sublayer with biases, and something between its queries and the product with the keys.</summary>
    private static AxisAnalysis Attention(Func<GraphBuilder, string, string>? between = null)
    {
        var g = new GraphBuilder(3);
        string x = g.Input("x", "batch", 5, Width);
        string Projected(string name) => g.SplitHeads(g.Linear(x, name, Width, All), Heads, Dim);
        string q = g.Mul(Projected("q"), g.Scalar("half", 0.5f)), k = g.Transpose(Projected("k"), 0, 1, 3, 2);
        string map = g.Softmax(g.MatMul(between is null ? q : between(g, q), k));
        string y = g.Linear(g.MergeHeads(g.MatMul(map, Projected("v")), All), "o", All, Width);
        g.Output(g.Rename(g.Add(y, x), "y"), "batch", 5, Width);
        return AxisAnalysis.Run(g.Build());
    }

    private static LinearGroup? Find(AxisAnalysis analysis, Axis kind)
        => LinearGroup.Find(analysis, analysis.Groups.Single(g => g.Kind == kind));

    [Fact]
    public void Dimensions_of_heads_are_coordinates()
    {
        var analysis = Attention();
        var keys = Find(analysis, Axis.HeadDims)!;
        Assert.False(keys.LeftReads);
        Assert.Equal(["q.weight"], keys.Left.Products.Select(p => p.Parameter));
        Assert.Equal([("q.bias", 0)], keys.Left.Biases);
        Assert.Equal(["k.weight"], keys.Right.Products.Select(p => p.Parameter));
        Assert.Equal([("k.bias", 0)], keys.Right.Biases);
        var values = Find(analysis, Axis.ValueDims)!;
        Assert.True(values.LeftReads);
        Assert.Equal(["o.weight"], values.Left.Products.Select(p => p.Parameter));
        Assert.Equal(["v.weight"], values.Right.Products.Select(p => p.Parameter));
        Assert.Equal([("v.bias", 0)], values.Right.Biases);
        Assert.Null(LinearGroup.Find(analysis, analysis.Groups.Single(g => g.Kind == Axis.Heads)));
    }

    /// <summary>A function, a norm or a rotation along the dimensions says which they are.</summary>
    [Theory]
    [InlineData("function")]
    [InlineData("norm")]
    [InlineData("rotation")]
    [InlineData("shift")]
    public void What_tells_dimensions_apart_leaves_no_choice(string what)
    {
        var analysis = Attention((g, q) => what switch
        {
            "function" => g.Relu(q),
            "norm" => g.Node("LayerNormalization", [q, g.Positive("gamma", Dim), g.Weight("beta", Dim)], ("axis", -1L)),
            "rotation" => g.Mul(q, g.Weight("cosines", 1, 1, 5, Dim)),
            _ => g.Add(q, g.Scalar("one", 1)),
        });
        Assert.All(analysis.Groups.Where(g => g.Kind == Axis.HeadDims), g => Assert.Null(LinearGroup.Find(analysis, g)));
        Assert.NotNull(Find(analysis, Axis.ValueDims));
    }

    /// <summary>Behind its bias and the sum of its block, and no further than where something else is read.</summary>
    [Fact]
    public void An_output_ends_up_in_the_sum_of_its_block()
    {
        var analysis = Attention();
        Espalier.Axes.Groups.OutputPoint Of(string weight) => analysis.OutputOf(analysis.Products.First(p => p.Parameter == weight))!;
        Assert.Equal(("y", 2), (Of("o.weight").Tensor, Of("o.weight").Axis));
        var query = Of("q.weight");
        var bias = analysis.Nodes.Single(n => n.Proto.OpType == "Add" && n.Proto.Input.Contains("q.bias"));
        Assert.Equal((bias.Proto.Output[0], 2), (query.Tensor, query.Axis));
        Assert.Empty(query.Scales);
    }

    /// <summary>Rows that come out in another order than they went in are not set side by side.</summary>
    [Theory]
    [InlineData("bsd,dn->bsn", true)]
    [InlineData("bsd,dn->nbs", true)]
    [InlineData("bsd,dn->sbn", false)]
    public void Rows_come_in_the_order_of_the_input(string equation, bool seen)
    {
        var g = new GraphBuilder(4);
        string x = g.Relu(g.Linear(g.Input("x", 2, 3, 6), "first", 6, 8));
        g.Output(g.Rename(g.Node("Einsum", [x, g.Weight("w", 8, 5)], ("equation", equation)), "y"));
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal(seen, analysis.OutputOf(analysis.Products.Single(p => p.Parameter == "w")) is not null);
    }

    /// <summary>A batch norm multiplies the change of a channel; a sum that is read twice is the last place of all.</summary>
    [Fact]
    public void An_output_is_seen_behind_a_batch_norm()
    {
        var g = new GraphBuilder(4);
        string x = g.Relu(g.Conv(g.Input("x", "batch", 3, 6, 6), "first", 3, 4, 3));
        string h = g.Node("BatchNormalization", [g.Conv(x, "second", 4, 4, 3), g.Positive("scale", 4), g.Weight("shift", 4),
            g.Weight("mean", 4), g.Positive("variance", 4)]);
        string sum = g.Add(h, x);
        g.Output(g.Rename(g.Add(g.Relu(sum), sum), "y"), "batch", 4, 6, 6);
        var analysis = AxisAnalysis.Run(g.Build());
        var point = analysis.OutputOf(analysis.Products.Single(p => p.Parameter == "second.weight"))!;
        Assert.Equal((sum, 1), (point.Tensor, point.Axis));
        Assert.Equal("BatchNormalization", Assert.Single(point.Scales).Proto.OpType);
    }
}
