using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// How much the outputs move when the weights of a group are shaken (ECoFLaP, arXiv:2310.02998: finite differences in place of
/// gradients). There the loss at W + εz and W − εz is compared; the divergence from the dense model has its minimum at W, so
/// here their mean is what tells layers apart: ½ ε² zᵀHz. Where the divergence is the task's loss it is the paper's difference,
/// squared, so that both are squares of lengths.
/// </summary>
internal static class ZerothOrder
{
    /// <summary>ε over the root mean square of a weight: divergences of float32 outputs drown in rounding below.</summary>
    private const double Shake = 0.05;

    /// <summary>Directions z per group.</summary>
    private const int Directions = 2;

    /// <summary>By group number: mean divergence of the shaken models.</summary>
    /// <param name="divergence">Runs a changed model.</param>
    /// <param name="seed">Seed of the directions.</param>
    /// <param name="slope">Whether the divergence has a slope at the dense model, as the task's loss has.</param>
    public static IReadOnlyDictionary<int, double> Measure(DenseModel model, IEnumerable<Group> groups,
        Func<OnnxModel, double> divergence, int seed, bool slope = false)
    {
        var (analysis, weights) = (model.Analysis, model.Weights);
        var measured = new Dictionary<int, double>();
        foreach (var group in groups)
        {
            var own = group.Occurrences.Select(o => o.Tensor).Distinct(StringComparer.Ordinal)
                .Where(t => weights.IsMeasurable(t) && !weights.IsQuantized(t) && weights.Shape(t)!.Length > 1)
                .Order(StringComparer.Ordinal).ToList();
            if (own.Count == 0) continue;
            var random = new Random(unchecked((seed * 397) ^ (group.Id * 7919)));
            double sum = 0;
            for (int direction = 0; direction < Directions; direction++)
            {
                var (plus, minus) = (new Dictionary<string, float[]>(), new Dictionary<string, float[]>());
                foreach (string name in own)
                {
                    float[] values = weights.Floats(name), up = new float[values.Length], down = new float[values.Length];
                    double scale = Shake * Math.Sqrt(values.Average(v => (double)v * v));
                    for (int i = 0; i < values.Length; i++)
                    {
                        float step = (float)(scale * Normal(random));
                        (up[i], down[i]) = (values[i] + step, values[i] - step);
                    }
                    (plus[name], minus[name]) = (up, down);
                }
                double Shaken(Dictionary<string, float[]> changed)
                    => Surgery.Use(analysis, Selection.Everything, new WeightEdits(changed, new Dictionary<int, float[]>()),
                        slim => divergence(slim.Model));
                double first = Shaken(plus), second = Shaken(minus);
                if (slope) sum += (first - second) * (first - second) / 2;
                else
                {
                    sum += first;
                    sum += second;
                }
            }
            measured[group.Id] = sum / (2 * Directions);
        }
        return measured;
    }

    private static double Normal(Random random)
        => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
