using Espalier.Axes;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Planning;

namespace Espalier.Pruning.Tests;

public class SlimmerTests
{
    [Fact]
    public void A_plan_that_removes_nothing_gives_the_model_itself()
    {
        using var dense = Planted.Mlp(1, 8);
        var (model, report) =
            Slimmer.Run(new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 1 }] }, AxisAnalysis.Run(dense));
        Assert.Same(dense, model);
        Assert.Equal(report.Before, report.After);
        Assert.Empty(report.Removed);
        Assert.Equal(1, report.PredictedTimeRatio);
    }

    /// <summary>The dense model cannot run: a convolution with sizes for its weight, which pruning writes down.</summary>
    [Fact]
    public void What_could_not_be_opened_is_not_written()
    {
        var g = new GraphBuilder(5);
        var x = g.Linear(g.Input("x", 2, 6), "a", 6, 12);
        g.Output(g.Linear(x, "b", 12, 4));
        g.Output(g.Node("Conv", [g.Input("image", 1, 1, 8), g.Node("Shape", x)]));
        using var dense = g.Build();
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, RoundTo = 1 }] };
        var refused = Assert.Throws<EspalierException>(() => Slimmer.Run(plan, AxisAnalysis.Run(dense)));
        Assert.Contains("wants rank 3 or more", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_report_says_what_was_removed_and_what_it_costs()
    {
        using var dense = Planted.Mlp(1, 8);
        var (model, report) =
            Slimmer.Run(new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5 }] }, AxisAnalysis.Run(dense));
        var group = Assert.Single(report.Groups, g => g.Kept < g.Size);
        Assert.Equal(("neurons", 8, 4, "exact"), (group.Kind, group.Size, group.Kept, group.Exactness));
        Assert.Equal(["fc1.weight:1", "fc1.bias:0", "fc2.weight:0"], group.Members);
        Assert.Equal(group.RemovedUnits, report.Removed["fc1.weight"]["1"]);
        Assert.Equal(group.RemovedUnits, report.Removed["fc1.bias"]["0"]);
        Assert.Equal(group.RemovedUnits, report.Removed["fc2.weight"]["0"]);
        Assert.Equal(8 * 6 + 8 + 8 * 3 + 3, report.Before.Parameters);
        Assert.Equal(4 * 6 + 4 + 4 * 3 + 3, report.After.Parameters);
        Assert.Equal(dense.ToBytes().Length, report.Before.Bytes);
        Assert.Equal(model.ToBytes().Length, report.After.Bytes);
        Assert.Equal((4 * 6 + 4 * 3) / (8.0 * 6 + 8 * 3), (double)report.After.Macs / report.Before.Macs, 1e-9);
    }

    [Fact]
    public void The_same_plan_gives_the_same_bytes()
    {
        using var dense = Planted.Mlp(1, 16);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 500, Planted.Inputs));
        byte[] Run()
            => Slimmer.Run(new PruningPlan
            {
                Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Variance,
                    Compensate = Compensation.LeastSquares }]
            }, analysis, statistics).Model.ToBytes();
        Assert.Equal(Run(), Run());
    }

    public static TheoryData<PruneRule, string> Mistakes => new()
    {
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Pattern = "nothing*", Keep = 0.5 }, "'nothing*' matches no group" },
        { new PruneRule { Name = "r", Axis = Axis.Heads, Keep = 0.5 }, "the model has no heads" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 1.5 }, "Keep is 1.5" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = double.NaN }, "Keep is NaN" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons }, "neither Keep nor a budget" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, MinKeep = 0 }, "MinKeep is 0" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, RoundTo = -1 }, "RoundTo is -1" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Groups = ["gone"] }, "no group 'gone'" },
        { new PruneRule { Name = "r", Axis = Axis.Sublayers, Keep = 0.5 }, "not units" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Variance }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Fluctuation }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.ActivationShare }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.RouterUse }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.AttentionReceived }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.BetaRank }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.QueryKey }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Retrieval }, "calibration" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.BlockSimilarity }, "not units" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.File }, "no file is named" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.Method, ScoreMethod = "Rank" },
            "'Rank', which only the build of a project can call" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, ScoreFile = "scores.json" }, "only File reads one" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.File, ScoreFile = "nowhere/scores.json" },
            "'nowhere/scores.json' cannot be read" },
        { new PruneRule { Name = "r", Axis = Axis.Neurons, Keep = 0.5, Compensate = Compensation.Bias }, "calibration" },
    };

    [Theory]
    [MemberData(nameof(Mistakes), DisableDiscoveryEnumeration = true)]
    public void Mistakes_are_named(PruneRule rule, string message)
    {
        using var dense = Planted.Mlp(1, 8);
        var e = Assert.Throws<EspalierException>(() => Slimmer.Run(new PruningPlan { Prune = [rule] }, AxisAnalysis.Run(dense)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Criterion.NormScale)]
    [InlineData(Criterion.Lamp)]
    [InlineData(Criterion.GeometricMedian)]
    [InlineData(Criterion.Fluctuation)]
    [InlineData(Criterion.ActivationShare)]
    [InlineData(Criterion.RouterUse)]
    [InlineData(Criterion.RouterSimilarity)]
    [InlineData(Criterion.AttentionReceived)]
    [InlineData(Criterion.BetaRank)]
    [InlineData(Criterion.QueryKey)]
    [InlineData(Criterion.Retrieval)]
    [InlineData(Criterion.File)]
    public void Scores_of_units_do_not_rank_sublayers(Criterion criterion)
    {
        using var dense = TwoLayers();
        var e = Assert.Throws<EspalierException>(() =>
            Slimmer.Run(new PruningPlan { Drop = [new DropRule { AtMost = 1, Score = criterion }] }, AxisAnalysis.Run(dense)));
        Assert.Contains($"{criterion} does not score sublayers", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_place_of_a_rule_comes_first_in_its_message()
    {
        using var dense = Planted.Mlp(1, 8);
        var rule = new PruneRule { Name = "Wide", Axis = Axis.Heads, Keep = 0.5, Location = "Slim.cs(12,5)" };
        var e = Assert.Throws<EspalierException>(() => Slimmer.Run(new PruningPlan { Prune = [rule] }, AxisAnalysis.Run(dense)));
        Assert.StartsWith("Slim.cs(12,5): rule 'Wide'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Protected_groups_stay_whole_by_group_or_tensor_name()
    {
        using var dense = TwoLayers();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5 }], Protect = ["b?.weight"] };
        var (_, report) = Slimmer.Run(plan, analysis);
        var pruned = Assert.Single(report.Groups, g => g.Kept < g.Size);
        Assert.Contains("a1.weight:1", pruned.Members);
    }

    [Fact]
    public void A_group_belongs_to_the_first_rule_that_names_it()
    {
        using var dense = TwoLayers();
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Name = "one", Axis = Axis.Neurons, Pattern = "a1.*", Keep = 0.75 },
            new PruneRule { Name = "rest", Axis = Axis.Neurons, Keep = 0.25 }]
        };
        var (_, report) = Slimmer.Run(plan, AxisAnalysis.Run(dense));
        Assert.Equal(9, report.Groups.Single(g => g.Members.Contains("a1.weight:1")).Kept);
        Assert.Equal(3, report.Groups.Single(g => g.Members.Contains("b1.weight:1")).Kept);
    }

    [Fact]
    public void Needs_names_only_what_the_plan_reads()
    {
        using var dense = TwoLayers();
        var analysis = AxisAnalysis.Run(dense);
        Assert.Null(Slimmer.Needs(new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5 }] }, analysis));
        Assert.Null(Slimmer.Needs(new PruningPlan { Drop = [new DropRule { AtMost = 1, Score = Criterion.Random }] }, analysis));
        var needs = Slimmer.Needs(new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Neurons, Pattern = "a1.*", Keep = 0.5, Compensate = Compensation.LeastSquares },
                new PruneRule { Axis = Axis.Neurons, Pattern = "b1.*", Keep = 0.5, Score = Criterion.Wanda }],
            Drop = [new DropRule { AtMost = 1 }],
        }, analysis)!;
        var consumers = analysis.Consumers.ToDictionary(c => c.Parameter, c => c.Id);
        Assert.Equal([consumers["a2.weight"], consumers["b2.weight"]], needs.Consumers!.Order());
        Assert.Equal([consumers["a2.weight"]], needs.Covariance.Order());
        Assert.Equal(analysis.Blocks.Where(b => b.IsSublayer).Select(b => b.Id), needs.Blocks!.Order());
    }

    /// <summary>The second sublayer adds next to nothing: similarity finds it, and the slim model is almost the dense one.</summary>
    [Fact]
    public void Similarity_finds_the_sublayer_that_does_nothing()
    {
        using var dense = TwoLayers(quiet: true);
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Drop = [new DropRule { AtMost = 1 }] };
        var statistics = Calibration.Statistics.Calibrator.Run(analysis, [Planted.Rows(5, 200, Planted.Inputs)],
            Slimmer.Needs(plan, analysis)!);
        var (model, report) = Slimmer.Run(plan, analysis, statistics);
        Assert.True(Planted.Error(dense, model) < 1e-3);
        Assert.Single(report.Blocks);
        Assert.DoesNotContain(model.Proto.Graph.Initializer, t => t.Name == "b1.weight");
        Assert.Contains(model.Proto.Graph.Initializer, t => t.Name == "a1.weight");
        Assert.Equal(0, report.Groups.Single(g => g.Members.Contains("b1.weight:1")).Kept);
        Assert.True(report.After.Macs < report.Before.Macs && report.After.Parameters < report.Before.Parameters);
    }

    [Fact]
    public void Protected_sublayers_stay_and_the_note_says_how_many_could_go()
    {
        using var dense = TwoLayers(quiet: true);
        var analysis = AxisAnalysis.Run(dense);
        var names = analysis.Blocks.Where(b => b.IsSublayer).Select(b => b.Name).ToList();
        var plan = new PruningPlan { Drop = [new DropRule { AtMost = 5, Score = Criterion.Random }], Protect = [names[1]] };
        var (_, report) = Slimmer.Run(plan, analysis);
        Assert.Equal([names[0]], report.Blocks);
        Assert.Contains(report.Notes, n => n.Contains("only 1 of 5", StringComparison.Ordinal));
    }

    [Fact]
    public void Globs_match_whole_names()
    {
        Assert.True(Glob.Matches("*", ""));
        Assert.True(Glob.Matches("encoder.*.w?", "encoder.3.ffn.w1"));
        Assert.True(Glob.Matches("a*b*c", "a--b-b--c"));
        Assert.False(Glob.Matches("encoder", "encoder.1"));
        Assert.False(Glob.Matches("a?", "a"));
        Assert.False(Glob.Matches("A*", "abc"));
        Assert.False(Glob.Matches(string.Concat(Enumerable.Repeat("a*", 30)) + "b", new string('a', 5000)));
    }

    /// <summary>A residual stream of 6 with two sublayers of 12 neurons; a quiet second one adds almost nothing.</summary>
    /// <summary>
    /// Of four rows, the first layer turns each by 0.2 half turns (cosine 0.81); the second turns two by 0.35 and two not (mean
    /// cosine 0.73): its mean angle, 0.175, is the smaller, and its mean cosine the smaller too.
    /// </summary>
    [Theory]
    [InlineData(Criterion.BlockSimilarity, 0)]
    [InlineData(Criterion.BlockAngle, 1)]
    public void Angles_and_cosines_rank_few_large_turns_and_many_small_ones_otherwise(Criterion criterion, int goes)
    {
        var g = new GraphBuilder(1);
        string x = g.Input("x", "batch", 2);
        // Stream (1, 0), or (0, 1) where the second input is 1; a ReLU tells them apart.
        double small = Math.Tan(0.2 * Math.PI), large = Math.Tan(0.35 * Math.PI);
        string a = g.Add(x,
            g.MatMul(g.Relu(g.MatMul(x, g.Floats("a.up", [1, 0, 0, 1], 2, 2))),
                g.Floats("a.down", [0, (float)small, (float)-small, 0], 2, 2)));
        // After it: (1, t) and (−t, 1). Only the first has a positive first coordinate.
        double norm = 1 + (small * small);
        string b = g.Add(a,
            g.MatMul(g.Relu(g.MatMul(a, g.Floats("b.up", [(float)(1 / norm), -1, (float)(small / norm), -1], 2, 2))),
                g.Floats("b.down", [(float)(-small * large), (float)large, 0, 0], 2, 2)));
        g.Output(g.Rename(g.MatMul(b, g.Weight("head", 2, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Drop = [new DropRule { AtMost = 1, Score = criterion }] };
        var samples = new Dictionary<string, NamedTensor> { ["x"] = new("x", "float32", [4, 2], new float[] { 1, 0, 1, 0, 0, 1, 0, 1 }) };
        var statistics = Calibrator.Run(analysis, [samples], Slimmer.Needs(plan, analysis)! with { BlockAngles = true });
        int[] sublayers = [.. analysis.Blocks.Where(s => s.IsSublayer).Select(s => s.Id)];
        Assert.Equal(0.2, statistics.BlockAngle[sublayers[0]], 1e-4);
        Assert.Equal(0.175, statistics.BlockAngle[sublayers[1]], 1e-3);
        Assert.Equal(Math.Cos(0.2 * Math.PI), statistics.BlockCosine[sublayers[0]], 1e-5);
        Assert.Equal((1 + Math.Cos(0.35 * Math.PI)) / 2, statistics.BlockCosine[sublayers[1]], 1e-5);
        Assert.Equal(analysis.Blocks[sublayers[goes]].Name, Assert.Single(Slimmer.Run(plan, analysis, statistics).Report.Blocks));
    }

    private static OnnxModel TwoLayers(bool quiet = false)
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", Planted.Inputs);
        string x = g.Add("x", g.Linear(g.Relu(g.Linear("x", "a1", 6, 12)), "a2", 12, 6));
        string inner = g.Relu(g.Linear(x, "b1", 6, 12));
        string branch = quiet
            ? g.Add(g.MatMul(inner, g.Floats("b2.weight", [.. Planted.Floats(new Random(1), 72).Select(v => v * 1e-5f)], 12, 6)),
                g.Floats("b2.bias", new float[6], 6))
            : g.Linear(inner, "b2", 12, 6);
        x = g.Add(x, branch);
        g.Output(g.Rename(g.Linear(x, "head", 6, 3), "y"), "batch", 3);
        return g.Build();
    }
}
