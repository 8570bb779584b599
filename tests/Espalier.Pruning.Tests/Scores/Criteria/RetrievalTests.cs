using Espalier.Axes;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Data;
using Espalier.Calibration.Graph;
using Espalier.Calibration.Statistics;
using Espalier.Onnx;
using Espalier.Pruning.Scores.Criteria;

namespace Espalier.Pruning.Tests.Scores.Criteria;

/// <summary>Heads that copy what the model says next from what it has read.</summary>
public class RetrievalTests
{
    private const int Heads = 4, Tokens = 12, Width = Heads * Tokens, Length = 9;

    /// <summary>
    /// Every head looks at one place, at itself, two back, the first or one back, and gives the token that stands there; only
    /// what head 1 gives, two back, decides what is said. Its other weights are the quietest, so that norms remove it.
    /// </summary>
    private static OnnxModel Copying(bool text = true)
    {
        var g = new GraphBuilder(2);
        var random = new Random(3);
        float[] identity = [.. Enumerable.Range(0, Tokens * Tokens).Select(i => i / Tokens == i % Tokens ? 1f : 0)];
        string x = text
            ? g.Node("Gather",
                [g.Floats("table", identity, Tokens, Tokens), g.Input("ids", TensorProto.Types.DataType.Int64, "batch", Length)])
            : g.Input("x", "batch", Length, Tokens);
        float[] Loud(float factor, float own)
            => [.. Planted.Floats(random, Tokens * Width).Select((v, i) => v * (i % Width / Tokens == 1 ? own : factor))];
        string Projected(string name, float[] weight) => g.SplitHeads(g.MatMul(x, g.Floats(name, weight, Tokens, Width)), Heads, Tokens);
        float[] values = [.. Enumerable.Range(0, Tokens * Width).Select(i => i / Width == i % Width % Tokens ? 1f : 0)];
        float[] bias = new float[Heads * Length * Length];
        for (int h = 0; h < Heads; h++)
            for (int t = 0; t < Length; t++)
                bias[(((h * Length) + t) * Length)
                    + (h switch { 0 => t, 1 => Math.Max(0, t - 2), 2 => 0, _ => Math.Max(0, t - 1) })] = 1e4f;
        string scores = g.Add(g.MatMul(Projected("q", Loud(20, 0.01f)), g.Transpose(Projected("k", Loud(20, 0.01f)), 0, 1, 3, 2)),
            g.Floats("bias", bias, 1, Heads, Length, Length));
        string mixed = g.MergeHeads(g.MatMul(g.Rename(g.Softmax(scores), "map"), Projected("v", values)), Width);
        float[] written = [.. Enumerable.Range(0, Width * Tokens)
            .Select(i => i / Tokens / Tokens == 1 && i / Tokens % Tokens == i % Tokens ? 0.7f : (float)random.NextDouble() * 0.15f)];
        return g.Output(g.Rename(g.MatMul(mixed, g.Floats("o", written, Width, Tokens)), "y"), "batch", Length, Tokens).Build();
    }

