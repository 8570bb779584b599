namespace Espalier.Axes.Measurements;

/// <summary>What calibration is asked to measure.</summary>
internal sealed record CalibrationRequest
{
    /// <summary>Numbers of the consumers whose means and variances are wanted; null for all.</summary>
    public IReadOnlySet<int>? Consumers { get; init; }

    /// <summary>Numbers of the consumers whose covariance is wanted as well. Costs features² numbers and one product per batch.</summary>
    public IReadOnlySet<int> Covariance { get; init; } = new HashSet<int>();

    /// <summary>
    /// Whether every eighth sample is held out of the moments of consumers with a covariance, and rows of these samples are kept
    /// to check what is fitted to the others.
    /// </summary>
    public bool HeldOut { get; init; }

    /// <summary>Numbers of the blocks and sublayers whose similarity is wanted; null for all.</summary>
    public IReadOnlySet<int>? Blocks { get; init; }

    /// <summary>Whether the angles of these blocks are wanted as well.</summary>
    public bool BlockAngles { get; init; }

    /// <summary>Activations of which a mean per unit is wanted.</summary>
    public IReadOnlyList<UnitSignal> Signals { get; init; } = [];

    /// <summary>Activations of which mean and variance along an axis are wanted.</summary>
    public IReadOnlyList<TensorAxis> Tensors { get; init; } = [];
}
