using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Algebra;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Spreads;
using Espalier.Pruning.Weights;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests;

/// <summary>
/// Methods that run changed models: budgets by divergence, layers fitted one after the other, depth by what the outputs lose.
/// </summary>
public sealed class ProbeTests
{
    /// <summary>Residual layers x + W₂·relu(W₁·x), of which some do little and one does nothing.</summary>
    internal static OnnxModel Residual(int layers, int width, int hidden, Func<int, float> strength)
    {
        var g = new GraphBuilder(7);
        var random = new Random(7);
        string x = g.Input("x", "batch", width);
        for (int l = 0; l < layers; l++)
        {
            float[] up = Planted.Floats(random, width * hidden),
                down = [.. Planted.Floats(random, hidden * width).Select(v => v * strength(l) / hidden)];
            string h = g.Relu(g.Add(g.MatMul(x, g.Floats($"layer{l}.up", up, width, hidden)),
                g.Floats($"layer{l}.upBias", Planted.Floats(random, hidden), hidden)));
            x = g.Add(x,
                g.Add(g.MatMul(h, g.Floats($"layer{l}.down", down, hidden, width)),
                    g.Floats($"layer{l}.bias", [.. Planted.Floats(random, width).Select(v => v * strength(l))], width)));
        }
        g.Output(g.Rename(g.MatMul(x, g.Floats("head", Planted.Floats(random, width * 5), width, 5)), "y"), "batch", 5);
        return g.Build();
    }

    internal static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Samples(int width, int count)
        => [.. Enumerable.Range(0, count).Select(i => Planted.Rows(300 + i, 16, width))];

    internal static SlimResult Slim(OnnxModel dense, PruningPlan plan, int width, out AxisAnalysis analysis, int count = 16)
    {
        analysis = AxisAnalysis.Run(dense);
        var samples = Samples(width, count);
        return Slimmer.Run(plan, analysis, Calibrator.Run(analysis, samples, Slimmer.Needs(plan, analysis)!),
            new ModelProbe(analysis, samples));
    }

    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

