using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>How alike the input and the output of the sublayers are that a group is in.</summary>
internal static class BlockSimilarity
{
    /// <summary>Sublayers whose similarity an allocation by importance reads.</summary>
    public static IEnumerable<int> Sublayers(AxisAnalysis analysis) => analysis.Blocks.Where(b => b.IsSublayer).Select(b => b.Id);

    /// <summary>
    /// By group number: mean cosine of the sublayers that cost something with the group. Groups that are in none, or in none that was measured, are left out: to
    /// them the mean applies.
    /// </summary>
    public static IReadOnlyDictionary<int, double> Of(AxisAnalysis analysis, IEnumerable<Group> groups, CalibrationStatistics statistics)
    {
        var sublayers = analysis.Cost.Monomials.Where(m => m.Sublayer >= 0).SelectMany(m => m.Groups.Select(g => (Group: g, m.Sublayer))).ToLookup(e => e.Group, e => e.Sublayer);
        return groups.Select(g => (g.Id, Cosines: sublayers[g.Id].Distinct().Where(statistics.BlockCosine.ContainsKey).Select(s => statistics.BlockCosine[s]).ToList()))
            .Where(e => e.Cosines.Count > 0).ToDictionary(e => e.Id, e => e.Cosines.Average());
    }
}