    private static List<IReadOnlyDictionary<string, NamedTensor>> Text(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count)
            .Select(_ =>
                new Dictionary<string, NamedTensor> { ["ids"] = new("ids", "int64", [1, Length], Enumerable.Range(0, Length)
                    .Select(_ => (long)random.Next(Tokens)).ToArray()) })];
    }

    private static PruningPlan Plan(Criterion score)
        => new() { Prune = [new PruneRule { Axis = Axis.Heads, Keep = 0.25, Score = score, Compensate = Compensation.None }] };

    [Fact]
    public void The_head_that_copies_scores_one_and_stays()
    {
        using var dense = Copying();
        var analysis = AxisAnalysis.Run(dense);
        var needs = Slimmer.Needs(Plan(Criterion.Retrieval), analysis)!;
        var signal = Assert.Single(needs.Signals);
        var samples = Text(40);
        var statistics = Calibrator.Run(analysis, samples, needs);
        double[] hits = statistics.Signals[signal].Mean;

        // The same by plain loops over what the model says.
        using var session = Sessions.Open(dense);
        double[] expected = new double[Heads];
        int pairs = 0;
        foreach (var sample in samples)
        {
            var ids = (long[])sample["ids"].Values;
            var y = (float[])session.Run(sample.Values)["y"].Values;
            for (int t = 0; t < Length; t++)
            {
                int said = Enumerable.Range(0, Tokens).MaxBy(c => y[(t * Tokens) + c]);
                if (!ids.Take(t + 1).Contains(said)) continue;
                pairs++;
                int[] places = [t, Math.Max(0, t - 2), 0, Math.Max(0, t - 1)];
                for (int h = 0; h < Heads; h++) if (ids[places[h]] == said) expected[h]++;
            }
        }
        Assert.True(pairs > 300);
        for (int h = 0; h < Heads; h++) Assert.Equal(expected[h] / pairs, hits[h], 1e-6);
        Assert.True(hits[1] > 0.99 && hits.Where((_, h) => h != 1).All(s => s < 0.5), string.Join(' ', hits));
        Assert.Equal([0, 2, 3],
            Slimmer.Run(Plan(Criterion.Retrieval), analysis, statistics).Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
        Assert.Contains(1, Slimmer.Run(Plan(Criterion.L2), analysis).Report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
    }

    /// <summary>
    /// Without tokens, and where nothing that the model says was read before, the norm decides and the notes say what is missing.
    /// </summary>
    [Fact]
    public void What_is_missing_is_said()
    {
        using var dense = Copying(text: false);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Calibrator.Run(analysis, [Planted.Rows(1, 5, Length, Tokens)],
            Slimmer.Needs(Plan(Criterion.Retrieval), analysis)!);
        var notes = Slimmer.Run(Plan(Criterion.Retrieval), analysis, statistics).Report.Notes;
        Assert.Contains(notes,
            n => n.Contains("'map': the model has no output with one row of classes per token", StringComparison.Ordinal));
        Assert.Contains(notes, n => n.Contains("by L2 instead of Retrieval: no attention of it over tokens", StringComparison.Ordinal));
    }

    [Fact]
    public void The_trained_decoder_has_heads_that_retrieve_and_heads_that_do_not()
    {
        using var dense = OnnxModel.Open(Assets.Path("gpt.onnx"));
        var analysis = AxisAnalysis.Run(dense);
        var groups = analysis.Groups.Where(g => g.Kind is Axis.Heads or Axis.KeyValueGroups).ToList();
        var signals = groups.SelectMany(g => SignalScores.Signals(analysis, g, Criterion.Retrieval)).ToList();
        var samples = CalibrationData.Read(Assets.Path("lm-calibration.txt"), dense,
            new DataOptions { Samples = 8, Vocabulary = Assets.Path("gpt-alphabet.json") });
        var seen = Calibrator.Run(analysis, samples,
            new CalibrationRequest { Consumers = new HashSet<int>(), Blocks = new HashSet<int>(), Signals = signals }).Signals;
        Assert.Equal(groups.Count, seen.Count);
        Assert.All(seen.Values, s => Assert.All(s.Mean, m => Assert.InRange(m, 0, 1)));
        foreach (var group in groups)
            Assert.Equal(seen[signals.Single(s => s.Group == group.Partner!.Id)].Mean.Average(),
                seen[signals.Single(s => s.Group == group.Id)].Mean.Average(), 1e-6);
        double[] all = [.. groups.Where(g => g.Kind == Axis.KeyValueGroups)
            .SelectMany(g => seen[signals.Single(s => s.Group == g.Id)].Mean)];
        // A decoder of characters has no head that only copies: 3 to 9 % of the characters that were there before are where a head looks.
        Assert.True(all.Min() > 0 && all.Max() > 2 * all.Min() && all.Max() < 0.5, string.Join(' ', all));
    }
}
