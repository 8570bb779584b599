using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Inputs;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Tests;

/// <summary>Choices that are tried on one model with gates.</summary>
public sealed class TrialTests
{
    public static TheoryData<string> Networks => [.. Assets.Networks().Select(n => Path.GetFileNameWithoutExtension(n))];

    /// <summary>A probe that runs no slim models.</summary>
    private sealed class GatesOnly(IModelProbe probe) : IModelProbe
    {
        public CalibrationStatistics Measure(CalibrationRequest request) => throw new NotSupportedException();
        public CalibrationStatistics Measure(OnnxModel changed, CalibrationRequest request) => throw new NotSupportedException();
        public double Divergence(OnnxModel changed) => throw new NotSupportedException();
        public double HeldOutDivergence(OnnxModel changed) => throw new NotSupportedException();
        public ModelTime Time(OnnxModel changed) => throw new NotSupportedException();
        public IGatedRun Gated(OnnxModel gated, bool heldOut) => probe.Gated(gated, heldOut);
        public (double[] Mean, double[] Variance)? Channels(OnnxModel changed, string tensor) => throw new NotSupportedException();
        public IModelProbe On(AxisAnalysis same) => throw new NotSupportedException();
        public IStagedRun Stages(IReadOnlyList<IReadOnlyList<FitPoint>> stages) => throw new NotSupportedException();
    }

    /// <summary>
    /// Every third exact group of every trained network at half of its units, compensated: what the gates give is what the slim model
    /// gives, forth and back through the graph, so that runs begin behind others and before them.
    /// </summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void Gates_give_the_divergence_of_the_slim_model(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var model = new DenseModel(analysis);
        var samples = RandomInputs.Many(dense, 40, 3, RandomInputs.Fit(dense));
        var groups = analysis.Groups.Where(g => g.Exactness == Exactness.Exact).ToList();
        var statistics = Calibrator.Run(analysis, samples, new()
        {
            Covariance = groups.SelectMany(g => g.Consumers).Select(c => c.Id).ToHashSet(),
            HeldOut = true,
        });
        // Random inputs tell classes apart too clearly for a divergence of classes to move.
        var probe = new ModelProbe(analysis, samples) { Metric = Metric.RelativeError };
        var methods = groups.ToDictionary(g => g.Id, g => Compensation.LeastSquares);
        using var trial = new Trial(model, new([]), groups, methods, new(statistics, new GatesOnly(probe), null));
        var some = groups.Where((_, i) => i % 3 == 0).ToList();
        int moved = 0;
        foreach (var group in some.Concat(some.Take(2)))
        {
            var kept = new Dictionary<int, ImmutableArray<int>>
            {
                [group.Id] = [.. Enumerable.Range(0, Math.Max(group.MinKeep, group.Size / 2)).Select(u => u + (group.Size / 4))],
            };
            var edits = Compensator.Compute(model, new(new(kept, []), _ => Compensation.LeastSquares) { Statistics = statistics });
            double expected = Surgery.Use(analysis, new(kept, []), edits, slim => probe.HeldOutDivergence(slim.Model));
            double found = trial.Divergence(kept);
            Assert.True(Math.Abs(found - expected) <= 1e-6 + (1e-3 * expected), $"{group.Name}: {found} for {expected}");
            if (expected > 1e-4) moved++;
        }
        Assert.True(moved * 2 >= some.Count, $"{moved} of {some.Count} moved the outputs");
    }
}
