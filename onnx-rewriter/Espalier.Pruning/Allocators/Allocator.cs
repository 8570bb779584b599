using System.Collections.Immutable;
using Espalier.Axes.Costs;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>Decides how many units of every group stay. Formulas and sources: README of this room.</summary>
public static class Allocator
{
    /// <summary>Rounds in which a choice that turns out slower than the table says is made anew.</summary>
    private const int LatencyRounds = 4;

    /// <summary>Medians of times of the same model differ by about so much: no choice is refused for it.</summary>
    private const double LatencyNoise = 1.02;

    /// <summary>Allocates.</summary>
    /// <param name="plan">Its rules' ratios, its budget and its way to spread it.</param>
    /// <param name="cost">The model's cost.</param>
    /// <param name="candidates">Groups with their scores.</param>
    /// <param name="removedSublayers">Sublayers that are gone whatever is kept here.</param>
    /// <param name="notes">Gets what the user should know.</param>
    /// <param name="evidence">What the plan's allocation looks at besides the scores.</param>
    /// <returns>Kept units per group number, ascending, for every group that loses some.</returns>
    /// <exception cref="EspalierException">No choice meets the budget.</exception>
    public static IReadOnlyDictionary<int, ImmutableArray<int>> Allocate(PruningPlan plan, CostModel cost,
        IReadOnlyList<Candidate> candidates, IReadOnlySet<int>? removedSublayers = null, ICollection<string>? notes = null,
        AllocationEvidence? evidence = null)
    {
        evidence ??= new();
        var allocation = plan.Allocate ?? Allocation.Uniform;
        var counts = new Dictionary<int, int>();
        foreach (var own in candidates.Where(c => c.Rule.Keep is not null).GroupBy(c => c.Rule, ReferenceEqualityComparer.Instance))
            Candidate.Merge(counts, Spread.Create(allocation, Population.Gather([.. own]), evidence, notes)
                .Ratio(own.First().Rule.Keep!.Value, cost));
        var open = Population.Gather([.. candidates.Where(c => c.Rule.Keep is null)]);
        if (plan.Budget is null)
        {
            if (open.Count > 0 && allocation == Allocation.PqIndex) Candidate.Merge(counts, PqIndex.Own(open, evidence));
            return Kept(counts);
        }

        var table = plan.Budget.Latency is null ? null : LatencyTable.Measure(cost, open, counts, removedSublayers, c => Time(c).Ratio);
        var errors = new Lazy<ErrorDatabase>(() => ErrorDatabase.Measure(open, Divergence));
        double? latency = plan.Budget.Latency;
        var caps = Caps();
        for (int round = 1; ; round++)
        {
            var bounds = new Bounds(plan.Budget, cost, counts, removedSublayers, table, latency) { Obstacles = evidence.Obstacles };
            bool Holds(IReadOnlyDictionary<int, int> wished) => bounds.Hold(Cut(wished));
            double Excess(IReadOnlyDictionary<int, int> wished) => bounds.Excess(Cut(wished));
            var choice = !bounds.Hold(Spread.Least(open)) ? Smallest(bounds) : Cut(allocation switch
            {
                Allocation.Divergence => errors.Value.Descend(Holds, Excess),
                Allocation.Search
                    => SwapSearch.Run(open, errors.Value.Descend(Holds, Excess), Holds, wished => Divergence(Cut(wished)), plan.Seed),
                Allocation.Latency => LatencyProgram.Solve(errors.Value, table!, Holds),
                _ => Spread.Create(allocation, open, evidence, notes).Budget(Holds),
            });
            if (table is not null && Time(choice) is var time)
            {
                if (time.Ratio > plan.Budget.Latency!.Value * LatencyNoise)
                {
                    if (round < LatencyRounds)
                    {
                        // By one, four and sixteen per cent more than it is too slow.
                        latency *= (1 - (0.01 * Math.Pow(4, round - 1))) * plan.Budget.Latency.Value / time.Ratio;
                        continue;
                    }
                    choice = Smallest(bounds);
                    time = Time(choice);
                }
                notes?.Add(FormattableString.Invariant($"One run takes {time.Dense:0.###} ms of processor time before and ")
                    + FormattableString.Invariant(
                        $"{time.Changed:0.###} ms after, as measured on this machine: {time.Ratio:0.000} of it."));
            }
            Candidate.Merge(counts, choice);
            if (open.Count > 0 && open.All(p => p.Groups.All(c => counts[c.Group.Id] == c.Group.Size)))
                notes?.Add("The budget holds without removing any unit that it decides on.");
            return Kept(counts);
        }

        // A table is a model of times and no reason to refuse a plan: the smallest choice itself is timed before that.
        Dictionary<int, int> Smallest(Bounds bounds)
        {
            var least = Spread.Least(open);
            double? ratio = table is null || !bounds.CostsHold(least) ? null : Time(least).Ratio;
            return ratio <= plan.Budget!.Latency * LatencyNoise ? least : throw bounds.OutOfReach(least, open.Count, ratio);
        }

        // Costs rise with every count. So if each component chooses with all that is not its own whole, the least of these
        // choices meets every bound of a component, and so does what is cut to it: the budget of the whole goes along its own
        // line, every choice of it cut. The tightest component is first, so that what it takes is not taken twice.
        Dictionary<int, int> Caps()
        {
            var least = new Dictionary<int, int>();
            foreach (var component in evidence.Components.OrderBy(c => PlanResolver.Limits(c.Bound).Select(l => l.Fraction)
                .DefaultIfEmpty(1).Min()))
            {
                var own = open.Where(p => p.Groups.Any(c => component.Has(c.Group.Id))).ToList();
                var bounds = new Bounds(component.Bound, component.Cost, counts, removedSublayers, null,
                    null) { Component = component.Pattern };
                if (!bounds.Hold(Spread.Least(own)))
                {
                    if (!component.MayYield) throw bounds.OutOfReach(Spread.Least(own), own.Count, null);
                    notes?.Add($"Component '{component.Pattern}' cannot meet the budget by itself: that of the whole decides on it.");
                    continue;
                }
                bool Holds(IReadOnlyDictionary<int, int> wished) => bounds.Hold(CutTo(least, wished));
                Candidate.Merge(least,
                    CutTo(least, AllocationEvidence.NeedsDivergence(allocation)
                        ? errors.Value.Among(own).Descend(Holds, wished => bounds.Excess(CutTo(least, wished)))
                        : Spread.Create(allocation, own, evidence, notes).Budget(Holds)));
            }
            return least;
        }

        Dictionary<int, int> Cut(IReadOnlyDictionary<int, int> wished) => CutTo(caps, wished);

        double Divergence(IReadOnlyDictionary<int, int> choice) => evidence.Divergence is { } measure ? measure(Kept(With(choice)))
            : throw new EspalierException($"Allocation {allocation} chooses by the outputs of changed models, but there is nothing to "
                + "run them on. Give calibration data, or use another allocation.");

        ModelTime Time(IReadOnlyDictionary<int, int> choice) => evidence.Time is { } measure ? measure(Kept(With(choice)))
            : throw new EspalierException(
                "The budget bounds the latency, but there is nothing to measure it on. Run models, or bound the multiply-accumulates.");

        Dictionary<int, int> With(IReadOnlyDictionary<int, int> choice)
        {
            var all = new Dictionary<int, int>(counts);
            Candidate.Merge(all, choice);
            return all;
        }

        IReadOnlyDictionary<int, ImmutableArray<int>> Kept(IReadOnlyDictionary<int, int> chosen)
            => candidates.Where(c => chosen.TryGetValue(c.Group.Id, out int n) && n < c.Group.Size)
                .ToDictionary(c => c.Group.Id, c => Candidate.Best(c.Scores, chosen[c.Group.Id]));
    }

    private static Dictionary<int, int> CutTo(Dictionary<int, int> caps, IReadOnlyDictionary<int, int> wished)
        => wished.ToDictionary(c => c.Key, c => Math.Min(c.Value, caps.GetValueOrDefault(c.Key, int.MaxValue)));
}
