namespace Espalier.Axes.Measurements;

/// <summary>What calibration measured.</summary>
/// <param name="BlockCosine">By block number: mean cosine similarity of the block's input and output over rows of the last axis
/// (or of channels at a position).</param>
/// <param name="Samples">Samples that were run.</param>
internal sealed record CalibrationStatistics(IReadOnlyDictionary<int, ActivationStatistics> Consumers,
    IReadOnlyDictionary<int, double> BlockCosine, long Samples)
{
    /// <summary>
    /// By block number: mean angle between the block's input and output in half turns, arccos(cos)/π, where it was asked for.
    /// Below 10⁻⁴ it is rounding.
    /// </summary>
    public IReadOnlyDictionary<int, double> BlockAngle { get; init; } = new Dictionary<int, double>();

    /// <summary>Averages of the signals that were asked for; those that cannot be observed are absent.</summary>
    public IReadOnlyDictionary<UnitSignal, SignalStatistics> Signals { get; init; } = new Dictionary<UnitSignal, SignalStatistics>();

    /// <summary>Moments of the tensors that were asked for; those that cannot be observed are absent.</summary>
    public IReadOnlyDictionary<TensorAxis, AxisMoments> Tensors { get; init; } = new Dictionary<TensorAxis, AxisMoments>();

    /// <summary>What was left out and why: consumers in subgraphs, covariances that are too large, activations that overflowed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
