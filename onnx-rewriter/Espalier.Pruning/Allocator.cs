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
    internal int Round(double wished) => KeptCount.Round(wished, Group.Size, Multiple, Floor);
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
    /// <returns>Kept units per group number, ascending, for every group that loses some.</returns>
    /// <exception cref="EspalierException">No choice meets the budget.</exception>
    public static IReadOnlyDictionary<int, ImmutableArray<int>> Allocate(PruningPlan plan, CostModel cost,
        IReadOnlyList<Candidate> candidates, IReadOnlySet<int>? removedSublayers = null, ICollection<string>? notes = null)
    {
        var counts = new Dictionary<int, int>();
        bool global = plan.Allocate == Allocation.Global;
        foreach (var own in candidates.Where(c => c.Rule.Keep is not null).GroupBy(c => c.Rule, ReferenceEqualityComparer.Instance))
            Merge(counts, global ? GlobalRatio([.. own], cost) : Uniform([.. own], own.First().Rule.Keep!.Value));
        if (plan.Budget is not null)
        {
            var bounds = PlanResolver.Limits(plan.Budget).Select(l => (l.Unit, l.Fraction, Limit: l.Fraction * cost.Evaluate(l.Unit))).ToList();
            var open = candidates.Where(c => c.Rule.Keep is null).ToList();
            double Excess(IReadOnlyDictionary<int, int> choice) => bounds.Max(b => cost.Evaluate(b.Unit, SizeOf(cost, counts, choice), removedSublayers) / Math.Max(b.Limit, double.Epsilon));
            bool Holds(IReadOnlyDictionary<int, int> choice) => Excess(choice) <= 1 + 1e-12;
            var least = Uniform(open, 0);
            if (!Holds(least)) throw OutOfReach(bounds, cost, SizeOf(cost, counts, least), removedSublayers, open.Count);
            Merge(counts, global ? GlobalBudget(open, Holds) : UniformBudget(open, Holds));
            if (open.Count > 0 && open.All(c => counts[c.Group.Id] == c.Group.Size)) notes?.Add("The budget holds without removing any unit that it decides on.");
        }
        return candidates.Where(c => counts[c.Group.Id] < c.Group.Size)
            .ToDictionary(c => c.Group.Id, c => Best(c.Scores, counts[c.Group.Id]));
    }

    /// <summary>The units with the highest scores, ascending; of equal scores the lower index stays.</summary>
    internal static ImmutableArray<int> Best(double[] scores, int count)
        => [.. Enumerable.Range(0, scores.Length).OrderByDescending(u => scores[u]).ThenBy(u => u).Take(count).Order()];

    /// <summary>Every group keeps the same fraction of its units.</summary>
    private static Dictionary<int, int> Uniform(IReadOnlyList<Candidate> candidates, double ratio)
    {
        var counts = new Dictionary<int, int>();
        var byGroup = candidates.ToDictionary(c => c.Group.Id);
        foreach (var c in candidates)
        {
            if (counts.ContainsKey(c.Group.Id)) continue;
            if (c.Group.Partner is { } partner && byGroup.TryGetValue(partner.Id, out var other) && ReferenceEquals(other.Rule, c.Rule))
            {
                var (kv, query) = c.Group.Kind == GroupKind.KeyValueGroups ? (c, other) : (other, c);
                (counts[kv.Group.Id], counts[query.Group.Id]) = KeptCount.Pair(ratio * kv.Group.Size * query.Group.Size,
                    (kv.Group.Size, kv.Multiple, kv.Floor), (query.Group.Size, query.Multiple, query.Floor));
            }
            else counts[c.Group.Id] = c.Round(ratio * c.Group.Size);
        }
        return counts;
    }

    /// <summary>The largest fraction that meets the budget, by bisection; a choice is taken only after it was evaluated.</summary>
    private static Dictionary<int, int> UniformBudget(IReadOnlyList<Candidate> candidates, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var best = Uniform(candidates, 1);
        if (holds(best)) return best;
        best = Uniform(candidates, 0);
        double low = 0, high = 1;
        for (int step = 0; step < 50; step++)
        {
            double middle = (low + high) / 2;
            var choice = Uniform(candidates, middle);
            if (holds(choice)) (best, low) = (choice, middle);
            else high = middle;
        }
        return best;
    }

    /// <summary>One threshold on standardised scores, the lowest that meets the budget. Counts fall as it rises, so bisection over the scores finds it.</summary>
    private static Dictionary<int, int> GlobalBudget(IReadOnlyList<Candidate> candidates, Func<IReadOnlyDictionary<int, int>, bool> holds)
    {
        var (standard, thresholds) = Standardize(candidates);
        int low = 0, high = thresholds.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (holds(AtThreshold(candidates, standard, thresholds[middle]))) high = middle;
            else low = middle + 1;
        }
        return AtThreshold(candidates, standard, thresholds[low]);
    }

    /// <summary>One threshold on standardised scores so that the kept units' share of the cost of all units is nearest to the rule's ratio (FLAP, arXiv:2312.11983).</summary>
    private static Dictionary<int, int> GlobalRatio(IReadOnlyList<Candidate> candidates, CostModel cost)
    {
        var (standard, thresholds) = Standardize(candidates);
        double[] unitCost = [.. candidates.Select(c => UnitCost(cost, c.Group.Id))];
        double target = candidates[0].Rule.Keep!.Value * candidates.Select((c, i) => unitCost[i] * c.Group.Size).Sum();
        double Kept(Dictionary<int, int> counts) => candidates.Select((c, i) => unitCost[i] * counts[c.Group.Id]).Sum();
        int low = 0, high = thresholds.Length - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (Kept(AtThreshold(candidates, standard, thresholds[middle])) <= target) high = middle;
            else low = middle + 1;
        }
        var below = AtThreshold(candidates, standard, thresholds[low]);
        if (low == 0) return below;
        var above = AtThreshold(candidates, standard, thresholds[low - 1]);
        return Math.Abs(Kept(above) - target) < Math.Abs(Kept(below) - target) ? above : below;
    }

    /// <summary>z = (s − mean) / standard deviation per group, and every value that a threshold may take: below all scores, then each score.</summary>
    private static (double[][] Standard, double[] Thresholds) Standardize(IReadOnlyList<Candidate> candidates)
    {
        double[][] standard = [.. candidates.Select(c =>
        {
            double mean = c.Scores.Average();
            double deviation = Math.Sqrt(c.Scores.Select(s => (s - mean) * (s - mean)).Average());
            return c.Scores.Select(s => deviation > 0 ? (s - mean) / deviation : 0).ToArray();
        })];
        return (standard, [double.NegativeInfinity, .. standard.SelectMany(z => z).Distinct().Order()]);
    }

    private static Dictionary<int, int> AtThreshold(IReadOnlyList<Candidate> candidates, double[][] standard, double threshold)
        => candidates.Select((c, i) => (c.Group.Id, Count: c.Round(standard[i].Count(z => z > threshold)))).ToDictionary(e => e.Id, e => e.Count);

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
