namespace Espalier.Pruning.Weights;

/// <summary>Weights of a model that is pruned already.</summary>
/// <param name="Edited">Elements of what compensation changed, by name, in the dense shape.</param>
/// <param name="Removed">By weight and axis: indices that are gone.</param>
internal sealed record PrunedWeights(IReadOnlyDictionary<string, float[]> Edited,
    IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Removed);
