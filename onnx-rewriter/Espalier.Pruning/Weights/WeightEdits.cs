using Espalier.Axes.Groups;

namespace Espalier.Pruning.Weights;

/// <summary>Weights that compensation changed, in the dense layout: surgery gathers them like every other weight.</summary>
/// <param name="Weights">Elements by name of the weight, row-major, in the dense shape.</param>
/// <param name="AddedBiases">By number of a consumer whose <see cref="Consumer.Bias"/> is null: a new bias over its dense
/// output channels.</param>
internal sealed record WeightEdits(IReadOnlyDictionary<string, float[]> Weights, IReadOnlyDictionary<int, float[]> AddedBiases)
{
    /// <summary>Nothing changes.</summary>
    public static WeightEdits Nothing { get; } = new(new Dictionary<string, float[]>(), new Dictionary<int, float[]>());

    /// <summary>Weights that become products of two.</summary>
    internal IReadOnlyList<LowRankFactors> Factors { get; init; } = [];
}
