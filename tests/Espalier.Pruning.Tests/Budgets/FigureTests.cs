using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Inference;
using Espalier.Axes.Measurements;
using Espalier.Onnx;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Tests.Budgets;

/// <summary>The figures of whole plans are those of the files that they are written to, as another counter finds them.</summary>
public class FigureTests(ITestOutputHelper output)
{
    private static readonly Axis[] Units = [Axis.Channels, Axis.Neurons, Axis.Heads, Axis.HiddenState];

    /// <summary>Sizes that a model's inputs must agree on, where the defaults do not.</summary>
    private static Dictionary<string, long> Sizes(string name) => name switch
    {
        "silero_vad" or "silero_vad_op18_ifless"
            => new() { ["input:0"] = 1, ["input:1"] = 576, ["state:1"] = 1, ["batch"] = 1, ["sequence"] = 576 },
        "tiny-random-gpt2-fp32_past" => new() { ["past_seq_len"] = 4, ["seq_len"] = 6, ["total_seq_len"] = 10 },
        "ch_ppocr_mobile_v2.0_cls_infer" => new() { ["p2o.DynamicDimension.1"] = 48, ["p2o.DynamicDimension.2"] = 192 },
        _ => [],
    };

    public static TheoryData<string, bool> Networks()
    {
        var networks = new TheoryData<string, bool>();
        foreach (string name in Assets.Networks()) networks.Add(name, false);
        foreach (string name in Models.Names(slow: false)) networks.Add(name, true);
        return networks;
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Half_of_every_unit_of_a_network(string name, bool isReal)
    {
        using var dense = OnnxModel.Open(isReal ? Models.Path(name) : Assets.Path(name));
        Agrees(dense, analysis => Halved(analysis));
    }

    /// <summary>
    /// Weights behind Transpose, in functions that are called twice, and tied: what only a removed part reads goes with it.
    /// </summary>
    [Fact]
    public void A_block_takes_all_that_only_it_reads_along()
    {
        using var dense = OnnxModel.Open(Assets.Path("cases/structures/gemma_sandwich_softcap_tied.onnx"));
        var left = new List<long>();
        foreach (var block in AxisAnalysis.Run(dense).Blocks)
        {
            var report =
                Agrees(dense,
                    _ => new PruningPlan
                    {
                        Drop =
                        [new DropRule { Axis = block.IsSublayer ? Axis.Sublayers
                            : Axis.Blocks, Pattern = block.Name, AtMost = 1, Score = Criterion.Random }]
                    });
            Assert.Equal([block.Name], report.Blocks);
            Assert.Equal(17013, report.Before.Parameters);
            left.Add(report.After.Parameters);
        }
        Assert.Contains(12330, left);
    }

    [Theory]
    [InlineData("vit.onnx")]
    [InlineData("gpt.onnx")]
    [InlineData("moe.onnx")]
    public void Sublayers_that_go(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name));
        var report = Agrees(dense, analysis => Halved(analysis) with { Drop = [new DropRule { AtMost = 3, Score = Criterion.Random }] });
        Assert.Equal(3, report.Blocks.Count);
    }

    [Fact]
    public void New_biases_of_compensation()
    {
        using var dense = Planted.Mlp(1, 16, outputBias: false);
        var report =
            Agrees(dense,
                _ => new PruningPlan
                {
                    Prune =
                    [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, RoundTo = 1, Score = Criterion.Variance,
                        Compensate = Compensation.Bias }]
                },
            analysis => Planted.Calibrate(analysis, Planted.Rows(5, 100, Planted.Inputs)));
        Assert.Equal((Planted.Inputs * 8) + 8 + (8 * 3) + 3, report.After.Parameters);
    }

    [Theory]
    [InlineData("vit.onnx", "*qkv*")]
    [InlineData("bert.onnx", "*up/*")]
    public void Weights_that_became_products(string name, string pattern)
    {
        using var dense = OnnxModel.Open(Assets.Path(name));
        var report = Agrees(dense, analysis => Halved(analysis) with { LowRank = [new LowRankRule { Pattern = pattern, Keep = 0.4 }] });
        Assert.NotEmpty(report.Factored);
    }

    /// <summary>
    /// Each call of a function gets the function's constants, which the dense file holds once; in one call they are sliced, in the other
    /// not.
    /// </summary>
    [Fact]
    public void Functions_that_are_inlined()
    {
        using var dense = TwoCalls();
        var report = Agrees(dense, Halved);
        Assert.Equal((6 * 16) + 16 + (16 * 16) + (16 * 5), report.Before.Parameters);
        Assert.True(report.Copies.Count > 0
            && report.Copies.All(c => c.Tensor == "shift" && c.Readers.Count == 0), string.Join(", ", report.Copies));
        Names(dense, report);
    }

    [Fact]
    public void Copies_of_what_layers_share()
    {
        using var dense = SharedBias();
        var report = Agrees(dense, _ => new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, RoundTo = 1 }] });
        Assert.Equal((6 * 8) + (8 * 8) + (8 * 5) + 16, report.After.Parameters);
        Assert.Equal(2, report.Copies.Count);
        Assert.All(report.Copies, c => Assert.Equal("bias", c.Tensor));
        Assert.All(report.Copies, c => Assert.Equal(8, c.Removed["0"].Count));
        Names(dense, report);
        Assert.Equal(report.ToString(), ReportJson.Parse(ReportJson.Serialize(report)).ToString());
        Assert.Equal(report.Copies
            .SelectMany(c => c.Readers), ReportJson.Parse(ReportJson.Serialize(report)).Copies.SelectMany(c => c.Readers));
    }

    [Fact]
    public void Tensors_in_another_file()
    {
        string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        Directory.CreateDirectory(folder);
        try
        {
            LargeModel.Write(Path.Combine(folder, "large.onnx"), layers: 3, width: 300, external: true);
            using var dense = OnnxModel.Open(Path.Combine(folder, "large.onnx"));
            var report = Agrees(dense, Halved);
            Assert.Equal(Directory.EnumerateFiles(folder).Sum(f => new FileInfo(f).Length), report.Before.Bytes);
            Assert.True(report.After.Bytes < report.Before.Bytes);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// Choices are priced without the biases that compensation adds and without copies of what layers share: the bound is lowered until
    /// the file meets it.
    /// </summary>
    [Theory]
    [InlineData(0.9, 1, 1)]
    [InlineData(1, 0.6, 1)]
    [InlineData(1, 1, 0.7)]
    [InlineData(0.8, 0.75, 0.8)]
    public void A_budget_is_met_by_the_file(double macs, double parameters, double bytes)
    {
        using var dense = SharedBias();
        var report =
            Agrees(dense,
                _ => new PruningPlan
                {
                    Budget = new Budget(macs, parameters, bytes),
                    Prune = [new PruneRule { Axis = Axis.Neurons, RoundTo = 1, Compensate = Compensation.Bias,
                        Score = Criterion.Variance }]
                },
            analysis => Planted.Calibrate(analysis, Planted.Rows(5, 100, 6)));
        Assert.True(report.After.Macs <= macs * report.Before.Macs && report.After.Parameters <= parameters * report.Before.Parameters
            && report.After.Bytes <= bytes * report.Before.Bytes, report.ToString());
        Assert.Equal(macs, report.Plan.Budget!.Macs);
    }

    [Fact]
    public void A_budget_that_the_file_cannot_meet_is_refused_with_what_it_has()
    {
        // With all but one unit gone, three copies of the bias are left where the dense file has one of two elements.
        using var dense = SharedBias(hidden: 2);
        var plan = new PruningPlan
        {
            Budget = new Budget(Parameters: 0.6),
            Prune = [new PruneRule { Axis = Axis.Neurons, RoundTo = 1, Compensate = Compensation.Bias, Score = Criterion.Variance }]
        };
        var analysis = AxisAnalysis.Run(dense);
        var e = Assert.Throws<EspalierException>(() => Slimmer.Run(plan, analysis, Planted.Calibrate(analysis, Planted.Rows(5, 100, 6))));
        Assert.Matches(@"does not meet the budget of 0\.6 of the dense model's parameters: it has 0\.\d+\. "
            + @"What it has and the dense model has not: '.+' \(\d+ elements\)", e.Message);
    }

    [Fact]
    public void A_budget_of_what_a_file_does_not_store_is_refused()
    {
        var g = new GraphBuilder();
        string Made(params long[] dims) => g.Node("ConstantOfShape", g.Longs(dims));
        g.Output(g.MatMul(g.Relu(g.MatMul(g.Input("x", "batch", 6), Made(6, 16))), Made(16, 4)), "batch", 4);
        using var dense = g.Build();
        var e = Assert.Throws<EspalierException>(() =>
            Slimmer.Run(new PruningPlan { Budget = new Budget(Parameters: 0.5), Prune = [new PruneRule { Axis = Axis.Neurons }] },
                AxisAnalysis.Run(dense)));
        Assert.Contains("the file stores no parameters", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Carries a plan out, writes the model and compares the report with what another counter finds in both files.</summary>
    private PruningReport Agrees(OnnxModel dense, Func<AxisAnalysis,
        PruningPlan> plan, Func<AxisAnalysis, CalibrationStatistics>? calibrate = null)
    {
        string name = Path.GetFileNameWithoutExtension(dense.Path) ?? "";
        var sizes = SeededInputs.Sizes(dense, Sizes(name));
        var analysis = AxisAnalysis.Run(dense, new AxisOptions { Dimensions = sizes });
        var (slim, report) = Slimmer.Run(plan(analysis), analysis, calibrate?.Invoke(analysis));
        var pair = Figures.Compare(dense, slim, report, sizes, dense.Path);
        pair = pair with { Uncounted = [.. pair.Uncounted, .. analysis.Cost.UnknownMacs] };
        output.WriteLine($"| {name} | {pair} |");
        Assert.True(pair.Agree, $"parameters, MACs and bytes before and after: {pair}\n{Figures.Differing(analysis, pair.Counted.Before)}");
        if (slim != dense) slim.Dispose();
        // Each is a whole number, and so may lie half a one from its share.
        Assert.InRange(report.Layers.Sum(l => l.MacsBefore) - report.Before.Macs, -report.Layers.Count / 2.0, report.Layers.Count / 2.0);
        Assert.InRange(report.Layers.Sum(l => l.MacsAfter) - report.After.Macs, -report.Layers.Count / 2.0, report.Layers.Count / 2.0);
        return report;
    }

    private static PruningPlan Halved(AxisAnalysis analysis) => new()
    {
        Prune = [.. Units.Where(a => analysis.Groups.Any(g => AxisRow.Get(a).Kinds.Contains(g.Kind) && g.Exactness == Exactness.Exact))
            .Select(a => new PruneRule { Name = a.ToString(), Axis = a, Keep = 0.5, RoundTo = 1 })],
    };

    /// <summary>What the report says was removed is in the dense file.</summary>
    private static void Names(OnnxModel dense, PruningReport report)
    {
        var names = dense.Proto.Graph.Initializer.Select(t => t.Name)
            .Concat(dense.Proto.Graph.Node.Concat(dense.Proto.Functions.SelectMany(f => f.Node)).SelectMany(n => n.Output))
                .ToHashSet(StringComparer.Ordinal);
        Assert.Subset(names, report.Removed.Keys.Concat(report.Copies.Select(c => c.Tensor)).ToHashSet(StringComparer.Ordinal));
    }

    /// <summary>Three layers, of which the first two add one vector.</summary>
    private static OnnxModel SharedBias(int hidden = 16)
    {
        var g = new GraphBuilder();
        string bias = g.Weight("bias", hidden);
        string a = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6), g.Weight("a", 6, hidden)), bias));
        string b = g.Relu(g.Add(g.MatMul(a, g.Weight("b", hidden, hidden)), bias));
        g.Output(g.Rename(g.MatMul(b, g.Weight("c", hidden, 5)), "y"), "batch", 5);
        return g.Build();
    }

    /// <summary>Three layers, the first two of them followed by a function that adds a constant of its own.</summary>
    private static OnnxModel TwoCalls()
    {
        var g = new GraphBuilder();
        string Layer(string x, string name, int inputs, int outputs)
            => g.Node("local::Shifted", g.MatMul(x, g.Weight(name, inputs, outputs)));
        string y = Layer(Layer(g.Input("x", "batch", 6), "a", 6, 16), "b", 16, 16);
        g.Output(g.Rename(g.MatMul(y, g.Weight("c", 16, 5)), "y"), "batch", 5);
        var model = g.Build().Proto.Clone();
        var shifted = new FunctionProto { Domain = "local", Name = "Shifted", Input = { "x" }, Output = { "y" } };
        shifted.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        var shift = GraphBuilder.Tensor("", TensorProto.Types.DataType.Float, [16], new byte[64]);
        shifted.Node.Add(new NodeProto
        {
            OpType = "Constant",
            Output = { "shift" },
            Attribute = { new AttributeProto { Name = "value", T = shift, Type = AttributeProto.Types.AttributeType.Tensor } }
        });
        shifted.Node.Add(new NodeProto { OpType = "Add", Input = { "x", "shift" }, Output = { "s" } });
        shifted.Node.Add(new NodeProto { OpType = "Relu", Input = { "s" }, Output = { "y" } });
        model.Functions.Add(shifted);
        return OnnxModel.Wrap(model);
    }
}
