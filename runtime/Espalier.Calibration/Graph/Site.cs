using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Calibration.Windows;

namespace Espalier.Calibration.Graph;

/// <summary>One activation seen in one way: all consumers that contract it alike share its statistics.</summary>
internal sealed class Site
{
    public required string Key { get; init; }
    public required string Activation { get; init; }
    /// <summary>Contracted axis; the channel axis for a convolution.</summary>
    public required int Axis { get; init; }
    public required int Rank { get; init; }
    /// <summary>Features per batch index of the weight.</summary>
    public required long Features { get; init; }
    /// <summary>Axis of the activation that runs along the batch axis of stacked weights; −1 without.</summary>
    public int BatchAxis { get; init; } = -1;
    /// <summary>Another axis whose elements have features of their own, before <see cref="Axis"/>; −1 without.</summary>
    public int Within { get; init; } = -1;
    /// <summary>Window of a convolution; null for a matrix product.</summary>
    public Window? Window { get; init; }
    public List<Consumer> Consumers { get; } = [];
    /// <summary>The axis whose moments are wanted for themselves; null where consumers want them alone.</summary>
    public TensorAxis? Place { get; set; }
    public bool Covariance { get; set; }

    /// <summary>A grouped convolution whose groups are kept apart, for their covariances.</summary>
    public bool PerGroup => Window is { Groups: > 1 } && Covariance;
}
