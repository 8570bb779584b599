using System.Reflection;
using Espalier.Axes;
using Espalier.Axes.Manifests;
using Espalier.Onnx;
using Espalier.Pruning;

namespace Espalier.Generator.Tests;

/// <summary>The sizes that the generated documentation states are those that the rewriter arrives at, on trained networks.</summary>
public class SizesTests
{
    private static readonly string Root = typeof(SizesTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(a => a.Key == "Espalier.RepositoryRoot").Value!;

    [Theory]
    [InlineData("tests/assets/bert.onnx", "[Prune(Axis.Heads, MinKeep = 2)]", "[Prune(Axis.Neurons, \"encoder.*\", RoundTo = 16)]",
        "Budget(Macs = 0.6)")]
    [InlineData("tests/assets/bert.onnx", "[Prune(Axis.HeadDims, Keep = 0.5, RoundTo = 4)]", "[Prune(Axis.Neurons)]",
        "Budget(Parameters = 0.8, Bytes = 0.85)")]
    [InlineData("tests/assets/gpt.onnx", "[Prune(Axis.Heads, Keep = 0.5)]", "[Prune(Axis.Neurons, Keep = 0.3)]", "")]
    [InlineData("tests/assets/vit.onnx", "[Prune(Axis.Heads)]", "[Prune(Axis.Neurons)]", "Budget(Bytes = 0.7)")]
    [InlineData("examples/models/resnet.onnx", "[Prune(Axis.Channels)]", null, "Budget(Macs = 0.5)")]
    [InlineData("tests/assets/mobilenet.onnx", "[Prune(Axis.Channels, RoundTo = 1)]", null, "Budget(Macs = 0.75, Parameters = 0.75)")]
    [InlineData("tests/assets/vgg.onnx", "[Prune(Axis.Channels)]", "[Prune(Axis.Neurons)]",
        "Budget(Parameters = 0.5), Allocate(Allocation.Global)")]
    [InlineData("tests/assets/vgg.onnx", "[Prune(Axis.Channels)]", "[Prune(Axis.Neurons, Keep = 0.5)]",
        "Budget(Parameters = 0.5), Allocate(Allocation.GlobalMagnitude)")]
    [InlineData("tests/assets/vit.onnx", "[Prune(Axis.Heads, Keep = 0.75)]", "[Prune(Axis.Neurons)]", "Allocate(Allocation.PqIndex)")]
    [InlineData("tests/assets/bert.onnx", "[Prune(Axis.Heads)]", "[Drop(Axis.Sublayers, AtMost = 2), Score(Criterion.Random)]",
        "Budget(Macs = 0.75)")]
    public void Sizes_are_the_rewriters(string path, string first, string? second, string attributes)
    {
        using var model = OnnxModel.Open(Path.Combine(Root, path));
        var analysis = AxisAnalysis.Run(model);
        var source = $$"""
            using Espalier;
            [PruningPolicy("{{path}}")]{{(attributes.Length > 0 ? $"[{attributes}]" : "")}}
            public static partial class Slim
            {
                {{first}} public static partial Rule First { get; }
                {{(second is null ? "" : second + " public static partial Rule Second { get; }")}}
            }
            """;
        var assembly = Harness.Load(source, ManifestWriter.Write(analysis, path));
        var plan = PlanJson.Parse(assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(a => a.Key == PolicyFiles.PlanKey + "Slim").Value!);
        var planned = assembly.GetType("Slim+Plan+Groups")!.GetProperties().Select(p => (PlannedGroup)p.GetValue(null)!)
            .ToDictionary(g => g.Name, StringComparer.Ordinal);

        var report = Slimmer.Run(plan, analysis, null).Report;
        var exact = !attributes.Contains("Allocate", StringComparison.Ordinal) && plan.Drop.Count == 0;
        Assert.Contains(report.Groups, g => g.Kept < g.Size);
        foreach (var group in report.Groups)
        {
            if (!planned.TryGetValue(group.Name, out var expected)) continue; // frozen
            Assert.Equal(expected.Before, group.Size);
            // A group goes with the sublayer that holds it.
            Assert.True(group.Kept > 0 || plan.Drop.Count > 0, group.Name);
            if (exact) Assert.Equal((group.Name, (int?)group.Kept), (group.Name, expected.After));
            else if (group.Kept > 0) Assert.InRange(group.Kept, expected.MinAfter, expected.MaxAfter);
        }
    }
}
