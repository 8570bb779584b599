using Espalier.Axes.Measurements;
using Espalier.Onnx;

namespace Espalier.Pruning.Plans;

/// <summary>What a plan decides by, beside the model.</summary>
/// <param name="Statistics">What calibration measured; null without calibration.</param>
/// <param name="Probe">Runs models; null without data.</param>
/// <param name="Method">Calls the policy's own scoring methods; null where there is no policy to call.</param>
internal sealed record Evidence(CalibrationStatistics? Statistics, IModelProbe? Probe, ScoreMethod? Method)
{
    /// <summary>Whether the inputs are made up though the plan asks for data, of which there are none.</summary>
    public bool IsWithoutData { get; init; }

    /// <summary>Told what is being done.</summary>
    public Action<WorkStep>? Progress { get; init; }

    /// <summary>
    /// Given the choice as one quick fit leaves it, before the long one layer by layer begins; throws where that is not worth it.
    /// Null where nobody wants to look.
    /// </summary>
    public Action<OnnxModel>? Foresee { get; init; }
}
