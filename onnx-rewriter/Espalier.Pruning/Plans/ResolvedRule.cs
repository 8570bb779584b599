using Espalier.Axes.Groups;

namespace Espalier.Pruning.Plans;

/// <summary>One rule with the groups it owns.</summary>
internal sealed record ResolvedRule(PruneRule Rule, IReadOnlyList<Group> Groups);
