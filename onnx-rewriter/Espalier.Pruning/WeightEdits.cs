using Espalier.Onnx;

namespace Espalier.Pruning;

/// <summary>Weights that compensation changed, in the dense layout: surgery gathers them like every other weight.</summary>
/// <param name="Weights">Elements by name of the weight, row-major, in the dense shape.</param>
/// <param name="AddedBiases">By number of a consumer whose <see cref="Axes.Consumer.Bias"/> is null: a new bias over its dense output channels.</param>
public sealed record WeightEdits(IReadOnlyDictionary<string, float[]> Weights, IReadOnlyDictionary<int, float[]> AddedBiases)
{
    /// <summary>Nothing changes.</summary>
    public static WeightEdits Nothing { get; } = new(new Dictionary<string, float[]>(), new Dictionary<int, float[]>());

    /// <summary>Weights that become products of two.</summary>
    internal IReadOnlyList<LowRankFactors> Factors { get; init; } = [];
}

/// <summary>Weights of a model that is pruned already.</summary>
/// <param name="Edits">What compensation changed.</param>
/// <param name="Removed">By weight and axis: indices that are gone.</param>
internal sealed record PrunedWeights(WeightEdits Edits, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Removed);

/// <summary>A copy of a vector that several nodes of the dense model share, for those that keep the same units of it.</summary>
/// <param name="Name">The copy.</param>
/// <param name="Tensor">The vector.</param>
/// <param name="Readers">First outputs of the nodes that read the copy.</param>
/// <param name="Removed">Axis → removed indices, ascending.</param>
public sealed record SlimCopy(string Name, string Tensor, IReadOnlyList<string> Readers, IReadOnlyDictionary<int, int[]> Removed);

/// <summary>What surgery made.</summary>
/// <param name="Model">The slim model; its weights are gathered from the dense model when it is written, so that must stay open.</param>
/// <param name="Removed">
/// What <see cref="MaskedModel"/> takes. For every tensor of the dense model that lost slices (initializer, output of a Constant node, or an input or output of the graph, by its name
/// in the slim model): axis → removed indices, ascending; for a copy of a shared vector one entry for each of its readers, <see cref="MaskedModel.ReaderKey"/>.
/// </param>
public sealed record SlimModel(OnnxModel Model, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Removed)
{
    /// <summary>What changed of the graph's inputs and outputs, in words; empty unless that was allowed.</summary>
    public IReadOnlyList<string> Interface { get; init; } = [];

    /// <summary>Copies of shared vectors.</summary>
    public IReadOnlyList<SlimCopy> Copies { get; init; } = [];

    /// <summary>By name of an input or output of the dense model: its name in the slim one, where that is another.</summary>
    public IReadOnlyDictionary<string, string> Renamed { get; init; } = new Dictionary<string, string>();

    /// <summary>By name of a weight that became a product of two: the names of the factors.</summary>
    internal IReadOnlyDictionary<string, (string Down, string Up)> Factored { get; init; } = new Dictionary<string, (string, string)>();
}
