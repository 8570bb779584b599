using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Calibration.Checks;
using Espalier.Calibration.Data;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Tests;

/// <summary>Whole plans on the trained networks, with their own calibration data.</summary>
public class NetworkTests
{
    public static TheoryData<string> Networks => [.. Assets.Networks().Select(n => Path.GetFileNameWithoutExtension(n))];

    /// <summary>
    /// Half of the neurons and channels, three quarters of the heads, half of the experts and, where there are any, two
    /// sublayers: the model runs and the report's numbers are those of the file.
    /// </summary>
    [Theory]
    [MemberData(nameof(Networks))]
    public void A_plan_with_every_part_runs_and_is_counted_right(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan
        {
            Prune =
            [
                .. Rule(analysis, Axis.Channels, 0.5), .. Rule(analysis, Axis.Neurons, 0.5),
                .. Rule(analysis, Axis.Heads, 0.75), .. Rule(analysis, Axis.Experts, 0.5),
            ],
            Drop = analysis.Blocks.Count(b => b.IsSublayer) > 2 ? [new DropRule { AtMost = 2 }] : [],
        };
        var samples = Samples(name, dense, 8, test: false);
        var (slim, report) = Slimmer.Run(plan, analysis, Planted.Statistics(analysis, plan, samples));
        using var _ = slim;

        var agreement = Agreement.Compare(dense, slim, Samples(name, dense, 4, test: true));
        Assert.All(agreement.Outputs, o => Assert.True(double.IsFinite(o.MaxRelativeError)));
        Assert.Equal(Elements(dense) - Elements(slim), report.Before.Parameters - report.After.Parameters);
        Assert.Equal(new FileInfo(Assets.Path(name + ".onnx")).Length, report.Before.Bytes);
        Assert.Equal(slim.ToBytes().LongLength, report.After.Bytes);
        Assert.InRange(report.After.Macs, 1, report.Before.Macs - 1);
        Assert.InRange(report.PredictedTimeRatio, 0.01, 0.99);
        Assert.Equal(plan.Drop.Count * 2, report.Blocks.Count);
        foreach (var rule in plan.Prune)
        {
            var own = report.Groups.Where(g => rule.Groups!.Contains(g.Name)).ToList();
            Assert.Contains(own, g => g.Kept < g.Size);
            Assert.All(own, g => Assert.Equal(g.Size, g.Kept + g.RemovedUnits.Count));
        }
    }

    /// <summary>On images that calibration has not seen, each step of compensation brings the slim model nearer to the dense one.</summary>
    [Theory]
    [InlineData("resnet")]
    [InlineData("mobilenet")]
    public void Compensation_brings_the_answers_back(string name)
    {
        using var dense = OnnxModel.Open(Assets.Path(name + ".onnx"));
        var analysis = AxisAnalysis.Run(dense);
        PruningPlan Plan(Criterion score, Compensation compensate) => new()
        {
            Budget = new Budget(Macs: 0.6),
            Prune = [new PruneRule { Axis = Axis.Channels, RoundTo = 1, Score = score, Compensate = compensate }],
        };
        var samples = Samples(name, dense, 64, test: false).ToList();
        var test = Samples(name, dense, 200, test: true);
        double Divergence(Criterion score, Compensation compensate)
        {
            var plan = Plan(score, compensate);
            var (slim, report) = Slimmer.Run(plan, analysis, Slimmer.Needs(plan, analysis) is { } needs
                ? Calibrator.Run(analysis, samples, needs)
                : null);
            using var _ = slim;
            Assert.InRange((double)report.After.Macs / report.Before.Macs, 0.5, 0.6);
            return Agreement.Compare(dense, slim, test).Outputs[0].MeanKl!.Value;
        }
        double random = Divergence(Criterion.Random, Compensation.None), none = Divergence(Criterion.Variance, Compensation.None);
        double bias = Divergence(Criterion.Variance, Compensation.Bias),
            squares = Divergence(Criterion.Variance, Compensation.LeastSquares);
        Assert.True(squares < 0.2 * bias && bias < none
            && squares < 0.1 * random, $"random {random:f4}, none {none:f4}, bias {bias:f4}, least squares {squares:f4}");
    }

    private static IEnumerable<PruneRule> Rule(AxisAnalysis analysis, Axis axis, double keep)
    {
        var kinds = AxisRow.Get(axis).Kinds;
        var groups = analysis.Groups.Where(g => kinds.Contains(g.Kind) && g.Exactness != Exactness.Frozen
            && (axis == Axis.Experts || g.Exactness == Exactness.Exact)).Select(g => g.Name).ToList();
        if (groups.Count > 0)
            yield return new PruneRule
            {
                Name = axis.ToString(),
                Axis = axis,
                Groups = groups,
                Keep = keep,
                RoundTo = 1,
                Score = Criterion.Variance,
                Compensate = Compensation.LeastSquares,
                AllowInexact = axis == Axis.Experts
            };
    }

    private static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Samples(string name, OnnxModel model, int count, bool test)
    {
        var (data, vocabulary) = name switch
        {
            "bert" => (test ? "bert-test.tsv" : "bert-calibration.tsv", "bert-vocab.txt"),
            "gpt" or "moe" => (test ? "lm-test.txt" : "lm-calibration.txt", name + "-alphabet.json"),
            _ => (test ? "t10k-images-idx3-ubyte.gz" : "calibration-images-idx3-ubyte.gz", null),
        };
        return CalibrationData.Read(Assets.Path(data), model,
            new DataOptions { Samples = count, Length = 64, Vocabulary = vocabulary is null ? null : Assets.Path(vocabulary) });
    }

    /// <summary>Elements of the weights that hold floating-point numbers.</summary>
    private static long Elements(OnnxModel model)
    {
        var weights = new WeightTable(AxisAnalysis.Run(model));
        return weights.Names.Where(weights.IsMeasurable).Sum(n => weights.Shape(n)!.Aggregate(1L, (a, b) => a * b));
    }
}
