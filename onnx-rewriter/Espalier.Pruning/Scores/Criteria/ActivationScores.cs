using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Scores.Criteria;

/// <summary>
/// Scores from the activations that the consumers of a group contract: Σ over consumers and features of the unit of what the
/// activation is worth times the weights that read it. Sources: docs/methods.md.
/// </summary>
internal sealed class ActivationScores : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria
        => [Criterion.Variance, Criterion.Wanda, Criterion.Fluctuation, Criterion.ActivationShare, Criterion.Energy];

    public override string Obstacle(Criterion criterion) => "calibration has no statistics of what reads it";

    /// <summary>
    /// What a feature's activation is worth, and the power of the weights that it is multiplied with; 0: they do not count.
    /// </summary>
    private static (Func<ActivationStatistics, double[]> Pick, int Power) Measure(Criterion criterion) => criterion switch
    {
        Criterion.Variance => (s => s.Variance, 2),
        Criterion.Fluctuation => (s => s.Variance, 0),
        Criterion.Energy => (s => s.SquareMean, 0),
        Criterion.ActivationShare => (s => s.AbsoluteMean, 1),
        _ => (s => s.SquareMean, 1),
    };

    public override double[]? Compute(Group group, ScoreContext context)
    {
        if (Features(group, context.Criterion, context.Statistics!, context.Weights) is not { } features) return null;
        var scores = new double[group.Size];
        foreach (var (unit, score) in features) scores[unit] += score;
        return scores;
    }

    /// <summary>What every feature of the group is worth, over all that reads it; null where nothing of it was measured.</summary>
    public static List<(int Unit, double Score)>? Features(Group group, Criterion criterion, CalibrationStatistics statistics,
        WeightTable weights)
    {
        var features = new List<(int, double)>();
        bool measured = false;
        var (pick, power) = Measure(criterion);
        foreach (var consumer in group.Consumers)
        {
            if (!statistics.Consumers.TryGetValue(consumer.Id, out var seen) || weights.Shape(consumer.Parameter) is not { } shape)
                continue;
            if (ConsumerMatrix.Create(consumer, shape) is not { } matrix || matrix.Accessor(seen, pick) is not { } worth) continue;
            int[] unitOf = consumer.Contracted.UnitMap(group.Factor);
            if (unitOf.Length != shape[consumer.ParameterAxis]) continue;
            features.AddRange(Worth(matrix, power == 0
                ? []
                : weights.Floats(consumer.Parameter), unitOf, Scaled(criterion, matrix, worth), power));
            measured = true;
        }
        return measured ? features : null;
    }

    private static Func<int, int, double> Scaled(Criterion criterion, ConsumerMatrix matrix, Func<int, int, double> worth)
    {
        switch (criterion)
        {
            case Criterion.Wanda:
                return (b, f) => Math.Sqrt(worth(b, f));
            case Criterion.ActivationShare:
                double total = 0;
                for (int b = 0; b < matrix.Batches; b++)
                    for (int f = 0; f < matrix.Features; f++) total += worth(b, f);
                return total > 0 ? (b, f) => worth(b, f) / total : (_, _) => 0;
            default:
                return worth;
        }
    }

    private static IEnumerable<(int Unit, double Score)> Worth(ConsumerMatrix matrix, float[] weight, int[] unitOf,
        Func<int, int, double> worth, int power)
    {
        for (int b = 0; b < matrix.Batches; b++)
        {
            var reads = new double[matrix.Features];
            if (power == 0) Array.Fill(reads, 1);
            else
            {
                for (int o = 0; o < matrix.Outputs; o++)
                {
                    for (int f = 0; f < reads.Length; f++)
                    {
                        double w = weight[matrix.Offset(b, o, f)];
                        reads[f] += power == 2 ? w * w : Math.Abs(w);
                    }
                }
            }
            for (int f = 0; f < reads.Length; f++)
                if (unitOf[matrix.ContractedIndex(b, f)] is >= 0 and var unit) yield return (unit, worth(b, f) * reads[f]);
        }
    }
}
