using System.Globalization;
using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Axes.Groups;
using Espalier.Axes.Measurements;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Factoring;

/// <summary>
/// A form of the model in which products with a weight are two, at full rank: so ranks are units like the channels of any other layer,
/// and one choice does for width and rank. What is chosen is then carried over to the model itself, which is fitted and cut.
/// </summary>
internal sealed class RankSplit
{
    private readonly ResolvedPlan _model;
    private readonly IReadOnlyList<SplitWeight> _weights = [];
    /// <summary>By group of the model the same in this form.</summary>
    private readonly IReadOnlyDictionary<Group, Group> _groups;

    private RankSplit(ResolvedPlan model, Evidence evidence)
        => (_model, Resolved, Evidence, _groups)
            = (model, model, evidence, model.Analysis.Groups.ToDictionary(g => g));

    private RankSplit(ResolvedPlan model, Evidence evidence, IReadOnlyList<RankBasis> bases)
    {
        _model = model;
        var slim = Surgery.Apply(model.Analysis, Selection.Everything,
            WeightEdits.Nothing with { Factors = [.. bases.Select(b => b.Factors())] });
        var analysis = AxisAnalysis.Run(slim.Model, model.Analysis.Options);
        _weights = [.. bases.Select(b => new SplitWeight(b, slim.Factored[b.Target.Weight], analysis))];
        analysis.Cost = analysis.Cost with { Factored = [.. _weights.SelectMany(w => w.Costs(model.Analysis, analysis))] };
        _groups = SameGroups(analysis);
        var scores = model.BasisScores.ToDictionary(s => _groups[model.Analysis.Groups[s.Key]].Id, s => s.Value);
        foreach (var weight in _weights) scores[weight.Ranks.Id] = weight.Basis.Directions.Values;
        var rule = new PruneRule
        {
            Name = "ranks",
            Axis = Axis.Channels,
            Groups = [.. _weights.Select(w => w.Ranks.Name)],
            Score = Criterion.L2,
            Compensate = Compensation.LeastSquares,
        };
        Resolved = model.On(analysis, g => _groups[g], new(rule, [.. _weights.Select(w => w.Ranks)])) with { BasisScores = scores };
        Evidence = evidence with { Statistics = Translated(evidence.Statistics!, analysis), Probe = evidence.Probe?.On(analysis) };
    }

    /// <summary>The plan on this form, with a rule on ranks.</summary>
    public ResolvedPlan Resolved { get; private init; }

    /// <summary>The same evidence about this form.</summary>
    public Evidence Evidence { get; }

    /// <summary>Asks for the moments that bases are made from.</summary>
    public static void Require(ResolvedPlan resolved, Requirements needs)
    {
        var products = Shared(resolved).SelectMany(t => t.Consumers).ToList();
        needs.Consumers(products);
        needs.Covariance(products);
    }

    /// <summary>The form in which all weights are split whose ranks share the budget; the model itself where there are none.</summary>
    /// <param name="notes">Gets what stays whole and why.</param>
    public static RankSplit Create(ResolvedPlan resolved, Evidence evidence, ICollection<string> notes)
    {
        var bases = new List<RankBasis>();
        var whole = new List<(string Weight, string Why)>();
        foreach (var target in Shared(resolved))
        {
            var matrix = ConsumerMatrix.Create(target.Consumers[0], resolved.Model.Weights.Shape(target.Weight)!);
            string? obstacle = SplitWeight.Obstacle(target, matrix, resolved.Model);
            RankBasis? basis = null;
            if (obstacle is null && evidence.Statistics is { } statistics)
                basis = RankBasis.Create(target, matrix!, resolved.Model.Weights, statistics);
            if (basis is not null) bases.Add(basis);
            else whole.Add((target.Weight, obstacle ?? "calibration has no covariance of its inputs"));
        }
        foreach (var same in whole.GroupBy(w => w.Why, w => w.Weight, StringComparer.Ordinal))
            notes.Add($"Not factored: {RuleNames.Listed([.. same])}: {same.Key}.");
        return bases.Count == 0 ? new(resolved, evidence) : new(resolved, evidence, bases);
    }

    /// <summary>
    /// The rule on ranks of a plan that says nothing of them, where a budget decides, by what the outputs say, on units whose readers
    /// are refitted: what is left of a layer may be fewer channels or fewer directions.
    /// </summary>
    /// <param name="plan">A completed plan.</param>
    public static IReadOnlyList<LowRankRule> Usual(PruningPlan plan, AxisAnalysis analysis)
    {
        if (plan.LowRank.Count > 0 || plan.Drop.Count > 0 || plan.Budget is not { Latency: null, Components: null or { Count: 0 } }
            || plan.Prune.Count == 0 || plan.Prune.Any(r => r.Keep is not null || r.Compensate != Compensation.LeastSquares)
            || !AllocationRow.Get(plan.Allocate!.Value).Needs.HasFlag(Needs.Divergence)) return plan.LowRank;
        var model = new DenseModel(analysis);
        return analysis.Products.Select(p => p.Parameter).Distinct(StringComparer.Ordinal)
            .Select(name => FactorableWeight.Find(analysis, model.Weights, name).Weight).OfType<FactorableWeight>()
            .Any(t => SplitWeight.Obstacle(t, ConsumerMatrix.Create(t.Consumers[0], model.Weights.Shape(t.Weight)!), model) is null)
            ? [new LowRankRule()]
            : [];
    }

