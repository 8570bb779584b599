using System.Diagnostics;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using RandomInputs = Espalier.Calibration.Inputs.RandomInputs;

namespace Espalier.Runtime.Tests.Statistics;

/// <summary>Consumers and blocks as axis inference finds them.</summary>
public class AnalysisCalibrationTests(ITestOutputHelper output)
{
    [Fact]
    public void Everything_that_inference_finds_in_a_trained_network_is_measured()
    {
        foreach (string name in Assets.Networks())
        {
            using var model = OnnxModel.Open(Assets.Path(name));
            var stats = Measure(model, name, 2);
            Assert.True(stats.Notes.Count == 0, $"{name}: {string.Join(' ', stats.Notes)}");
        }
    }

    public static TheoryData<string> RealModels => [.. Models.Names(slow: false)];

    [Theory]
    [MemberData(nameof(RealModels))]
    public void Everything_that_inference_finds_in_a_real_model_is_measured_or_has_a_note(string file)
    {
        using var model = OnnxModel.Open(Models.Path(file));
        var stats = Measure(model, file, 1);
        Assert.All(stats.Notes, n => Assert.Matches("subgraphs|one position in", n));
    }

    private CalibrationStatistics Measure(OnnxModel model, string name, int samples)
    {
        var watch = Stopwatch.StartNew();
        var analysis = AxisAnalysis.Run(model);
        var inputs = RandomInputs.Many(model, samples, 1, RandomInputs.Fit(model));
        double prepared = watch.Elapsed.TotalSeconds;
        var stats = Calibrator.Run(analysis, inputs, new CalibrationRequest());
        output.WriteLine($"{name}: {analysis.Consumers.Count} consumers, {analysis.Blocks.Count} blocks; analysis {prepared:f2} s, "
            + $"statistics {watch.Elapsed.TotalSeconds - prepared:f2} s {string.Join(' ', stats.Notes)}");
        Assert.Equal(analysis.Consumers.Count(c => c.Node.Scope == 0), stats.Consumers.Count);
        Assert.Equal(analysis.Blocks.Select(b => b.Id), stats.BlockCosine.Keys.Order());
        Assert.All(stats.BlockCosine.Values, c => Assert.InRange(c, -1.00001, 1.00001));
        foreach (var consumer in analysis.Consumers.Where(c => c.Node.Scope == 0))
        {
            var s = stats.Consumers[consumer.Id];
            Assert.True(s.Count > 0);
            Assert.All(s.Variance, v => Assert.True(v >= 0));
            // E[x²] ≥ E[|x|]² ≥ E[x]².
            for (int i = 0; i < s.Mean.Length; i++)
            {
                double slack = 1e-5 * (1 + s.SquareMean[i]);
                Assert.True(s.SquareMean[i] >= s.AbsoluteMean[i] * s.AbsoluteMean[i] - slack
                    && s.AbsoluteMean[i] >= Math.Abs(s.Mean[i]) - slack, $"{name} {consumer.Node} {i}");
            }
            if (consumer.Kind == ConsumerKind.MatrixProduct && consumer.Contracted.Size is { } size) Assert.Equal(size, s.Mean.Length);
        }
        return stats;
    }
}
