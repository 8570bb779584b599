using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Statistics;
using Espalier.Pruning.Edits;

namespace Espalier.Pruning.Tests.Depth;

/// <summary>Which layers go whole.</summary>
public sealed class DepthTests
{
    private static PruneRule Neurons(Criterion score = Criterion.L2, Compensation compensate = Compensation.None)
        => new() { Axis = Axis.Neurons, Score = score, Compensate = compensate };

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
        var byOutput = Planted.Slim(dense, new PruningPlan { Drop = [Drop(Criterion.OutputDivergence)] }, 8, out var analysis);
        var bySimilarity = Planted.Slim(dense, new PruningPlan { Drop = [Drop(Criterion.BlockSimilarity)] }, 8, out _);
        Assert.NotEqual(Assert.Single(byOutput.Report.Blocks), Assert.Single(bySimilarity.Report.Blocks));
        // The later layers read what layer 2 writes, so something is lost; each other choice loses more.
        var probe = new ModelProbe(analysis, Planted.Samples(8, 16));
        double[] losses = [.. analysis.Blocks.Where(b => b.IsSublayer)
            .Select(b =>
                probe.Divergence(Surgery.Apply(analysis, new Selection(new Dictionary<int, ImmutableArray<int>>(), [b.Id])).Model))];
        Assert.Equal(losses.Min(), probe.Divergence(byOutput.Model), 1e-9);
        Assert.Equal(0, probe.Divergence(dense), 1e-9);
    }

    [Fact]
    public void Ends_stay_whole_on_request()
    {
        using var dense = Planted.Residual(4, 6, 24, _ => 1);
        var plan = new PruningPlan
        { Prune = [Neurons() with { Keep = 0.5 }], Drop = [new DropRule { AtMost = 4, Score = Criterion.Random }], ProtectEnds = true };
        var report = Slimmer.Run(plan with { Drop = [] }, AxisAnalysis.Run(dense)).Report;
        Assert.Equal([24, 12, 12, 24], report.Groups.Where(g => g.Kind == "neurons").Select(g => g.Kept));
        var depth = Slimmer.Run(plan with { Prune = [] }, AxisAnalysis.Run(dense)).Report;
        Assert.Equal(AxisAnalysis.Run(dense).Blocks.Where(b => b.IsSublayer).Skip(1).SkipLast(1).Select(b => b.Name), depth.Blocks);
        Assert.Contains(depth.Notes, n => n.Contains("only 2 of 4", StringComparison.Ordinal));
    }
}