    [Fact]
    public void A_budget_by_divergence_is_taken_from_the_layers_that_do_little()
    {
        using var dense = Residual(4, 6, 24, l => l == 1 ? 0.01f : 3);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.78), Allocate = Allocation.Divergence };
        var slim = Slim(dense, plan, 6, out var analysis);
        int[] kept = [.. slim.Report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept)];
        Assert.True(kept[1] <= 3, string.Join(' ', kept));
        Assert.All([kept[0], kept[2], kept[3]], k => Assert.True(k >= 22, string.Join(' ', kept)));
        Assert.True(slim.Report.After.Macs <= 0.78 * slim.Report.Before.Macs);
        var uniform = Slimmer.Run(plan with { Allocate = Allocation.Uniform }, analysis);
        Assert.True(Planted.Error(dense, slim.Model) < 0.2 * Planted.Error(dense, uniform.Model));
    }

    [Fact]
    public void A_choice_by_divergence_is_the_same_every_time()
    {
        using var dense = Residual(3, 6, 20, l => 1 + l);
        var plan = new PruningPlan { Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares)], Budget = new Budget(Macs: 0.6),
            Allocate = Allocation.Divergence, Schedule = Schedule.Sequential };
        Assert.Equal(Slim(dense, plan, 6, out _).Model.ToBytes(), Slim(dense, plan, 6, out _).Model.ToBytes());
    }

    [Fact]
    public void A_plan_that_runs_models_needs_data()
    {
        using var dense = Residual(2, 6, 8, _ => 1);
        var analysis = AxisAnalysis.Run(dense);
        foreach (var plan in (PruningPlan[])[
            new() { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = Allocation.Divergence },
            new() { Prune = [Neurons() with { Keep = 0.5 }], Schedule = Schedule.Sequential },
            new() { Drop = [new DropRule { AtMost = 1, Score = Criterion.OutputDivergence }] }])
        {
            Assert.NotNull(Slimmer.Needs(plan, analysis));
            Assert.Contains("calibration data", Assert.Throws<EspalierException>(() => Slimmer.Run(plan, analysis)).Message,
                StringComparison.Ordinal);
        }
    }

    /// <summary>Errors of one layer are inputs of the next: fitted to them, the network comes nearer to the dense one.</summary>
    [Fact]
    public void Layers_that_are_fitted_in_sequence_make_up_for_those_before_them()
    {
        double[] error = new double[2];
        for (int seed = 0; seed < 4; seed++)
        {
            var g = new GraphBuilder(seed);
            string x = g.Input("x", "batch", 8);
            for (int l = 0; l < 5; l++)
                x = g.Node("Tanh", [g.Add(g.MatMul(x, g.Weight($"l{l}.weight", l == 0 ? 8 : 32, 32)), g.Weight($"l{l}.bias", 32))]);
            g.Output(g.Rename(g.Add(g.MatMul(x, g.Weight("out.weight", 32, 3)), g.Weight("out.bias", 3)), "y"), "batch", 3);
            using var dense = g.Build();
            foreach (var schedule in (Schedule[])[Schedule.OneShot, Schedule.Sequential])
            {
                var plan = new PruningPlan
                    { Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Keep = 0.5 }], Schedule = schedule };
                error[(int)schedule] += RootMeanSquare(dense, Slim(dense, plan, 8, out _, 64).Model);
            }
        }
        Assert.True(error[1] < 0.9 * error[0], $"{error[0]}, {error[1]}");
    }

    /// <summary>
    /// Layers that lose nothing get other inputs than before where layers before them lost some: they are fitted too. Layers
    /// before the first pruned one stay as they are.
    /// </summary>
    [Fact]
    public void Layers_that_lose_nothing_are_fitted_in_sequence_too()
    {
        double[] error = new double[2];
        for (int seed = 0; seed < 4; seed++)
        {
            var g = new GraphBuilder(seed);
            string x = g.Input("x", "batch", 8);
            for (int l = 0; l < 5; l++)
            {
                string product = g.MatMul(x, g.Weight($"l{l}.weight", l == 0 ? 8 : 32, 32));
                x = g.Node("Tanh", [l == 4 ? product : g.Add(product, g.Weight($"l{l}.bias", 32))]);
            }
            g.Output(g.Rename(g.Add(g.MatMul(x, g.Weight("out.weight", 32, 3)), g.Weight("out.bias", 3)), "y"), "batch", 3);
            using var dense = g.Build();
            foreach (var schedule in (Schedule[])[Schedule.OneShot, Schedule.Sequential])
            {
                var plan = new PruningPlan { Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Pattern = "l1*",
                    Keep = 0.5 }], Schedule = schedule };
                var slim = Slim(dense, plan, 8, out _, 512);
                error[(int)schedule] += RootMeanSquare(dense, slim.Model);
                string[] Changed()
                    => [.. dense.Proto.Graph!.Initializer.Select(i => i.Name)
                        .Where(n => Weight(slim.Model, n) is var now && Weight(dense, n) is var before && now.Length == before.Length
                            && !now.SequenceEqual(before)).Order(StringComparer.Ordinal)];
                Assert.Equal(schedule == Schedule.OneShot
                    ? ["l2.bias"]
                    : (string[])["l2.bias", "l3.bias", "l3.weight", "l4.weight", "out.bias", "out.weight"], Changed());
                Assert.Equal(dense.Proto.Graph.Node.Count, slim.Model.Proto.Graph!.Node.Count);
            }
        }
        Assert.True(error[1] < 0.9 * error[0], $"{error[0]}, {error[1]}");
    }

    private static float[] Weight(OnnxModel model, string name)
        => model.Content(model.Proto.Graph!.Initializer.Single(i => i.Name == name)).ToFloats();

    private static double RootMeanSquare(OnnxModel a, OnnxModel b)
    {
        var inputs = TestKit.RandomInputs.For(a, 99, new Dictionary<string, long> { ["batch"] = 256 });
        return Math.Sqrt(Ort.Run(a, inputs)[0].Values.Zip(Ort.Run(b, inputs)[0].Values, (x, y) => (x - y) * (x - y)).Average());
    }

    /// <summary>Joint moments of two models are those of their rows, whatever the window.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Joint_moments_equal_plain_loops(bool convolution)
    {
        using var dense = convolution ? Planted.Cnn(3, 8) : Planted.Mlp(3, 8);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        int[] kept = [0, 2, 3, 6];
        using var slim =
            Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. kept] }, [])).Model;
        IReadOnlyDictionary<string, NamedTensor>[] samples = [.. Enumerable.Range(0, 5)
            .Select(i => convolution ? Planted.Rows(i, 7, 2, 8, 8) : Planted.Rows(i, 7, Planted.Inputs))];
        var reader = Assert.Single(group.Consumers);
        var joint = new ModelProbe(analysis, samples).Pair(slim, new HashSet<int> { reader.Id })[reader.Id];
        var statistics =
            Calibrator.Run(analysis, samples, new CalibrationRequest { Covariance = new HashSet<int> { reader.Id } }).Consumers[reader.Id];
        // The layer before is not compensated, so what is left of it is what it was: the moments are those of the dense model.
        int window = convolution ? 9 : 1, n = 8 * window;
        int[] features = [.. kept.SelectMany(k => Enumerable.Range(k * window, window))];
        Assert.Equal(statistics.Count, joint.Count);
        double scale = statistics.Variance.Max();
        for (int i = 0; i < n; i++) Assert.Equal(statistics.Mean[i], joint.DenseMean[i], 1e-4);
        for (int k = 0; k < features.Length; k++)
        {
            Assert.Equal(statistics.Mean[features[k]], joint.SlimMean[k], 1e-4);
            for (int i = 0; i < n; i++)
                Assert.Equal(statistics.Covariance![(i * n) + features[k]], joint.Cross[(i * features.Length) + k], scale * 1e-4);
            for (int j = 0; j < features.Length; j++)
                Assert.Equal(statistics.Covariance![(features[j] * n) + features[k]],
                    joint.Covariance[(j * features.Length) + k], scale * 1e-4);
        }
    }

    [Fact]
    public void Depth_by_divergence_removes_what_the_outputs_miss_least()
    {
        // Layer 2 turns the stream a lot, but in directions that the head does not read; layer 0 does little that the head reads.
        var g = new GraphBuilder(7);
        string x = g.Input("x", "batch", 8);
        for (int l = 0; l < 4; l++)
        {
            float[] down = [.. Planted.Floats(new Random(l), 16 * 8)
                .Select((v, i) => l == 2 ? (i % 8 < 4 ? 0 : 5 * v) : (i % 8 < 4 ? v : 0) * 0.3f)];
            x = g.Add(x, g.MatMul(g.Relu(g.MatMul(x, g.Weight($"layer{l}.up", 8, 16))), g.Floats($"layer{l}.down", down, 16, 8)));
        }
        float[] head = [.. Planted.Floats(new Random(9), 8 * 3).Select((v, i) => i / 3 < 4 ? v : 0)];
        g.Output(g.Rename(g.MatMul(x, g.Floats("head", head, 8, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        DropRule Drop(Criterion score) => new() { Axis = Axis.Sublayers, AtMost = 1, Score = score };
        var byOutput = Slim(dense, new PruningPlan { Drop = [Drop(Criterion.OutputDivergence)] }, 8, out var analysis);
        var bySimilarity = Slim(dense, new PruningPlan { Drop = [Drop(Criterion.BlockSimilarity)] }, 8, out _);
        Assert.NotEqual(Assert.Single(byOutput.Report.Blocks), Assert.Single(bySimilarity.Report.Blocks));
        // The later layers read what layer 2 writes, so something is lost; each other choice loses more.
        var probe = new ModelProbe(analysis, Samples(8, 16));
        double[] losses = [.. analysis.Blocks.Where(b => b.IsSublayer)
            .Select(b =>
                probe.Divergence(Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>>(), [b.Id])).Model))];
        Assert.Equal(losses.Min(), probe.Divergence(byOutput.Model), 1e-9);
        Assert.Equal(0, probe.Divergence(dense), 1e-9);
    }

    /// <summary>What goes without loss if the others make up for it, and with loss if not: the norm of a copy is as large as any.</summary>
    [Fact]
    public void Optimal_brain_finds_units_that_depend_on_others()
    {
        using var dense = Planted.Mlp(1, 8, (w, b) =>
        {
            foreach (var (copy, of) in new[] { (5, 2), (6, 3) })
            {
                for (int i = 0; i < Planted.Inputs; i++) w[(i * 8) + copy] = 4 * w[(i * 8) + of];
                b[copy] = 4 * b[of];
            }
        });
        var plan = new PruningPlan { Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares) with { Keep = 0.75 }] };
        Assert.True(Planted.Error(dense, Slim(dense, plan, Planted.Inputs, out _, 2000).Model) < 1e-4);
        Assert.True(Planted.Error(dense,
            Slim(dense, plan with { Prune = [Neurons(Criterion.Variance, Compensation.LeastSquares) with { Keep = 0.75 }] }, Planted.Inputs,
                out _, 2000).Model) > 1e-2);
    }

    /// <summary>
    /// Neurons 0 and 1 are equal and read with weights ±1, so that together they give nothing; neuron 2 is read with a tenth.
    /// What reads one of the two makes up for it by its weight of the other, which is 0 then: both go without loss. By the
    /// weights as they were the second would cost more than neuron 2 does.
    /// </summary>
    [Fact]
    public void Optimal_brain_scores_by_the_weights_that_are_left()
    {
        using var dense = Planted.Mlp(1, 8, (w, b) =>
        {
            for (int i = 0; i < Planted.Inputs; i++) w[(i * 8) + 1] = w[i * 8];
            b[1] = b[0];
        });
        var tensor = dense.Proto.Graph.Initializer.Single(t => t.Name == "fc2.weight");
        float[] read = dense.Content(tensor).ToFloats();
        for (int o = 0; o < 3; o++) (read[o], read[3 + o], read[6 + o]) = (1, -1, 0.1f);
        tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(read));
        var plan = new PruningPlan { Prune = [Neurons(Criterion.OptimalBrain, Compensation.LeastSquares) with { Keep = 0.75 }] };
        var slim = Slim(dense, plan, Planted.Inputs, out _, 2000);
        Assert.Equal([0, 1], slim.Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
        Assert.True(Planted.Error(dense, slim.Model) < 1e-4);
    }

    /// <summary>
    /// The score of a unit alone is half of the squared error that its removal costs after a refit, over the output's variance.
    /// </summary>
    [Fact]
    public void Optimal_brain_scores_equal_the_error_of_a_refit()
    {
        using var dense = Planted.Mlp(5, 6);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 4096, Planted.Inputs));
        var own = statistics.Consumers[group.Consumers[0].Id];
        var weights = new WeightTable(analysis);
        double[] w = ConsumerMatrix.Create(group.Consumers[0], weights.Shape("fc2.weight")!)!.Matrix(weights.Floats("fc2.weight"), 0);
        double[] errors = [.. Enumerable.Range(0, 6).Select(u =>
        {
            int[] kept = [.. Enumerable.Range(0, 6).Except([u])];
            var moments = ReaderMoments.Create(own, ConsumerMatrix.Create(group.Consumers[0], [6, 3])!, 0, kept)!;
            double[] change = LeastSquares.Change(w, 3, moments, kept)!, difference = new double[18];
            for (int o = 0; o < 3; o++)
            {
                difference[(o * 6) + u] = -w[(o * 6) + u];
                for (int k = 0; k < 5; k++) difference[(o * 6) + kept[k]] = change[(o * 5) + k];
            }
            return LeastSquares.Error(difference, 3, own.Covariance!);
        })];
        double[] scores = Planted.Raw(new OptimalBrain(), analysis, group, statistics);
        int least = Array.IndexOf(errors, errors.Min());
        // The lowest goes first, so its score is its own; the others are conditional on those before them.
        Assert.Equal(least, Array.IndexOf(scores, scores.Min()));
        Assert.Equal(errors[least] / LeastSquares.Error(w, 3, own.Covariance!), scores[least], 1e-3 * scores[least]);
    }

    [Theory]
    [InlineData(Schedule.Iterative, new[] { 0.85, 0.7, 0.55 })]
    [InlineData(Schedule.Cubic, new[] { 0.653125, 0.475, 0.409375 })]
    [InlineData(Schedule.Greedy,
        new[] { 0.9625, 0.925, 0.8875, 0.85, 0.8125, 0.775, 0.7375, 0.7, 0.6625, 0.625, 0.5875, 0.55, 0.5125, 0.475, 0.4375 })]
    public void Steps_lead_to_the_plan(Schedule schedule, double[] fractions)
    {
        var plan = new PruningPlan { Schedule = schedule, Budget = new Budget(Macs: 0.4), Prune = [Neurons() with { Keep = 0.4 }] };
        Assert.Equal(fractions, Enumerable.Range(1, ScheduleRow.Get(schedule).Steps - 1)
            .Select(t => Iteration.Part(plan, t).Budget!.Macs!.Value),
            (a, b) => Math.Abs(a - b) < 1e-9);
        Assert.Equal(fractions, Enumerable.Range(1, ScheduleRow.Get(schedule).Steps - 1)
            .Select(t => Iteration.Part(plan, t).Prune[0].Keep!.Value), (a, b) => Math.Abs(a - b) < 1e-9);
    }

    /// <summary>
    /// Neuron 0 of the first layer is loud, but only neurons of the second layer read it that nothing reads: once these are
    /// gone it matters to nobody, and only who scores anew sees that.
    /// </summary>
    [Theory]
    [InlineData(Schedule.OneShot, true)]
    [InlineData(Schedule.Iterative, false)]
    [InlineData(Schedule.Cubic, false)]
    [InlineData(Schedule.Greedy, false)]
    public void Scoring_anew_sees_that_the_readers_of_a_unit_are_gone(Schedule schedule, bool stays)
    {
        const int width = 16;
        var random = new Random(5);
        float[] second = [.. Planted.Floats(random, width * width).Select((v, i) => i / width == 0 ? (i % width < 6 ? 20 : 0) : v)];
        float[] head = [.. Planted.Floats(random, width * 3).Select((v, i) => i / 3 < 6 ? v * 1e-7f : i / 3 < 8 ? v * 1e-4f : v)];
        var g = new GraphBuilder(5);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6), g.Floats("fc1", Planted.Floats(random, 6 * width), 6, width)),
            g.Floats("b1", Planted.Floats(random, width), width)));
        h = g.Relu(g.Add(g.MatMul(h, g.Floats("fc2", second, width, width)), g.Floats("b2", [.. Enumerable.Repeat(4f, width)], width)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("head", head, width, 3)), "y"), "batch", 3);
        using var dense = g.Build();
        var plan = new PruningPlan { Schedule = schedule, Prune = [Neurons(Criterion.Variance) with { Keep = 0.5 }] };
        var report = Slim(dense, plan, 6, out _).Report;
        Assert.Equal(Enumerable.Range(0, 8), report.Groups.Single(x => x.Members.Contains("head:0")).RemovedUnits);
        Assert.Equal(stays, !report.Groups.Single(x => x.Members.Contains("fc1:1")).RemovedUnits.Contains(0));
    }

    [Fact]
    public void Layers_whose_weights_may_be_shaken_lose_more()
    {
        using var dense = Residual(4, 6, 24, l => l == 1 ? 0.01f : 3);
        var plan = new PruningPlan { Prune = [Neurons()], Budget = new Budget(Macs: 0.6), Allocate = Allocation.ZerothOrder };
        var slim = Slim(dense, plan, 6, out var analysis);
        int[] kept = [.. slim.Report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept)];
        Assert.Equal(kept.Min(), kept[1]);
        Assert.True(kept.Max() >= kept[1] + 4, string.Join(' ', kept));
        Assert.InRange(slim.Report.After.Macs, 1, 0.6 * slim.Report.Before.Macs);
        var probe = new ModelProbe(analysis, Samples(6, 16));
        var sensitivity =
            ZerothOrder.Measure(new(analysis), analysis.Groups.Where(g => g.Exactness == Exactness.Exact), probe.Divergence, 0);
        double[] all = [.. sensitivity.OrderBy(e => e.Key).Select(e => e.Value)];
        Assert.True(all[1] < 0.05 * new[] { all[0], all[2], all[3] }.Min(), string.Join(' ', all));
    }

    [Fact]
    public void Ends_stay_whole_on_request()
    {
        using var dense = Residual(4, 6, 24, _ => 1);
        var plan = new PruningPlan
            { Prune = [Neurons() with { Keep = 0.5 }], Drop = [new DropRule { AtMost = 4, Score = Criterion.Random }], ProtectEnds = true };
        var report = Slimmer.Run(plan with { Drop = [] }, AxisAnalysis.Run(dense)).Report;
        Assert.Equal([24, 12, 12, 24], report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept));
        var depth = Slimmer.Run(plan with { Prune = [] }, AxisAnalysis.Run(dense)).Report;
        Assert.Equal(AxisAnalysis.Run(dense).Blocks.Where(b => b.IsSublayer).Skip(1).SkipLast(1).Select(b => b.Name), depth.Blocks);
        Assert.Contains(depth.Notes, n => n.Contains("only 2 of 4", StringComparison.Ordinal));
    }

    /// <summary>
    /// What removal of a unit costs is the divergence of the model without it; the curvature ranks alike, and finds the units
    /// that the head does not read.
    /// </summary>
    [Fact]
    public void Gates_score_units_by_the_outputs()
    {
        var random = new Random(5);
        float[] second = [.. Planted.Floats(random, 12 * 6).Select((v, i) => i / 6 is 3 or 8 ? v * 1e-4f : v)];
        var g = new GraphBuilder(5);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6),
            g.Floats("up", [.. Planted.Floats(random, 6 * 12).Select((v, i) => i % 12 is 3 or 8 ? 9 * v : v)], 6, 12)), g.Floats("b",
            Planted.Floats(random, 12), 12)));
        g.Output(g.Rename(g.MatMul(h, g.Floats("down", second, 12, 6)), "y"), "batch", 6);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var probe = new ModelProbe(analysis, Samples(6, 16));
        double[] Score(Criterion criterion)
            => GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = criterion }, probe)[group.Id];
        double[] removal = Score(Criterion.OutputDivergence), fisher = Score(Criterion.Fisher);
        for (int u = 0; u < group.Size; u++)
        {
            double expected = Surgery.Use(analysis,
                new Selection(new Dictionary<int, ImmutableArray<int>> { [group.Id] = [.. Enumerable.Range(0, group.Size).Except([u])] },
                    []), null, slim => probe.Divergence(slim.Model));
            Assert.Equal(expected, removal[u], 1e-3 * (expected + 1e-6));
        }
        foreach (double[] scores in (double[][])[removal, fisher])
            Assert.Equal([3, 8], Enumerable.Range(0, 12).OrderBy(u => scores[u]).Take(2).Order());
        var report = Slim(dense, new PruningPlan { Prune = [Neurons(Criterion.Fisher, Compensation.Rescale) with { Keep = 10 / 12.0 }] },
            6, out _).Report;
        Assert.Equal([3, 8], report.Groups.Single(x => x.Kept < x.Size).RemovedUnits);
    }

    /// <summary>
    /// The Fisher information of a gate is E[jᵀ(diag p − ppᵀ)j], where j is what the unit adds to the logits of the softmax.
    /// Half of a gate comes near to it; a whole one, which asks for the removal, does not.
    /// </summary>
    [Fact]
    public void Curvature_is_the_fisher_information_of_the_gate()
    {
        const int units = 4, classes = 3;
        var random = new Random(5);
        float[] up = [.. Planted.Floats(random, 6 * units)],
            down = [.. Planted.Floats(random, units * classes).Select((v, i) => (1 + (i / classes)) * v)];
        var g = new GraphBuilder(5);
        string h = g.Rename(g.Relu(g.MatMul(g.Input("x", "batch", 6), g.Floats("up", up, 6, units))), "h");
        g.Output(g.Rename(g.Softmax(g.MatMul(h, g.Floats("down", down, units, classes))), "y"), "batch", classes);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var samples = Samples(6, 16);
        double[] Score(Criterion criterion)
        {
            double[] scores = GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = criterion },
                new ModelProbe(analysis, samples))[group.Id];
            return [.. scores.Select(s => s / scores.Sum())];
        }
        var information = new double[units];
        foreach (float[] x in samples.SelectMany(s => ((float[])s["x"].Values).Chunk(6)))
        {
            double[] hidden = [.. Enumerable.Range(0, units).Select(u => Math.Max(0.0, x.Select((v, i) => v * up[(i * units) + u]).Sum()))];
            double[] exp = [.. Enumerable.Range(0, classes)
                .Select(c => Math.Exp(hidden.Select((v, u) => v * down[(u * classes) + c]).Sum()))];
            for (int u = 0; u < units; u++)
            {
                double[] j = [.. Enumerable.Range(0, classes).Select(c => hidden[u] * down[(u * classes) + c])];
                double mean = j.Zip(exp, (v, e) => v * e).Sum() / exp.Sum();
                information[u] += j.Zip(exp, (v, e) => e * (v - mean) * (v - mean)).Sum() / exp.Sum();
            }
        }
        double[] expected = [.. information.Select(i => i / information.Sum())];
        double Off(double[] scores) => scores.Zip(expected, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(Off(Score(Criterion.Fisher)) < 0.7 * Off(Score(Criterion.OutputDivergence)),
            $"{Off(Score(Criterion.Fisher))} {Off(Score(Criterion.OutputDivergence))}");
    }

    /// <summary>
    /// The right answers are those of the network without unit 4, which drowns them: its removal moves the outputs most of all
    /// and lowers the loss. By the loss it goes first, by the divergence last.
    /// </summary>
    [Fact]
    public void By_the_loss_of_the_task_goes_what_makes_it_worse()
    {
        using var dense = Planted.Mlp(3, 8, loud: [4]);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, g => g.Exactness == Exactness.Exact);
        var samples = Samples(6, 32);
        using var without = Planted.Without(analysis, null, Compensation.None, 4);
        using var session = Calibration.Graph.Sessions.Open(without);
        var labels = samples.Select(s => (float[])session.Run(s.Values).Values.Single().Values)
            .Select(y => y.Chunk(3).Select(row => (long)Array.IndexOf(row, row.Max())).ToArray()).ToList();
        double[] Score(ModelProbe probe)
            => GateScores.Measure(new(analysis), new Dictionary<int, Criterion> { [group.Id] = Criterion.OutputDivergence },
                probe)[group.Id];
        double[] loss = Score(new ModelProbe(analysis, samples) { Metric = Metric.TaskLoss, Labels = new Targets(dense, samples, labels) }),
            divergence = Score(new ModelProbe(analysis, samples));
        Assert.Equal((4, 0.0), (Array.IndexOf(loss, loss.Min()), loss.Min()));
        Assert.Equal(4, Array.IndexOf(divergence, divergence.Max()));
        Assert.Equal(8, loss.Distinct().Count());
        Assert.Contains("no output of 'y' [512,3]",
            Assert.Throws<EspalierException>(() => Score(new ModelProbe(analysis, samples) { Metric = Metric.TaskLoss })).Message,
            StringComparison.Ordinal);
        var refused = new PruningPlan { Prune = [Neurons(Criterion.Fisher, Compensation.None) with { Keep = 0.5 }],
            DivergenceMetric = Metric.TaskLoss };
        Assert.Contains("not at its least in the dense model",
            Assert.Throws<EspalierException>(() => Slim(dense, refused, 6, out _)).Message, StringComparison.Ordinal);
    }
}
