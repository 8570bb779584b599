using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Oracle;
using Espalier.Pruning.Factoring;
using Espalier.Pruning.Plans;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests.Factoring;

/// <summary>Weights as products of two.</summary>
public class LowRankTests
{
    private const int Inputs = 10, Outputs = 7, Rank = 3;

    /// <summary>Correlated inputs of very different spread, about a mean.</summary>
    private static double[] Moment(int seed)
    {
        var random = new Random(seed);
        float[] mix = Planted.Floats(random, Inputs * Inputs), mean = Planted.Floats(random, Inputs);
        var moment = new double[Inputs * Inputs];
        for (int i = 0; i < Inputs; i++)
            for (int j = 0; j < Inputs; j++)
            {
                moment[(i * Inputs) + j] = mean[i] * mean[j];
                for (int k = 0; k < Inputs; k++)
                    moment[(i * Inputs) + j] += mix[(i * Inputs) + k] * mix[(j * Inputs) + k] * Math.Pow(3, -k);
            }
        return moment;
    }

    private static double Lost(float[] m, float[] down, float[] up, double[] moment, double scale = 1)
    {
        var left = new double[Inputs, Outputs];
        for (int i = 0; i < Inputs; i++)
            for (int o = 0; o < Outputs; o++)
            {
                left[i, o] = scale * m[(i * Outputs) + o];
                for (int r = 0; r < down.Length / Inputs; r++)
                    left[i, o] -= (double)down[(i * (down.Length / Inputs)) + r] * up[(r * Outputs) + o];
            }
        double sum = 0;
        for (int o = 0; o < Outputs; o++)
            for (int i = 0; i < Inputs; i++)
                for (int j = 0; j < Inputs; j++) sum += left[i, o] * moment[(i * Inputs) + j] * left[j, o];
        return sum;
    }

    [Fact]
    public void The_closed_form_is_the_best_of_its_rank()
    {
        float[] m = Planted.Floats(new Random(1), Inputs * Outputs);
        double[] moment = Moment(2);
        var (down, up, error) = LowRankFit.Compute(m, Inputs, Outputs, Rank, moment);
        double least = Lost(m, down, up, moment);
        Assert.Equal(Math.Sqrt(least / Lost(m, new float[Inputs], new float[Outputs], moment)), error, 1e-5);
        var plain = LowRankFit.Compute(m, Inputs, Outputs, Rank, null);
        Assert.True(least < 0.9 * Lost(m, plain.Down, plain.Up, moment),
            $"{least} against {Lost(m, plain.Down, plain.Up, moment)} of the plain decomposition");
        // Nor is any neighbour better, or any other start that alternating least squares could come from.
        var random = new Random(3);
        for (int trial = 0; trial < 200; trial++)
        {
            float step = (float)Math.Pow(10, -(trial % 4) - 1);
            float[] a = [.. down.Zip(Planted.Floats(random, down.Length), (x, d) => x + (step * d))],
                b = [.. up.Zip(Planted.Floats(random, up.Length), (x, d) => x + (step * d))];
            Assert.True(Lost(m, a, b, moment) >= least * (1 - 1e-6));
        }
    }

    [Fact]
    public void Without_data_it_is_the_truncated_singular_value_decomposition()
    {
        float[] m = Planted.Floats(new Random(1), Inputs * Outputs);
        var (down, up, error) = LowRankFit.Compute(m, Inputs, Outputs, Rank, null);
        var singular = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(Inputs, Outputs, (i, o) => m[(i * Outputs) + o]).Svd().S;
        double[] identity = [.. Enumerable.Range(0, Inputs * Inputs).Select(k => k / Inputs == k % Inputs ? 1.0 : 0)];
        double lost = Enumerable.Range(Rank, Outputs - Rank).Sum(k => singular[k] * singular[k]);
        Assert.Equal(lost, Lost(m, down, up, identity), 1e-4 * lost);
        Assert.Equal(Math.Sqrt(lost / singular.Sum(s => s * s)), error, 1e-6);
    }

    /// <summary>Inputs that never vary apart: the moment is singular, and rank 2 gives all outputs that there are.</summary>
    [Fact]
    public void A_singular_moment_is_no_obstacle()
    {
        float[] m = Planted.Floats(new Random(1), Inputs * Outputs), mix = Planted.Floats(new Random(2), Inputs * 2);
        double[] moment = [.. Enumerable.Range(0, Inputs * Inputs)
            .Select(k => (double)((mix[k / Inputs * 2] * mix[k % Inputs * 2]) + (mix[(k / Inputs * 2) + 1] * mix[(k % Inputs * 2) + 1])))];
        var (down, up, error) = LowRankFit.Compute(m, Inputs, Outputs, 2, moment);
        Assert.True(error < 1e-5, $"{error}");
        Assert.All(down.Concat(up), v => Assert.True(float.IsFinite(v)));
    }

