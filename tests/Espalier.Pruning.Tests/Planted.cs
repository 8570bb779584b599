using System.Collections.Immutable;
using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Fitting;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Scores.Criteria;
using Espalier.TestKit;

namespace Espalier.Pruning.Tests;

/// <summary>Networks that are built so that a method must find what is redundant in them.</summary>
internal static class Planted
{
    public const int Inputs = 6;

    /// <summary>
    /// Two products with a ReLU between; <paramref name="edit"/> changes the first one's weight [inputs, hidden] and bias,
    /// <paramref name="loud"/> neurons are read with weights ten times as large.
    /// </summary>
    public static OnnxModel Mlp(int seed, int hidden, Action<float[], float[]>? edit = null, bool outputBias = true, params int[] loud)
    {
        var g = new GraphBuilder(seed);
        g.Input("x", "batch", Inputs);
        var random = new Random(seed);
        float[] w = Floats(random, Inputs * hidden), b = Floats(random, hidden);
        edit?.Invoke(w, b);
        string h = g.Relu(g.Add(g.MatMul("x", g.Floats("fc1.weight", w, Inputs, hidden)), g.Floats("fc1.bias", b, hidden)));
        float[] w2 = Floats(random, hidden * 3);
        foreach (int u in loud)
            for (int o = 0; o < 3; o++) w2[u * 3 + o] *= 10;
        string y = g.MatMul(h, g.Floats("fc2.weight", w2, hidden, 3));
        if (outputBias) y = g.Add(y, g.Floats("fc2.bias", Floats(random, 3), 3));
        g.Output(g.Rename(y, "y"), "batch", 3);
        return g.Build();
    }

    /// <summary>
    /// Two convolutions without padding and a ReLU between; <paramref name="edit"/> changes the first one's weight [channels,
    /// 2, 3, 3] and bias.
    /// </summary>
    public static OnnxModel Cnn(int seed, int channels, Action<float[], float[]>? edit = null, bool outputBias = true, int group = 1)
    {
        var g = new GraphBuilder(seed);
        g.Input("x", "batch", 2, 8, 8);
        var random = new Random(seed);
        float[] w = Floats(random, channels * 18), b = Floats(random, channels);
        edit?.Invoke(w, b);
        string h = g.Relu(g.Node("Conv", ["x", g.Floats("conv1.weight", w, channels, 2, 3, 3), g.Floats("conv1.bias", b, channels)]));
        string[] second = [h, g.Floats("conv2.weight", Floats(random, 4 * channels / group * 9), 4, channels / group, 3, 3)];
        if (outputBias) second = [.. second, g.Floats("conv2.bias", Floats(random, 4), 4)];
        g.Output(g.Rename(g.Node("Conv", second, ("group", (long)group)), "y"), "batch", 4, 4, 4);
        return g.Build();
    }

    /// <summary>A tensor of the main graph in one run.</summary>
    public static NamedTensor Fetch(OnnxModel model, string tensor, IReadOnlyDictionary<string, NamedTensor> sample)
    {
        var copy = model.Proto.Clone();
        copy.Graph.Output.Clear();
        copy.Graph.Output.Add(new ValueInfoProto { Name = tensor });
        using var derived = model.Derive(copy);
        using var session = Sessions.Open(derived);
        return session.Run(sample.Values)[tensor];
    }

    /// <summary>Normal rows for the model's one input.</summary>
    public static IReadOnlyDictionary<string, NamedTensor> Rows(int seed, int rows, params long[] shape)
    {
        long[] dims = [rows, .. shape];
        return new Dictionary<string, NamedTensor>
        { ["x"] = new("x", "float32", dims, Floats(new Random(seed), (int)dims.Aggregate(1L, (a, b) => a * b))) };
    }

    /// <summary>The statistics that a plan asks for; null where it asks for none.</summary>
    public static CalibrationStatistics? Statistics(AxisAnalysis analysis, PruningPlan plan,
        IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> samples)
        => Slimmer.Needs(plan, analysis) is { } needs ? Calibrator.Run(analysis, samples, needs) : null;

    /// <summary>Statistics with covariance of every consumer.</summary>
    public static CalibrationStatistics Calibrate(AxisAnalysis analysis, params IReadOnlyDictionary<string, NamedTensor>[] samples)
        => Calibrator.Run(analysis, samples, new CalibrationRequest { Covariance = analysis.Consumers.Select(c => c.Id).ToHashSet() });

