namespace Espalier.Axes;

/// <summary>
/// Streaming statistics of what one consumer contracts. For a matrix product the features are the elements of the contracted
/// axis; for a convolution they are the elements of the patch, in the weight's own order (input channel, then kernel window),
/// with the channels of all groups one after the other. For a transposed convolution they are the input channels.
/// </summary>
/// <param name="Consumer">Number of the consumer.</param>
/// <param name="Count">Rows (tokens, or positions of the window) that were seen.</param>
/// <param name="Mean">Mean per feature.</param>
/// <param name="Variance">Population variance per feature.</param>
/// <param name="AbsoluteMean">Mean absolute value per feature.</param>
/// <param name="SquareMean">Mean square per feature.</param>
/// <param name="Covariance">Centred second moment E[(x−μ)(x−μ)ᵀ], row-major [features, features]; null where it was not asked for.</param>
public sealed record ActivationStatistics(int Consumer, long Count, double[] Mean, double[] Variance, double[] AbsoluteMean, double[] SquareMean, double[]? Covariance)
{
    /// <summary>
    /// For weights with a batch axis, the same per batch index, with <see cref="Covariance"/> where it was asked for; null otherwise.
    /// Stacked experts: one entry per expert over the same features; the outer statistics pool all experts. Grouped convolution:
    /// one entry per group over that group's [input channel, kernel window], only where a covariance was asked for; the outer
    /// statistics run over the patch of all input channels. The outer covariance is null then. Experts that all read one input have
    /// one distribution: no entries, and the outer covariance as everywhere.
    /// </summary>
    public IReadOnlyList<ActivationStatistics>? PerBatch { get; init; }

    /// <summary>The same over the rows of every fourth sample alone, which are in the others too; null where that was not asked for, or there are fewer than four samples.</summary>
    public ActivationStatistics? HeldOut { get; init; }
}

/// <summary>What calibration measured.</summary>
/// <param name="Consumers">By consumer number.</param>
/// <param name="BlockCosine">By block number: mean cosine similarity of the block's input and output over rows of the last axis (or of channels at a position).</param>
/// <param name="Samples">Samples that were run.</param>
public sealed record CalibrationStatistics(IReadOnlyDictionary<int, ActivationStatistics> Consumers, IReadOnlyDictionary<int, double> BlockCosine, long Samples)
{
    /// <summary>Averages of the signals that were asked for; those that cannot be observed are absent.</summary>
    public IReadOnlyDictionary<UnitSignal, SignalStatistics> Signals { get; init; } = new Dictionary<UnitSignal, SignalStatistics>();

    /// <summary>Moments of the tensors that were asked for; those that cannot be observed are absent.</summary>
    public IReadOnlyDictionary<TensorAxis, AxisMoments> Tensors { get; init; } = new Dictionary<TensorAxis, AxisMoments>();

    /// <summary>What was left out and why: consumers in subgraphs, covariances that are too large, activations that overflowed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>What calibration is asked to measure.</summary>
public sealed record CalibrationRequest
{
    /// <summary>Numbers of the consumers whose means and variances are wanted; null for all.</summary>
    public IReadOnlySet<int>? Consumers { get; init; }

    /// <summary>Numbers of the consumers whose covariance is wanted as well. Costs features² numbers and one product per batch.</summary>
    public IReadOnlySet<int> Covariance { get; init; } = new HashSet<int>();

    /// <summary>Whether statistics of every fourth sample are wanted by themselves as well, to check what is fitted to the others. Doubles the memory of covariances.</summary>
    public bool HeldOut { get; init; }

    /// <summary>Numbers of the blocks and sublayers whose similarity is wanted; null for all.</summary>
    public IReadOnlySet<int>? Blocks { get; init; }

    /// <summary>Activations of which a mean per unit is wanted.</summary>
    public IReadOnlyList<UnitSignal> Signals { get; init; } = [];

    /// <summary>Activations of which mean and variance along an axis are wanted.</summary>
    public IReadOnlyList<TensorAxis> Tensors { get; init; } = [];
}
