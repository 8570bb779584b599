using Espalier.Axes.Graph;
using Espalier.Axes.Terms;

namespace Espalier.Axes.Groups;

/// <summary>What kind of product a consumer is.</summary>
internal enum ConsumerKind
{
    /// <summary>MatMul, Gemm or the like: the activation's axis is contracted with one axis of the weight.</summary>
    MatrixProduct,
    /// <summary>Convolution: the activation's channel axis and the kernel window are contracted.</summary>
    Convolution,
}

/// <summary>
/// A product of an activation with a weight that contracts prunable units: where statistics are taken and where compensation acts.
/// </summary>
/// <param name="Id">Number, in graph order.</param>
internal sealed record Consumer(int Id, NodeInfo Node, ConsumerKind Kind)
{
    /// <summary>Tensor that is contracted.</summary>
    public required string Activation { get; init; }
    /// <summary>Its contracted axis, from 0.</summary>
    public required int ActivationAxis { get; init; }
    /// <summary>The weight as the file holds it; it may be cast, transposed or dequantised before the product.</summary>
    public required string Parameter { get; init; }
    /// <summary>The weight's contracted axis, from 0.</summary>
    public required int ParameterAxis { get; init; }
    /// <summary>The weight's axis that becomes the output channel, from 0.</summary>
    public required int OutputAxis { get; init; }
    /// <summary>Term of the contracted axis.</summary>
    public required Term Contracted { get; init; }
    /// <summary>The weight has batch axes (stacked experts, grouped convolution) besides these: one product per batch index.</summary>
    public bool Batched { get; init; }
    /// <summary>
    /// The weight that is added to the output and can take a compensating bias: third input of the node, or the constant of the Add that
    /// follows; null where there is none.
    /// </summary>
    public string? Bias { get; init; }
    /// <summary>The node adds something that is no weight of the file: it can be given no bias.</summary>
    public bool HasComputedBias { get; init; }

    /// <summary>
    /// What the bias has to change by where the product W·x is to change by one: α/β of a Gemm, 1 of most; 0 where the bias does not count.
    /// </summary>
    public double BiasScale { get; init; } = 1;
}
