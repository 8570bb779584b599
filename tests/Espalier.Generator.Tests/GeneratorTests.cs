using System.Reflection;
using Espalier.Generator.Emission;
using static VerifyXunit.Verifier;

namespace Espalier.Generator.Tests;

public class GeneratorTests
{
    [Fact]
    public async Task Policy() => await Verify(Harness.Generate(Samples.Policy).Source("Shop.SlimTiny.g.cs"), "cs");

    [Fact]
    public async Task Locations() => await Verify(Harness.Generate(Samples.Policy).Source("Shop.SlimTiny.Locations.g.cs"), "cs");

    [Fact]
    public async Task Global_budget_and_depth() => await Verify(Harness.Generate("""
        using Espalier;

        [PruningPolicy("models/tiny.onnx"), Budget(Macs = 0.5, Parameters = 0.9), Allocate(Allocation.Global)]
        internal static partial class Slim
        {
            [Prune(Axis.Neurons)]
            public static partial Rule Neurons { get; }

            [Drop(Axis.Sublayers, AtMost = 2), Score(Criterion.Random)]
            public static partial Rule Depth { get; }

            [Prune(Axis.Width, Keep = 0.75, AllowInexact = true)]
            public static partial Rule Width { get; }
        }
        """).Source("Slim.g.cs"), "cs");

    [Fact]
    public void Without_the_runtime_there_is_no_open()
    {
        var source = Harness.Generate(Samples.Policy, runtime: false).Source("Shop.SlimTiny.g.cs");
        Assert.Contains("record Inputs(", source, StringComparison.Ordinal);
        Assert.DoesNotContain("Open(", source, StringComparison.Ordinal);
    }

    [Fact]
    public void A_nested_policy_is_part_of_its_containers()
    {
        var source = Harness.Generate("""
            using Espalier;

            namespace @namespace.B;

            internal partial record struct Outer
            {
                internal static partial class @class
                {
                    [PruningPolicy("./models\\tiny.onnx")]
                    internal static partial class Slim
                    {
                        [Prune(Axis.Neurons, Keep = 0.5)]
                        internal static partial Rule @event { get; }

                        [Prune(Axis.Heads, Keep = 0.5)]
                        internal static partial Rule Rules { get; }
                    }
                }
            }
            """).Source("namespace.B.Outer.class.Slim.g.cs");
        Assert.Contains("Espalier.Plan:namespace.B.Outer.class.Slim", source, StringComparison.Ordinal);
    }

    [Fact]
    public void The_plan_that_is_emitted_is_the_one_that_is_read()
    {
        var text = PlanOf(Samples.Policy, "Shop.SlimTiny");
        var plan = PlanJson.Parse(text);
        Assert.Equal("Shop.SlimTiny", plan.Policy);
        Assert.Equal(new Budget(Macs: 0.6), plan.Budget);
        Assert.Equal(new Guard(Agreement: 0.98, Metric: Metric.JensenShannon), plan.Guard);
        Assert.Equal(Metric.Cosine, plan.DivergenceMetric);
        Assert.Equal(["y"], plan.DivergenceOutputs);
        Assert.Equal(new CalibrationSource { Method = "Verses", Samples = 64 }, plan.Calibration);
        Assert.Equal(["stem*"], plan.Protect);
        Assert.Equal(7, plan.Seed);
        Assert.Equal(["encoder.0.heads", "encoder.1.heads"], plan.Prune[0].Groups);
        Assert.Equal((Criterion.Variance, Compensation.LeastSquares, 2),
            (plan.Prune[0].Score, plan.Prune[0].Compensate, plan.Prune[0].MinKeep));
        Assert.Equal(16, plan.Prune[1].RoundTo);
        Assert.Equal(["decoder.kv", "decoder.queries"], plan.Prune[2].Groups);
        Assert.Equal(0.5, plan.Prune[2].Keep);
        // Every property stands in the text, in the order of the type: what PlanJson writes differs only in line breaks and blanks.
        Assert.Equal(Bare(PlanJson.Serialize(plan)), Bare(text));
    }

