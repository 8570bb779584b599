namespace Espalier.Cli.Pages;

/// <summary>What was asked for: the plan as it was carried out.</summary>
internal static class PlanList
{
    private const string Budgeted = "what the budget allows";

    public static void Write(Html page, PruningPlan plan)
    {
        page.Raw("<dl>\n");
        Entry(page, "model", plan.Model);
        Entry(page, "policy", plan.Policy);
        Entry(page, "budget", Budget(plan.Budget));
        Entry(page, "preset", Word(plan.Preset));
        Entry(page, "spread of the budget", plan.Allocate is { } allocate ? AllocationRow.Get(allocate).Word : "");
        Entry(page, "schedule", plan.Schedule is { } schedule ? ScheduleRow.Get(schedule).Word : "");
        Entry(page, "statistics of", Word(plan.Inputs));
        Entry(page, "calibration", Calibration(plan.Calibration));
        Entry(page, "guard", Guard(plan.Guard));
        Entry(page, "protected", string.Join(", ", plan.Protect));
        Entry(page, "seed", FormattableString.Invariant($"{plan.Seed}"));
        page.Raw("</dl>\n");
        if (plan.Prune.Count + plan.Drop.Count + plan.LowRank.Count == 0) return;
        page.Table(["rule", "removes", "of", "keeps", "ranked by", "made up for by"],
            [.. plan.Prune.Select(Row), .. plan.Drop.Select(Row), .. plan.LowRank.Select(Row)]);
    }

    /// <summary>The budget in a few words; empty without.</summary>
    public static string Budget(Budget? budget)
    {
        if (budget is null) return "";
        (double? Share, string Of)[] bounds = [(budget.Macs, "MACs"), (budget.Parameters, "parameters"), (budget.Bytes, "bytes"),
            (budget.Latency, "time")];
        var parts = bounds.Where(b => b.Share is not null).Select(b => FormattableString.Invariant($"{100 * b.Share:0.#} % of the {b.Of}"))
            .Concat((budget.Components ?? []).SelectMany(c => new[] { (c.Macs, "MACs"), (c.Parameters, "parameters") }
                .Where(b => b.Item1 is not null)
                .Select(b => FormattableString.Invariant($"{100 * b.Item1:0.#} % of the {b.Item2} of {c.Pattern}"))));
        return string.Join(", ", parts);
    }

    private static string[] Row(PruneRule rule) => [rule.Name, AxisRow.Get(rule.Axis).Plural, Groups(rule), Keeps(rule),
        rule.Score is { } score ? CriterionRow.Get(score).Word : "", rule.Compensate is { } made ? CompensationRow.Get(made).Word : ""];

    private static string[] Row(DropRule rule) => [rule.Name, AxisRow.Get(rule.Axis).Plural, rule.Pattern,
        rule.AtMost is { } most ? FormattableString.Invariant($"all but {most}") : Budgeted,
        rule.Score is { } score ? CriterionRow.Get(score).DepthWord : "", ""];

    private static string[] Row(LowRankRule rule) => ["", "ranks of " + Words.Kebab(rule.Of), rule.Pattern, rule switch
    {
        { Rank: { } rank } => FormattableString.Invariant($"rank {rank}"),
        { Keep: { } keep } => FormattableString.Invariant($"{keep:0.###} of the parameters"),
        _ => Budgeted,
    }, "", ""];

    private static string Groups(PruneRule rule)
        => rule.Groups is { } groups ? FormattableString.Invariant($"{groups.Count} group{(groups.Count == 1 ? "" : "s")}") : rule.Pattern;

    private static string Keeps(PruneRule rule)
    {
        string keep = rule.Keep is { } share ? FormattableString.Invariant($"{100 * share:0.#} %") : Budgeted;
        if (rule.MinKeep > 1) keep += FormattableString.Invariant($", at least {rule.MinKeep}");
        return rule.RoundTo > 1 ? keep + FormattableString.Invariant($", in steps of {rule.RoundTo}") : keep;
    }

    private static string Calibration(CalibrationSource? source) => source switch
    {
        { Method: { } method } => FormattableString.Invariant($"{method}(), at most {source.Samples} samples"),
        { Path: { } path } => FormattableString.Invariant($"{path}, at most {source.Samples} samples"),
        _ => "",
    };

    private static string Guard(Guard? guard)
    {
        var parts = new List<string>();
        if (guard is { Equivalence: true }) parts.Add("equal to the masked dense model before compensation");
        if (guard is { Agreement: { } least })
            parts.Add(FormattableString.Invariant($"agreement of at least {least:0.####}")
                + (guard.Metric is { } metric ? $" ({Agreements.Name(metric)})" : ""));
        return string.Join(", ", parts);
    }

    private static string Word<T>(T? value) where T : struct, Enum => value is { } known ? Words.Kebab(known) : "";

    private static void Entry(Html page, string what, string value)
    {
        if (value.Length > 0) page.Add($"<div><dt>{what}</dt><dd>{value}</dd></div>\n");
    }
}
