using Espalier.Axes.Costs;
using Espalier.Planning;

namespace Espalier.Pruning.Spreads;

/// <summary>
/// A fraction for every population, all of which rise with one number in [0, 1]: at 0 nothing is wished for, at 1 everything.
/// </summary>
internal sealed class RatioSpread : Spread
{
    private readonly Func<double, int, double> _fraction;
    private readonly bool _exact;

    /// <param name="populations">What is spread over.</param>
    /// <param name="fraction">Fraction of a population at a number.</param>
    /// <param name="exact">Whether the number itself is the fraction of every population.</param>
    public RatioSpread(IReadOnlyList<Population> populations, Func<double, int, double> fraction, bool exact = false)
        : base(populations) => (_fraction, _exact) = (fraction, exact);

    /// <summary>Every population keeps the same fraction.</summary>
    public static RatioSpread Uniform(IReadOnlyList<Population> populations) => new(populations, (t, _) => t, exact: true);

    /// <summary>The more a block changes its input, the more of its units stay; see <see cref="ImportanceCurves"/>.</summary>
    public static RatioSpread OfImportance(Allocation allocation, IReadOnlyList<Population> populations, AllocationEvidence evidence,
        ICollection<string>? notes)
    {
        if (populations.Count == 0) return Uniform(populations);
        if (evidence.BlockChange is not { Count: > 0 } change)
        {
            notes?.Add("No residual block of the model was measured, so all count alike: every group keeps the same fraction.");
            return Uniform(populations);
        }
        return new(populations, ImportanceCurves.Create(allocation, [.. evidence.BlockChangesBefore.Append(change).Select(step =>
        {
            double mean = step.Values.Average();
            return (double[])[.. populations.Select(p => p.Groups.Average(c => step.GetValueOrDefault(c.Group.Id, mean)))];
        })], evidence.Amplitude));
    }

    /// <summary>
    /// Fractions in proportion to the sensitivity of the weights (ECoFLaP, arXiv:2310.02998), to its root: it is of second
    /// order here, the score there of first. No population loses more than a tenth beyond its fair share, as there.
    /// </summary>
    public static RatioSpread OfSensitivity(IReadOnlyList<Population> populations, AllocationEvidence evidence)
    {
        if (populations.Count == 0 || evidence.Sensitivity is not { Count: > 0 } sensitivity) return Uniform(populations);
        double mean = sensitivity.Values.Average(Math.Sqrt);
        double[] weight = [.. populations.Select(p =>
            p.Groups.Average(c => sensitivity.TryGetValue(c.Group.Id, out double s) ? Math.Sqrt(s) : mean))];
        double average = weight.Average();
        const double cap = 0.1;
        return average <= 0
            ? Uniform(populations)
            : new(populations, (t, i) => t >= 1 ? 1 : Math.Max(t - cap, Math.Min(1, t * weight[i] / average)));
    }

    /// <inheritdoc/>
    public override Dictionary<int, int> Budget(Func<IReadOnlyDictionary<int, int>, bool> holds)
        => new RisingCounts([.. Populations.Select(p => (IReadOnlyList<(int, int)>)[.. p.Groups.Select(c => (c.Group.Id, c.Group.Size))])],
            At, Fraction).Most(holds);

    /// <inheritdoc/>
    public override Dictionary<int, int> Ratio(double ratio, CostModel cost)
    {
        if (_exact) return At(ratio);
        var share = ShareOf(cost);
        var (low, high) = Bisection.Find(t => share(At(t)) <= ratio);
        var (below, above) = (At(low), At(high));
        return Math.Abs(share(above) - ratio) < Math.Abs(share(below) - ratio) ? above : below;
    }

    private Dictionary<int, int> At(double t) => Assign(Populations, p => Fraction(t, p));

    private double Fraction(double t, int population) => Math.Clamp(_fraction(t, population), 0, 1);
}
