using Espalier.Axes;
using Espalier.Axes.Costs;
using Espalier.Pruning.Edits;
using Espalier.Pruning.Plans;

namespace Espalier.Pruning.Budgets;

/// <summary>A bound that the slim file misses.</summary>
/// <param name="Fraction">The bound, of the dense file's figure.</param>
/// <param name="Ratio">What came out, of the same.</param>
/// <param name="Component">The part of the model that is bounded; null for the whole.</param>
internal sealed record BudgetMiss(CostUnit Unit, double Fraction, double Ratio, string? Component);

/// <summary>
/// Whether the slim file meets the budget, by its own figures: the polynomial that a choice is made by cannot know what surgery and
/// compensation add (copies of shared vectors, biases, bodies of functions).
/// </summary>
internal static class WrittenBudget
{
    /// <summary>Of what a file has nothing, no fraction can be asked for.</summary>
    /// <exception cref="EspalierException">The budget bounds such a figure.</exception>
    internal static void Demand(PruningPlan plan, ModelCost dense)
    {
        foreach (var (unit, fraction) in plan.Budget.Limits())
        {
            if (Of(dense, unit) > 0) continue;
            throw new EspalierException(FormattableString.Invariant(
                $"The budget is {fraction} of the dense model's {unit.CamelCase()}, but ") + (unit == CostUnit.Parameters
                ? "the file stores no parameters: what its graph makes of shapes is none. Bound the multiply-accumulates."
                : "no operator is known to cost any. Bound the parameters or bytes."));
        }
    }

    /// <summary>The bounds of the plan that the file misses.</summary>
    internal static IReadOnlyList<BudgetMiss> Misses(PruningPlan plan, AxisAnalysis analysis, SlimModel slim, PruningReport report)
    {
        var misses = Misses(plan.Budget, report);
        if (plan.Budget?.Components is not { Count: > 0 } components) return misses;
        var written = AxisAnalysis.Run(slim.Model, analysis.Options);
        foreach (var component in components)
        {
            var before = analysis.CostOf(n => analysis.Names.Matches(component.Pattern, n));
            var after = written.CostOf(Component.InWritten(component.Pattern, analysis, written));
            foreach (var (unit, fraction) in new Budget(component.Macs, component.Parameters).Limits())
                if (after.Evaluate(unit) > fraction * before.Evaluate(unit) * BudgetLimits.Rounding)
                    misses.Add(new(unit, fraction, after.Evaluate(unit) / before.Evaluate(unit), component.Pattern));
        }
        return misses;
    }

    /// <summary>Refuses a file that is larger than asked.</summary>
    /// <exception cref="EspalierException">The budget of the whole is missed.</exception>
    public static void Require(PruningPlan plan, PruningReport report)
    {
        if (Misses(plan.Budget, report) is [var miss, ..]) throw new EspalierException(Say(miss) + " Raise the budget.");
    }

    /// <summary>
    /// The plan with every missed bound lowered by what it was missed by, and by one, four and sixteen per cent more from the second
    /// round on: what is added to a file is not cut with it.
    /// </summary>
    internal static PruningPlan Tightened(PruningPlan plan, IReadOnlyList<BudgetMiss> misses, int round)
    {
        double more = round == 1 ? 0 : 0.01 * Math.Pow(4, round - 2);
        double? Lower(double? bound, CostUnit unit, string? component)
            => misses.FirstOrDefault(m => m.Unit == unit && m.Component == component) is { } miss
            ? bound * (1 - more) * miss.Fraction / miss.Ratio : bound;
        var budget = plan.Budget!;
        return plan with
        {
            Budget = budget with
            {
                Macs = Lower(budget.Macs, CostUnit.Macs, null),
                Parameters = Lower(budget.Parameters, CostUnit.Parameters, null),
                Bytes = Lower(budget.Bytes, CostUnit.Bytes, null),
                Components = budget.Components is null ? null : [.. budget.Components.Select(c => c with
                {
                    Macs = Lower(c.Macs, CostUnit.Macs, c.Pattern),
                    Parameters = Lower(c.Parameters, CostUnit.Parameters, c.Pattern),
                })],
            },
        };
    }

    /// <summary>The refusal: what was asked, what came out, and what the slim file has that the dense one has not.</summary>
    internal static EspalierException Refuse(AxisAnalysis analysis, SlimModel slim, BudgetMiss miss)
    {
        const int Most = 5;
        var before = StoredParameters.List(analysis.Model.Proto).Select(p => p.Name).ToHashSet(StringComparer.Ordinal);
        var tensors = StoredParameters.List(slim.Model.Proto).Where(p => !before.Contains(p.Name))
            .OrderByDescending(p => p.Elements).ThenBy(p => p.Name, StringComparer.Ordinal).ToList();
        var nodes = analysis.Nodes.Select(n => n.Proto.Output.FirstOrDefault()).ToHashSet();
        var operators = slim.Model.Proto.Graph.Node.Where(n => n.OpType != "Constant" && !nodes.Contains(n.Output.FirstOrDefault()))
            .Select(n => $"{n.OpType} '{n.Name}'").ToList();
        var what = tensors.Select(p => FormattableString.Invariant($"'{p.Name}' ({p.Elements} elements)")).Concat(operators).ToList();
        string more = what.Count > Most ? FormattableString.Invariant($" and {what.Count - Most} more") : "";
        string added = what.Count == 0 ? "" : $" What it has and the dense model has not: {string.Join(", ", what.Take(Most))}{more}.";
        return new($"{Say(miss)}{added} Raise the budget, or compensate without new biases.");
    }

    private static List<BudgetMiss> Misses(Budget? budget, PruningReport report)
        => [.. budget.Limits().Where(l => Of(report.After, l.Unit) > l.Fraction * Of(report.Before, l.Unit) * BudgetLimits.Rounding)
            .Select(l => new BudgetMiss(l.Unit, l.Fraction, (double)Of(report.After, l.Unit) / Of(report.Before, l.Unit), null))];

    private static string Say(BudgetMiss miss)
    {
        string of = miss.Unit.CamelCase() + (miss.Component is null ? "" : $" in component '{miss.Component}'");
        return FormattableString.Invariant(
            $"The slim file does not meet the budget of {miss.Fraction:0.######} of the dense model's {of}: it has {miss.Ratio:0.######}.");
    }

    private static long Of(ModelCost cost, CostUnit unit) => unit switch
    {
        CostUnit.Macs => cost.Macs,
        CostUnit.Parameters => cost.Parameters,
        _ => cost.Bytes,
    };
}
