using Espalier.Axes;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests.Fitting;

/// <summary>Running statistics of batch normalisations under OBSPA, which measures them anew (arXiv:2403.18955).</summary>
public sealed class NormStatisticsTests
{
    private static readonly IReadOnlyDictionary<string, NamedTensor>[] Samples =
        [.. Enumerable.Range(0, 6).Select(i => Planted.Rows(i, 20 + i, 2, 8, 8))];

    /// <summary>Three convolutions with batch norms that stay nodes.</summary>
    private static OnnxModel Build()
    {
        var g = new GraphBuilder(6);
        string x = g.Input("x", "batch", 2, 8, 8);
        for (int l = 0; l < 3; l++)
        {
            int width = l == 2 ? 4 : 8;
            x = g.Rename(g.Node("Conv", [x, g.Weight($"conv{l}", width, l == 0 ? 2 : 8, 3, 3)]), $"given{l}");
            x = g.Node("BatchNormalization", [x, g.Positive($"gamma{l}", width), g.Weight($"beta{l}", width), g.Weight($"mean{l}", width),
                g.Positive($"variance{l}", width)], ("epsilon", 1e-6f));
            if (l < 2) x = g.Relu(x);
        }
        g.Output(g.Rename(x, "y"), "batch", 4, 2, 2);
        return g.Build();
    }

    private static SlimResult Slim(AxisAnalysis analysis, Preset preset)
    {
        var plan = Presets.Complete(new PruningPlan
        { Preset = preset, Prune = [new() { Axis = Axis.Channels, Keep = 0.5, RoundTo = 1 }] }, hasData: true);
        return Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, Samples), new ModelProbe(analysis, Samples));
    }

    /// <summary>With data they are those of what the convolutions of the slim model give.</summary>
    [Theory]
    [InlineData(Preset.Obspa, true)]
    [InlineData(Preset.Fasp, false)]
    public void OBSPA_measures_batch_norms_that_are_left(Preset preset, bool anew)
    {
        using var dense = Build();
        var analysis = AxisAnalysis.Run(dense);
        using var slim = Slim(analysis, preset).Model;
        var (weights, probe) = (new WeightTable(AxisAnalysis.Run(slim)), new ModelProbe(analysis, Samples));
        bool equal = true;
        // The first norm sees what it saw.
        foreach (int l in (int[])[1, 2])
        {
            var (mean, variance) = probe.Channels(slim, $"given{l}")!.Value;
            equal &= Near(mean, weights.Floats($"mean{l}")) && Near(variance, weights.Floats($"variance{l}"));
        }
        Assert.Equal(anew, equal);
    }

    /// <summary>
    /// Of made-up inputs the statistics themselves mean nothing: a mean moves by as much, and a variance by the same factor, as
    /// they do from the dense model to the slim one.
    /// </summary>
    [Theory]
    [InlineData(Preset.ObspaDataFree)]
    [InlineData(Preset.ObspaOutOfDistribution)]
    public void Without_data_statistics_move_as_they_do_between_both_models(Preset preset)
    {
        using var dense = Build();
        var analysis = AxisAnalysis.Run(dense);
        var result = Slim(analysis, preset);
        using var slim = result.Model;
        WeightTable before = new(analysis), after = new(AxisAnalysis.Run(slim));
        var probe = new ModelProbe(analysis, Samples);
        foreach (int l in (int[])[1, 2])
        {
            int[] kept = [.. Enumerable.Range(0, l == 1 ? 8 : 4)
                .Except(result.Report.Groups.SingleOrDefault(g => g.Members.Contains($"conv{l}:0"))?.RemovedUnits ?? [])];
            var (denseMean, denseVariance) = probe.Channels(dense, $"given{l}")!.Value;
            var (slimMean, slimVariance) = probe.Channels(slim, $"given{l}")!.Value;
            float[] mean = before.Floats($"mean{l}"), variance = before.Floats($"variance{l}");
            Assert.True(Near([.. kept.Select((c, k) => mean[c] + slimMean[k] - denseMean[c])], after.Floats($"mean{l}")));
            Assert.True(Near([.. kept.Select((c, k) => variance[c] * slimVariance[k] / denseVariance[c])], after.Floats($"variance{l}")));
            Assert.False(Near(slimMean, after.Floats($"mean{l}")));
        }
    }

    private static bool Near(double[] expected, float[] actual)
        => expected.Length == actual.Length
            && expected.Zip(actual).All(p => Math.Abs(p.First - p.Second) <= 1e-4 * Math.Max(1, Math.Abs(p.First)));
}
