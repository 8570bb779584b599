using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Dimensions of queries and keys by their mean squares (ThinK, static).</summary>
public class QueryKeyTests
{
    private const int Heads = 3, Size = 4, Width = Heads * Size, Length = 5, Inputs = 6, Samples = 20;

    private static OnnxModel Attention(int seed)
    {
        var g = new GraphBuilder(seed);
        string x = g.Input("x", "batch", Length, Inputs);
        string q = g.Rename(Split(g.Linear(x, "q", Inputs, Width)), "queries"),
            k = g.Rename(g.Transpose(Split(g.Linear(x, "k", Inputs, Width)), 0, 1, 3, 2), "keys");
        string y = g.MergeHeads(g.MatMul(g.Softmax(g.Mul(g.MatMul(q, k), g.Scalar("root", 0.5f))),
            Split(g.Linear(x, "v", Inputs, Width))), Width);
        return g.Output(g.Rename(g.Linear(y, "o", Width, 4), "y"), "batch", Length, 4).Build();

        string Split(string t) => g.SplitHeads(t, Heads, Size);
    }

    [Fact]
    public void Scores_equal_plain_loops_head_by_head()
    {
        using var dense = Attention(3);
        var analysis = AxisAnalysis.Run(dense);
        var group = analysis.Groups.Single(g => g.Kind == Axis.HeadDims);
        var asked = Planted.Asked(new QueryKey(), analysis, group);
        Assert.Equal([new TensorAxis("queries", 3, 1), new TensorAxis("keys", 2, 1)], asked.Tensors);
        var samples = Planted.Rows(4, Samples, Length, Inputs);
        var statistics = Calibrator.Run(analysis, [samples], asked);
        double[] scores = Planted.Raw(new QueryKey(), analysis, group, statistics);

        var proto = dense.Proto.Clone();
        proto.Graph.Output.Add(new ValueInfoProto { Name = "queries" });
        proto.Graph.Output.Add(new ValueInfoProto { Name = "keys" });
        using var open = dense.Derive(proto);
        using var session = Sessions.Open(open);
        var seen = session.Run(samples.Values);
        float[] q = (float[])seen["queries"].Values, k = (float[])seen["keys"].Values;
        for (int d = 0; d < Size; d++)
        {
            double expected = 0;
            for (int h = 0; h < Heads; h++)
            {
                double squaresOfQueries = 0, squaresOfKeys = 0;
                for (int n = 0; n < Samples; n++)
                    for (int t = 0; t < Length; t++)
                    {
                        squaresOfQueries += Math.Pow(q[(((((n * Heads) + h) * Length) + t) * Size) + d], 2);
                        squaresOfKeys += Math.Pow(k[(((((n * Heads) + h) * Size) + d) * Length) + t], 2);
                    }
                expected += squaresOfQueries / (Samples * Length) * squaresOfKeys / (Samples * Length);
            }
            Assert.Equal(expected, scores[d], 1e-4 * expected);
        }
    }

    /// <summary>
    /// Of the trained decoders rotated pairs are units and KV groups are read by several query heads; of the others every
    /// dimension is a unit.
    /// </summary>
    [Theory]
    [InlineData("gpt.onnx")]
    [InlineData("vit.onnx")]
    [InlineData("bert.onnx")]
    public void The_trained_networks_lose_dimensions_and_the_oracle_agrees(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name));
        var analysis = AxisAnalysis.Run(dense);
        var plan = Presets.Complete(new PruningPlan
        {
            Preset = Preset.ThinKStatic,
            Budget = new Budget(Macs: 0.96),
            Prune = [new() { Axis = Axis.Neurons }]
        }, hasData: true);
        Assert.Equal([Axis.HeadDims], plan.Prune.Select(r => r.Axis));
        Assert.All(analysis.Groups.Where(g => g.Kind == Axis.HeadDims),
            g => Assert.All(Planted.Asked(new QueryKey(), analysis, g).Tensors, t => Assert.InRange(t.Within, 1, 3)));
        var samples = Calibration.Inputs.RandomInputs.Many(dense, 4, 1, Calibration.Inputs.RandomInputs.Fit(dense));
        var statistics = Planted.Statistics(analysis, plan, samples);
        var report = Slimmer.Run(plan, analysis, statistics).Report;
        Assert.DoesNotContain(report.Notes, n => n.Contains("instead of", StringComparison.Ordinal));
        var lost = report.Groups.Where(g => g.Kept < g.Size).ToList();
        Assert.Equal(analysis.Groups.Count(g => g.Kind == Axis.HeadDims), lost.Count);
        Assert.All(lost, g => Assert.Equal("headDims", g.Kind));
        var kept = lost.ToDictionary(g => analysis.Groups.Single(a => a.Name == g.Name).Id, g => Enumerable.Range(0, g.Size)
            .Except(g.RemovedUnits).ToImmutableArray());
        SlimOracle.Check(analysis, new Selection(kept, []));
    }

    [Fact]
    public void What_no_product_of_two_activations_contracts_goes_by_its_norm()
    {
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.QueryKey }] };
        var statistics = Planted.Statistics(analysis, plan, [Planted.Rows(1, 50, Planted.Inputs)]);
        Assert.Contains(Slimmer.Run(plan, analysis, statistics).Report.Notes,
            n => n.Contains("L2 instead of QueryKey", StringComparison.Ordinal));
    }

    /// <summary>The convolutional networks have no attention: the method has nothing to remove, and says so.</summary>
    [Fact]
    public void A_network_without_attention_is_refused()
    {
        using var dense = Planted.Cnn(1, 8);
        var plan = Presets.Complete(new PruningPlan { Preset = Preset.ThinKStatic, Budget = new Budget(Macs: 0.9) }, hasData: true);
        var e = Assert.Throws<EspalierException>(() => Slimmer.Needs(plan, AxisAnalysis.Run(dense)));
        Assert.Contains("the model has no headDims", e.Message, StringComparison.Ordinal);
    }
}
