using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// WIFV as FLAP (arXiv:2312.11983) compares it over layers: s_f = var(x_f) · Σ_o w_of² of every feature, of what heads give
/// squared; a head has the mean over its features, as its code takes it of the standardised values. A channel of a convolution,
/// which the paper has not, has the sum over its window.
/// </summary>
internal sealed class WeightedFluctuation : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.WeightedFluctuation];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of what reads it";

    public override double[]? Compute(Group group, ScoreContext context)
    {
        if (ActivationScores.Features(group, Criterion.Variance, context.Statistics!, context.Weights) is not { } features) return null;
        var (scores, counts) = (new double[group.Size], new int[group.Size]);
        foreach (var (unit, score) in features)
        {
            scores[unit] += IsOfHeads(group) ? score * score : score;
            counts[unit]++;
        }
        for (int u = 0; u < scores.Length && IsOfHeads(group); u++) scores[u] /= Math.Max(1, counts[u]);
        return scores;
    }

    /// <summary>
    /// Sample deviation of what the features of heads score, over the mean of all: what a layer is standardised by. Null where
    /// units have one score each, or nothing was measured.
    /// </summary>
    public static double? Deviation(Group group, CalibrationStatistics statistics, WeightTable weights)
    {
        if (!IsOfHeads(group) || ActivationScores.Features(group, Criterion.Variance, statistics, weights) is not { Count: > 1 } features)
            return null;
        double[] scores = [.. features.Select(f => f.Score * f.Score)];
        double mean = scores.Average();
        return mean > 0 ? Math.Sqrt(scores.Sum(s => (s - mean) * (s - mean)) / (scores.Length - 1)) / mean : null;
    }

    private static bool IsOfHeads(Group group) => group.Kind is Axis.Heads or Axis.KeyValueGroups;
}
