using System.Collections.Immutable;
using Espalier.Axes.Costs;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Depth;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Spreads;

namespace Espalier.Pruning.Allocators;

/// <summary>Decides how many units of every group stay. Formulas and sources: docs/methods.md.</summary>
internal sealed class Allocator
{
    /// <summary>Rounds in which a choice that turns out slower than the table says is made anew.</summary>
    private const int LatencyRounds = 4;

    /// <summary>Medians of times of the same model differ by about so much: no choice is refused for it.</summary>
    private const double LatencyNoise = 1.02;

    private readonly PruningPlan _plan;
    private readonly Allocation _allocation;
    private readonly CostModel _cost;
    private readonly IReadOnlyList<Candidate> _candidates;
    private readonly IReadOnlySet<int>? _removedSublayers;
    private readonly ICollection<string> _notes;
    private readonly AllocationEvidence _evidence;
    /// <summary>Units of groups whose rules have ratios, by group number.</summary>
    private readonly Dictionary<int, int> _counts = [];
    /// <summary>What the budget decides on.</summary>
    private readonly IReadOnlyList<Population> _open;
    private readonly Lazy<ErrorDatabase> _errors;
    /// <summary>Most units that bounds of components leave.</summary>
    private Dictionary<int, int> _caps = [];

    private Allocator(PruningPlan plan, CostModel cost, IReadOnlyList<Candidate> candidates, IReadOnlySet<int>? removedSublayers,
        ICollection<string> notes, AllocationEvidence evidence)
    {
        (_plan, _cost, _candidates, _removedSublayers, _notes, _evidence) = (plan, cost, candidates, removedSublayers, notes, evidence);
        _allocation = plan.Allocate ?? Allocation.Uniform;
        _open = Population.Gather([.. candidates.Where(c => c.Rule.Keep is null)]);
        _errors = new(() => _allocation == Allocation.LayerError
            ? LayerErrors.Measure(_open, Kept, evidence.LayerLoss ?? throw new EspalierException("Allocation LayerError chooses by what "
                + "layers lose of their outputs, but calibration took no covariances. Give calibration data, or use another allocation."))
            : ErrorDatabase.Measure(_open, Divergence));
    }

    /// <summary>Asks for what the plan's allocation and a budget of time read.</summary>
    public static void Require(ResolvedPlan resolved, Requirements needs)
    {
        var (plan, analysis) = (resolved.ForUnits, resolved.Analysis);
        var reads = AllocationRow.Get(plan.Allocate!.Value).Needs;
        if (plan.Budget is not null && reads.HasFlag(Needs.Covariance))
            needs.Covariance(resolved.Rules.Where(r => r.Rule.Keep is null).SelectMany(r => r.Groups));
        needs.Runs |= plan.Budget?.Latency is not null || (plan.Budget is not null && reads.HasFlag(Needs.Runs));
        needs.BlockAngles |= reads.HasFlag(Needs.Angles);
        if (reads.HasFlag(Needs.Blocks)) needs.Blocks(BlockSimilarity.Read(analysis));
    }

