using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Axes.Tests.Zoo;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Structures that public reports name and that were not followed once: what each must give, and that it is exact. Variants of the same
/// kinds are beside them.
/// </summary>
public sealed class StructureCaseTests
{
    private static OnnxModel Open(string name) => OnnxModel.Open(Assets.Path($"cases/structures/{name}.onnx"));

    private static Group Find(AxisAnalysis analysis, string tensor, int axis)
        => analysis.Groups.Single(g => g.Occurrences.Any(o => o.Tensor == tensor && o.Axis == axis && o.Term.Leaves.Count == 1));

    private static double Macs(AxisAnalysis analysis) => analysis.Cost.Evaluate(CostUnit.Macs);

    [Theory]
    [InlineData("cohere_parallel_residual_ln")]
    [InlineData("flax_einsum_3d_weights")]
    [InlineData("gemma_sandwich_softcap_tied")]
    [InlineData("mha_attn_mask_tiled")]
    [InlineData("normalizer_mid_no_info")]
    [InlineData("pointwise_conv1d_token_mixer")]
    [InlineData("reflectionpad_resnet_generator_op11")]
    [InlineData("scatternd_run_channels")]
    [InlineData("sequence_ops_keep")]
    [InlineData("tcn_weight_norm")]
    [InlineData("tf_same_pad_dynamic_opset10")]
    public void Half_of_every_exact_unit_can_go(string name)
    {
        using var model = Open(name);
        var sizes = new Dictionary<string, long> { ["h"] = 32, ["w"] = 32 };
        foreach (double keep in (double[])[0.5, 0.25])
        {
            var result =
                SlimOracle.Check(AxisAnalysis.Run(model), SlimOracle.Pick(AxisAnalysis.Run(model), keep, seed: 5), seed: 5, sizes: sizes);
            Assert.True(result.Effect > 0, "masking changed nothing");
        }
    }

    [Fact]
    public void Neurons_behind_a_normaliser_can_go_and_cost_what_they_cost()
    {
        using var model = Open("normalizer_mid_no_info");
        var analysis = AxisAnalysis.Run(model);
        Assert.Equal((Axis.Neurons, 64, Exactness.Exact), About(Find(analysis, "w2", 1)));
        Assert.Equal((Axis.Neurons, 64, Exactness.Exact), About(Find(analysis, "w3", 1)));
        Assert.Equal((12 * 32) + (32 * 8) + (8 * 64) + (64 * 64) + (64 * 5), Macs(analysis));
        Assert.Empty(analysis.Cost.UnknownMacs);

        static (Axis, int, Exactness) About(Group group) => (group.Kind, group.Size, group.Exactness);
    }

    [Theory]
    [InlineData("acme::Foo")]
    [InlineData("ai.onnx.ml::Unheard")]
    public void Weights_behind_an_operator_without_a_rule_fix_ranks(string op)
    {
        var g = new GraphBuilder(3);
        var x = g.Relu(g.MatMul(g.Input("x", "N", 12), g.Weight("w0", 12, 32)));
        x = g.Node(op, x);
        x = g.Relu(g.Add(g.MatMul(x, g.Weight("w1", 32, 48)), g.Weight("b1", 48)));
        g.Output(g.Rename(g.MatMul(x, g.Weight("w2", 48, 5)), "y"), "N", 5);
        var analysis = AxisAnalysis.Run(g.Build());
        var neurons = Find(analysis, "w1", 1);
        Assert.Equal((Axis.Neurons, Exactness.Exact, 48), (neurons.Kind, neurons.Exactness, neurons.Size));
        Assert.Contains(analysis.Frozen, f => f.Tensor == "w1" && f.Axis == 0
            && f.Reason.Contains(op.Split("::")[1], StringComparison.Ordinal));
        Assert.Contains(analysis.Frozen, f => f.Tensor == "w0" && f.Axis == 1
            && f.Reason.Contains(op.Split("::")[1], StringComparison.Ordinal));
    }

