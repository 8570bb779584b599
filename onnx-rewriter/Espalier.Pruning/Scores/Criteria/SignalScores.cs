using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>Scores that are averages of an activation with one value per unit: router's probabilities, attention.</summary>
internal static class SignalScores
{
    /// <summary>What a criterion reads of a group; empty where the graph has nothing of the kind.</summary>
    public static IReadOnlyList<UnitSignal> Required(AxisAnalysis analysis, Group group, Criterion criterion) => criterion switch
    {
        Criterion.RouterUse => UnitSignals.Router(analysis, group) is var (router, _) ? [router] : [],
        Criterion.AttentionReceived => UnitSignals.Attention(analysis, group),
        Criterion.Retrieval => UnitSignals.Attention(analysis, group, SignalKind.Retrieval),
        _ => [],
    };

    /// <summary>Mean over the signals; null where none was observed.</summary>
    public static double[]? Score(AxisAnalysis analysis, Group group, Criterion criterion, CalibrationStatistics statistics)
    {
        double[][] seen = [.. Required(analysis, group, criterion).Select(s => statistics.Signals.GetValueOrDefault(s)?.Mean).OfType<double[]>()
            .Where(m => m.Length == group.Size)];
        return seen.Length == 0 ? null : [.. Enumerable.Range(0, group.Size).Select(u => seen.Average(s => s[u]))];
    }
}
