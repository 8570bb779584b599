using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;
using static Espalier.Pruning.Tests.Mixture;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Scores of experts, and merging, on mixtures whose redundancy is planted.</summary>
public class ExpertTests
{
    private const double Lossless = 1e-4;
    private const double Harmed = 1e-2;

    private static Group Of(AxisAnalysis analysis) => Assert.Single(analysis.Groups, g => g.Kind == Axis.Experts);

    private static (double Error, IReadOnlyList<int> Removed, PruningReport Report, OnnxModel Model) Slim(OnnxModel dense, Criterion score,
        Compensation compensate, int keep = Experts - 1)
    {
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Experts, Keep = (double)keep / Experts, Score = score,
            Compensate = compensate, AllowInexact = true }],
            Seed = 1
        };
        var statistics = Planted.Statistics(analysis, plan, [Planted.Rows(5, 3000, Planted.Inputs)]);
        var (model, report) = Slimmer.Run(plan, analysis, statistics);
        return (Planted.Error(dense, model), report.Groups.Single(g => g.Kept < g.Size).RemovedUnits, report, model);
    }

    /// <summary>Against the probabilities that the graph itself gives: their mean, or the mean of those among the two largest.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Router_use_is_the_mean_probability_of_what_is_chosen(int top)
    {
        using var dense = Mixture.Create(7, top: top);
        var analysis = AxisAnalysis.Run(dense);
        var group = Of(analysis);
        var samples = Planted.Rows(3, 200, Planted.Inputs);
        var signal = Assert.Single(SignalScores.Signals(analysis, group, Criterion.RouterUse));
        Assert.Equal(("p", 1, true, top), (signal.Tensor, signal.Axis, signal.IsDistribution, signal.Chosen));
        var seen = Calibrator.Run(analysis, [samples, Planted.Rows(4, 100, Planted.Inputs)],
            new CalibrationRequest { Consumers = new HashSet<int>(), Signals = [signal] }).Signals[signal];

        var proto = dense.Proto.Clone();
        proto.Graph.Output.Add(new ValueInfoProto { Name = "p" });
        using var open = dense.Derive(proto);
        double[] mean = new double[Experts], share = new double[Experts];
        foreach (var inputs in new[] { samples, Planted.Rows(4, 100, Planted.Inputs) })
        {
            using var session = Sessions.Open(open);
            var p = (float[])session.Run(inputs.Values)["p"].Values;
            foreach (float[] row in p.Chunk(Experts))
            {
                float least = row.OrderDescending().ElementAt(top > 0 ? top - 1 : Experts - 1);
                for (int e = 0; e < Experts; e++)
                    if (row[e] >= least) (mean[e], share[e]) = (mean[e] + (row[e] / 300.0), share[e] + (1 / 300.0));
            }
        }
        for (int e = 0; e < Experts; e++)
        {
            Assert.Equal(mean[e], seen.Mean[e], 1e-5);
            Assert.Equal(share[e], seen.Share[e], 1e-5);
        }
        Assert.Equal(top == 0, mean.Sum() > 0.99);
    }

    /// <summary>
    /// Rows at 0, 1, 5 and 6.5 on a line: (0, 1) join at 1, (5, 6.5) at 1.5, both at 6.5. Of the first and the third expert, which
    /// stand for the two clusters, that one stays whose weights are nearer to the mean of all four, whatever the rows say.
    /// </summary>
    [Theory]
    [InlineData(new[] { 2f, 4, 9, 1 }, 0)]
    [InlineData(new[] { 9f, 4, 2, 1 }, 2)]
    public void Router_similarity_is_the_height_of_complete_linkage(float[] weights, int stays)
    {
        var g = new GraphBuilder(1);
        string x = g.Relu(g.Linear(g.Input("x", "batch", 3), "in", 3, 2));
        string p = g.Softmax(g.MatMul(x, g.Floats("router", [0, 1, 5, 6.5f, 2, 2, 2, 2], 2, 4)));
        float[] Alike(int each) => [.. weights.SelectMany(w => Enumerable.Repeat(w, each))];
        string y = g.MatMul(g.Relu(g.MatMul(g.Unsqueeze(x, 0), g.Floats("up", Alike(6), 4, 2, 3))), g.Floats("down", Alike(6), 4, 3, 2));
        g.Output(g.Rename(g.Node("ReduceSum", [g.Mul(y, g.Unsqueeze(g.Transpose(p, 1, 0), 2)), g.Longs(0)], ("keepdims", 0)),
            "y"), "batch", 2);
        using var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var group = Of(analysis);
        double[] scores = Planted.Score(analysis, group, new() { Score = Criterion.RouterSimilarity });
        double[] expected = [6.5, 1, 6.5, 1.5];
        for (int e = 0; e < 4; e++) Assert.Equal(expected[e] / expected.Average(), scores[e], 1e-9);
        Assert.Equal(stays, Array.IndexOf(scores, scores.Max()));
    }

    /// <summary>
    /// Experts 1 and 4 are one: router rows tell, and merging gives the one that stays the probability of both. Norms do not
    /// see it, and plain removal loses half of what the two gave.
    /// </summary>
    [Theory]
    [InlineData(Criterion.RouterSimilarity, Compensation.Merge, false, true)]
    [InlineData(Criterion.RouterSimilarity, Compensation.Merge, true, true)]
    [InlineData(Criterion.RouterSimilarity, Compensation.None, false, false)]
    [InlineData(Criterion.L2, Compensation.Merge, false, false)]
    [InlineData(Criterion.L2, Compensation.None, false, false)]
    public void Duplicate_experts_are_merged_without_loss(Criterion score, Compensation with, bool bias, bool lossless)
    {
        using var dense = Mixture.Create(3, (router, up, down) =>
        {
            for (int i = 0; i < Hidden * Outputs; i++) down[Hidden * Outputs + i] *= 2;
            Repeat(router, up, down, 1, 4);
        }, bias: bias ? new float[Experts] : null);
        var (error, removed, _, _) = Slim(dense, score, with);
        if (score == Criterion.RouterSimilarity) Assert.Contains(Assert.Single(removed), (int[])[1, 4]);
        else Assert.DoesNotContain(removed, e => e is 1 or 4);
        Assert.True(lossless ? error < Lossless : error > Harmed, $"{error}");
    }

    /// <summary>
    /// Two equal experts compete for places with half of the probability that the merged one has: it is chosen where they were
    /// not, and with another where they were the two. Just these rows change, so merging cannot be exact, and a note says so;
    /// it is still nearer than removal, which leaves half of what the two gave.
    /// </summary>
    [Fact]
    public void Under_a_choice_of_the_largest_equal_experts_do_not_merge_without_a_trace()
    {
        using var dense = Mixture.Create(3, (router, up, down) => Repeat(router, up, down, 1, 4), top: 2);
        var merged = Slim(dense, Criterion.RouterSimilarity, Compensation.Merge);
        Assert.Contains(Assert.Single(merged.Removed), (int[])[1, 4]);
        Assert.Contains(merged.Report.Notes, n => n.Contains("chooses 2 of its units", StringComparison.Ordinal)
            && n.Contains("do not merge without a trace", StringComparison.Ordinal));
        Assert.InRange(merged.Error, Harmed, Slim(dense, Criterion.RouterSimilarity, Compensation.None).Error);
        var inputs = Planted.Rows(8, 400, Planted.Inputs);
        float[][] Rows(OnnxModel model)
        {
            using var session = Sessions.Open(model);
            return [.. ((float[])session.Run(inputs.Values)["y"].Values).Chunk(Outputs)];
        }
        var proto = dense.Proto.Clone();
        proto.Graph.Output.Add(new ValueInfoProto { Name = "p" });
        using var open = dense.Derive(proto);
        using var router = Sessions.Open(open);
        bool[] same = [.. ((float[])router.Run(inputs.Values)["p"].Values).Chunk(Experts).Select(p =>
        {
            float[] joined = [.. p.Select((v, e) => e == 1 ? 2 * v : e == 4 ? 0 : v)];
            bool In(float[] all, int e) => all[e] >= all.OrderDescending().ElementAt(1);
            return Enumerable.Range(0, Experts).All(e => e == 4 || In(p, e) == In(joined, e));
        })];
        bool[] changed = [.. Rows(dense).Zip(Rows(merged.Model), (a, b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max() > 1e-4)];
        Assert.DoesNotContain(changed.Zip(same), r => r.First == r.Second);
        Assert.Contains(true, changed);
        Assert.Contains(false, changed);
    }

    /// <summary>Of three equal experts two go at once, into one.</summary>
    [Fact]
    public void Three_equal_experts_become_one()
    {
        using var dense = Mixture.Create(5, (router, up, down) =>
        {
            Repeat(router, up, down, 0, 2);
            Repeat(router, up, down, 0, 5);
        });
        var (error, removed, report, _) = Slim(dense, Criterion.RouterSimilarity, Compensation.Merge, Experts - 2);
        Assert.Equal(2, removed.Count(e => e is 0 or 2 or 5));
        Assert.True(error < Lossless, $"{error}");
        Assert.DoesNotContain(report.Notes, n => n.Contains("not merged", StringComparison.Ordinal));
    }

    /// <summary>Experts of independent weights are not averaged: the result is that of plain removal, and a note says so.</summary>
    [Fact]
    public void Unlike_experts_are_removed_as_they_are()
    {
        using var dense = Mixture.Create(6);
        var merged = Slim(dense, Criterion.RouterUse, Compensation.Merge);
        var plain = Slim(dense, Criterion.RouterUse, Compensation.None);
        Assert.Equal(plain.Removed, merged.Removed);
        Assert.Equal(0, Planted.Error(plain.Model, merged.Model));
        Assert.Contains(merged.Report.Notes, n => n.Contains("1 of the 1 removed units", StringComparison.Ordinal)
            && n.Contains("unlike", StringComparison.Ordinal) && n.Contains("plain removal", StringComparison.Ordinal));
    }

    /// <summary>The router never chooses expert 3, whose weights are the largest: use sees it, norms do not.</summary>
    [Theory]
    [InlineData(Criterion.RouterUse, true)]
    [InlineData(Criterion.L2, false)]
    public void Router_use_finds_an_expert_that_is_never_chosen(Criterion score, bool found)
    {
        using var dense = Mixture.Create(2, (_, up, _) =>
        {
            for (int i = 0; i < Width * Hidden; i++) up[(3 * Width * Hidden) + i] *= 5;
        }, bias: [0, 0, 0, -100, 0, 0]);
        var (error, removed, _, _) = Slim(dense, score, Compensation.None);
        Assert.Equal(found, removed.Contains(3));
        Assert.True(found ? error < Lossless : error > Harmed, $"{error}");
    }

    /// <summary>
    /// The presets as they are: STUN finds the equal experts; UNCURL the one that is never chosen, which is unlike all others
    /// and goes without a trace.
    /// </summary>
    [Theory]
    [InlineData(Preset.Stun)]
    [InlineData(Preset.Uncurl)]
    public void Presets_for_experts_find_what_is_planted(Preset preset)
    {
        using var dense = Mixture.Create(3, (router, up, down) =>
        {
            if (preset == Preset.Stun) Repeat(router, up, down, 1, 4);
        }, bias: preset == Preset.Uncurl ? [0, 0, 0, -100, 0, 0] : null);
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        { Preset = preset, Prune = [new PruneRule { Axis = Axis.Experts, Keep = (Experts - 1.0) / Experts, AllowInexact = true }] };
        var (model, report) = Slimmer.Run(plan, analysis,
            Planted.Statistics(analysis, plan, [Planted.Rows(5, 3000, Planted.Inputs)]));
        Assert.Contains(Assert.Single(report.Groups.Single(g => g.Kept < g.Size).RemovedUnits), preset == Preset.Stun
            ? [1, 4]
            : (int[])[3]);
        Assert.True(Planted.Error(dense, model) < Lossless);
    }

    /// <summary>
    /// The trained mixture with every second expert replaced by a copy of its neighbour, changed by a tenth: half of the
    /// experts go, every one into its twin, and the text that is left is likelier, in nats per character, than where they are only removed.
    /// </summary>
    [Theory]
    [InlineData(Criterion.RouterSimilarity)]
    public void On_a_trained_mixture_with_twins_merging_is_better_than_removal(Criterion score)
    {
        using var trained = OnnxModel.Open(Assets.Path("moe.onnx"));
        using var dense = Twins(trained, 0.1);
        var analysis = AxisAnalysis.Run(dense);
        var samples = CalibrationData.Read(Assets.Path("lm-calibration.txt"), dense,
            new DataOptions { Samples = 32, Vocabulary = Assets.Path("moe-alphabet.json") });
        var test = CalibrationData.Read(Assets.Path("lm-test.txt"), dense,
            new DataOptions { Samples = 16, Vocabulary = Assets.Path("moe-alphabet.json") });
        double Nats(Compensation with)
        {
            var plan = new PruningPlan
            { Prune = [new PruneRule { Axis = Axis.Experts, Keep = 0.5, Score = score, Compensate = with, AllowInexact = true }] };
            var (slim, report) = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples));
            // Of each pair one went, and nothing was left unmerged.
            foreach (var group in report.Groups.Where(g => g.Kept < g.Size))
                Assert.Equal(Enumerable.Range(0, group.Size / 2), group.RemovedUnits.Select(e => e / 2).Order());
            Assert.DoesNotContain(report.Notes, n => n.Contains("not merged", StringComparison.Ordinal));
            return Likelihood(slim, test);
        }
        double merged = Nats(Compensation.Merge), plain = Nats(Compensation.None), whole = Likelihood(dense, test);
        Assert.True(merged - whole < 0.5 * (plain - whole), $"dense {whole:f4}, merged {merged:f4}, removed {plain:f4}");
    }

    /// <summary>
    /// The model with experts 1, 3, 5 … of every mixture made copies of those before them, each weight off by a part of itself.
    /// </summary>
    private static OnnxModel Twins(OnnxModel model, double change)
    {
        var analysis = AxisAnalysis.Run(model);
        var random = new Random(4);
        var proto = model.Proto.Clone();
        foreach (var place in analysis.Groups.Where(g => g.Kind == Axis.Experts).SelectMany(g => g.Occurrences))
        {
            var tensor = proto.Graph.Initializer.Single(t => t.Name == place.Tensor);
            float[] values = model.Content(tensor).ToFloats();
            int experts = (int)tensor.Dims[place.Axis], inner = (int)tensor.Dims.Skip(place.Axis + 1).Aggregate(1L, (a, b) => a * b);
            for (int i = 0; i < values.Length; i++)
                if (i / inner % experts % 2 == 1)
                    values[i] = (float)(values[i - inner] * (1 + (change * Seeded.Normals(random, 1).Single())));
            tensor.ClearRawData();
            tensor.FloatData.Clear();
            tensor.RawData = Google.Protobuf.ByteString.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values));
        }
        return model.Derive(proto);
    }

    /// <summary>Mean of −ln p of the next character.</summary>
    private static double Likelihood(OnnxModel model, IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> text)
    {
        using var session = Sessions.Open(model);
        return text.Average(s =>
        {
            var ids = (long[])s["input_ids"].Values;
            var logits = (float[])session.Run(s.Values)["logits"].Values;
            int size = logits.Length / ids.Length;
            return Enumerable.Range(0, ids.Length - 1).Average(t =>
            {
                var row = logits.AsSpan(t * size, size).ToArray();
                double most = row.Max();
                return most + Math.Log(row.Sum(v => Math.Exp(v - most))) - row[ids[t + 1]];
            });
        });
    }
}