    [Fact]
    public void Parallel_branches_are_sublayers_and_the_residual_is_width()
    {
        using var model = Open("cohere_parallel_residual_ln");
        var analysis = AxisAnalysis.Run(model);
        Assert.Equal(Axis.Width, Find(analysis, "head", 0).Kind);
        Assert.Equal(["f0", "f1"], analysis.Groups.Where(g => g is { Kind: Axis.Neurons, Exactness: Exactness.Exact })
            .Select(g => g.Name).Order());
        Assert.Equal(4, analysis.Blocks.Count(b => b.IsSublayer));
        Assert.Equal(2, analysis.Blocks.Count(b => !b.IsSublayer));
    }

    public static TheoryData<bool, bool, string> Forms()
    {
        var forms = new TheoryData<bool, bool, string>();
        foreach (bool twoNorms in (bool[])[false, true])
            foreach (bool rootMeanSquare in (bool[])[false, true])
                foreach (string order in (string[])["first", "last", "sum"]) forms.Add(twoNorms, rootMeanSquare, order);
        return forms;
    }

    /// <summary>The forms in which exporters write x + attention(n(x)) + mlp(n(x)).</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Parallel_residuals_in_every_form(bool twoNorms, bool rootMeanSquare, string order)
    {
        const int width = 24;
        var g = new GraphBuilder(11);
        var x = g.Linear(g.Input("x", "b", "s", width), "in", width, width);
        for (int layer = 0; layer < 2; layer++)
        {
            string Norm(string name)
                => rootMeanSquare ? g.RmsNorm(x, $"l{layer}.{name}", width) : g.LayerNorm(x, $"l{layer}.{name}", width);
            var n = Norm("n");
            var m = twoNorms ? Norm("m") : n;
            string Project(string name) => g.SplitHeads(g.Linear(n, $"l{layer}.{name}", width, width), 4, 6);
            var attention =
                g.Linear(g.MergeHeads(g.Attend(Project("q"), Project("k"), Project("v"), 0.4f), width), $"l{layer}.o", width, width);
            var mlp = g.Linear(g.Relu(g.Linear(m, $"l{layer}.up", width, 40)), $"l{layer}.down", 40, width);
            x = order switch
            {
                "first" => g.Add(g.Add(x, attention), mlp),
                "last" => g.Add(g.Add(attention, mlp), x),
                _ => g.Node("Sum", [attention, x, mlp]),
            };
        }
        g.Output(g.Linear(x, "head", width, 5));
        using var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var sublayers = analysis.Blocks.Where(b => b.IsSublayer).ToList();
        Assert.Equal(4, sublayers.Count);
        Assert.Equal(2, analysis.Blocks.Count(b => !b.IsSublayer));
        Assert.Equal(["l0.up", "l1.up"], analysis.Groups.Where(k => k is { Kind: Axis.Neurons, Exactness: Exactness.Exact })
            .Select(k => k.Name).Order());
        Assert.Single(analysis.Groups, k => k.Kind == Axis.Width);
        foreach (var block in analysis.Blocks) SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [block.Id] });
        SlimOracle.Check(analysis, Selection.Everything with { RemovedBlocks = [.. sublayers.Take(3).Select(s => s.Id)] });
        SlimOracle.Check(analysis, SlimOracle.Pick(analysis, 0.5, 2) with { RemovedBlocks = [sublayers[1].Id] });
    }

    [Fact]
    public void Constant_padding_by_a_chain_is_what_it_is_as_an_attribute()
    {
        using var model = Open("reflectionpad_resnet_generator_op11");
        var analysis = AxisAnalysis.Run(model);
        Assert.Equal(5, analysis.Groups.Count(g => g is { Kind: Axis.Channels, Exactness: Exactness.Exact }));
        Assert.InRange(Macs(analysis), 3.63e6, 3.65e6);
    }

    [Fact]
    public void Padding_of_a_dynamic_axis_by_constants_has_a_size()
    {
        using var model = Open("tf_same_pad_dynamic_opset10");
        var analysis = AxisAnalysis.Run(model, new AxisOptions { Dimensions = new Dictionary<string, long> { ["h"] = 32, ["w"] = 32 } });
        Assert.InRange(Macs(analysis), 308e3, 310e3);
    }

    [Fact]
    public void A_mask_that_is_tiled_for_every_head_lets_heads_go()
    {
        using var model = Open("mha_attn_mask_tiled");
        Assert.Contains(AxisAnalysis.Run(model).Groups, g => g is { Kind: Axis.Heads, Size: 4, Exactness: Exactness.Exact });
    }

    [Fact]
    public void Weights_divided_by_their_norm_are_exact()
    {
        using var model = Open("tcn_weight_norm");
        Assert.All(AxisAnalysis.Run(model).Groups.Where(g => g.Kind == Axis.Channels), g => Assert.Equal(Exactness.Exact, g.Exactness));
    }

    /// <summary>g · v / ‖v‖ as exporters write it; the norm may be inverted, or divide the gain.</summary>
    [Theory]
    [InlineData("quotient")]
    [InlineData("gain")]
    [InlineData("reciprocal")]
    [InlineData("power")]
    [InlineData("bare")]
    public void Every_form_of_weight_norm_is_exact(string form)
    {
        var g = new GraphBuilder(7);
        var (v, gain) = (g.Weight("v", 16, 12), g.Weight("g", 16, 1));
        var norm = form == "quotient" ? g.Node("ReduceL2", v, ("axes", new long[] { 1 }))
            : g.Node("Sqrt", g.Node("ReduceSum", [g.Mul(v, v), g.Longs("axes", 1)], ("keepdims", 1)));
        var w = form switch
        {
            "quotient" => g.Mul(g.Node("Div", [v, norm]), gain),
            "gain" => g.Mul(v, g.Node("Div", [gain, norm])),
            "reciprocal" => g.Mul(g.Mul(v, g.Node("Reciprocal", norm)), gain),
            "power" => g.Mul(g.Mul(v, g.Node("Pow", [norm, g.Floats("minus", [-1f])])), gain),
            _ => g.Node("Div", [v, norm]),
        };
        var x = g.Relu(g.MatMul(g.Input("x", "b", 12), g.Transpose(w, 1, 0)));
        g.Output(g.MatMul(x, g.Weight("out", 16, 5)));
        RuleCheck.On(g).Group("v", 0, 16, Axis.Neurons, ("out", 0)).IsExact();
    }

    [Fact]
    public void A_window_of_one_lets_positions_go()
    {
        using var model = Open("pointwise_conv1d_token_mixer");
        var width = Find(AxisAnalysis.Run(model), "pe", 1);
        Assert.Equal((Axis.Width, 24, Exactness.Exact), (width.Kind, width.Size, width.Exactness));
    }

    [Fact]
    public void A_run_that_ScatterND_writes_is_a_part_of_its_axis()
    {
        using var model = Open("scatternd_run_channels");
        var analysis = AxisAnalysis.Run(model);
        Assert.Equal([4, 4, 8], analysis.Groups.Where(g => g.Exactness == Exactness.Exact).Select(g => g.Size).Order());
    }

    /// <summary>A grid of positions: rows in full, columns in two runs; and one whose positions are in no order.</summary>
    [Fact]
    public void ScatterND_of_a_grid_follows_runs_and_says_why_it_does_not_follow_others()
    {
        OnnxModel Model(long[] columns)
        {
            var g = new GraphBuilder(9);
            var data = g.Relu(g.MatMul(g.Input("x", 4, 12), g.Weight("w0", 12, 16)));
            var updates = g.Relu(g.MatMul(g.Input("z", 4, 12), g.Weight("w1", 12, columns.Length)));
            long[] index = [.. Enumerable.Range(0, 4).SelectMany(r => columns.SelectMany(c => (long[])[r, c]))];
            var y = g.Node("ScatterND", [data, g.Longs("ix", index, [4, columns.Length, 2]), updates]);
            return g.Output(g.MatMul(y, g.Weight("w2", 16, 5))).Build();
        }
        RuleCheck.On(Model([2, 3, 4, 9, 10, 11])).Group("w1", 1, 3, Axis.Neurons, ("w2", 0)).IsExact();
        RuleCheck.On(Model([5, 2, 9, 0])).Frozen("w0", 1, "listed one by one");
    }
}
