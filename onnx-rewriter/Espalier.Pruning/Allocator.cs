using System.Collections.Immutable;
using Espalier.Axes;

namespace Espalier.Pruning;

/// <summary>A group that a rule may prune, with the scores of its units.</summary>
/// <param name="Group">The group.</param>
/// <param name="Rule">The rule that owns it.</param>
/// <param name="Scores">One score per unit; the higher, the more it matters.</param>
public sealed record Candidate(Group Group, PruneRule Rule, double[] Scores)
{
    internal int Multiple => KeptCount.Multiple(Rule, Group.Kind);
    internal int Floor => Math.Max(Rule.MinKeep, Group.MinKeep);
}

/// <summary>Decides how many units of every group stay.</summary>
public static class Allocator
{
    /// <summary>Allocates.</summary>
    /// <param name="plan">Its rules' ratios, its budget and its way to spread it.</param>
    /// <param name="cost">The model's cost.</param>
    /// <param name="candidates">Groups with their scores.</param>
    /// <param name="removedSublayers">Sublayers that are gone whatever is kept here.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <param name="divergence">Divergence of the outputs under a choice of kept units; for <see cref="Allocation.Divergence"/>.</param>
    /// <returns>Kept units per group number, ascending, for every group that loses some.</returns>
    /// <exception cref="EspalierException">No choice meets the budget.</exception>
    public static IReadOnlyDictionary<int, ImmutableArray<int>> Allocate(PruningPlan plan, CostModel cost,
        IReadOnlyList<Candidate> candidates, IReadOnlySet<int>? removedSublayers = null, ICollection<string>? notes = null,
        Func<IReadOnlyDictionary<int, ImmutableArray<int>>, double>? divergence = null)
    {
        var counts = new Dictionary<int, int>();
        bool global = plan.Allocate == Allocation.Global;
        foreach (var own in candidates.Where(c => c.Rule.Keep is not null).GroupBy(c => c.Rule, ReferenceEqualityComparer.Instance))
        {
            var populations = Population.Of([.. own]);
            Merge(counts, global ? GlobalRatio(populations, own.First().Rule.Keep!.Value, cost) : Uniform(populations, own.First().Rule.Keep!.Value));
        }
        if (plan.Budget is not null)
        {
            var bounds = PlanResolver.Limits(plan.Budget).Select(l => (l.Unit, l.Fraction, Limit: l.Fraction * cost.Evaluate(l.Unit))).ToList();
            var open = Population.Of([.. candidates.Where(c => c.Rule.Keep is null)]);
            double Excess(IReadOnlyDictionary<int, int> choice) => bounds.Max(b => cost.Evaluate(b.Unit, SizeOf(cost, counts, choice), removedSublayers) / Math.Max(b.Limit, double.Epsilon));
            bool Holds(IReadOnlyDictionary<int, int> choice) => Excess(choice) <= 1 + 1e-12;
            var least = Uniform(open, 0);
            if (!Holds(least)) throw OutOfReach(bounds, cost, SizeOf(cost, counts, least), removedSublayers, open.Count);
            Merge(counts, plan.Allocate switch
            {
                Allocation.Global => GlobalBudget(open, Holds),
                Allocation.Divergence => new DivergenceAllocator(open, c => divergence!(Kept(c))).Allocate(Holds, Excess),
                _ => UniformBudget(open, Holds),
            });
            if (open.Count > 0 && open.All(p => p.Groups.All(c => counts[c.Group.Id] == c.Group.Size))) notes?.Add("The budget holds without removing any unit that it decides on.");
        }
        return Kept(counts);

        IReadOnlyDictionary<int, ImmutableArray<int>> Kept(IReadOnlyDictionary<int, int> chosen)
            => candidates.Where(c => chosen.TryGetValue(c.Group.Id, out int n) && n < c.Group.Size).ToDictionary(c => c.Group.Id, c => Best(c.Scores, chosen[c.Group.Id]));
    }

    /// <summary>The units with the highest scores, ascending; of equal scores the lower index stays.</summary>
    internal static ImmutableArray<int> Best(double[] scores, int count)
        => [.. Enumerable.Range(0, scores.Length).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(count).Order()];

    /// <summary>Every group keeps the same fraction of its units.</summary>
    private static Dictionary<int, int> Uniform(IReadOnlyList<Population> populations, double ratio)
    {
        var counts = new Dictionary<int, int>();
        foreach (var population in populations) population.Assign(ratio * population.Size, counts);
        return counts;
    }

