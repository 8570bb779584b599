using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>Scores from the activations that the consumers of a group contract.</summary>
internal static class ActivationScores
{
    /// <summary>
    /// Variance: Σ over consumers and features of the unit of var(x_f)·Σ_o w_of² (FLAP's WIFV, arXiv:2312.11983).
    /// Wanda: Σ of √E[x_f²]·Σ_o |w_of| (arXiv:2306.11695, per structure as in FLAP's Wanda-sp).
    /// </summary>
    /// <returns>Null where no consumer of the group has statistics.</returns>
    public static double[]? Of(Group group, Criterion criterion, CalibrationStatistics statistics, WeightTable weights)
    {
        var scores = new double[group.Size];
        bool measured = false;
        foreach (var consumer in group.Consumers)
        {
            if (!statistics.Consumers.TryGetValue(consumer.Id, out var seen) || weights.Shape(consumer.Parameter) is not { } shape) continue;
            bool variance = criterion == Criterion.Variance;
            if (ConsumerMatrix.Of(consumer, shape) is not { } matrix || matrix.Reader(seen, variance ? s => s.Variance : s => s.SquareMean) is not { } spread) continue;
            int[] unitOf = consumer.Contracted.UnitMap(group.Factor);
            if (unitOf.Length != shape[consumer.ParameterAxis]) continue;
            Accumulate(scores, matrix, weights.Floats(consumer.Parameter), unitOf, spread, variance);
            measured = true;
        }
        return measured ? scores : null;
    }

    private static void Accumulate(double[] scores, ConsumerMatrix matrix, float[] weight, int[] unitOf, Func<int, int, double> spread, bool squared)
    {
        for (int b = 0; b < matrix.Batches; b++)
        {
            var reads = new double[matrix.Features];
            for (int o = 0; o < matrix.Outputs; o++)
            {
                for (int f = 0; f < reads.Length; f++)
                {
                    double w = weight[matrix.Offset(b, o, f)];
                    reads[f] += squared ? w * w : Math.Abs(w);
                }
            }
            for (int f = 0; f < reads.Length; f++)
            {
                int unit = unitOf[matrix.ContractedIndex(b, f)];
                if (unit >= 0) scores[unit] += (squared ? spread(b, f) : Math.Sqrt(spread(b, f))) * reads[f];
            }
        }
    }
}
