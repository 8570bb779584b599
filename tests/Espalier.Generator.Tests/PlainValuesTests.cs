using System.Text.Json;
using static VerifyXunit.Verifier;

namespace Espalier.Generator.Tests;

/// <summary>Plans, reports and diffs as text.</summary>
public class PlainValuesTests
{
    private static readonly GraphDiff Diff = new(
        [new("conv.weight", [64, 3, 7, 7], [32, 3, 7, 7]), new("old", [2], null), new("new", null, []), new("fc.weight", [10, 4], [10, 4])],
        ["Add 'skip'"],
        ["Identity 'skip'"],
        [new("Conv 'dw'", "group 96 → 48")]);

    private static readonly PruningReport Report = new()
    {
        Plan = new()
        {
            Policy = "Shop.Slim",
            Model = "models/a.onnx",
            Prune = [new() { Name = "R", Axis = Axis.KeyValueGroups, Keep = 0.5, Groups = ["kv"], Score = Criterion.L1 }],
            Budget = new(Macs: 0.6)
        },
        Before = new(1_000_000, 20_000_000, 4_000_000),
        After = new(500_000, 9_000_000, 2_000_100),
        PredictedTimeRatio = 0.48,
        Removed = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>>
        { ["onnx::MatMul_12"] = new Dictionary<string, IReadOnlyList<int>> { ["0"] = [1, 3], ["1"] = [0] } },
        Copies = [new("bias_slim", "bias", ["up_y", "down_y"], new Dictionary<string, IReadOnlyList<int>> { ["0"] = [2, 5] })],
        Groups =
        [
            new()
            {
                Name = "kv",
                Kind = "keyValueGroups",
                Size = 4,
                Kept = 2,
                Exactness = "exact",
                Members = ["k.weight:1", "v.weight:1"],
                RemovedUnits = [1, 3],
            },
            new() { Name = "whole", Kind = "neurons", Size = 8, Kept = 8, Exactness = "exact", Members = ["w:0"] },
        ],
        Layers =
        [
            new()
            {
                Node = "/k/MatMul", Operator = "MatMul", Weight = "k.weight", Units = 16, Kept = 8, Groups = ["kv"],
                ParametersBefore = 256, ParametersAfter = 128, MacsBefore = 1024, MacsAfter = 512,
            },
        ],
        Frozen = [new("fc.weight", 1, "graph output 'logits'")],
        Blocks = ["encoder.3.attention"],
        Aliases = new Dictionary<string, string> { ["onnx::MatMul_12"] = "encoder.0.up.weight" },
        Notes = ["synthetic calibration"],
    };

    [Fact]
    public async Task A_report_as_json() => await Verify(ReportJson.Serialize(Report), "json");

    [Fact]
    public async Task A_report_as_text() => await Verify(Report);

    [Fact]
    public async Task A_diff_as_text() => await Verify(Diff);

    [Fact]
    public void No_change_says_so() => Assert.Equal("no change\n", GraphDiff.Empty.ToString());

    [Fact]
    public void What_is_written_is_read()
    {
        Assert.Equal(ReportJson.Serialize(Report), ReportJson.Serialize(ReportJson.Parse(ReportJson.Serialize(Report))));
        Assert.Equal(DiffJson.Serialize(Diff), DiffJson.Serialize(DiffJson.Parse(DiffJson.Serialize(Diff))));
        Assert.Equal(Diff.ToString(), DiffJson.Parse(DiffJson.Serialize(Diff)).ToString());
    }

    [Fact]
    public void What_is_absent_has_its_default()
    {
        var plan = PlanJson.Parse("""{"prune": [{"axis": "heads"}], "drop": [{}], "calibration": {}}""");
        Assert.Equal((Axis.Heads, "*", 1, null), (plan.Prune[0].Axis, plan.Prune[0].Pattern, plan.Prune[0].MinKeep, plan.Prune[0].Score));
        Assert.Equal((Aggregate.Sum, null), (plan.Prune[0].Aggregate, plan.Prune[0].ScoreFile));
        Assert.Equal((Axis.Sublayers, null, null), (plan.Drop[0].Axis, plan.Drop[0].Score, plan.Drop[0].AtMost));
        Assert.Equal((null, null, null), (plan.Preset, plan.Allocate, plan.Schedule));
        Assert.Equal((null, Metric.Cosine, null),
            (plan.DivergenceMetric, PlanJson.Parse("""{"divergenceMetric": "cosine"}""").DivergenceMetric,
                PlanJson.Parse("""{"guard": {"agreement": 0.9}}""").Guard!.Metric));
        Assert.Equal((Preset.ZipLm, Schedule.OneShot),
            (PlanJson.Parse("""{"preset": "zipLm"}""").Preset, PlanJson.Parse("""{"schedule": "oneShot"}""").Schedule));
        Assert.Equal(1024, plan.Calibration!.Samples);
        Assert.Empty(plan.Protect);
        Assert.Equal(1, ReportJson.Parse("{}").PredictedTimeRatio);
        Assert.Null(ReportJson.Parse("""{"plan": {"prune": [{}]}}""").Plan.Prune[0].Score);
        Assert.Equal(("", 0), (ReportJson.Parse("""{"layers": [{}]}""").Layers[0].Weight, ReportJson.Parse("{}").Layers.Count));
        Assert.Equal("no change\n", DiffJson.Parse("{}").ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"prune\": 3}")]
    [InlineData("{\"prune\": [{\"axis\": \"hats\"}]}")]
    [InlineData("{\"prune\": [{\"axis\": 2}]}")]
    [InlineData("{\"prune\": [{\"score\": \"magic\"}]}")]
    [InlineData("{\"prune\": [{\"aggregate\": \"mode\"}]}")]
    [InlineData("{\"prune\": [{\"aggregate\": 1}]}")]
    [InlineData("{\"seed\": 1.5}")]
    [InlineData("{\"seed\": 1, \"seed\": 2}")]
    public void Malformed_text_is_the_users_exception(string json)
        => Assert.StartsWith("The plan cannot be read: ", Assert.Throws<EspalierException>(() => PlanJson.Parse(json)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Reports_are_one_line_per_list_of_numbers()
    {
        var removed = Enumerable.Range(0, 1000).ToArray();
        var report = new PruningReport
        {
            Removed = new Dictionary<string, IReadOnlyDictionary<string, IReadOnlyList<int>>>
            { ["w"] = new Dictionary<string, IReadOnlyList<int>> { ["0"] = removed } }
        };
        var json = ReportJson.Serialize(report);
        Assert.True(json.Split('\n').Length < 60);
        Assert.Equal(removed, JsonDocument.Parse(json).RootElement.GetProperty("removed").GetProperty("w").GetProperty("0").EnumerateArray()
            .Select(e => e.GetInt32()));
    }
}
