using System.Globalization;
using System.Text;

namespace Espalier.Evaluation;

/// <summary>The table of one network: a line for each method, a column for each bound.</summary>
internal static class MethodTable
{
    /// <param name="small">A small network trained from scratch, for comparison; null without.</param>
    public static void Write(StringBuilder page, string network, List<Row> rows, SmallNetwork? small)
    {
        double[] ratios = [.. rows.Select(r => r.Ratio).Distinct().OrderDescending()];
        var missing = Enum.GetValues<Preset>().Except(rows.Select(r => r.Preset)).ToList();
        if (missing.Count > 0) page.Paragraph($"Not measured yet: {string.Join(", ", missing.Select(m => Presets.Get(m).Title))}.");
        page.Append("| method | ").AppendJoin(" | ", ratios.Select(r => r.ToString("0 %", CultureInfo.InvariantCulture)))
            .Append(" | MACs | seconds | MB | version |\n|---|").Append(string.Concat(ratios.Select(_ => "---|")))
            .Append("---|---|---|---|\n");
        bool nats = Task.IsNats(network);
        double[] best = [.. ratios.Select(r => rows.GroupBy(x => x.Preset)
            .Select(g => Page.Median(g.Where(x => x.Ratio == r && !double.IsNaN(x.Score)).Select(x => x.Score))).Where(double.IsFinite)
            .DefaultIfEmpty(double.NaN) is var all && nats ? all.Min() : all.Max())];
        var notes = new Prose.Footnotes();
        if (small is not null) page.Append(small.Line(ratios));
        foreach (var method in rows.GroupBy(r => r.Preset).OrderBy(g => g.Key))
        {
            // Of the narrowest bound that has notes: the others' differ by counts.
            string? said = method.OrderBy(r => r.Ratio).ThenBy(r => r.Draw).Select(r => r.Notes).FirstOrDefault(n => n.Length > 0);
            string remarks = said is null ? "" : notes.Mark(said);
            page.Append(CultureInfo.InvariantCulture, $"| {Presets.Get(method.Key).Title}{remarks} | ")
                .AppendJoin(" | ", ratios.Select((r, i) => Cell([.. method.Where(x => x.Ratio == r)], best[i], notes)))
                .Append(" | ").AppendJoin(" / ", ratios.Select(r => Spent(method.Where(x => x.Ratio == r))));
            double seconds = Page.Median(method.GroupBy(r => r.Draw).Select(d => d.Max(r => r.Seconds)));
            string versions = string.Join(", ", method.Select(r => r.Version).Distinct().Order(StringComparer.Ordinal)
                .Select(v => v.Length == 0 ? "–" : v));
            page.Append(CultureInfo.InvariantCulture, $" | {seconds:0.0} | {method.Max(r => r.Megabytes):0} | {versions} |\n");
        }
        page.Append('\n');
        notes.Write(page);
    }

    private static string Cell(Row[] draws, double best, Prose.Footnotes notes)
    {
        double[] scores = [.. draws.Where(x => !double.IsNaN(x.Score)).Select(x => x.Score)];
        string refusals = string.Concat(draws.Select(r => r.Refusal).Where(r => r.Length > 0)
            .Select(Remarks.ForAnyBudget).Distinct().Select(notes.Mark));
        if (scores.Length == 0) return "–" + refusals;
        double median = Page.Median(scores);
        string figure = median.ToString("0.0000", CultureInfo.InvariantCulture);
        if (median == best) figure = $"**{figure}**";
        return (scores.Max() > scores.Min()
            ? string.Create(CultureInfo.InvariantCulture, $"{figure} ({scores.Min():0.000}…{scores.Max():0.000})")
            : figure) + refusals;
    }

    private static string Spent(IEnumerable<Row> draws)
    {
        double macs = Page.Median(draws.Select(r => r.Macs).Where(double.IsFinite));
        return double.IsNaN(macs) ? "–" : (100 * macs).ToString("0", CultureInfo.InvariantCulture);
    }
}
