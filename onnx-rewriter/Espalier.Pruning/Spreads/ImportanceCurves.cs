using Espalier.Pruning.Depth;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// Kept fractions from how much blocks change their input: each a function of a number t in [0, 1], rising from nothing to
/// everything, so that a budget is met by bisection on t.
/// </summary>
internal static class ImportanceCurves
{
    /// <summary>
    /// Most that importance moves a linear fraction, over all steps of a schedule that has few. Adapt-Pruner moves it by 0.02 in
    /// each of its many steps and measures anew after each; in one step a block that counts for nothing is to lose markedly more.
    /// </summary>
    public const double Amplitude = 0.2;

    /// <summary>Steepness of the sigmoid. CFSP's code: a / 10⁴ with a = 1, on angles summed over 128 samples of 2048 tokens.</summary>
    public const double Steepness = 128 * 2048 / 1e4;

    /// <summary>Temperature of the softmax: MoDeGPT's ε.</summary>
    public const double Temperature = 0.1;

    /// <summary>The curve of an allocation: fraction kept of block i at t.</summary>
    /// <param name="changes">How much each block changes its input, as the allocation measures it (<see cref="BlockSimilarity"/>),
    /// in every step so far; the last is now.</param>
    /// <param name="amplitude">Most that one step moves a fraction, where it is linear.</param>
    public static Func<double, int, double> Create(Allocation allocation, IReadOnlyList<double[]> changes, double amplitude = Amplitude)
        => allocation switch
        {
            Allocation.ImportanceLinear => Linear(changes, amplitude),
            Allocation.ImportanceSigmoid => Sigmoid(changes[^1]),
            _ => Softmax(changes[^1]),
        };

    /// <summary>
    /// Adapt-Pruner (arXiv:2502.03460): k + A·Σ v over the steps, v = (importance − mean) / largest |importance − mean|. What is
    /// taken of all alike in every step is k, from where no block has anything left to where none has lost any.
    /// </summary>
    private static Func<double, int, double> Linear(IReadOnlyList<double[]> steps, double amplitude)
    {
        var moved = new double[steps[^1].Length];
        foreach (double[] importance in steps)
        {
            double mean = importance.Average(), largest = importance.Max(s => Math.Abs(s - mean));
            for (int i = 0; i < moved.Length && largest > 1e-12; i++) moved[i] += amplitude * (importance[i] - mean) / largest;
        }
        double most = Math.Max(amplitude, moved.Max(Math.Abs));
        return (t, i) => (t * (1 + (2 * most))) - most + moved[i];
    }

    /// <summary>
    /// CFSP (arXiv:2409.13199): proportional to σ(a·(angle − mean)). Its code flattens the curve where a fraction would exceed
    /// 1; here such a block stays whole.
    /// </summary>
    private static Func<double, int, double> Sigmoid(double[] angle)
    {
        double mean = angle.Average();
        double[] weight = [.. angle.Select(a => 1 / (1 + Math.Exp(-Steepness * (a - mean))))];
        return Proportional(weight);
    }

    /// <summary>MoDeGPT (arXiv:2408.09632): the removed fraction is proportional to softmax(−importance / ε).</summary>
    private static Func<double, int, double> Softmax(double[] importance)
    {
        double least = importance.Min();
        double[] weight = [.. importance.Select(s => Math.Exp((least - s) / Temperature))];
        var removed = Proportional(weight);
        return (t, i) => 1 - removed(1 - t, i);
    }

    /// <summary>t' · w, with t' such that even the smallest reaches 1 at t = 1.</summary>
    public static Func<double, int, double> Proportional(double[] weight)
    {
        // Geometric between the ends, so that bisection is as fine where weights are far apart.
        double most = 1 / Math.Max(weight.Min(), double.Epsilon), one = 1 / weight.Max();
        return (t, i) => t <= 0 ? 0 : Math.Min(1, weight[i] * (t < 0.5 ? 2 * t * one : one * Math.Pow(most / one, (2 * t) - 1)));
    }
}
