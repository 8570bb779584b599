using Espalier.Axes.Groups;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Scores.Sources;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores;

/// <summary>Measures how much every unit of a group matters. Formulas and sources: docs/methods.md.</summary>
internal sealed class Scorer
{
    private readonly DenseModel _model;
    private readonly WeightTable _weights;
    private readonly ICollection<string> _notes;
    private readonly Dictionary<int, double[]> _scores = [];
    private readonly List<WeightNorm> _norms = [];

    private Scorer(DenseModel model, WeightTable weights, ICollection<string> notes)
        => (_model, _weights, _notes) = (model, weights, notes);

    /// <summary>Asks for what the score of a rule reads.</summary>
    public static void Require(ResolvedRule rule, DenseModel model, Requirements needs)
    {
        var criterion = rule.Rule.Score!.Value;
        var row = CriterionRow.Get(criterion);
        needs.Data |= row.Needs.HasFlag(Needs.Data);
        needs.Runs |= row.Needs.HasFlag(Needs.Runs);
        if (row.Needs.HasFlag(Needs.Consumers)) needs.Consumers(rule.Groups);
        if (row.Needs.HasFlag(Needs.Covariance)) needs.Covariance(rule.Groups);
        if (!UnitScore.All.TryGetValue(criterion, out var score)) return;
        foreach (var group in rule.Groups) score.Require(group, criterion, model, needs);
    }

    /// <summary>Scores the units of groups.</summary>
    /// <param name="rules">The rule that owns each group, by group number: its criterion, how it is aggregated, its file of scores.</param>
    /// <param name="evidence">What is measured, and who calls methods.</param>
    /// <param name="notes">Gets a note for every group that had to be scored in another way.</param>
    /// <param name="seed">Seed of <see cref="Criterion.Random"/> and of random masks.</param>
    /// <param name="pruned">What is pruned already; null for the dense model.</param>
    /// <returns>Per group number one score per unit, not negative, with mean 1 (or all zero); the higher, the more the unit
    /// matters.</returns>
    /// <exception cref="EspalierException">A criterion needs calibration and there is none, or a file of scores does not fit.</exception>
    public static IReadOnlyDictionary<int, double[]> Score(DenseModel model, IReadOnlyDictionary<int, PruneRule> rules, Evidence evidence,
        ICollection<string>? notes = null, int seed = 0, PrunedWeights? pruned = null)
    {
        var self = new Scorer(model, pruned is null ? model.Weights : model.Weights.After(pruned), notes ?? []);
        var gated = rules.ToDictionary(r => r.Key, r => Criterion(r.Value))
            .Where(r => CriterionRow.Get(r.Value).Needs.HasFlag(Needs.Runs)).ToDictionary();
        var context = new ScoreContext(new(), model, self._weights)
        {
            Statistics = evidence.Statistics,
            Method = evidence.Method,
            Seed = seed,
            Gated = evidence.Probe is null ? null : GateScores.Measure(model, gated, evidence.Probe, seed),
        };
        foreach (var group in model.Analysis.Groups.Where(g => rules.ContainsKey(g.Id)))
            self.Add(group, context with { Rule = rules[group.Id] });
        return self.Finish();
    }

    private static Criterion Criterion(PruneRule rule) => rule.Score ?? Espalier.Criterion.L2;

    private void Add(Group group, ScoreContext context)
    {
        var criterion = context.Criterion;
        var row = CriterionRow.Get(criterion);
        if (row.Needs.HasFlag(Needs.Data) && !row.Needs.HasFlag(Needs.Runs) && context.Statistics is null)
            throw new EspalierException($"Group '{group.Name}' is to be scored by {criterion}, which needs calibration data, "
                + "but there are none. Give calibration data or use L2.");
        if (WeightNorm.Find(group, context.Rule, _model.Places, _weights) is { } norm)
        {
            if (criterion == Espalier.Criterion.NormScale && norm.Places.Count == 0)
                AddByL2(group, context.Rule, "no normalisation scales its units");
            else _norms.Add(norm);
        }
        else if (!UnitScore.All.TryGetValue(criterion, out var score))
            throw new EspalierException($"Group '{group.Name}': {criterion} does not score units.");
        else if (score.Compute(group, context) is { } measured) _scores[group.Id] = measured;
        else AddByL2(group, context.Rule, score.Obstacle(criterion));
    }

    private void AddByL2(Group group, PruneRule rule, string obstacle)
    {
        _notes.Add($"Group '{group.Name}' is scored by L2 instead of {rule.Score}: {obstacle}.");
        _norms.Add(WeightNorm.Over(group, Espalier.Criterion.L2, rule.Aggregate, _weights));
    }

    private Dictionary<int, double[]> Finish()
    {
        foreach (var norm in _norms.Where(n => n.Places.Count == 0))
            _notes.Add($"Group '{norm.Group.Name}' has no weight whose numbers a score can read: all of its units count alike, and the "
                + "first are kept.");
        foreach (var (id, norm) in WeightNorms.Score(_norms, _weights)) _scores[id] = norm;
        foreach (double[] score in _scores.Values) Aggregation.NormalizeMean(score);
        return _scores;
    }
}
