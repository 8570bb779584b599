using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;

namespace Espalier.Generator.Planning;

/// <summary>A policy resolved against its model: all that the emitter needs.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="HasModel">Whether there is a manifest.</param>
/// <param name="Inputs">The model's inputs.</param>
/// <param name="Outputs">The model's outputs.</param>
/// <param name="Groups">Every group that is not frozen, in graph order.</param>
/// <param name="Blocks">Every sublayer and block, in graph order.</param>
/// <param name="Rules">The rules, in order.</param>
/// <param name="Macs">Multiply-accumulates.</param>
/// <param name="Parameters">Elements of weights.</param>
/// <param name="Bytes">Bytes of the file.</param>
internal sealed record ResolvedPolicy(
    PolicyModel Policy,
    bool HasModel,
    EquatableArray<ManifestTensor> Inputs,
    EquatableArray<ManifestTensor> Outputs,
    EquatableArray<SizedGroup> Groups,
    EquatableArray<SizedBlock> Blocks,
    EquatableArray<ResolvedRule> Rules,
    CostRange Macs,
    CostRange Parameters,
    CostRange Bytes);

/// <summary>A rule with the groups that it owns and the blocks that it chooses from, as indices into the policy's lists.</summary>
internal sealed record ResolvedRule(RuleModel Rule, EquatableArray<int> Groups, EquatableArray<int> Blocks);

/// <summary>A group with its size before and the least and most that may be left.</summary>
internal sealed record SizedGroup(string Name, string Kind, int Before, int MinAfter, int MaxAfter, string Inexact,
    EquatableArray<string> Members);

/// <summary>A block with its cost in the dense model.</summary>
internal sealed record SizedBlock(string Name, bool IsSublayer, double Macs, double Parameters);

/// <summary>A cost before, and the least and most that it may be after.</summary>
internal sealed record CostRange(double Before, double MinAfter, double MaxAfter);

/// <summary>A resolved policy with what is wrong in it.</summary>
internal sealed record Resolution(ResolvedPolicy Policy, EquatableArray<Finding> Findings);
