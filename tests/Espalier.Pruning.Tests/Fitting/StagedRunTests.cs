using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Statistics;
using Espalier.Calibration.Sums;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Weights;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Stages that start where the ones before have ended.</summary>
public sealed class StagedRunTests
{
    /// <summary>
    /// Three residual blocks, and a scale that is computed once and read in all of them, from a sequence where that is asked for.
    /// </summary>
    private static OnnxModel Residual(bool sequence)
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", 8), scale = g.Node("ReduceMean", [g.Mul(x, x)], ("axes", new long[] { -1 }));
        string list = sequence ? g.Node("SequenceConstruct", [scale, scale]) : "";
        for (int b = 0; b < 3; b++)
        {
            string own = sequence ? g.Node("SequenceAt", [list, g.Longs(b % 2)]) : scale;
            x = g.Add(x, g.Mul(g.Linear(g.Relu(g.Linear(x, $"up{b}", 8, 12)), $"down{b}", 12, 8), own));
        }
        g.Output(g.Rename(g.Linear(x, "out", 8, 3), "y"), "batch", 3);
        return g.Build();
    }

    /// <summary>
    /// What a stage sees does not depend on whether those before it ran in the same pass, or on where activations are kept.
    /// </summary>
    [Theory]
    [InlineData(1L << 30, false)]
    [InlineData(0L, false)]
    [InlineData(0L, true)]
    public void A_stage_sees_what_a_run_from_the_start_sees(long memory, bool sequence)
    {
        using var dense = Residual(sequence);
        var analysis = AxisAnalysis.Run(dense);
        var samples = Enumerable.Range(0, 9).Select(i => Planted.Rows(i, 10 + (i % 2), 8)).ToList();
        var kept = analysis.Groups.Where(g => g.Exactness == Exactness.Exact)
            .ToDictionary(g => g.Id, _ => ImmutableArray.Create(0, 2, 3, 5, 7, 8));
        var stages = analysis.Products.Select(c =>
        {
            var output = analysis.OutputOf(c)!;
            return (IReadOnlyList<FitPoint>)[new FitPoint(c, output, output.Channels.KeptIndices(f =>
                analysis.Groups.FirstOrDefault(g => g.Factor == f) is { } g && kept.TryGetValue(g.Id, out var k) ? k : null))];
        }).OrderBy(s => s[0].Consumer.Node.Ordinal).ToList();
        var options = new CalibrationOptions { ActivationBytes = memory };
        var probe = new ModelProbe(analysis, samples, options);
        using var run = probe.Stages(stages);
        var weights = new WeightTable(analysis);
        var edits = new SortedDictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var stage in stages)
        {
            using var slim = Surgery.Apply(analysis, new(kept, []), new(edits, new Dictionary<int, float[]>())).Model;
            using var alone = probe.Stages([stage]);
            var (found, expected) = (run.Next(slim).Single().Value, alone.Next(slim).Single().Value);
            Assert.Equal(expected.Count, found.Count);
            foreach (var (a, b) in new[] { (expected.InputMean, found.InputMean), (expected.ErrorMean, found.ErrorMean),
                (expected.Cross, found.Cross), (expected.Covariance.ToArray(), found.Covariance.ToArray()) })
                Assert.All(a.Zip(b), p => Assert.Equal(p.First, p.Second, 1e-5 * (1 + Math.Abs(p.First))));
            // The stage's weight changes: those after it must see that.
            string name = stage[0].Consumer.Parameter;
            edits[name] = [.. weights.Floats(name).Select(w => 1.25f * w)];
        }
        Assert.Contains(stages, s => s[0].Outputs.Length == 6);
    }
}
