using System.Globalization;
using Espalier.Calibration.Timing;
using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>One report with what else is known of it.</summary>
/// <param name="Name">What the page calls it.</param>
/// <param name="Diff">What changed in the graph; null where it is not at hand.</param>
/// <param name="Times">Measured on this machine; null where nothing was.</param>
internal sealed record Shown(string Name, PruningReport Report, GraphDiff? Diff = null, BenchResult? Times = null);

/// <summary>The page of one report, or of several beside each other. The same reports give the same bytes.</summary>
internal static class ReportPage
{
    public static string Render(IReadOnlyList<Shown> all)
    {
        if (all is [var one]) return Shell.Wrap($"{one.Name} — Espalier", Html.Of(page => Alone(page, one)));
        return Shell.Wrap($"{all.Count} plans — Espalier", Html.Of(page => Together(page, all)));
    }

    private static void Alone(Html page, Shown shown)
    {
        Title(page, shown);
        Headline.Write(page, shown.Report);
        Section(page, "What went", () => Body(page, shown.Report));
        Section(page, "Agreement against cost", () => AgreementChart.Write(page, [(shown.Name, shown.Report)]));
        Rest(page, shown);
    }

    private static void Together(Html page, IReadOnlyList<Shown> all)
    {
        page.Add($"<header><p class=\"kicker\">Espalier</p><h1>{all.Count} plans</h1></header>\n");
        Section(page, "Agreement against cost", () =>
        {
            AgreementChart.Write(page, [.. all.Select(s => (s.Name, s.Report))]);
            page.Table(["@plan", "#MACs", "#parameters", "#file", "#predicted time", "#agreement", "measured by"],
                all.Select(s => (s.Name, s.Report)).Select(s => new[]
                {
                    s.Name, Figures.Ratio(s.Report.After.Macs, s.Report.Before.Macs),
                    Figures.Ratio(s.Report.After.Parameters, s.Report.Before.Parameters),
                    Figures.Ratio(s.Report.After.Bytes, s.Report.Before.Bytes), Figures.Percent(s.Report.PredictedTimeRatio),
                    s.Report.Agreement is { } found ? Agreements.Value(found) : "–", s.Report.Agreement is { } by ? Agreements.How(by) : "",
                }));
        });
        foreach (var shown in all)
        {
            page.Raw("<article>\n");
            Title(page, shown);
            Headline.Write(page, shown.Report);
            Body(page, shown.Report);
            page.Raw("<details class=\"rest\"><summary>Work, what is frozen, the plan</summary>\n");
            Rest(page, shown);
            page.Raw("</details>\n</article>\n");
        }
    }

    private static void Title(Html page, Shown shown)
    {
        var plan = shown.Report.Plan;
        string[] about = [.. new[] { plan.Policy.Length > 0 ? plan.Model : "", PlanList.Budget(plan.Budget),
            plan.Preset is { } preset ? $"preset {Words.Kebab(preset)}" : "" }.Where(part => part.Length > 0)];
        page.Add($"""
            <header><p class="kicker">Espalier</p><h1>{shown.Name}</h1><p class="about">{string.Join(" · ", about)}</p></header>

            """);
    }

    private static void Body(Html page, PruningReport report)
    {
        if (report.Layers.Count == 0)
            page.Raw("<p class=\"none\">The report has no list of operators: it was written by an older version.</p>\n");
        Drawing.Write(page, report.Layers, slim: true);
        Kinds(page, report);
        LayerTable.Write(page, report);
        Groups(page, report);
    }

    private static void Rest(Html page, Shown shown)
    {
        var report = shown.Report;
        if (report.Layers.Count > 0) Section(page, "Where the work goes", () => WorkChart.Write(page, report, shown.Times));
        Section(page, "What is frozen, and why", () => FrozenList.Write(page, report.Frozen
            .Select(f => new FrozenList.Entry(FormattableString.Invariant($"{f.Tensor}:{f.Axis}"), f.Reason, f.Chain))
            .Concat(report.Groups.Where(g => g.Chain.Count > 0).Select(g => new FrozenList.Entry(g.Name, g.Exactness, g.Chain)))));
        if (report.Interface.Count + report.Notes.Count > 0)
            Section(page, "Notes", () =>
            {
                page.Raw("<ul class=\"notes\">\n");
                foreach (string note in report.Interface.Concat(report.Notes)) page.Add($"<li>{note}</li>\n");
                page.Raw("</ul>\n");
            });
        Section(page, "The plan", () => PlanList.Write(page, report.Plan));
        if (shown.Diff is { } diff) Section(page, "The diff", () => DiffList.Write(page, diff));
    }

    /// <summary>A line for each kind of units, and what went as a whole.</summary>
    private static void Kinds(Html page, PruningReport report)
    {
        page.Raw("<ul class=\"kinds\">\n");
        foreach (var kind in report.Groups.GroupBy(g => g.Kind, StringComparer.Ordinal).Where(k => k.Any(g => g.Kept < g.Size)))
            page.Add($"<li><b>{LayerTable.Kind(kind.Key)}</b> {kind.Sum(g => (long)g.Kept)} of {kind.Sum(g => (long)g.Size)} stay</li>\n");
        foreach (string block in report.Blocks) page.Add($"<li class=\"cut\"><s>{block}</s> removed</li>\n");
        if (report.Factored.Count > 0)
            page.Add($"<li><b>{report.Factored.Count} weights</b> became products of two, ")
                .Add($"ranks {report.Factored.Min(f => f.Rank)} to {report.Factored.Max(f => f.Rank)}</li>\n");
        page.Raw("</ul>\n");
    }

    private static void Groups(Html page, PruningReport report)
    {
        var pruned = report.Groups.Where(g => g.Kept < g.Size).ToList();
        if (pruned.Count == 0) return;
        page.Add($"<details><summary>Groups of coupled units that lost some ({pruned.Count} of {report.Groups.Count})</summary>\n");
        page.Table(["@group", "kind", "#dense", "#slim", "#weight axes", "exact"], pruned.Select(g => new[]
        {
            g.Name, LayerTable.Kind(g.Kind), Text(g.Size), Text(g.Kept), Text(g.Members.Count),
            g.Exactness == "exact" ? "yes" : g.Exactness,
        }));
        page.Raw("</details>\n");
    }

    private static void Section(Html page, string title, Action body)
    {
        page.Add($"<section>\n<h2>{title}</h2>\n");
        body();
        page.Raw("</section>\n");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
