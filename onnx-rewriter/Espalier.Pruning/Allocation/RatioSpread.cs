using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>A fraction for every population, all of which rise with one number in [0, 1]: at 0 nothing is wished for, at 1 everything.</summary>
internal sealed class RatioSpread : Spread
{
    private const int BisectionSteps = 50;

    private readonly Func<double, int, double> _fraction;
    private readonly bool _exact;

    /// <param name="populations">What is spread over.</param>
    /// <param name="fraction">Fraction of a population at a number.</param>
    /// <param name="exact">Whether the number itself is the fraction of every population.</param>
    public RatioSpread(IReadOnlyList<Population> populations, Func<double, int, double> fraction, bool exact = false) : base(populations) => (_fraction, _exact) = (fraction, exact);

    /// <summary>Every population keeps the same fraction.</summary>
    public static RatioSpread Uniform(IReadOnlyList<Population> populations) => new(populations, (t, _) => t, exact: true);

    /// <summary>The more a block changes its input, the more of its units stay; see <see cref="ImportanceCurves"/>.</summary>
    public static RatioSpread OfImportance(Allocation allocation, IReadOnlyList<Population> populations, AllocationEvidence evidence, ICollection<string>? notes)
    {
        if (populations.Count == 0) return Uniform(populations);
        if (evidence.BlockChange is not { Count: > 0 } change)
        {
            notes?.Add("No residual block of the model was measured, so all count alike: every group keeps the same fraction.");
            return Uniform(populations);
        }
        double mean = change.Values.Average();
        return new(populations, ImportanceCurves.Of(allocation, [.. populations.Select(p => p.Groups.Average(c => change.GetValueOrDefault(c.Group.Id, mean)))]));
    }

    /// <summary>
    /// Fractions in proportion to the sensitivity of the weights (ECoFLaP, arXiv:2310.02998), to its root: it is of second order here, the score there of first. No
    /// population loses more than a tenth beyond its fair share, as there.
    /// </summary>
    public static RatioSpread OfSensitivity(IReadOnlyList<Population> populations, AllocationEvidence evidence)
    {
        if (populations.Count == 0 || evidence.Sensitivity is not { Count: > 0 } sensitivity) return Uniform(populations);
        double mean = sensitivity.Values.Average(Math.Sqrt);
        double[] weight = [.. populations.Select(p => p.Groups.Average(c => sensitivity.TryGetValue(c.Group.Id, out double s) ? Math.Sqrt(s) : mean))];
        double average = weight.Average();
        const double cap = 0.1;
        return average <= 0 ? Uniform(populations) : new(populations, (t, i) => t >= 1 ? 1 : Math.Max(t - cap, Math.Min(1, t * weight[i] / average)));
    }

    /// <summary>
    /// The largest number that meets the budget, by bisection; a choice is taken only after it was evaluated. Rounded counts of many populations may all rise at the number where it breaks: then as many of
    /// them rise as it allows, those first that come nearest to their fraction.
    /// </summary>
    public override Dictionary<int, int> Budget(Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var best = At(1);
        if (holds(best)) return best;
        best = At(0);
        double low = 0, high = 1;
        for (int step = 0; step < BisectionSteps; step++)
        {
            double middle = (low + high) / 2;
            var choice = At(middle);
            if (holds(choice)) (best, low) = (choice, middle);
            else high = middle;
        }
        var next = At(high);
        double Beyond(int p) => Populations[p].Share(next) - Math.Clamp(_fraction(high, p), 0, 1);
        foreach (int p in Enumerable.Range(0, Populations.Count).Where(p => Populations[p].Share(next) > Populations[p].Share(best)).OrderBy(Beyond))
        {
            var more = new Dictionary<int, int>(best);
            foreach (var candidate in Populations[p].Groups) more[candidate.Group.Id] = next[candidate.Group.Id];
            if (holds(more)) best = more;
        }
        return best;
    }

    /// <inheritdoc/>
    public override Dictionary<int, int> Ratio(double ratio, CostModel cost)
    {
        if (_exact) return At(ratio);
        var share = ShareOf(cost);
        double low = 0, high = 1;
        for (int step = 0; step < BisectionSteps; step++)
        {
            double middle = (low + high) / 2;
            if (share(At(middle)) <= ratio) low = middle;
            else high = middle;
        }
        var (below, above) = (At(low), At(high));
        return Math.Abs(share(above) - ratio) < Math.Abs(share(below) - ratio) ? above : below;
    }

    private Dictionary<int, int> At(double t) => Assign(Populations, p => Math.Clamp(_fraction(t, p), 0, 1));
}
