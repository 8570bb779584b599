using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>What several readers only happen to share does not couple them.</summary>
public sealed class SharedTests
{
    [Theory]
    [InlineData(WeightStorage.Initializer)]
    [InlineData(WeightStorage.ConstantNode)]
    public void A_bias_that_two_layers_share_gets_copies(WeightStorage storage)
    {
        var g = new GraphBuilder(storage: storage);
        var x = g.Input("x", "n", 6);
        var bias = g.Weight("bias", 16);
        var a = g.Relu(g.Add(g.MatMul(x, g.Weight("a", 6, 16)), bias));
        var b = g.Relu(g.Add(g.MatMul(a, g.Weight("b", 16, 16)), bias));
        g.Output(g.Linear(b, "c", 16, 5));
        RuleCheck.On(g).Group("a", 1, 16, Axis.Neurons, ("b", 0)).Group("b", 1, 16, Axis.Neurons, ("c.weight", 0)).IsExact();
    }

    [Fact]
    public void A_scale_that_one_layer_reads_twice_is_sliced_in_place()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 6);
        var scale = g.Weight("scale", 16);
        var a = g.Mul(g.Relu(g.Mul(g.Linear(x, "a", 6, 16), scale)), scale);
        g.Output(g.Linear(a, "b", 16, 5));
        var check = RuleCheck.On(g).Group("a.weight", 1, 16, Axis.Neurons, ("scale", 0), ("b.weight", 0));
        check.IsExact();
        var slim = Espalier.Pruning.Edits.Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1));
        Assert.Equal(8, slim.Model.Proto.Graph.Initializer.Single(t => t.Name == "scale").Dims[0]);
        Assert.Equal(check.Analysis.Model.Proto.Graph.Initializer.Count, slim.Model.Proto.Graph.Initializer.Count);
    }

    [Fact]
    public void Layers_choose_their_heads_where_they_share_a_table_of_positions()
    {
        const int width = 12, heads = 4, dim = 3;
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 5, width);
        var buckets = g.Longs("buckets", [.. Enumerable.Range(0, 25).Select(k => (long)(k % 7))], [5, 5]);
        // As T5 does: looked up once, added in every layer.
        var table = g.Unsqueeze(g.Transpose(g.Node("Gather", [g.Weight("table", 7, heads), buckets]), 2, 0, 1), 0);
        foreach (string layer in (string[])["l0", "l1"])
        {
            string Project(string name) => g.SplitHeads(g.Linear(x, $"{layer}.{name}", width, heads * dim), heads, dim);
            var scores = g.Add(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), table);
            x = g.Add(x, g.Linear(g.MergeHeads(g.MatMul(g.Softmax(scores), Project("v")), heads * dim), layer + ".o", heads * dim, width));
        }
        g.Output(x);
        var check = RuleCheck.On(g)
            .Group("l0.q.weight", 1, heads, Axis.Heads, ("l0.v.weight", 1), ("l0.o.weight", 0))
            .Group("l1.q.weight", 1, heads, Axis.Heads, ("l1.v.weight", 1), ("l1.o.weight", 0))
            .Frozen("table", 1, "takes its own part");
        Assert.Equal(2, check.Analysis.Groups.Count(n => n.Kind == Axis.Heads));
        check.IsExact();
    }

    [Fact]
    public void Layers_share_the_slopes_of_linear_biases()
    {
        const int width = 12, heads = 4, dim = 3;
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 5, width);
        var biases =
            g.Mul(g.Weight("slopes", heads, 1, 1), g.Floats("distance", [.. Enumerable.Range(0, 5).Select(k => (float)-k)], 1, 1, 5));
        foreach (string layer in (string[])["l0", "l1"])
        {
            string Project(string name) => g.SplitHeads(g.Linear(x, $"{layer}.{name}", width, heads * dim), heads, dim);
            var scores = g.Add(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), biases);
            x = g.Add(x, g.Linear(g.MergeHeads(g.MatMul(g.Softmax(scores), Project("v")), heads * dim), layer + ".o", heads * dim, width));
        }
        g.Output(x);
        RuleCheck.On(g).Group("l0.q.weight", 1, heads, Axis.Heads, ("l0.o.weight", 0))
            .Group("l1.q.weight", 1, heads, Axis.Heads, ("l1.o.weight", 0)).IsExact();
    }

    /// <summary>
    /// In one layer the slopes count for the scores and for what the scores are divided by: both take the same heads, once.
    /// </summary>
    [Fact]
    public void A_layer_that_reads_a_table_twice_takes_its_part_once()
    {
        const int width = 12, heads = 4, dim = 3;
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 5, width);
        var biases =
            g.Mul(g.Weight("slopes", heads, 1, 1), g.Floats("distance", [.. Enumerable.Range(0, 5).Select(k => (float)-k)], 1, 1, 5));
        foreach (string layer in (string[])["l0", "l1"])
        {
            string Project(string name) => g.SplitHeads(g.Linear(x, $"{layer}.{name}", width, heads * dim), heads, dim);
            var scores = g.Mul(g.Add(g.MatMul(Project("q"), g.Transpose(Project("k"), 0, 1, 3, 2)), biases),
                g.Sigmoid(g.Add(g.MatMul(Project("a"), g.Transpose(Project("b"), 0, 1, 3, 2)), biases)));
            x = g.Add(x, g.Linear(g.MergeHeads(g.MatMul(g.Softmax(scores), Project("v")), heads * dim), layer + ".o", heads * dim, width));
        }
        g.Output(x);
        var check = RuleCheck.On(g).Group("l0.q.weight", 1, heads, Axis.Heads, ("l0.a.weight", 1), ("l0.o.weight", 0))
            .Group("l1.q.weight", 1, heads, Axis.Heads, ("l1.o.weight", 0));
        check.IsExact();
        var slim = Espalier.Pruning.Edits.Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1));
        Assert.Equal(2, slim.Model.Proto.Graph.Node.Count(n => n.OpType == "Gather"));
    }

    [Fact]
    public void A_shared_bias_that_is_a_result_too_stays_whole_beside_its_copies()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "n", 6);
        var bias = g.Weight("bias", 16);
        var a = g.Add(g.Mul(g.Sigmoid(g.MatMul(x, g.Weight("a", 6, 16))), bias), bias);
        g.Output(g.Linear(a, "b", 16, 5)).Output(bias, 16);
        var check = RuleCheck.On(g).Group("a", 1, 16, Axis.Neurons, ("b.weight", 0));
        var result = SlimOracle.Check(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1), 1);
        Assert.True(result.Effect > 1e-6);
        var initializers = result.Slim.Model.Proto.Graph.Initializer;
        Assert.Equal(16, initializers.Single(t => t.Name == "bias").Dims[0]);
        Assert.Equal(8, initializers.Single(t => t.Name == "bias_slim").Dims[0]);
    }
}
