using System.Collections.Immutable;
using Espalier.Axes.Groups;
using Espalier.Planning;

namespace Espalier.Pruning.Spreads;

/// <summary>A group that a rule may prune, with the scores of its units.</summary>
/// <param name="Rule">The rule that owns it.</param>
/// <param name="Scores">One score per unit; the higher, the more it matters.</param>
internal sealed record Candidate(Group Group, PruneRule Rule, double[] Scores)
{
    internal int Multiple => KeptCount.Multiple(Rule.RoundTo, Group.Kind == Axis.Channels);
    internal int Floor => Math.Max(Rule.MinKeep, Group.MinKeep);

    /// <summary>The units with the highest scores, ascending; of equal scores the lower index stays.</summary>
    internal static ImmutableArray<int> Best(double[] scores, int count)
        => [.. Enumerable.Range(0, scores.Length).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(count).Order()];

    /// <summary>Writes counts over others.</summary>
    internal static void Merge(Dictionary<int, int> into, IReadOnlyDictionary<int, int> from)
    {
        foreach (var (id, count) in from) into[id] = count;
    }
}
