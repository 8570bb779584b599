using System.Globalization;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Axes.Tests;

/// <summary>
/// What ONNX Runtime's own optimiser makes of the networks: fused operators of com.microsoft, in the company in which they occur.
/// </summary>
public sealed class OptimisedTests(ITestOutputHelper output)
{
    public static TheoryData<string> Networks => [.. Assets.Networks()];

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_network_that_was_optimised_is_pruned_exactly(string name)
    {
        using var model = Of(File.ReadAllBytes(Assets.Path(name)));
        var analysis = AxisAnalysis.Run(model);
        var fused = model.Proto.Graph.Node.Where(n => n.Domain == "com.microsoft").GroupBy(n => n.OpType)
            .Select(g => $"{g.Count()} {g.Key}").ToList();
        int exact = analysis.Groups.Count(g => g.Exactness == Exactness.Exact);
        var result = SlimOracle.Check(analysis, SlimOracle.Pick(analysis, 0.5, 3), 3);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: {string.Join(", ", fused)}; {exact} of {analysis.Groups.Count} groups are exact; error {result.Error:g2}"));
        Assert.NotEmpty(fused);
        Assert.True(exact > analysis.Groups.Count / 2 && result.Effect > 1e-2, SlimOracle.Describe(result));
    }

    /// <summary>A model as ONNX Runtime's optimiser leaves it.</summary>
    internal static OnnxModel Of(byte[] model)
    {
        string path = Path.Combine(Path.GetTempPath(), $"espalier-{Guid.NewGuid():n}.onnx");
        try
        {
            using (var options = new SessionOptions
            {
                GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                OptimizedModelFilePath = path,
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR
            })
                new InferenceSession(model, options).Dispose();
            return OnnxModel.Parse(File.ReadAllBytes(path));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
