using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Axes.Roles;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores;

/// <summary>Measures how much every unit of a group matters. Formulas and sources: README of this room.</summary>
public static class Scorer
{
    /// <summary>Whether a criterion needs statistics of activations.</summary>
    public static bool NeedsStatistics(Criterion criterion)
        => ReadsConsumers(criterion)
            || criterion is Criterion.RouterUse or Criterion.AttentionReceived or Criterion.BetaRank or Criterion.QueryKey
            or Criterion.Retrieval;

    /// <summary>Whether a criterion reads statistics of what consumers contract.</summary>
    public static bool ReadsConsumers(Criterion criterion)
        => criterion is Criterion.Variance or Criterion.Wanda or Criterion.OptimalBrain or Criterion.Fluctuation
            or Criterion.ActivationShare;

    /// <summary>Whether a criterion needs the covariance of activations.</summary>
    public static bool NeedsCovariance(Criterion criterion) => criterion is Criterion.OptimalBrain;

    /// <summary>Scores the units of groups.</summary>
    /// <param name="analysis">The model's axes.</param>
    /// <param name="rules">The rule that owns each group, by group number: its criterion, how it is aggregated, its file of scores.</param>
    /// <param name="statistics">What calibration measured; null without calibration.</param>
    /// <param name="seed">Seed of <see cref="Criterion.Random"/>.</param>
    /// <param name="notes">Gets a note for every group that had to be scored in another way.</param>
    /// <param name="gated">Scores of <see cref="GateScores"/>.</param>
    /// <param name="method">Calls the policy's own methods; null where there is no policy to call.</param>
    /// <param name="pruned">What is pruned already; null for the dense model.</param>
    /// <returns>Per group number one score per unit, not negative, with mean 1 (or all zero); the higher, the more the unit
    /// matters.</returns>
    /// <exception cref="EspalierException">A criterion needs calibration and there is none, or a file of scores does not fit.</exception>
    internal static IReadOnlyDictionary<int, double[]> Score(AxisAnalysis analysis, IReadOnlyDictionary<int, PruneRule> rules,
        CalibrationStatistics? statistics, int seed = 0, ICollection<string>? notes = null, PrunedWeights? pruned = null,
        IReadOnlyDictionary<int, double[]>? gated = null, ScoreMethod? method = null)
    {
        var weights = new WeightTable(analysis, pruned);
        var places = new UnitPlaces(analysis);
        var files = new Dictionary<string, ScoreFile>(StringComparer.Ordinal);
        var scores = new Dictionary<int, double[]>();
        var norms = new List<WeightNorm>();
        foreach (var group in analysis.Groups.Where(g => rules.ContainsKey(g.Id)))
        {
            var rule = rules[group.Id];
            var criterion = rule.Score ?? Criterion.L2;
            switch (criterion)
            {
                case Criterion.L1 or Criterion.L2 or Criterion.Lamp:
                    norms.Add(WeightNorm.Compute(group, criterion, rule.Aggregate, weights));
                    break;
                case Criterion.NormScale:
                    var scales = places.Scales(group).Where(o => weights.IsMeasurable(o.Tensor)).ToList();
                    if (scales.Count > 0) norms.Add(new(group, criterion, rule.Aggregate, scales));
                    else ByL2(group, rule, "no normalisation scales its units");
                    break;
                case Criterion.GeometricMedian:
                    var producers = places.Producers(group).Where(o => weights.IsMeasurable(o.Tensor)).ToList();
                    Take(group, rule, GeometricMedian.Compute(group, producers, rule.Aggregate, weights),
                        "no weight that a score can read produces its units");
                    break;
                case Criterion.RouterSimilarity:
                    Take(group, rule, RouterRows.Find(analysis, group, places, weights)?.Heights(),
                        "no router of the file chooses its units");
                    break;
                case Criterion.Spectrum:
                    Take(group, rule,
                        Spectrum.Compute(group, [.. places.Producers(group).Where(o => weights.IsMeasurable(o.Tensor))], rule.Aggregate,
                            weights), $"no matrix that a score can read produces its units, or more than {Spectrum.MostUnits} units");
                    break;
                case Criterion.Random:
                    scores[group.Id] = RandomScores(group.Size, seed, group.Id);
                    break;
                case Criterion.File:
                    string path = rule.ScoreFile
                        ?? throw new EspalierException(
                            $"Group '{group.Name}' is to be scored by a file, but none is named. Give ScoreFile.");
                    if (!files.TryGetValue(path, out var file)) files[path] = file = ScoreFile.Read(path);
                    scores[group.Id] = file.Of(group);
                    break;
                case Criterion.Method:
                    if (method is null)
                        throw new EspalierException($"Group '{group.Name}' is to be scored by "
                            + $"{(rule.ScoreMethod is { } name ? $"'{name}'" : "a method of the policy")}, which only the build of a "
                            + "project can call. Give the scores in a file.");
                    double[] given = [.. method(rule, ScoredGroups.Describe(group, weights))];
                    if (given.Length != group.Size || !Array.TrueForAll(given, s => double.IsFinite(s) && s >= 0))
                        throw new EspalierException($"'{rule.ScoreMethod}' gave {given.Length} scores for group '{group.Name}', which "
                            + $"has {group.Size} units and wants one number from 0 on for each.");
                    scores[group.Id] = given;
                    break;
                case var _ when NeedsStatistics(criterion):
                    if (statistics is null)
                        throw new EspalierException($"Group '{group.Name}' is to be scored by {criterion}, which needs calibration data, "
                            + "but there are none. Give calibration data or use L2.");
                    if (criterion == Criterion.BetaRank)
                        Take(group, rule, BetaRank.Compute(group, places, statistics, weights),
                            "calibration has no statistics of what makes it");
                    else if (criterion == Criterion.QueryKey)
                        Take(group, rule, QueryKey.Compute(group, places, statistics),
                            "calibration has no statistics of two activations whose product contracts it");
                    else if (!ReadsConsumers(criterion))
                        Take(group, rule, SignalScores.Score(analysis, group, criterion, statistics), criterion switch
                    {
                        Criterion.RouterUse => "no router chooses its units",
                        Criterion.Retrieval => "no attention of it over tokens of which the model predicts the next can be observed",
                        _ => "no attention weights can be observed",
                    });
                    else Take(group, rule, criterion == Criterion.OptimalBrain
                        ? OptimalBrain.Compute(group, statistics, weights)
                        : ActivationScores.Compute(group, criterion, statistics, weights),
                        "calibration has no statistics of what reads it");
                    break;
                case Criterion.Fisher or Criterion.OutputDivergence or Criterion.MaskRegression:
                    Take(group, rule, gated?.GetValueOrDefault(group.Id)?.ToArray(),
                        $"it has more than {GateScores.MostUnits} units, or no gate can stand in front of all that reads them");
                    break;
                default:
                    throw new EspalierException($"Group '{group.Name}': {criterion} does not score units.");
            }
        }
        foreach (var norm in norms.Where(n => n.Places.Count == 0))
            notes?.Add($"Group '{norm.Group.Name}' has no weight whose numbers a score can read: all of its units count alike, and the "
                + "first are kept.");
        foreach (var (id, norm) in WeightNorms.Score(norms, weights)) scores[id] = norm;
        foreach (double[] score in scores.Values) Aggregation.NormalizeMean(score);
        return scores;

        void Take(Group group, PruneRule rule, double[]? measured, string obstacle)
        {
            if (measured is null) ByL2(group, rule, obstacle);
            else scores[group.Id] = measured;
        }

        void ByL2(Group group, PruneRule rule, string obstacle)
        {
            notes?.Add($"Group '{group.Name}' is scored by L2 instead of {rule.Score}: {obstacle}.");
            norms.Add(WeightNorm.Compute(group, Criterion.L2, rule.Aggregate, weights));
        }
    }

    private static double[] RandomScores(int size, int seed, int group)
    {
        var random = new Random(unchecked(seed * 397 ^ (group * 7919 + 17)));
        return [.. Enumerable.Range(0, size).Select(_ => random.NextDouble())];
    }
}
