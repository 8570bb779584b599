using Espalier.Onnx;

namespace Espalier.Pruning.Edits;

/// <summary>A copy of a vector that several nodes of the dense model share, for those that keep the same units of it.</summary>
/// <param name="Readers">First outputs of the nodes that read the copy.</param>
/// <param name="Removed">Axis → removed indices, ascending.</param>
internal sealed record SlimCopy(string Name, string Tensor, IReadOnlyList<string> Readers, IReadOnlyDictionary<int, int[]> Removed);

/// <summary>What surgery made.</summary>
/// <param name="Model">The slim model; its weights are gathered from the dense model when it is written, so that must stay open.</param>
/// <param name="Removed">
/// For every tensor of the dense model that lost slices (initializer, output of a Constant node, or an input or output of the
/// graph, by its name in the slim model): axis → removed indices, ascending; for a copy of a shared vector one entry for each
/// of its readers, <see cref="ReaderKey"/>.
/// </param>
internal sealed record SlimModel(OnnxModel Model, IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Removed)
{
    /// <summary>What changed of the graph's inputs and outputs, in words; empty unless that was allowed.</summary>
    public IReadOnlyList<string> Interface { get; init; } = [];

    /// <summary>Copies of shared vectors.</summary>
    public IReadOnlyList<SlimCopy> Copies { get; init; } = [];

    /// <summary>Sublayers that are skipped, in graph order.</summary>
    public IReadOnlyList<BlockBypass> Bypassed { get; init; } = [];

    /// <summary>Inputs and outputs with another name, or none.</summary>
    public IReadOnlyList<InterfaceName> Renamed { get; init; } = [];

    /// <summary>By name of a weight that became a product of two: the names of the factors.</summary>
    public IReadOnlyDictionary<string, (string Down, string Up)> Factored { get; init; } = new Dictionary<string, (string, string)>();

    /// <summary>The key in <see cref="Removed"/>, and in reports, for a shared vector of which this reader alone lost units.</summary>
    /// <param name="output">First output of the node that reads it.</param>
    public static string ReaderKey(string tensor, string output) => $"{tensor} -> {output}";
}
