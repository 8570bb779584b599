using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>What batch normalisations between an output and its sum multiply every channel by: Π γ/√(σ² + ε).</summary>
internal static class ChannelGain
{
    /// <summary>ONNX's default of BatchNormalization's epsilon.</summary>
    private const float Epsilon = 1e-5f;

    /// <summary>The gains of channels.</summary>
    /// <param name="channels">Channels of the dense model.</param>
    /// <returns>Null for 1 throughout.</returns>
    public static double[]? Of(OutputPoint output, int[] channels, WeightTable weights, AxisAnalysis analysis)
    {
        if (output.Scales.Count == 0) return null;
        double[] gains = [.. Enumerable.Repeat(1.0, channels.Length)];
        foreach (var node in output.Scales)
        {
            var inputs = analysis.State.Records[node.Ordinal].Inputs;
            float[] scale = weights.Floats(inputs[1]!.Name), variance = weights.Floats(inputs[4]!.Name);
            float epsilon = node.Proto.Attribute.FirstOrDefault(a => a.Name == "epsilon")?.F ?? Epsilon;
            for (int o = 0; o < gains.Length; o++) gains[o] *= scale[channels[o]] / Math.Sqrt(variance[channels[o]] + epsilon);
        }
        return gains;
    }
}
