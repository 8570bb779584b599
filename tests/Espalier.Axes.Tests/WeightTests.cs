using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Weights with several readers, weights that are computed, constants that are shared.</summary>
public sealed class WeightTests
{
    [Fact]
    public void One_weight_used_twice_in_a_row()
    {
        var g = new GraphBuilder(17);
        var x = g.Input("x", "batch", 6);
        var y = g.Relu(g.Linear(x, "in", 6, 10));
        g.Weight("w", 10, 10);
        y = g.Relu(g.MatMul(g.Relu(g.MatMul(y, "w")), "w"));
        g.Output(g.Linear(y, "out", 10, 4));
        RuleCheck.On(g).Group("in.weight", 1, 10, null, ("w", 0), ("w", 1), ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void One_weight_in_two_branches()
    {
        var g = new GraphBuilder(17);
        var (x, z) = (g.Input("x", "batch", 6), g.Input("z", "batch", 6));
        g.Weight("w", 6, 10);
        var a = g.Linear(g.Relu(g.MatMul(x, "w")), "a", 10, 4);
        var b = g.Linear(g.Node("Tanh", g.MatMul(z, "w")), "b", 10, 4);
        g.Output(g.Add(a, b));
        RuleCheck.On(g).Group("w", 1, 10, null, ("a.weight", 0), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Embedding_tied_to_the_output_layer()
    {
        var g = new GraphBuilder(17);
        g.Input("ids", TensorProto.Types.DataType.Int64, "batch", "sequence");
        var x = g.Node("Gather", [g.Weight("embedding", 20, 12), "ids"], ("axis", 0));
        var y = g.Add(x, g.Linear(g.Relu(g.Linear(x, "up", 12, 16)), "down", 16, 12));
        g.Output(g.MatMul(y, g.Transpose("embedding", 1, 0)), "batch", "sequence", 20);
        RuleCheck.On(g)
            .Group("embedding", 1, 12, null, ("up.weight", 0), ("down.weight", 1))
            .Group("up.weight", 1, 16, Axis.Neurons, ("down.weight", 0))
            .Frozen("embedding", 0, "Gather").IsExact();
    }

    [Fact]
    public void Weights_computed_from_constants()
    {
        var g = new GraphBuilder(17);
        var x = g.Input("x", "batch", 6);
        var w1 = g.Transpose(g.Mul(g.Weight("w1", 10, 6), g.Positive("scale", 10, 1)), 1, 0);
        var w2 = g.Reshape(g.Add(g.Weight("w2", 2, 5, 4), g.Weight("w2.delta", 4)), 10, 4);
        var b1 = g.Node("Sub", [g.Weight("b1", 10), g.Weight("b1.mean", 10)]);
        g.Output(g.MatMul(g.Relu(g.Add(g.MatMul(x, w1), b1)), w2));
        RuleCheck.On(g)
            .Group("w1", 0, 5, null, ("scale", 0), ("b1", 0), ("b1.mean", 0), ("w2", 1))
            .Group("w1", 0, 2, null, ("w2", 0)).IsExact();
    }

    [Fact]
    public void A_shape_constant_that_two_layers_share_is_cloned()
    {
        const int heads = 4, dim = 6, width = 24;
        var g = new GraphBuilder(17);
        var x = g.Input("x", "batch", "sequence", width);
        g.Longs("split", 0, 0, heads, dim);
        g.Longs("merge", 0, 0, width);
        for (int layer = 0; layer < 2; layer++)
        {
            string Project(string name)
                => g.Transpose(g.Node("Reshape", [g.Linear(x, $"{name}{layer}", width, width), "split"]), 0, 2, 1, 3);
            var a = g.Attend(Project("q"), Project("k"), Project("v"), 0.4f);
            x = g.Add(x, g.Linear(g.Node("Reshape", [g.Transpose(a, 0, 2, 1, 3), "merge"]), $"o{layer}", width, width));
        }
        g.Output(x, "batch", "sequence", width);
        var analysis = RuleCheck.On(g)
            .Group("q0.weight", 1, heads, Axis.Heads, ("k0.weight", 1), ("v0.weight", 1), ("o0.weight", 0))
            .Group("q1.weight", 1, heads, Axis.Heads, ("k1.weight", 1), ("v1.weight", 1), ("o1.weight", 0));
        // Three heads stay in one layer, two in the other: one constant can no longer say both.
        var groups = analysis.Analysis.Groups.Where(n => n.Kind == Axis.Heads).ToList();
        Assert.Equal(2, groups.Count);
        var kept = new Dictionary<int, System.Collections.Immutable.ImmutableArray<int>>
        { [groups[0].Id] = [0, 2, 3], [groups[1].Id] = [1, 3] };
        SlimOracle.Check(analysis.Analysis, new Selection(kept, []));
        analysis.IsExact();
    }

    [Fact]
    public void Branches_of_an_if_use_weights_of_the_outer_graph()
    {
        var g = new GraphBuilder(17);
        var x = g.Input("x", "batch", 6);
        var condition = g.Input("flag", TensorProto.Types.DataType.Bool, 1);
        var y = g.Relu(g.Linear(x, "in", 6, 10));
        g.Weight("w", 10, 8);
        var then = g.Subgraph(b => b.Output(b.Rename(b.Relu(b.MatMul(y, "w")), "then_y"), "batch", 8));
        var other = g.Subgraph(b => b.Output(b.Rename(b.MatMul(b.Mul(y, b.Weight("inner", 10)), "w"), "else_y"), "batch", 8));
        var z = g.Node("If", condition, ("then_branch", then), ("else_branch", other));
        g.Output(g.Linear(z, "out", 8, 4));
        RuleCheck.On(g).Group("in.weight", 1, 10, null, ("w", 0), ("inner", 0)).Group("w", 1, 8, null, ("out.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(WeightStorage.ConstantNode)]
    [InlineData(WeightStorage.GraphInput)]
    public void Feed_forward_with_weights_elsewhere(WeightStorage storage)
    {
        var g = new GraphBuilder(17, storage: storage);
        var x = g.Input("x", "batch", "sequence", 6);
        g.Output(g.Linear(g.Relu(g.Linear(x, "up", 6, 16)), "down", 16, 6), "batch", "sequence", 6);
        RuleCheck.On(g).Group("up.weight", 1, 16, Axis.Neurons, ("up.bias", 0), ("down.weight", 0))
            .Frozen("down.weight", 1, "output").IsExact();
    }

    /// <summary>The third operand of a Gemm is the bias of its weight, which compensation moves.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_Gemm_has_its_bias(bool transposed)
    {
        var g = new GraphBuilder(3);
        g.Output(g.Gemm(g.Relu(g.Gemm(g.Input("x", "n", 6), "a", 6, 12, transposed)), "b", 12, 4, transposed));
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal("b.bias", analysis.Consumers.Single(c => c.Parameter == "b.weight").Bias);
    }

    /// <summary>
    /// What the operator has an activation behind, and no place for a bias, is left alone, and so is a layout that statistics do not know.
    /// </summary>
    [Theory]
    [InlineData("FusedGemm", 0)]
    [InlineData("FusedConv", 1)]
    [InlineData("NhwcFusedConv", 0)]
    public void Compensation_reaches_fused_products_whose_bias_and_layout_are_known(string op, int consumers)
    {
        var g = new GraphBuilder(3);
        bool gemm = op == "FusedGemm";
        string x = gemm ? g.Linear(g.Input("x", "n", 6), "a", 6, 12) : g.Conv(g.Input("x", "n", 6, 4, 4), "a", 6, 12);
        if (op == "NhwcFusedConv") x = g.Transpose(x, 0, 2, 3, 1);
        string y = g.Node("com.microsoft::" + op, [x, gemm ? g.Weight("b", 12, 5) : g.Weight("b", 5, 12, 1, 1)], ("activation", "Relu"));
        g.Output(y);
        var analysis = AxisAnalysis.Run(g.Build());
        Assert.Equal(consumers, analysis.Consumers.Count(c => c.Parameter == "b"));
        RuleCheck.On(g).Group("a.weight", gemm ? 1 : 0, 12, null, ("b", gemm ? 0 : 1));
    }

    [Fact]
    public void Integers_of_experts_stand_for_numbers_by_the_scales_beside_them()
    {
        foreach (var @case in OperatorCases.All.Where(c => c.Operator == "com.microsoft::QMoE"))
        {
            using var model = @case.Build();
            var found = AxisAnalysis.Run(model).Dequantizations;
            foreach (string layer in (string[])["1", "2"])
            {
                var meaning = found.GetValueOrDefault("fc" + layer);
                Assert.True(meaning is { ZeroPoint: null } && meaning.Scale == "s" + layer, $"fc{layer} of {@case.Name}: {meaning}");
                Assert.Contains($" {meaning.PackedBits} bits", @case.Name, StringComparison.Ordinal);
            }
        }
    }
}