    [Fact]
    public void What_is_left_open_is_left_to_the_preset()
    {
        const string Body = "[Prune(Axis.Neurons, \"encoder.*\", Keep = 0.5)] public static partial Rule Neurons { get; } "
            + "[Drop(Axis.Blocks)] public static partial Rule Depth { get; } [Calibration] static IEnumerable<Inputs> Data() => [];";
        var open = PlanJson.Parse(PlanOf(Samples.PolicyOf(Body), "Slim"));
        Assert.Equal((null, null, null), (open.Preset, open.Allocate, open.Schedule));
        Assert.Equal((null, null, null), (open.Prune[0].Score, open.Prune[0].Compensate, open.Drop[0].Score));
        var said = PlanJson.Parse(
            PlanOf(Samples.PolicyOf(Body, "[Preset(Preset.ZipLm), Schedule(Schedule.Cubic), Allocate(Allocation.ZerothOrder)]"), "Slim"));
        Assert.Equal((Preset.ZipLm, Schedule.Cubic, Allocation.ZerothOrder), (said.Preset, said.Schedule, said.Allocate));
        Assert.Null(said.ProtectEnds);
        var ranks = PlanJson.Parse(
            PlanOf(Samples.PolicyOf("", "[LowRank(\"*.up\", Rank = 8), LowRank(Of = ProductKind.KeysAndValues, Keep = 0.25)]"), "Slim"));
        Assert.Equal([new LowRankRule { Pattern = "*.up", Rank = 8 }, new LowRankRule { Of = ProductKind.KeysAndValues, Keep = 0.25 }],
            ranks.LowRank);
        Assert.Contains("and less by the ranks",
            Harness.Generate(Samples.Policy.Replace("[PruningPolicy", "[LowRank(\"*.up\", Rank = 8), PruningPolicy",
                StringComparison.Ordinal)).Source("Shop.SlimTiny.g.cs"), StringComparison.Ordinal);
        var inner = PlanJson.Parse(PlanOf(Samples.PolicyOf("[Prune(Axis.Neurons, Keep = 0.5)] public static partial Rule Neurons { get; "
            + "} [Prune(Axis.Heads, Keep = 0.5)] public static partial Rule Heads { get; }", "[ProtectEnds]"), "Slim"));
        Assert.True(inner.ProtectEnds);
        Assert.Empty(inner.Prune[0].Groups!);
        Assert.Equal(["encoder.1.heads"], inner.Prune[1].Groups);
    }

    [Theory]
    [InlineData("Criterion.Lamp, Aggregate = Aggregate.Median", Criterion.Lamp, Aggregate.Median, null)]
    [InlineData("Criterion.NormScale", Criterion.NormScale, Aggregate.Sum, null)]
    [InlineData("Criterion.GeometricMedian, Aggregate = Aggregate.Product", Criterion.GeometricMedian, Aggregate.Product, null)]
    [InlineData("Criterion.File, ScoreFile = \"data/our scores.json\"", Criterion.File, Aggregate.Sum, "data/our scores.json")]
    public void What_score_says_stands_in_the_plan(string score, Criterion criterion, Aggregate aggregate, string? file)
    {
        var rule = PlanJson.Parse(PlanOf(Samples.Policy.Replace("Score(Criterion.Variance)", $"Score({score})", StringComparison.Ordinal),
            "Shop.SlimTiny")).Prune[0];
        Assert.Equal((criterion, aggregate, file), (rule.Score, rule.Aggregate, rule.ScoreFile));
    }

    [Fact]
    public void Places_come_back_from_the_metadata()
    {
        var assembly = Harness.Load(Samples.Policy);
        var metadata = assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .ToDictionary(a => a.Key, a => a.Value!, StringComparer.Ordinal);
        var plan = PlanJson.Parse(metadata[PolicyFiles.PlanKey + "Shop.SlimTiny"], metadata[PolicyFiles.LocationsKey + "Shop.SlimTiny"]);
        Assert.Equal("Source0.cs(7,2)", plan.Location);
        Assert.Equal(["Source0.cs(13,6)", "Source0.cs(18,6)", "Source0.cs(21,6)"], plan.Prune.Select(r => r.Location));
    }

