namespace Espalier;

/// <summary>What changed between two models, as a plain value with a stable text.</summary>
/// <param name="Tensors">Tensors whose shape changed, in the order of the dense model.</param>
/// <param name="RemovedNodes">Nodes that are gone, in the order of the dense model.</param>
/// <param name="AddedNodes">Nodes that are new, in the order of the slim model.</param>
/// <param name="ChangedNodes">Nodes with another attribute or input.</param>
public sealed record GraphDiff(
    IReadOnlyList<TensorChange> Tensors,
    IReadOnlyList<string> RemovedNodes,
    IReadOnlyList<string> AddedNodes,
    IReadOnlyList<NodeChange> ChangedNodes);

/// <summary>One tensor with another shape or other elements.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Before">Shape in the dense model; null where it is new.</param>
/// <param name="After">Shape in the slim model; null where it is gone.</param>
public sealed record TensorChange(string Name, IReadOnlyList<long>? Before, IReadOnlyList<long>? After);

/// <summary>One node that changed.</summary>
/// <param name="Node">Operator and name.</param>
/// <param name="What">What changed, e.g. <c>group 96 → 48</c>.</param>
public sealed record NodeChange(string Node, string What);
