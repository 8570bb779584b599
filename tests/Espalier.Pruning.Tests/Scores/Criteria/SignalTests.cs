using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Attention received and Beta-Rank against plain loops, and on what is planted.</summary>
public class SignalTests
{
    private const int Heads = 4, Size = 3, Width = Heads * Size, Length = 5;

    /// <summary>One attention; <paramref name="bias"/> is added to the scores [heads, queries, keys].</summary>
    private static OnnxModel Attention(int seed, float[]? bias = null, Action<float[]>? output = null)
    {
        var g = new GraphBuilder(seed);
        string x = g.Input("x", "batch", Length, 6);
        var (q, k, v) = (Split(g.Linear(x, "q", 6, Width)), Split(g.Linear(x, "k", 6, Width)), Split(g.Linear(x, "v", 6, Width)));
        string scores = g.Mul(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar("root", 0.5f));
        if (bias is not null) scores = g.Add(scores, g.Floats("bias", bias, 1, Heads, Length, Length));
        float[] o = Planted.Floats(new Random(seed), Width * 4);
        output?.Invoke(o);
        string y = g.MatMul(g.MergeHeads(g.MatMul(g.Rename(g.Softmax(scores), "map"), v), Width), g.Floats("o.weight", o, Width, 4));
        return g.Output(g.Rename(y, "y"), "batch", Length, 4).Build();

        string Split(string t) => g.SplitHeads(t, Heads, Size);
    }

