using Espalier.TestKit;

namespace Espalier.Axes.Tests.BruteForce;

/// <summary>What the inference claims of single tensors, compared with runs of small graphs.</summary>
public sealed class BruteForceTests
{
    /// <summary>Networks of the repository.</summary>
    public static TheoryData<string> Networks() => [.. Assets.Networks()];

    [Theory]
    [MemberData(nameof(Networks))]
    public void Zeros_of_a_trained_network(string file)
    {
        using var dense = Onnx.OnnxModel.Open(Assets.Path(file));
        var analysis = AxisAnalysis.Run(dense);
        Assert.True(Claims.Check(analysis, SlimOracle.Pick(analysis, 0.5, 1), 1) > 5);
    }
}
