using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;

namespace Espalier.Pruning.Depth;

/// <summary>How much the sublayers that a group is in change their input.</summary>
internal static class BlockSimilarity
{
    /// <summary>Sublayers, and the blocks that they are in, whose similarity an allocation by importance reads.</summary>
    public static IEnumerable<int> Read(AxisAnalysis analysis) => analysis.Blocks.Select(b => b.Id);

    /// <summary>
    /// By group number: 1 − the mean cosine of input and output, or their mean angle in half turns, over the blocks in which
    /// something costs with the group: attention and the feed-forward layer after it are one, as layers are in the papers; a
    /// sublayer stands for itself where it is in no measured block. Groups that are in none, or in none that was measured, are left
    /// out: to them the mean applies.
    /// </summary>
    public static IReadOnlyDictionary<int, double> Change(AxisAnalysis analysis, IEnumerable<Group> groups,
        CalibrationStatistics statistics, bool angles)
    {
        var measured = angles ? statistics.BlockAngle : statistics.BlockCosine.ToDictionary(b => b.Key, b => 1 - b.Value);
        var sublayers = analysis.Cost.Monomials.Where(m => m.Sublayer >= 0).SelectMany(m => m.Groups.Select(g => (Group: g, m.Sublayer)))
            .ToLookup(e => e.Group, e => e.Sublayer);
        var wholes = analysis.Blocks.Where(b => !b.IsSublayer && measured.ContainsKey(b.Id))
            .SelectMany(b => b.Sublayers.Select(s => (s, b.Id))).ToLookup(e => e.s, e => e.Id);
        return groups.Select(g => (g.Id, Changes: sublayers[g.Id].Select(s => wholes[s].DefaultIfEmpty(s).First()).Distinct()
                .Where(measured.ContainsKey).Select(b => measured[b]).ToList()))
            .Where(e => e.Changes.Count > 0).ToDictionary(e => e.Id, e => e.Changes.Average());
    }
}