    /// <summary>Removes units of the only exact group, compensates and runs the surgery.</summary>
    public static OnnxModel Without(AxisAnalysis analysis, CalibrationStatistics? statistics, Compensation method, params int[] removed)
        => Without(analysis, statistics, method, [], removed);

    public static OnnxModel Without(AxisAnalysis analysis, CalibrationStatistics? statistics, Compensation method, List<string> notes,
        params int[] removed)
    {
        var group = Assert.Single(analysis.Groups, g => g.Exactness == Exactness.Exact);
        var selection = new Selection(new Dictionary<int, ImmutableArray<int>>
        { [group.Id] = [.. Enumerable.Range(0, group.Size).Except(removed)] }, []);
        return Surgery.Apply(analysis, selection, Compensator.Compute(new(analysis),
            new(selection, _ => method) { Statistics = statistics, Notes = notes })).Model;
    }

    /// <summary>Scores of one group's units as the criterion gives them.</summary>
    public static double[] Raw(UnitScore score, AxisAnalysis analysis, Group group, CalibrationStatistics statistics)
    {
        var model = new DenseModel(analysis);
        var context = new ScoreContext(new() { Score = score.Criteria[0] }, model, model.Weights) { Statistics = statistics };
        return score.Compute(group, context)!;
    }

    /// <summary>What the criterion asks to be measured of a group.</summary>
    public static CalibrationRequest Asked(UnitScore score, AxisAnalysis analysis, Group group)
    {
        var needs = new Requirements { Data = true };
        score.Require(group, score.Criteria[0], new DenseModel(analysis), needs);
        return needs.ToRequest()!;
    }

    /// <summary>Scores of one group's units under a rule of its own.</summary>
    public static double[] Score(AxisAnalysis analysis, Group group, PruneRule rule, CalibrationStatistics? statistics = null,
        ICollection<string>? notes = null, int seed = 0)
        => Scorer.Score(new(analysis), new Dictionary<int, PruneRule> { [group.Id] = rule }, new(statistics, null, null), notes,
            seed)[group.Id];

    /// <summary>Largest difference of the outputs on fresh normal inputs, relative to the largest output.</summary>
    public static double Error(OnnxModel dense, OnnxModel slim)
    {
        var inputs = SeededInputs.For(dense, 99, new Dictionary<string, long> { ["batch"] = 32 });
        var expected = Ort.Run(dense, inputs);
        var actual = Ort.Run(slim, inputs);
        double error = 0;
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Shape, actual[i].Shape);
            double scale = expected[i].Values.Max(Math.Abs);
            error = Math.Max(error, expected[i].Values.Zip(actual[i].Values, (a, b) => Math.Abs(a - b)).Max() / scale);
        }
        return error;
    }

    public static float[] Floats(Random random, int count) => [.. Seeded.Normals(random, count).Select(v => (float)v)];

    /// <summary>Residual layers x + W₂·relu(W₁·x), of which some do little and one does nothing.</summary>
    public static OnnxModel Residual(int layers, int width, int hidden, Func<int, float> strength)
    {
        var g = new GraphBuilder(7);
        var random = new Random(7);
        string x = g.Input("x", "batch", width);
        for (int l = 0; l < layers; l++)
        {
            float[] up = Floats(random, width * hidden),
                down = [.. Floats(random, hidden * width).Select(v => v * strength(l) / hidden)];
            string h = g.Relu(g.Add(g.MatMul(x, g.Floats($"layer{l}.up", up, width, hidden)),
                g.Floats($"layer{l}.upBias", Floats(random, hidden), hidden)));
            x = g.Add(x,
                g.Add(g.MatMul(h, g.Floats($"layer{l}.down", down, hidden, width)),
                    g.Floats($"layer{l}.bias", [.. Floats(random, width).Select(v => v * strength(l))], width)));
        }
        g.Output(g.Rename(g.MatMul(x, g.Floats("head", Floats(random, width * 5), width, 5)), "y"), "batch", 5);
        return g.Build();
    }

    public static IReadOnlyList<IReadOnlyDictionary<string, NamedTensor>> Samples(int width, int count)
        => [.. Enumerable.Range(0, count).Select(i => Rows(300 + i, 16, width))];

    public static SlimResult Slim(OnnxModel dense, PruningPlan plan, int width, out AxisAnalysis analysis, int count = 16)
    {
        analysis = AxisAnalysis.Run(dense);
        var samples = Samples(width, count);
        return Slimmer.Run(plan, analysis, Statistics(analysis, plan, samples),
            new ModelProbe(analysis, samples));
    }
}
