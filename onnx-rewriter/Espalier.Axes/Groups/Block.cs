using System.Collections.Immutable;

namespace Espalier.Axes.Groups;

/// <summary>What is computed from a residual stream and added to it; without it, the sum is what else is added.</summary>
/// <param name="Id">Number, in graph order; <see cref="Selection.RemovedBlocks"/> holds these.</param>
/// <param name="Input">Tensor that enters (the stream before).</param>
/// <param name="Output">Output of the (last) Add (the stream after).</param>
/// <param name="Nodes">Global ordinals of the nodes that nothing else needs, those that add included; for a sublayer, that one
/// last.</param>
/// <param name="Sublayers">For a block: its sublayers' numbers; for a sublayer: itself.</param>
internal sealed record Block(int Id, string Input, string Output, ImmutableArray<int> Nodes, ImmutableArray<int> Sublayers)
{
    /// <summary>Unique readable name; a block that is one sublayer has that sublayer's.</summary>
    public string Name { get; init; } = "";

    /// <summary>True for one Add; false for a whole block of sublayers, of which there may be one too.</summary>
    public bool IsSublayer => Sublayers is [var own] && own == Id;

    /// <summary>For a sublayer: the summand that goes.</summary>
    public string Branch { get; init; } = "";

    /// <summary>For a sublayer: two activations are multiplied in it, as attention does.</summary>
    public bool Mixes { get; init; }
}
