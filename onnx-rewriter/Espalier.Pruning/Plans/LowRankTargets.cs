using Espalier.Axes.Roles;
using Espalier.Pruning.Weights;

namespace Espalier.Pruning.Plans;

/// <summary>Finds the weights that the rules of a plan on ranks name.</summary>
internal static class LowRankTargets
{
    /// <summary>In the order of rules, then of the graph.</summary>
    /// <param name="notes">Gets a note for every weight that a rule names and that stays.</param>
    /// <exception cref="EspalierException">A number is out of range, or a rule names nothing that can be factored.</exception>
    public static IReadOnlyList<LowRankTarget> Find(PruningPlan plan, DenseModel model, ICollection<string> notes)
    {
        if (plan.LowRank.Count == 0) return [];
        Validate(plan);
        var (analysis, weights) = (model.Analysis, model.Weights);
        var targets = new List<LowRankTarget>();
        var owned = new HashSet<string>(StringComparer.Ordinal);
        AttentionProjections? attention = null;
        foreach (var rule in plan.LowRank)
        {
            if (rule.Of == ProductKind.KeysAndValues) attention ??= AttentionProjections.Find(analysis);
            var products = rule.Of == ProductKind.Any ? analysis.Products
                : [.. analysis.Products.Where(p => attention!.Keys.Contains(p.Node.Ordinal) || attention.Values.Contains(p.Node.Ordinal))];
            if (products.Count == 0)
            {
                string what = rule.Of == ProductKind.Any ? "products with a weight"
                    : "attention whose keys and values are made by products with weights";
                throw new EspalierException($"{rule.Describe()}: the model has no {what}. Remove the rule.");
            }
            var known = analysis.Names;
            var names = products.Where(p => known.Matches(rule.Pattern, p.Parameter) || known.Matches(rule.Pattern, p.Node))
                .Select(p => p.Parameter).Distinct(StringComparer.Ordinal).ToList();
            if (names.Count == 0)
                throw new EspalierException($"{rule.Describe()}: the pattern matches no weight or node of them. There are: "
                    + $"{string.Join(", ", products.Select(p => $"'{known.Readable(p.Parameter)}' of {p.Node}").Distinct().Take(6))}.");
            string? first = null;
            int found = 0;
            foreach (string name in names)
            {
                if (!owned.Add(name)) continue;
                var (weight, obstacle) = FactorableWeight.Find(analysis, weights, name);
                if (plan.Protect.Any(p => known.Matches(p, name))) obstacle = "it is protected";
                else if (rule.Of == ProductKind.KeysAndValues && weight is not null
                    && weight.Consumers.Any(r => attention!.Queries.Contains(r.Node.Ordinal)))
                    obstacle = "it makes queries too: name it by a pattern to factor it as a whole";
                if (obstacle is not null)
                {
                    first ??= $"'{known.Describe(name)}': {obstacle}";
                    notes.Add($"Weight '{known.Describe(name)}' is not factored: {obstacle}.");
                    continue;
                }
                targets.Add(new(rule, weight!));
                found++;
            }
            if (found == 0 && first is not null)
                throw new EspalierException($"{rule.Describe()}: no weight that it names can be factored; {first}.");
        }
        return targets;
    }

    /// <summary>Whether the budget is for ranks alone: some rule leaves its own to it, and no rule on units does.</summary>
    public static bool TakeBudget(PruningPlan plan) => plan.LowRank.Any(IsOpen) && !ShareBudget(plan);

    /// <summary>Whether the budget is for ranks and units together.</summary>
    public static bool ShareBudget(PruningPlan plan) => plan.LowRank.Any(IsOpen) && plan.Prune.Any(r => r.Keep is null);

    /// <summary>Whether a rule leaves its rank to the budget.</summary>
    public static bool IsOpen(LowRankRule rule) => rule is { Rank: null, Keep: null };

    private static void Validate(PruningPlan plan)
    {
        foreach (var rule in plan.LowRank)
        {
            if (rule.Rank < 1)
                throw new EspalierException(
                    FormattableString.Invariant($"{rule.Describe()}: Rank is {rule.Rank}, but must be at least 1."));
            if (rule.Keep is { } keep && !(keep > 0 && keep < 1))
                throw new EspalierException(FormattableString.Invariant(
                    $"{rule.Describe()}: Keep is {keep}, but must lie in (0, 1): the share of the weight's parameters that stays."));
            if (rule is { Rank: not null, Keep: not null })
                throw new EspalierException($"{rule.Describe()}: it has both a Rank and a Keep. Remove one.");
        }
        if (plan.LowRank.FirstOrDefault(IsOpen) is not { } open) return;
        if (plan.Budget is null)
            throw new EspalierException($"{open.Describe()}: neither Rank nor Keep nor a budget says how much is to stay.");
        if (plan.Budget.Latency is not null)
            throw new EspalierException(
                $"{open.Describe()}: ranks are not chosen by time. Give a budget of MACs, parameters or bytes, a Rank or a Keep.");
        if (plan.Budget.Components is { Count: > 0 })
            throw new EspalierException($"{open.Describe()}: ranks are not chosen by bounds on parts of the model. Give a Rank or a Keep, "
                + "or bound the whole model.");
        if (plan.Drop.Any(r => r.AtMost is null))
            throw new EspalierException($"{open.Describe()}: the budget cannot be shared with rules on depth that leave their own part to "
                + "it. Give one side its numbers.");
        if (ShareBudget(plan) && plan.Prune.Any(r => r.Compensate != Compensation.LeastSquares))
            throw new EspalierException($"{open.Describe()}: the budget cannot be shared with rules on units that "
                + "compensate otherwise than by least squares, as ranks do. Give one side its numbers, or let all rules compensate so.");
    }
}