    [Fact]
    public void Attention_received_is_what_goes_to_other_positions()
    {
        using var dense = Attention(3);
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Kind == Axis.Heads);
        var samples = Planted.Rows(4, 20, Length, 6);
        var signals = SignalScores.Signals(analysis, group, Criterion.AttentionReceived);
        var signal = Assert.Single(signals);
        Assert.Equal(("map", 1), (signal.Tensor, signal.Axis));
        var seen = Calibrator.Run(analysis, [samples],
            new CalibrationRequest { Consumers = new HashSet<int>(), Signals = signals }).Signals[signal];
        var proto = dense.Proto.Clone();
        proto.Graph.Output.Add(new ValueInfoProto { Name = "map" });
        using var open = dense.Derive(proto);
        using var session = Sessions.Open(open);
        var map = (float[])session.Run(samples.Values)["map"].Values;
        for (int h = 0; h < Heads; h++)
        {
            double elsewhere = 0;
            for (int n = 0; n < 20; n++)
                for (int q = 0; q < Length; q++)
                    for (int k = 1; k < Length; k++)
                        if (k != q) elsewhere += map[(((((n * Heads) + h) * Length) + q) * Length) + k];
            Assert.Equal(elsewhere / (20 * Length), seen.Mean[h], 1e-5);
        }
    }

    /// <summary>
    /// Head 2 looks at its own position alone, head 1 at the first alone; both are read loudly, so that other scores keep them.
    /// </summary>
    [Theory]
    [InlineData(Criterion.AttentionReceived, true)]
    [InlineData(Criterion.L2, false)]
    [InlineData(Criterion.Wanda, false)]
    public void Attention_received_finds_heads_that_look_nowhere_else(Criterion score, bool found)
    {
        var bias = new float[Heads * Length * Length];
        for (int q = 0; q < Length; q++) (bias[(((2 * Length) + q) * Length) + q], bias[((1 * Length) + q) * Length]) = (100, 100);
        using var dense = Attention(5, bias, o =>
        {
            for (int i = Size * 4; i < 3 * Size * 4; i++) o[i] *= 20;
        });
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        { Prune = [new PruneRule { Axis = Axis.Heads, Keep = 0.5, Score = score, Compensate = Compensation.None }] };
        var statistics = Planted.Statistics(analysis, plan, [Planted.Rows(1, 50, Length, 6)]);
        var removed = Slimmer.Run(plan, analysis, statistics).Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits;
        if (found) Assert.Equal([1, 2], removed);
        else Assert.DoesNotContain(removed, h => h is 1 or 2);
    }

    /// <summary>Grouped attention: KV groups and their query heads are both on the axis of the map.</summary>
    [Fact]
    public void The_trained_decoders_have_attention_for_kv_groups_and_query_heads()
    {
        using var dense = OnnxModel.Open(Assets.Path("gpt.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var groups = analysis.Groups.Where(g => g.Kind is Axis.Heads or Axis.KeyValueGroups).ToList();
        var signals = groups.SelectMany(g => SignalScores.Signals(analysis, g, Criterion.AttentionReceived)).ToList();
        Assert.Equal(groups.Count, signals.Count);
        var samples = CalibrationData.Read(Assets.Path("lm-calibration.txt"), dense,
            new DataOptions { Samples = 4, Vocabulary = Assets.Path("gpt-alphabet.json") });
        var seen = Calibrator.Run(analysis, samples,
            new CalibrationRequest { Consumers = new HashSet<int>(), Blocks = new HashSet<int>(), Signals = signals }).Signals;
        foreach (var group in groups)
        {
            double[] mean = seen[signals.Single(s => s.Group == group.Id)].Mean;
            Assert.Equal(group.Size, mean.Length);
            Assert.All(mean, m => Assert.InRange(m, 0, 1));
            Assert.True(mean.Distinct().Count() > 1);
            // The mean over groups is the mean over query heads.
            Assert.Equal(seen[signals.Single(s => s.Group == group.Partner!.Id)].Mean.Average(), mean.Average(), 1e-6);
        }
    }

    [Fact]
    public void Beta_rank_equals_plain_loops()
    {
        const int channels = 6;
        using var dense = Planted.Cnn(3, channels);
        var analysis = AxisAnalysis.Run(dense);
        var group = Assert.Single(analysis.Groups, g => g.Exactness == Exactness.Exact);
        var samples = Planted.Rows(4, 30, 2, 8, 8);
        var asked = Planted.Asked(new BetaRank(), analysis, group);
        Assert.Equal(2, asked.Tensors.Count);
        var statistics = Calibrator.Run(analysis, [samples], asked);
        double[] scores = Planted.Score(analysis, group, new() { Score = Criterion.BetaRank }, statistics);

        var x = (float[])samples["x"].Values;
        float[] Weight(string name) => dense.Content(dense.Proto.Graph.Initializer.Single(t => t.Name == name)).ToFloats();
        float[] w = Weight("conv1.weight"), b = Weight("conv1.bias");
        var expected = new double[channels];
        for (int c = 0; c < channels; c++)
        {
            var y = new List<double>();
            for (int n = 0; n < 30; n++)
                for (int i = 0; i < 6; i++)
                    for (int j = 0; j < 6; j++)
                    {
                        double sum = b[c];
                        for (int d = 0; d < 2; d++)
                            for (int k = 0; k < 9; k++)
                                sum += (double)w[(((c * 2) + d) * 9) + k] * x[(((((n * 2) + d) * 8) + i + (k / 3)) * 8) + j + (k % 3)];
                        y.Add(sum);
                    }
            expected[c] = w.Skip(c * 18).Take(18).Sum(v => (double)Math.Abs(v)) * Deviation(y) / Deviation([.. x.Select(v => (double)v)]);
        }
        double least = expected.Min(), range = expected.Max() - least;
        expected = [.. expected.Select(e => (e - least) / range)];
        for (int c = 0; c < channels; c++) Assert.Equal(expected[c] / expected.Average(), scores[c], 1e-5);

        static double Deviation(List<double> values) => Math.Sqrt(values.Average(v => v * v) - Math.Pow(values.Average(), 2));
    }

    /// <summary>
    /// Filter 3 has the largest weights and reads the one channel that never varies: it is a constant, and the bias makes up for it.
    /// </summary>
    [Theory]
    [InlineData(Criterion.BetaRank, true)]
    [InlineData(Criterion.L2, false)]
    [InlineData(Criterion.L1, false)]
    public void Beta_rank_finds_a_filter_of_what_does_not_vary(Criterion score, bool found)
    {
        var g = new GraphBuilder(4);
        g.Input("x", "batch", 2, 8, 8);
        var random = new Random(4);
        float[] first = Planted.Floats(random, 3 * 18), second = Planted.Floats(random, 8 * 27);
        Array.Clear(first, 2 * 18, 18);
        for (int i = 0; i < 27; i++) second[(3 * 27) + i] = i < 18 ? 0 : 5;
        string h = g.Relu(g.Node("Conv", ["x", g.Floats("conv0.weight", first, 3, 2, 3, 3), g.Floats("conv0.bias", [0, 0, 1], 3)]));
        h = g.Relu(g.Node("Conv", [h, g.Floats("conv1.weight", second, 8, 3, 3, 3)]));
        g.Output(g.Rename(g.Node("Conv", [h, g.Weight("conv2.weight", 4, 8, 3, 3), g.Weight("conv2.bias", 4)]), "y"), "batch", 4, 2, 2);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune = [new PruneRule { Axis = Axis.Channels, Pattern = "conv1*", Keep = 7.0 / 8, RoundTo = 1,
            Score = score, Compensate = Compensation.Bias }]
        };
        var (model, report) =
            Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, [Planted.Rows(5, 500, 2, 8, 8)]));
        Assert.Equal(found, report.Groups.Single(r => r.Kept < r.Size).RemovedUnits.Contains(3));
        double error = Planted.Error(dense, model);
        Assert.True(found ? error < 1e-4 : error > 1e-2, $"{error}");
    }
}