    /// <summary>The same form under other ratios and bounds.</summary>
    /// <param name="plan">The completed plan of the model.</param>
    public RankSplit With(PruningPlan plan)
    {
        var model = _model.With(plan);
        return _weights.Count == 0 ? new(model, Evidence)
            : new(this, model) { Resolved = Resolved.With(plan with { Prune = [.. plan.Prune, Resolved.Plan.Prune[^1]] }) };
    }

    private RankSplit(RankSplit other, ResolvedPlan model)
        => (_model, _weights, _groups, Resolved, Evidence) = (model, other._weights, other._groups, other.Resolved, other.Evidence);

    /// <summary>What is chosen in this form, for the model itself: a weight is cut where fewer ranks are kept than cost as much.</summary>
    public (Selection Selection, IReadOnlyDictionary<int, Compensation> Methods, IReadOnlyDictionary<string, RankCut> Ranks) Settle(
        Selection selection, IReadOnlyDictionary<int, Compensation> methods)
    {
        var kept = selection.Kept;
        var cost = Resolved.Analysis.Cost;
        double Size(int group) => kept.TryGetValue(group, out var units) ? units.Length : cost.GroupSizes[group];
        var cut = _weights.Where(w => kept.ContainsKey(w.Ranks.Id)
            && cost.Factored.Where(f => f.Rank == w.Ranks.Id && f.Unit != CostUnit.Bytes).All(f => f.Refund(Size, null) <= 0));
        var number = _groups.ToDictionary(g => g.Value.Id, g => g.Key.Id);
        return (new(Renumbered(kept, number), selection.RemovedBlocks), Renumbered(methods, number), cut.ToDictionary(
            w => w.Basis.Target.Weight, w => new RankCut(w.Basis.Target, kept[w.Ranks.Id].Length), StringComparer.Ordinal));
    }

    private static Dictionary<int, T> Renumbered<T>(IReadOnlyDictionary<int, T> byGroup, Dictionary<int, int> number)
        => byGroup.Where(g => number.ContainsKey(g.Key)).ToDictionary(g => number[g.Key], g => g.Value);

    private static IEnumerable<FactorableWeight> Shared(ResolvedPlan resolved)
        => LowRankTargets.ShareBudget(resolved.Plan)
            ? resolved.Targets.Where(t => LowRankTargets.IsOpen(t.Rule)).Select(t => t.Weight)
            : [];

    /// <summary>
    /// The groups of the model in this form: by where they occur in the weights that both have, and of those with the same places in
    /// their order.
    /// </summary>
    private Dictionary<Group, Group> SameGroups(AxisAnalysis analysis)
    {
        var whole = new Dictionary<(string, int), (string, int)>();
        foreach (var weight in _weights)
        {
            var (first, second, dense) = (weight.Pairs[0].First, weight.Pairs[0].Second, weight.Basis.Target.Consumers[0]);
            whole[(weight.Down, first.ParameterAxis)] = (dense.Parameter, dense.ParameterAxis);
            whole[(weight.Up, second.OutputAxis)] = (dense.Parameter, dense.OutputAxis);
        }
        string Places(Group group) => $"{group.Kind} {group.Size} " + string.Join(' ', group.Occurrences
            .Select(o => whole.GetValueOrDefault((o.Tensor, o.Axis), (o.Tensor, o.Axis)))
            .Select(o => string.Create(CultureInfo.InvariantCulture, $"{o.Item1}:{o.Item2}")).Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal));
        var ranks = _weights.Select(w => w.Ranks).ToHashSet();
        var here = analysis.Groups.Where(g => !ranks.Contains(g)).ToLookup(Places, StringComparer.Ordinal);
        var same = new Dictionary<Group, Group>();
        foreach (var places in _model.Analysis.Groups.GroupBy(Places, StringComparer.Ordinal))
        {
            var (own, others) = (places.ToList(), here[places.Key].ToList());
            if (own.Count != others.Count)
                throw new EspalierException($"Group '{own[0].Name}' is another one where weights are products of two, so their ranks "
                    + "cannot share the budget. Give the rules on ranks a Rank or a Keep. This is a fault of the tool.");
            for (int k = 0; k < own.Count; k++) same[own[k]] = others[k];
        }
        return same;
    }

    private static (string, string, int) PlaceOf(Consumer consumer)
        => (consumer.Node.Proto.Output[0], consumer.Activation, consumer.ActivationAxis);

    private Dictionary<(string, string, int), Consumer> ByPlace(AxisAnalysis analysis)
    {
        var places = analysis.Products.GroupBy(PlaceOf).ToDictionary(g => g.Key, g => g.First());
        foreach (var (_, second) in _weights.SelectMany(w => w.Pairs))
            places[PlaceOf(second)] = places.Values.First(c => c.Node.Proto.Output[0] == second.Node.Proto.Output[0]);
        return places;
    }

    private CalibrationStatistics Translated(CalibrationStatistics statistics, AxisAnalysis analysis)
    {
        var there = ByPlace(_model.Analysis);
        var parts = _weights.SelectMany(w => w.Pairs.Select(p => (w.Basis, p.First, p.Second))).ToList();
        var firsts = parts.ToDictionary(p => p.First.Id);
        var seconds = parts.ToDictionary(p => p.Second.Id);
        var seen = new Dictionary<int, ActivationStatistics>();
        foreach (var product in analysis.Products)
        {
            var place = PlaceOf(firsts.TryGetValue(product.Id, out var part) ? part.Second : product);
            if (!there.TryGetValue(place, out var dense) || !statistics.Consumers.TryGetValue(dense.Id, out var own)) continue;
            seen[product.Id] = seconds.TryGetValue(product.Id, out part)
                ? part.Basis.Moments(product.Id, own)
                : own with { Consumer = product.Id };
        }
        return statistics with { Consumers = seen };
    }
}
