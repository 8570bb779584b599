using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>What readers are to make up for, and how.</summary>
/// <param name="Method">How the readers of a group make up for it, by group number.</param>
internal sealed record FitRequest(Selection Selection, Func<int, Compensation> Method)
{
    /// <summary>What calibration measured on the dense model; null without calibration.</summary>
    public CalibrationStatistics? Statistics { get; init; }

    /// <summary>By weight the rank that it is reduced to once it is fitted.</summary>
    public IReadOnlyDictionary<string, RankCut> Ranks { get; init; } = new Dictionary<string, RankCut>();

    /// <summary>Gets a note for every consumer that was compensated in a weaker way, or not at all.</summary>
    public ICollection<string>? Notes { get; init; }

    /// <summary>Told which reader is being fitted.</summary>
    public Action<WorkStep>? Progress { get; init; }

    /// <summary>
    /// Runs models, so that each layer is fitted to what the layers before it, already pruned and compensated, give it, layers
    /// that lose nothing among them where the method is least squares; null to fit the readers of pruned groups to the dense
    /// model's activations.
    /// </summary>
    public IModelProbe? Sequential { get; init; }
}
