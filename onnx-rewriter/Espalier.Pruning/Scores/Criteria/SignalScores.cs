using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>Scores that are averages of an activation with one value per unit: router's probabilities, attention.</summary>
internal sealed class SignalScores : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.RouterUse, Criterion.AttentionReceived, Criterion.Retrieval];

    public override string Obstacle(Criterion criterion) => criterion switch
    {
        Criterion.RouterUse => "no router chooses its units",
        Criterion.Retrieval => "no attention of it over tokens of which the model predicts the next can be observed",
        _ => "no attention weights can be observed",
    };

    public override void Require(Group group, Criterion criterion, DenseModel model, Requirements needs)
        => needs.Signals(Signals(model.Analysis, group, criterion));

    public override double[]? Compute(Group group, ScoreContext context)
        => Mean(context.Model.Analysis, group, context.Criterion, context.Statistics!);

    /// <summary>What a criterion reads of a group; empty where the graph has nothing of the kind.</summary>
    public static IReadOnlyList<UnitSignal> Signals(AxisAnalysis analysis, Group group, Criterion criterion) => criterion switch
    {
        Criterion.RouterUse => UnitSignals.Router(analysis, group) is var (router, _) ? [router] : [],
        Criterion.AttentionReceived => UnitSignals.Attention(analysis, group),
        Criterion.Retrieval => UnitSignals.Attention(analysis, group, SignalKind.Retrieval),
        _ => [],
    };

    /// <summary>Mean over the signals; null where none was observed.</summary>
    public static double[]? Mean(AxisAnalysis analysis, Group group, Criterion criterion, CalibrationStatistics statistics)
    {
        double[][] seen = [.. Signals(analysis, group, criterion).Select(s => statistics.Signals.GetValueOrDefault(s)?.Mean)
            .OfType<double[]>()
            .Where(m => m.Length == group.Size)];
        return seen.Length == 0 ? null : [.. Enumerable.Range(0, group.Size).Select(u => seen.Average(s => s[u]))];
    }
}
