using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;
using static VerifyXunit.Verifier;

namespace Espalier.Axes.Tests.Naming;

/// <summary>What groups, blocks and weights are called.</summary>
public sealed class NamingTests
{
    /// <summary>Every network of the repository.</summary>
    public static TheoryData<string> Networks() => [.. Assets.Networks()];

    /// <summary>Every real model.</summary>
    public static TheoryData<string> RealModels() => [.. Models.Names()];

    [Fact]
    public async Task Names_of_the_networks() => await Verify(string.Join("\n", Assets.Networks().Select(name =>
    {
        using var model = OnnxModel.Open(Assets.Path(name));
        return $"{name}\n{NameList.Of(AxisAnalysis.Run(model), files: true)}";
    })));

    [Theory]
    [MemberData(nameof(Networks))]
    public void Other_numbers_give_the_same_names(string name) => SameUnderOtherNumbers(Assets.Path(name));

    [Theory]
    [MemberData(nameof(RealModels))]
    public void Other_numbers_give_the_same_names_of_real_models(string name) => SameUnderOtherNumbers(Models.Path(name));

    /// <summary>
    /// Its exporter named no node after a module, and weights by numbers: modules are known by the biases alone.
    /// </summary>
    [Fact]
    public void Names_of_a_model_whose_nodes_are_numbered()
    {
        const string Name = "all-MiniLM-L6-v2.onnx";
        Assert.SkipUnless(Models.Folder is { } folder && File.Exists(Path.Combine(folder, Name)), $"No {Name} in ESPALIER_MODELS.");
        using var model = OnnxModel.Open(Models.Path(Name));
        var analysis = AxisAnalysis.Run(model);
        for (int k = 0; k < 6; k++)
        {
            string layer = $"encoder.layer.{k}";
            Assert.Equal([$"{layer}.attention.heads", $"{layer}.attention.self.headDims", $"{layer}.attention.valueDims",
                $"{layer}.intermediate.dense"],
                analysis.Groups.Where(g => g.Name.StartsWith(layer, StringComparison.Ordinal)).Select(g => g.Name));
            Assert.Equal([$"{layer}.attention", $"{layer}.feedForward"],
                analysis.Blocks.Where(b => b.IsSublayer && b.Name.StartsWith(layer, StringComparison.Ordinal)).Select(b => b.Name));
            foreach (string module in (string[])["attention.self.query", "attention.self.key", "attention.self.value",
                "attention.output.dense", "intermediate.dense", "output.dense"])
                Assert.NotNull(analysis.Names.TensorOf($"{layer}.{module}.weight"));
        }
        SameUnderOtherNumbers(Models.Path(Name));
    }

    [Fact]
    public void Nothing_readable_gives_what_it_is_and_its_place()
    {
        var g = new GraphBuilder();
        string x = g.Input("x", 1, 3, 8, 8);
        string y = g.Node("Conv", [x, g.Weight("12", 8, 3, 3, 3), g.Weight("13", 8)]);
        y = g.Node("Conv", [g.Node("Relu", [y]), g.Weight("onnx::Conv_20", 6, 8, 3, 3)]);
        var analysis = AxisAnalysis.Run(g.Output(y, 1, 6, 4, 4).Build());
        Assert.Equal(["conv.0", "conv.1"], analysis.Groups.Select(n => n.Name));
        Assert.Equal(["conv.0.weight", "conv.0.bias", "conv.1.weight"], analysis.Names.Aliases.Values);
        Assert.Equal("onnx::Conv_20", analysis.Names.TensorOf("conv.1.weight"));
    }

    /// <summary>A bias that two products share, because an exporter found both alike, says where one of them lies: not which.</summary>
    [Fact]
    public void A_shared_bias_names_no_module()
    {
        var g = new GraphBuilder();
        string x = g.Input("x", 2, 4), bias = g.Weight("layer.1.up.bias", 8);
        string a = g.Node("Add", [g.Node("MatMul", [x, g.Weight("1", 4, 8)]), bias]);
        string b = g.Node("Add", [g.Node("MatMul", [x, g.Weight("layer.1.up.kernel", 4, 8)]), bias]);
        string y = g.Node("Add", [g.Node("MatMul", [g.Node("Relu", a), g.Weight("layer.0.down.weight", 8, 4)]),
            g.Node("MatMul", [g.Node("Relu", b), g.Weight("layer.1.down.weight", 8, 4)])]);
        Assert.Equal(["matmul.0.weight"], AxisAnalysis.Run(g.Output(y, 2, 4).Build()).Names.Aliases.Values);
    }

    [Fact]
    public void A_pattern_knows_a_weight_by_both_of_its_names()
    {
        using var model = OnnxModel.Open(Assets.Path("bert.onnx"));
        var analysis = AxisAnalysis.Run(model);
        string[] Named(string pattern) => [.. analysis.Groups.Where(g => analysis.Names.Matches(pattern, g)).Select(g => g.Name)];
        Assert.Equal(["encoder.0.up"], Named("encoder.0.up"));
        Assert.Equal(["encoder.0.up"], Named("onnx::MatMul_654").Where(n => n != "width"));
        Assert.Equal(["encoder.0.up"], Named("encoder.0.up.weight").Where(n => n != "width"));
        Assert.Equal(6, Named("encoder.?.attn.heads").Length);
    }

    [Fact]
    public void A_pattern_knows_a_node_by_its_modules_and_by_its_block()
    {
        using var model = OnnxModel.Open(Assets.Path("bert.onnx"));
        var analysis = AxisAnalysis.Run(model);
        string[] Named(string pattern) => [.. analysis.Nodes.Where(n => analysis.Names.Matches(pattern, n)).Select(n => n.Proto.Name)];
        Assert.Equal(["/encoder.0/up/MatMul"], Named("/encoder.0/up/MatMul"));
        Assert.Equal(["/encoder.0/up/MatMul"], Named("encoder.0.up.MatMul"));
        string[] In(string block) => [.. analysis.Blocks.Single(b => b.Name == block).Nodes.Select(n => analysis.Nodes[n].Proto.Name)
            .Order(StringComparer.Ordinal)];
        Assert.Equal(In("encoder.0.attention"), Named("encoder.0.attention").Order(StringComparer.Ordinal));
        // Constants that the exporter wrote outside of all modules are in the block all the same.
        Assert.Equal(In("encoder.0").Union(Named("/encoder.0/*")).Order(StringComparer.Ordinal),
            Named("encoder.0.*").Order(StringComparer.Ordinal));
    }

    private static void SameUnderOtherNumbers(string path)
    {
        using var model = OnnxModel.Open(path);
        using var other = NameList.Renumbered(model);
        var analysis = AxisAnalysis.Run(model);
        NameList.AreUnique(analysis);
        Assert.True(NameList.Numbers(model) > 0 || !path.Contains("assets", StringComparison.Ordinal), "nothing was numbered");
        Assert.Equal(NameList.Of(analysis, files: false), NameList.Of(AxisAnalysis.Run(other), files: false));
    }
}
