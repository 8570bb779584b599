using System.Collections.Immutable;

namespace Espalier.Axes;

/// <summary>What a group's units are; read off the operators round its factor, never off names.</summary>
public enum GroupKind
{
    /// <summary>Output channels of convolutions.</summary>
    Channels,
    /// <summary>Outputs of one matrix product that the next one contracts.</summary>
    Neurons,
    /// <summary>Attention heads, or query heads per KV group (then <see cref="Group.Partner"/> is the KV group).</summary>
    Heads,
    /// <summary>KV groups of grouped-query attention (then <see cref="Group.Partner"/> is the query heads per group).</summary>
    KeyValueGroups,
    /// <summary>Dimensions contracted in the product of queries and keys.</summary>
    HeadDims,
    /// <summary>Dimensions of the values of a head.</summary>
    ValueDims,
    /// <summary>Batch axis of stacked weights.</summary>
    Experts,
    /// <summary>Hidden state of a recurrence.</summary>
    HiddenState,
    /// <summary>The residual stream of a network of matrix products.</summary>
    Width,
    /// <summary>Rows of a table that is read by data-dependent indices.</summary>
    EmbeddingRows,
    /// <summary>Anything else that occurs in a weight.</summary>
    Other,
}

/// <summary>Whether removing units of a group equals masking them.</summary>
public enum Exactness
{
    /// <summary>The slim model computes what the dense model computes when every parameter of the removed units is zero.</summary>
    Exact,
    /// <summary>Units can be removed, but a normalisation or a sum over them changes.</summary>
    Inexact,
    /// <summary>Units cannot be removed.</summary>
    Frozen,
}

/// <summary>One place where a group occurs in a weight.</summary>
/// <param name="Tensor">Name of the weight: an initializer, or the output of a Constant or ConstantOfShape node.</param>
/// <param name="Axis">Axis of the weight.</param>
/// <param name="Term">Term of the axis.</param>
public sealed record Occurrence(string Tensor, int Axis, Term Term);

/// <summary>A factor with every weight axis in which it occurs: coupled units that are removed together or not at all.</summary>
public sealed class Group
{
    internal Group(int id, Factor factor) => (Id, Factor) = (id, factor);

    internal Group WithId(int id)
    {
        Id = id;
        return this;
    }

    /// <summary>Number of the group, by first occurrence in the graph; stable for the same model.</summary>
    public int Id { get; private set; }
    /// <summary>The factor.</summary>
    public Factor Factor { get; }
    /// <summary>Number of units.</summary>
    public int Size => checked((int)Factor.Size!.Value);
    /// <summary>Unique readable name, from the weight or node that produces the group.</summary>
    public string Name { get; internal set; } = "";
    /// <summary>Kind.</summary>
    public GroupKind Kind { get; internal set; }
    /// <summary>Exactness.</summary>
    public Exactness Exactness { get; internal set; }
    /// <summary>Why the group is inexact or frozen: operator, tensor and reason; null where it is exact.</summary>
    public string? Reason { get; internal set; }
    /// <summary>Fewest units that an operator allows (k of a TopK); at least 1.</summary>
    public int MinKeep { get; internal set; } = 1;
    /// <summary>Weight axes, in graph order.</summary>
    public IReadOnlyList<Occurrence> Occurrences
    {
        get => field ??= FindOccurrences?.Invoke() ?? [];
        internal set;
    }

    internal Func<IReadOnlyList<Occurrence>>? FindOccurrences { get; set; }

    /// <summary>Products that contract the group with a weight, in graph order.</summary>
    public IReadOnlyList<Consumer> Consumers { get; internal set; } = [];
    /// <summary>KV groups ↔ query heads per group.</summary>
    public Group? Partner { get; internal set; }
}

/// <summary>What kind of product a consumer is.</summary>
public enum ConsumerKind
{
    /// <summary>MatMul, Gemm or the like: the activation's axis is contracted with one axis of the weight.</summary>
    MatrixProduct,
    /// <summary>Convolution: the activation's channel axis and the kernel window are contracted.</summary>
    Convolution,
}

/// <summary>A product of an activation with a weight that contracts prunable units: where statistics are taken and where compensation acts.</summary>
/// <param name="Id">Number, in graph order.</param>
/// <param name="Node">The node.</param>
/// <param name="Kind">Kind of product.</param>
/// <param name="Activation">Tensor that is contracted.</param>
/// <param name="ActivationAxis">Its contracted axis, from 0.</param>
/// <param name="Parameter">The weight as the file holds it; it may be cast, transposed or dequantised before the product.</param>
/// <param name="ParameterAxis">The weight's contracted axis, from 0.</param>
/// <param name="OutputAxis">The weight's axis that becomes the output channel, from 0.</param>
/// <param name="Contracted">Term of the contracted axis.</param>
/// <param name="Batched">The weight has batch axes (stacked experts, grouped convolution) besides these: one product per batch index.</param>
/// <param name="Bias">The weight that is added to the output and can take a compensating bias: third input of the node, or the constant of the Add that follows; null where there is none.</param>
public sealed record Consumer(int Id, NodeInfo Node, ConsumerKind Kind, string Activation, int ActivationAxis, string Parameter, int ParameterAxis,
    int OutputAxis, Term Contracted, bool Batched, string? Bias)
{
    /// <summary>The node adds something that is no weight of the file: it can be given no bias.</summary>
    public bool HasComputedBias { get; init; }

    /// <summary>What the bias has to change by where the product W·x is to change by one: α/β of a Gemm, 1 of most; 0 where the bias does not count.</summary>
    public double BiasScale { get; init; } = 1;
}

/// <summary>What is computed from a residual stream and added to it; without it, the sum is what else is added.</summary>
/// <param name="Id">Number, in graph order; <see cref="Selection.RemovedBlocks"/> holds these.</param>
/// <param name="Name">Readable name.</param>
/// <param name="IsSublayer">True for one Add; false for a whole block of several sublayers.</param>
/// <param name="Input">Tensor that enters (the stream before).</param>
/// <param name="Output">Output of the (last) Add (the stream after).</param>
/// <param name="Nodes">Global ordinals of the nodes that nothing else needs, those that add included; for a sublayer, that one last.</param>
/// <param name="Sublayers">For a block: its sublayers' numbers; for a sublayer: itself.</param>
public sealed record Block(int Id, string Name, bool IsSublayer, string Input, string Output, ImmutableArray<int> Nodes, ImmutableArray<int> Sublayers)
{
    /// <summary>For a sublayer: the summand that goes.</summary>
    public string Branch { get; init; } = "";
}

/// <summary>A choice of what to keep.</summary>
/// <param name="Kept">Per group number: kept units, ascending; groups that are absent stay whole.</param>
/// <param name="RemovedBlocks">Numbers of removed blocks and sublayers.</param>
public sealed record Selection(IReadOnlyDictionary<int, ImmutableArray<int>> Kept, ImmutableArray<int> RemovedBlocks)
{
    /// <summary>Everything stays.</summary>
    public static Selection Everything { get; } = new(new Dictionary<int, ImmutableArray<int>>(), []);
}