    private static (IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Samples, SlimResult Slim) Slim(OnnxModel dense,
        AxisAnalysis analysis, PruningPlan plan)
    {
        var samples = Calibration.Inputs.RandomInputs.Many(dense, 4, 1, Calibration.Inputs.RandomInputs.Fit(dense));
        plan = Presets.Complete(plan, hasData: true);
        return (samples,
            Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples), new ModelProbe(analysis, samples)));
    }

    /// <summary>The dense model with the products in place, masked where units went, computes what the slim model computes.</summary>
    private static void OracleAgrees(AxisAnalysis analysis, SlimResult slim,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
    {
        using var masked = MaskedModel.Build(analysis.Model, Removal.From(slim.Report, analysis.File), slim.Model);
        // The factors are as far from the weights as the report says.
        var distances = MaskedModel.Distances(analysis.Model, Removal.From(slim.Report, analysis.File), slim.Model);
        Assert.All(slim.Report.Factored, f => Assert.Equal(f.Distance!.Value, distances[f.Weight], 1e-5));
        var found = OracleComparer.Compare(masked, slim.Model, inputs: samples);
        Assert.True(found.IsExact, $"{found.Error}");
        // And it is another model than the dense one.
        Assert.False(OracleComparer.Compare(analysis.Model, slim.Model, inputs: samples).IsExact);
    }

    public static TheoryData<string, string?, bool> Fixtures => new()
    {
        { "gpt.onnx", null, false }, { "gpt.onnx", null, true }, { "bert.onnx", null, false }, { "bert.onnx", null, true },
        { "moe.onnx", null, false }, { "resnet.onnx", "*conv*", false }, { "seresnet.onnx", "*", true },
        { "vit.onnx", "*qkv*", false }, { "vit.onnx", "*qkv*", true }, { "bert.onnx", "*up/*", true }, { "vit.onnx", "*down/*", true },
    };

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void The_trained_networks_equal_the_dense_ones_with_products(string name, string? pattern, bool prune)
    {
        using var dense = OnnxModel.Open(Assets.Path(name));
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Preset = pattern is null ? Preset.Cskv : Preset.Magnitude,
            LowRank = pattern is null ? [] : [new() { Pattern = pattern, Keep = 0.6 }],
            Calibration = new CalibrationSource { Method = "Samples" },
            Prune = prune && analysis.Groups.All(g => g.Kind != Axis.Heads)
                ? [new() { Axis = Axis.Channels, Keep = 0.5 }]
                : prune
                ? [new() { Axis = Axis.Heads, Keep = 0.5 }, new() { Axis = Axis.Neurons, Keep = 0.5 },
                    new() { Axis = Axis.HeadDims, Keep = 0.75 }]
                : [],
        };
        var (samples, slim) = Slim(dense, analysis, plan);
        Assert.NotEmpty(slim.Report.Factored);
        Assert.All(slim.Report.Factored,
            f => Assert.True(f.ParametersAfter < f.ParametersBefore && f.MacsAfter < f.MacsBefore && f.Error is >= 0 and < 1));
        // Of a last layer four samples have too few rows to lose any.
        Assert.True(slim.Report.Factored.Count(f => f.Error > 0) * 2 > slim.Report.Factored.Count);
        OracleAgrees(analysis, slim, samples);
        // The costs in the report are those of the model that was written.
        var cost = AxisAnalysis.Run(slim.Model).Cost;
        Assert.Equal(cost.Evaluate(CostUnit.Parameters), slim.Report.After.Parameters, 1.0);
        Assert.Equal(cost.Evaluate(CostUnit.Macs), slim.Report.After.Macs, 1.0);
    }

    /// <summary>α and β of a Gemm count once, with the second factor.</summary>
    [Fact]
    public void A_scaled_product_is_factored()
    {
        var g = new GraphBuilder(4);
        string h = g.Relu(g.Linear(g.Input("x", "batch", Planted.Inputs), "up", Planted.Inputs, 12));
        string y = g.Node("Gemm", [h, g.Weight("w", 12, 10), g.Weight("c", 10)], ("alpha", 2f), ("beta", 0.5f));
        using var dense = g.Output(g.Rename(g.Linear(g.Relu(y), "down", 10, 3), "y"), "batch", 3).Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            LowRank = [new() { Pattern = "w", Rank = 2 }],
            Calibration = new CalibrationSource { Method = "Samples" },
            Prune = [new() { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.L2, Compensate = Compensation.None }],
        };
        var (samples, slim) = Slim(dense, analysis, plan);
        Assert.Equal("w", Assert.Single(slim.Report.Factored).Weight);
        OracleAgrees(analysis, slim, samples);
    }

    /// <summary>Two factors of a vector would be larger than the vector.</summary>
    [Fact]
    public void A_head_of_one_number_is_not_factored()
    {
        var g = new GraphBuilder(4);
        string h = g.Relu(g.Linear(g.Input("x", "batch", Planted.Inputs), "up", Planted.Inputs, 12));
        using var dense = g.Output(g.Rename(g.MatMul(h, g.Weight("head", 12, 1)), "y"), "batch", 1).Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { LowRank = [new() { Keep = 0.8 }], Calibration = new CalibrationSource { Method = "Samples" } };
        var (_, slim) = Slim(dense, analysis, plan);
        Assert.Equal("up.weight", Assert.Single(slim.Report.Factored).Weight);
        Assert.Contains(slim.Report.Notes, n => n.Contains("'head' is not factored", StringComparison.Ordinal));
    }

    /// <summary>Keys and values are told from queries by the softmax, whatever they are called; what makes all three stays.</summary>
    [Fact]
    public void Keys_and_values_are_found_by_structure()
    {
        using var gpt = OnnxModel.Open(Assets.Path("gpt.onnx"));
        var analysis = AxisAnalysis.Run(gpt);
        var plan = new PruningPlan { LowRank = [new() { Of = ProductKind.KeysAndValues, Keep = 0.5 }] };
        var targets = LowRankTargets.Find(plan, new(analysis), []);
        Assert.Equal(12, targets.Count);
        Assert.All(targets, t => Assert.Matches("/attn/[kv]/MatMul$", t.Weight.Consumers[0].Node.Proto.Name));
        using var vit = OnnxModel.Open(Assets.Path("vit.onnx"));
        var e = Assert.Throws<EspalierException>(() => LowRankTargets.Find(plan, new(AxisAnalysis.Run(vit)), []));
        Assert.Contains("it makes queries too", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_budget_decides_the_ranks()
    {
        using var dense = OnnxModel.Open(Assets.Path("bert.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var (_, slim) = Slim(dense, analysis,
            new PruningPlan { Preset = Preset.Cskv, Budget = new Budget(Macs: 0.9), Prune = [new() { Axis = Axis.Heads }] });
        Assert.InRange((double)slim.Report.After.Macs / slim.Report.Before.Macs, 0.88, 0.9);
        Assert.All(slim.Report.Groups, g => Assert.Equal(g.Size, g.Kept));
        var e = Assert.Throws<EspalierException>(() =>
            Slim(dense, analysis, new PruningPlan { Preset = Preset.Cskv, Budget = new Budget(Macs: 0.5) }));
        Assert.Matches("with rank 1 in all 12 weights it is 0\\.[0-9]{3}", e.Message);
    }

    [Fact]
    public void A_budget_for_ranks_is_shared_only_with_units_that_are_refitted()
    {
        using var dense = Planted.Mlp(1, 8);
        var plan = new PruningPlan { LowRank = [new()], Budget = new Budget(Macs: 0.9) };
        void Refused(PruningPlan plan, string message)
            => Assert.Contains(message, Assert.Throws<EspalierException>(() => Slimmer.Needs(plan, AxisAnalysis.Run(dense))).Message,
                StringComparison.Ordinal);
        Refused(plan with { Prune = [new() { Axis = Axis.Neurons }] }, "the budget cannot be shared");
        Refused(plan with { Budget = new Budget(Latency: 0.9) }, "ranks are not chosen by time");
        Refused(plan with { Budget = new Budget(Macs: 0.9) { Components = [new("fc1*", Macs: 0.5)] } },
            "ranks are not chosen by bounds on parts of the model");
        Refused(plan with { Protect = ["*"] }, "it is protected");
    }

    [Fact]
    public void The_same_plan_gives_the_same_bytes()
    {
        using var dense = OnnxModel.Open(Assets.Path("gpt.onnx"));
        byte[] Bytes() => Slim(dense, AxisAnalysis.Run(dense), new PruningPlan { Preset = Preset.Cskv }).Slim.Model.ToBytes();
        Assert.Equal(Bytes(), Bytes());
    }

    /// <summary>
    /// MatMul on either side, Gemm with its bias and both orientations, a weight behind a Transpose, one that two products read.
    /// </summary>
    [Theory]
    [InlineData("right", null)]
    [InlineData("left", null)]
    [InlineData("gemm", null)]
    [InlineData("gemmTransposed", null)]
    [InlineData("behindTranspose", null)]
    [InlineData("twice", null)]
    [InlineData("tied", "something else reads it too")]
    [InlineData("twoWays", "read it in different ways")]
    [InlineData("convolution", null)]
    [InlineData("transposedConvolution", "only the weights of MatMul, Gemm and Conv are factored")]
    [InlineData("stacked", "it is a stack of matrices")]
    [InlineData("activationTransposed", "transposes its activation")]
    public void Every_form_of_a_product_is_factored_or_refused(string form, string? refused)
    {
        const int n = 12, m = 8;
        var g = new GraphBuilder(5);
        string x = g.Input("x", "batch", n);
        string y = form switch
        {
            "right" => g.MatMul(x, g.Weight("w", n, m)),
            "left" => g.Transpose(g.MatMul(g.Weight("w", m, n), g.Transpose(x, 1, 0)), 1, 0),
            "gemm" => g.Node("Gemm", [x, g.Weight("w", n, m), g.Weight("b", m)]),
            "gemmTransposed" => g.Node("Gemm", [x, g.Weight("w", m, n), g.Weight("b", m)], ("transB", 1L)),
            "behindTranspose" => g.MatMul(x, g.Transpose(g.Weight("w", m, n), 1, 0)),
            "activationTransposed" => g.Node("Gemm", [g.Transpose(x, 1, 0), g.Weight("w", n, m)], ("transA", 1L)),
            "twice" => Twice(g.Weight("w", n, m), (w, t) => g.MatMul(t, w), (w, t) => g.MatMul(t, w)),
            "twoWays" => Twice(g.Weight("w", n, m), (w, t) => g.MatMul(t, w), (w, t) => g.Node("Gemm", [t, w])),
            "tied" => Twice(g.Weight("w", n, m), (w, t) => g.MatMul(t, w), (w, _) => g.Node("ReduceSum", [w], ("keepdims", 1L))),
            "convolution" => g.Reshape(g.Node("Conv", [g.Reshape(x, 0, n, 1), g.Weight("w", m, n, 1)]), 0, m),
            "transposedConvolution" => g.Reshape(g.Node("ConvTranspose", [g.Reshape(x, 0, n, 1), g.Weight("w", n, m, 1)]), 0, m),
            _ => g.Reshape(g.MatMul(g.Reshape(x, 0, 3, 1, 4), g.Weight("w", 3, 4, m)), 0, 3 * m),
        };
        g.Output(g.Rename(y, "y"), "batch", form == "stacked" ? 3 * m : m);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan
        {
            LowRank = [new() { Pattern = "w", Rank = 2 }],
            Calibration = new CalibrationSource { Method = "Samples" }
        }, hasData: true);
        if (refused is not null)
        {
            var e = Assert.Throws<EspalierException>(() => Slimmer.Needs(plan, analysis));
            Assert.Contains(refused, e.Message, StringComparison.Ordinal);
            return;
        }
        var samples = new[] { Planted.Rows(1, 200, n) };
        var slim = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples),
            new ModelProbe(analysis, samples));
        var factored = Assert.Single(slim.Report.Factored);
        Assert.Equal((n, m, 2), (factored.Inputs, factored.Outputs, factored.Rank));
        Assert.InRange(factored.Error!.Value, 0.1, 0.99);
        Assert.DoesNotContain(slim.Model.Proto.Graph.Initializer, t => t.Name == "w");
        OracleAgrees(analysis, slim, samples);

        string Twice(string w, Func<string, string, string> one, Func<string, string, string> other)
            => g.Add(one(w, x), other(w, g.Relu(x)));
    }

    [Fact]
    public void A_rank_that_saves_nothing_leaves_the_weight()
    {
        using var dense = Planted.Mlp(1, 8);
        var plan = new PruningPlan { LowRank = [new() { Pattern = "fc1.weight", Rank = 4 }] };
        var (model, report) = Slimmer.Run(plan, AxisAnalysis.Run(dense));
        Assert.Contains(report.Notes, n => n.Contains("rank 4 of its 6x8 saves nothing", StringComparison.Ordinal));
        Assert.Equal(dense.ToBytes(), model.ToBytes());
        Assert.Null(Slimmer.Needs(plan, AxisAnalysis.Run(dense)));
    }

    public static TheoryData<LowRankRule, string> Mistakes => new()
    {
        { new LowRankRule { Rank = 0 }, "Rank is 0" },
        { new LowRankRule { Keep = 1 }, "Keep is 1" },
        { new LowRankRule { Rank = 1, Keep = 0.5 }, "both a Rank and a Keep" },
        { new LowRankRule(), "neither Rank nor Keep nor a budget" },
        { new LowRankRule { Pattern = "nothing*", Rank = 1 }, "the pattern matches no weight or node" },
        { new LowRankRule { Of = ProductKind.KeysAndValues, Rank = 1 }, "the model has no attention" },
    };

    [Theory]
    [MemberData(nameof(Mistakes), DisableDiscoveryEnumeration = true)]
    public void Mistakes_are_named(LowRankRule rule, string message)
    {
        using var dense = Planted.Mlp(1, 8);
        var e = Assert.Throws<EspalierException>(() => Slimmer.Run(new PruningPlan { LowRank = [rule] }, AxisAnalysis.Run(dense)));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }
}
