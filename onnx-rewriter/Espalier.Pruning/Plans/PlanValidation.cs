using Espalier.Axes.Costs;

namespace Espalier.Pruning.Plans;

/// <summary>Whether the numbers of a plan are in range, and its parts fit together.</summary>
internal static class PlanValidation
{
    /// <exception cref="EspalierException">A number is out of range, or one part of the plan contradicts another.</exception>
    public static void Validate(PruningPlan plan, CostModel cost)
    {
        foreach (var rule in plan.Prune)
        {
            CheckNumbers(rule);
            CheckScore(plan, rule);
            CheckRatio(plan, rule);
        }
        foreach (var rule in plan.Drop) CheckDepth(plan, rule);
        CheckBudget(plan);
        CheckCosts(plan, cost);
    }

    private static void CheckNumbers(PruneRule rule)
    {
        if (rule.Keep is { } keep && !(keep > 0 && keep <= 1))
            throw new EspalierException(FormattableString.Invariant(
                $"{rule.Describe()}: Keep is {keep}, but must lie in (0, 1]: the fraction of units that stays."));
        if (rule.MinKeep < 1)
            throw new EspalierException($"{rule.Describe()}: MinKeep is {rule.MinKeep}, but at least one unit must stay.");
        if (rule.RoundTo < 0)
            throw new EspalierException($"{rule.Describe()}: RoundTo is {rule.RoundTo}, but must be 0 (the kind's default) or more.");
    }

    private static void CheckScore(PruningPlan plan, PruneRule rule)
    {
        if (rule.Score == Criterion.File && string.IsNullOrEmpty(rule.ScoreFile))
            throw new EspalierException($"{rule.Describe()}: Score is File, but no file is named. Give ScoreFile.");
        if (rule.Score != Criterion.File && rule.ScoreFile is not null)
            throw new EspalierException(
                $"{rule.Describe()}: ScoreFile is '{rule.ScoreFile}', but Score is {rule.Score}: only File reads one.");
        if (rule.Score == Criterion.Fisher && plan.DivergenceMetric == Metric.TaskLoss)
            throw new EspalierException($"{rule.Describe()}: Fisher is the curvature of a divergence at its least, and the task's "
                + "loss is not at its least in the dense model. Use KullbackLeibler, whose curvature is the Fisher information, or "
                + "OutputDivergence.");
        if (rule.Score is Criterion.BlockSimilarity or Criterion.BlockAngle)
            throw new EspalierException(
                $"{rule.Describe()}: {rule.Score} scores sublayers and blocks, not units. Use L2, Variance or Wanda.");
    }

    private static void CheckRatio(PruningPlan plan, PruneRule rule)
    {
        if (rule.Keep is null && plan.Budget is null && plan.Allocate != Allocation.PqIndex)
            throw new EspalierException($"{rule.Describe()}: neither Keep nor a budget says how much is to stay. Give the rule a "
                + "Keep, or the plan a budget; Allocation.PqIndex needs neither.");
    }

    private static void CheckDepth(PruningPlan plan, DropRule rule)
    {
        if (rule.Axis is not (Axis.Sublayers or Axis.Blocks))
            throw new EspalierException($"{rule.Describe()}: a drop rule removes sublayers or blocks, not {rule.Axis.CamelCase()}.");
        if (rule.AtMost is null && plan.Budget is null)
            throw new EspalierException($"{rule.Describe()}: neither AtMost nor a budget says how many are removed. Give the rule an "
                + "AtMost, or the plan a budget.");
        if (rule.AtMost < 1) throw new EspalierException($"{rule.Describe()}: AtMost is {rule.AtMost}, but must be at least 1.");
        if (rule.Score is not (Criterion.BlockSimilarity or Criterion.BlockAngle or Criterion.OutputDivergence or Criterion.Random))
            throw new EspalierException($"{rule.Describe()}: {rule.Score} does not score {rule.Axis.CamelCase()}. Use BlockSimilarity, "
                + "OutputDivergence or Random.");
    }

    private static void CheckBudget(PruningPlan plan)
    {
        if (plan.Allocate == Allocation.Latency && plan.Budget?.Latency is null)
            throw new EspalierException(
                "Allocation.Latency spreads a budget of time, but the plan has none. Give the budget a Latency, or use Divergence.");
        foreach (var component in plan.Budget?.Components ?? [])
        {
            if (component.Macs is null && component.Parameters is null)
                throw new EspalierException($"The component budget '{component.Pattern}' bounds nothing. Give it macs or parameters.");
            foreach (var (unit, value) in new Budget(component.Macs, component.Parameters).Limits())
                if (!(value > 0 && value <= 1))
                    throw new EspalierException(FormattableString.Invariant($"The budget of {unit.CamelCase()} of component ")
                        + FormattableString.Invariant(
                            $"'{component.Pattern}' is {value}, but must lie in (0, 1]: a fraction of what it is in the dense model."));
        }
        if (plan.Budget?.Latency is { } latency && !(latency > 0 && latency <= 1))
            throw new EspalierException(FormattableString.Invariant(
                $"The budget of latency is {latency}, but must lie in (0, 1]: a fraction of the dense model's time."));
        foreach (var (unit, value) in plan.Budget.Limits())
        {
            if (!(value > 0 && value <= 1))
                throw new EspalierException(FormattableString.Invariant(
                    $"The budget of {unit.CamelCase()} is {value}, but must lie in (0, 1]: a fraction of the dense model."));
        }
    }

    /// <summary>A bound on multiply-accumulates can only be held where they are known.</summary>
    private static void CheckCosts(PruningPlan plan, CostModel cost)
    {
        if (plan.Budget is not { } budget || (budget.Macs is null && (budget.Components ?? []).All(c => c.Macs is null))) return;
        if (cost.UnknownMacs is not [var first, ..] unknown) return;
        throw new EspalierException(
            $"The budget bounds multiply-accumulates, but those of {unknown.Length} operator{(unknown.Length == 1 ? "" : "s")} "
            + $"are not known: {first}. Bound Parameters or Bytes instead, or give the rules a Keep.");
    }
}