    /// <summary>The largest fraction that meets the budget, by bisection; a choice is taken only after it was evaluated.</summary>
    private static Dictionary<int, int> UniformBudget(IReadOnlyList<Population> populations, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var best = Uniform(populations, 1);
        if (holds(best)) return best;
        best = Uniform(populations, 0);
        double low = 0, high = 1;
        for (int step = 0; step < 50; step++)
        {
            double middle = (low + high) / 2;
            var choice = Uniform(populations, middle);
            if (holds(choice)) (best, low) = (choice, middle);
            else high = middle;
        }
        return best;
    }

    /// <summary>One threshold on standardised scores, the lowest that meets the budget. Counts fall as it rises, so bisection over the scores finds it.</summary>
    private static Dictionary<int, int> GlobalBudget(IReadOnlyList<Population> populations, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        double[] thresholds = Thresholds(populations);
        int low = 0, high = thresholds.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (holds(AtThreshold(populations, thresholds[middle]))) high = middle;
            else low = middle + 1;
        }
        return AtThreshold(populations, thresholds[low]);
    }

    /// <summary>One threshold on standardised scores so that the kept units' share of the cost of all units is nearest to the ratio (FLAP, arXiv:2312.11983).</summary>
    private static Dictionary<int, int> GlobalRatio(IReadOnlyList<Population> populations, double ratio, CostModel cost)
    {
        double[] thresholds = Thresholds(populations);
        double[] unitCost = [.. populations.Select(p => UnitCost(cost, p.Groups[0].Group.Id) * p.Groups[0].Group.Size / p.Size)];
        double target = ratio * populations.Select((p, i) => unitCost[i] * p.Size).Sum();
        double Kept(Dictionary<int, int> counts) => populations.Select((p, i) => unitCost[i] * p.Groups.Aggregate(1.0, (n, c) => n * counts[c.Group.Id])).Sum();
        int low = 0, high = thresholds.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Kept(AtThreshold(populations, thresholds[middle])) <= target) high = middle;
            else low = middle + 1;
        }
        var below = AtThreshold(populations, thresholds[low]);
        if (low == 0) return below;
        var above = AtThreshold(populations, thresholds[low - 1]);
        return Math.Abs(Kept(above) - target) < Math.Abs(Kept(below) - target) ? above : below;
    }

    /// <summary>Every value that a threshold may take: below all scores, then each score.</summary>
    private static double[] Thresholds(IReadOnlyList<Population> populations)
        => [double.NegativeInfinity, .. populations.SelectMany(p => p.Standard).Distinct().Order()];

    private static Dictionary<int, int> AtThreshold(IReadOnlyList<Population> populations, double threshold)
    {
        var counts = new Dictionary<int, int>();
        foreach (var population in populations) population.Assign(population.Standard.Count(z => z > threshold), counts);
        return counts;
    }

    /// <summary>Multiply-accumulates that one unit less of a group saves; parameters where it saves none.</summary>
    private static double UnitCost(CostModel cost, int group)
    {
        double Saved(CostUnit unit) => cost.Evaluate(unit) - cost.Evaluate(unit, g => cost.GroupSizes[g] - (g == group ? 1 : 0));
        double macs = Saved(CostUnit.Macs);
        return macs > 0 ? macs : Math.Max(Saved(CostUnit.Parameters), 1);
    }

    private static Func<int, double> SizeOf(CostModel cost, IReadOnlyDictionary<int, int> fixedCounts, IReadOnlyDictionary<int, int> choice)
        => g => choice.TryGetValue(g, out int n) || fixedCounts.TryGetValue(g, out n) ? n : cost.GroupSizes[g];

    private static void Merge(Dictionary<int, int> into, Dictionary<int, int> from)
    {
        foreach (var (id, count) in from) into[id] = count;
    }

    private static EspalierException OutOfReach(List<(CostUnit Unit, double Fraction, double Limit)> bounds, CostModel cost, Func<int, double> size,
        IReadOnlySet<int>? removedSublayers, int open)
    {
        var (unit, fraction, limit) = bounds.First(b => cost.Evaluate(b.Unit, size, removedSublayers) > b.Limit * (1 + 1e-12));
        double reached = cost.Evaluate(unit, size, removedSublayers) / cost.Evaluate(unit);
        string way = open == 0
            ? "every rule has a Keep of its own, so nothing is left for the budget to decide; leave Keep out of a rule or raise the budget"
            : "raise the budget, lower MinKeep or RoundTo, or let rules cover more groups";
        return new EspalierException(FormattableString.Invariant(
            $"No choice under these rules meets the budget of {fraction:0.###} of the dense model's {PlanResolver.CamelCase(unit)}: the least they can reach is {reached:0.000}. To reach it, {way}."));
    }
}