    /// <summary>Allocates.</summary>
    /// <param name="plan">Its rules' ratios, its budget and its way to spread it.</param>
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
        var self = new Allocator(plan, cost, candidates, removedSublayers, notes ?? [], evidence ?? new());
        self.AllocateRatios();
        if (plan.Budget is { } budget) self.AllocateBudget(budget);
        else if (self._open.Count > 0 && self._allocation == Allocation.PqIndex)
            Candidate.Merge(self._counts, PqIndex.Own(self._open, self._evidence));
        return self.Kept(self._counts);
    }

    private void AllocateRatios()
    {
        foreach (var own in _candidates.Where(c => c.Rule.Keep is not null).GroupBy(c => c.Rule, ReferenceEqualityComparer.Instance))
            Candidate.Merge(_counts, SpreadFactory.Create(_allocation, Population.Gather([.. own]), _evidence, _notes)
                .Ratio(own.First().Rule.Keep!.Value, _cost));
    }

    private void AllocateBudget(Budget budget)
    {
        int curves = AllocationRow.Get(_allocation).Needs.HasFlag(Needs.Divergence) ? ErrorCurve.MostMeasured * _open.Count : 0;
        _evidence.Expect?.Invoke(curves + (budget.Latency is null ? 0 : LatencyTable.MostMeasured(_open.Count) + LatencyRounds)
            + (_allocation switch
            {
                Allocation.Search => SwapSearch.Evaluations,
                Allocation.LayerError => SensitivitySearch.Evaluations,
                _ => 0,
            }));
        var table = budget.Latency is null ? null
            : LatencyTable.Measure(_cost, _open, _counts, _removedSublayers, choice => Time(choice).Ratio);
        _caps = Caps();
        var choice = table is null ? Choose(Bound(budget), null) : ChooseByTime(budget, table);
        Candidate.Merge(_counts, choice);
        if (_open.Count > 0 && _open.All(p => p.Groups.All(c => _counts[c.Group.Id] == c.Group.Size)))
            _notes.Add("The budget holds without removing any unit that it decides on.");
    }

    private Bounds Bound(Budget budget, LatencyTable? table = null, double? latency = null)
        => new(budget, _cost, _counts, _removedSublayers) { Table = table, Latency = latency, Obstacles = _evidence.Obstacles };

    private Dictionary<int, int> Choose(Bounds bounds, LatencyTable? table)
    {
        if (!bounds.Hold(Spread.Least(_open))) return Smallest(bounds, table);
        bool Holds(IReadOnlyDictionary<int, int> wished) => bounds.Hold(Cut(wished));
        double Excess(IReadOnlyDictionary<int, int> wished) => bounds.Excess(Cut(wished));
        return Cut(_allocation switch
        {
            Allocation.Divergence => _errors.Value.Descend(Holds, Excess),
            Allocation.Search
                => SwapSearch.Run(_open, _errors.Value.Descend(Holds, Excess), Holds, wished => Divergence(Cut(wished)), _plan.Seed),
            Allocation.Latency => new LatencyProgram(_errors.Value, table!.Evaluate).Solve(_errors.Value, Holds),
            Allocation.LayerError
                => SensitivitySearch.Run(_errors.Value, Excess, Holds, wished => Divergence(Cut(wished)), _plan.Seed),
            _ => SpreadFactory.Create(_allocation, _open, _evidence, _notes).Budget(Holds),
        });
    }

    /// <summary>Chooses by the table, and anew under a lower bound where the choice itself turns out to be slower.</summary>
    private Dictionary<int, int> ChooseByTime(Budget budget, LatencyTable table)
    {
        double wanted = budget.Latency!.Value, bound = wanted;
        for (int round = 1; ; round++)
        {
            var bounds = Bound(budget, table, bound);
            var choice = Choose(bounds, table);
            var time = Time(choice);
            if (time.Ratio > wanted * LatencyNoise)
            {
                if (round < LatencyRounds)
                {
                    // By one, four and sixteen per cent more than it is too slow.
                    bound *= (1 - (0.01 * Math.Pow(4, round - 1))) * wanted / time.Ratio;
                    continue;
                }
                choice = Smallest(bounds, table);
                time = Time(choice);
            }
            _notes.Add(FormattableString.Invariant($"One run takes {time.Dense:0.###} ms of processor time before and ")
                + FormattableString.Invariant(
                    $"{time.Changed:0.###} ms after, as measured on this machine: {time.Ratio:0.000} of it."));
            return choice;
        }
    }

    /// <summary>A table is a model of times and no reason to refuse a plan: the smallest choice itself is timed before that.</summary>
    private Dictionary<int, int> Smallest(Bounds bounds, LatencyTable? table)
    {
        var least = Spread.Least(_open);
        double? ratio = table is null || !bounds.CostsHold(least) ? null : Time(least).Ratio;
        return ratio <= _plan.Budget!.Latency * LatencyNoise ? least : throw bounds.OutOfReach(least, _open.Count, ratio);
    }

    /// <summary>
    /// Costs rise with every count. So if each component chooses with all that is not its own whole, the least of these choices
    /// meets every bound of a component, and so does what is cut to it: the budget of the whole goes along its own line, every
    /// choice of it cut. The tightest component is first, so that what it takes is not taken twice.
    /// </summary>
    private Dictionary<int, int> Caps()
    {
        var least = new Dictionary<int, int>();
        foreach (var component in _evidence.Components
            .OrderBy(c => c.Bound.Limits().Select(l => l.Fraction).DefaultIfEmpty(1).Min()))
        {
            var own = _open.Where(p => p.Groups.Any(c => component.Has(c.Group.Id))).ToList();
            var bounds = new Bounds(component.Bound, component.Cost, _counts, _removedSublayers) { Component = component.Pattern };
            if (!bounds.Hold(Spread.Least(own))) throw bounds.OutOfReach(Spread.Least(own), own.Count, null);
            bool Holds(IReadOnlyDictionary<int, int> wished) => bounds.Hold(CutTo(least, wished));
            var wished = AllocationRow.Get(_allocation).Needs.HasFlag(Needs.Divergence)
                ? _errors.Value.Among(own).Descend(Holds, choice => bounds.Excess(CutTo(least, choice)))
                : SpreadFactory.Create(_allocation, own, _evidence, _notes).Budget(Holds);
            Candidate.Merge(least, CutTo(least, wished));
        }
        return least;
    }

    private Dictionary<int, int> Cut(IReadOnlyDictionary<int, int> wished) => CutTo(_caps, wished);

    private static Dictionary<int, int> CutTo(Dictionary<int, int> caps, IReadOnlyDictionary<int, int> wished)
        => wished.ToDictionary(c => c.Key, c => Math.Min(c.Value, caps.GetValueOrDefault(c.Key, int.MaxValue)));

    private double Divergence(IReadOnlyDictionary<int, int> choice) => _evidence.Divergence is { } measure ? measure(Kept(With(choice)))
        : throw new EspalierException($"Allocation {_allocation} chooses by the outputs of changed models, but there is nothing to "
            + "run them on. Give calibration data, or use another allocation.");

    private ModelTime Time(IReadOnlyDictionary<int, int> choice) => _evidence.Time is { } measure ? measure(Kept(With(choice)))
        : throw new EspalierException(
            "The budget bounds the latency, but there is nothing to measure it on. Run models, or bound the multiply-accumulates.");

    private Dictionary<int, int> With(IReadOnlyDictionary<int, int> choice)
    {
        var all = new Dictionary<int, int>(_counts);
        Candidate.Merge(all, choice);
        return all;
    }

    private IReadOnlyDictionary<int, ImmutableArray<int>> Kept(Dictionary<int, int> chosen)
        => _candidates.Where(c => chosen.TryGetValue(c.Group.Id, out int n) && n < c.Group.Size)
            .ToDictionary(c => c.Group.Id, c => Candidate.Best(c.Scores, chosen[c.Group.Id]));
}
