using Espalier.Pruning.Algebra;
using Espalier.Pruning.Moments;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Fitting;

/// <summary>Reduces weights to the ranks that were chosen for them, once they are fitted (reduced-rank regression, Izenman 1975).</summary>
/// <param name="cuts">By weight.</param>
internal sealed class RankReduction(IReadOnlyDictionary<string, RankCut> cuts)
{
    private readonly SortedDictionary<string, LowRankFactors> _factors = new(StringComparer.Ordinal);

    /// <summary>What is reduced so far, in the dense layout.</summary>
    public IReadOnlyList<LowRankFactors> Factors => [.. _factors.Values];

    public bool Has(string weight) => cuts.ContainsKey(weight);

    /// <summary>Reduces a weight.</summary>
    /// <param name="fitted">Its elements as they are fitted, row-major [outputs, features].</param>
    /// <param name="outputs">Outputs that are left.</param>
    /// <param name="features">Features that are left.</param>
    /// <param name="moments">Of what it reads.</param>
    /// <returns>The product of its factors, in the same order.</returns>
    public double[] Reduce(string weight, double[] fitted, ConsumerMatrix matrix, int[] outputs, int[] features, FitMoments moments)
    {
        var (target, rank) = cuts[weight];
        var basis = OutputBasis.Find(fitted, moments.Covariance(), outputs.Length, features.Length);
        rank = Math.Min(rank, basis.Values.Length);
        double[] down = basis.Project(fitted, rank), turned = new double[outputs.Length * rank], product = new double[fitted.Length];
        var (a, b) = (new float[matrix.Features * rank], new float[rank * matrix.Outputs]);
        for (int r = 0; r < rank; r++)
        {
            for (int f = 0; f < features.Length; f++) a[(features[f] * rank) + r] = (float)down[(r * features.Length) + f];
            for (int o = 0; o < outputs.Length; o++)
            {
                turned[(o * rank) + r] = basis.Vectors[(r * outputs.Length) + o];
                b[(r * matrix.Outputs) + outputs[o]] = (float)turned[(o * rank) + r];
            }
        }
        Panel.Of(new(down, 0, features.Length), rank, features.Length).Add(1, turned, product);
        double all = basis.Values.Sum(), kept = basis.Values.Take(rank).Sum();
        _factors[weight] = new(target, rank, a, b) { Error = all > 0 ? Math.Sqrt(Math.Max(0, 1 - (kept / all))) : 0 };
        return product;
    }
}