    [Fact]
    public void Generated_members_work()
    {
        var policy = Harness.Load(Samples.Policy).GetType("Shop.SlimTiny")!;
        var rule = (Rule)policy.GetProperty("AttentionHeads")!.GetValue(null)!;
        Assert.Equal("AttentionHeads", rule.Name);
        Assert.Equal(Axis.Heads, rule.Axis);
        Assert.Equal(["encoder.0.heads", "encoder.1.heads"], rule.Groups.Select(g => g.Name));

        var inputs = policy.GetNestedType("Inputs")!;
        var value = (IModelInputs)Activator.CreateInstance(inputs, new TensorData<long>(new long[] { 1, 2 }, 1, 2),
            new TensorData<bool>(new[] { true, false }, 1, 2), new TensorData<float>(new float[3072], 1, 3, 32, 32))!;
        Assert.Equal([("input_ids", "int64"), ("attention.mask", "bool"), ("pixels", "float32")], value.ToTensors()
            .Select(t => (t.Name, t.ElementType)));

        var outputs = policy.GetNestedType("Outputs")!;
        var tensors = new Dictionary<string, NamedTensor>
        {
            ["logits"] = new("logits", "float32", [1, 2], new[] { 1f, 2f }),
            ["12"] = new("12", "float16", [1], new[] { (Half)3 }),
        };
        var result = outputs.GetMethod("FromTensors")!.Invoke(null, [tensors])!;
        Assert.Equal([1f, 2f], ((TensorData<float>)outputs.GetProperty("Logits")!.GetValue(result)!).Values.ToArray());
        Assert.Equal([(Half)3], ((TensorData<Half>)outputs.GetProperty("N12")!.GetValue(result)!).Values.ToArray());
    }

    [Fact]
    public void Report_and_diff_are_read_beside_the_program()
    {
        var plan = Harness.Load(Samples.Policy.Replace("SlimTiny", "SlimRead", StringComparison.Ordinal)).GetType("Shop.SlimRead+Plan")!;
        string Missing(string member)
            => Assert.IsType<EspalierException>(
                Assert.Throws<TargetInvocationException>(() => plan.GetProperty(member)!.GetValue(null)).InnerException).Message;
        Assert.Contains("Shop.SlimRead.report.json", Missing("Summary"), StringComparison.Ordinal);
        Directory.CreateDirectory(PolicyFiles.FullPath(PolicyFiles.Folder));
        try
        {
            var report = new PruningReport { Before = new(10, 100, 1000), After = new(5, 50, 600) };
            var diff = new GraphDiff([new("w", [4], [2])], [], [], []);
            File.WriteAllText(PolicyFiles.FullPath(PolicyFiles.Report("Shop.SlimRead")), ReportJson.Serialize(report));
            File.WriteAllText(PolicyFiles.FullPath(PolicyFiles.Diff("Shop.SlimRead")), DiffJson.Serialize(diff));
            Assert.Equal(report.ToString(), plan.GetProperty("Summary")!.GetValue(null));
            Assert.Equal(diff.ToString(), plan.GetProperty("Diff")!.GetValue(null)!.ToString());
        }
        finally
        {
            File.Delete(PolicyFiles.FullPath(PolicyFiles.Report("Shop.SlimRead")));
            File.Delete(PolicyFiles.FullPath(PolicyFiles.Diff("Shop.SlimRead")));
        }
    }

    [Fact]
    public void A_missing_model_leaves_the_rules_compilable()
    {
        var compilation =
            Harness.Compilation(false, Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }"));
        Harness.Driver(Array.Empty<Harness.Text>()).RunGeneratorsAndUpdateCompilation(compilation, out var output, out _);
        Assert.Empty(output.GetDiagnostics().Where(d => d.Severity == Microsoft.CodeAnalysis.DiagnosticSeverity.Error));
    }

    [Fact]
    public void A_signature_without_c_sharp_types_has_no_inputs()
    {
        var source = Harness.Generate(Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] internal static partial Rule R { get; }")
            .Replace("public static partial class", "internal static partial class", StringComparison.Ordinal),
            manifest: Samples.Manifest.Replace("output\tlogits\tfloat32\t?batch\t2", "output\tlogits\tsequence\t*",
                StringComparison.Ordinal)).Source("Slim.g.cs");
        Assert.Contains("'logits' is of type sequence", source, StringComparison.Ordinal);
        Assert.DoesNotContain("record Inputs", source, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("input_ids", "InputIds")]
    [InlineData("onnx::Conv_12", "OnnxConv12")]
    [InlineData("12", "N12")]
    [InlineData("", "Unnamed")]
    [InlineData("größe.a", "GrößeA")]
    [InlineData("a\nb\t\"c\"", "ABC")]
    public void Names_become_pascal_case(string name, string expected) => Assert.Equal(expected, Names.Pascal(name));

    [Fact]
    public void Equal_identifiers_are_numbered_in_order()
        => Assert.Equal(["A1", "A1_2", "Inputs_2", "Equals_2", "A1_3"], Names.Unique(["a.1", "a1", "inputs", "equals", "A_1"], "Inputs"));

    private static string Bare(string json) => new([.. json.Where(c => !char.IsWhiteSpace(c))]);

    private static string PlanOf(string source, string policy)
        => Harness.Load(source).GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == PolicyFiles.PlanKey + policy).Value!;
}
