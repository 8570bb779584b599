using Espalier.Generator.Collections;
using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Planning;

/// <summary>A policy resolved against its model: all that the emitter needs. Without a model it has its rules alone.</summary>
internal sealed record ResolvedPolicy(PolicyModel Policy)
{
    private static readonly CostRange Unknown = new(0, 0, 0);

    /// <summary>Whether there is a manifest.</summary>
    public bool HasModel { get; init; }

    public EquatableArray<ManifestTensor> Inputs { get; init; }
    public EquatableArray<ManifestTensor> Outputs { get; init; }

    /// <summary>Every group that is not frozen, in graph order.</summary>
    public EquatableArray<SizedGroup> Groups { get; init; }

    /// <summary>Every sublayer and block, in graph order.</summary>
    public EquatableArray<SizedBlock> Blocks { get; init; }

    public required EquatableArray<RuleTargets> Rules { get; init; }

    public CostRange Macs { get; init; } = Unknown;
    public CostRange Parameters { get; init; } = Unknown;
    public CostRange Bytes { get; init; } = Unknown;
}

/// <summary>A rule with the groups that it owns and the blocks that it chooses from, as indices into the policy's lists.</summary>
internal sealed record RuleTargets(RuleModel Rule, EquatableArray<int> Groups, EquatableArray<int> Blocks);

/// <summary>A group with its size before and the least and most that may be left.</summary>
internal sealed record SizedGroup
{
    public required string Name { get; init; }
    public required Axis Kind { get; init; }
    public required int Before { get; init; }
    public required int MinAfter { get; init; }
    public required int MaxAfter { get; init; }

    /// <summary>Why it is inexact; empty where it is exact.</summary>
    public required string Inexact { get; init; }

    public required EquatableArray<string> Members { get; init; }
}

/// <summary>A block with its cost in the dense model.</summary>
internal sealed record SizedBlock(string Name, bool IsSublayer, double Macs, double Parameters);

/// <summary>A cost before, and the least and most that it may be after.</summary>
internal sealed record CostRange(double Before, double MinAfter, double MaxAfter);

/// <summary>A resolved policy with what is wrong in it.</summary>
internal sealed record Resolution(ResolvedPolicy Policy, EquatableArray<Finding> Findings);
