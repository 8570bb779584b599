using Espalier.Calibration.Timing;
using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>Which operators the work goes to, dense and slim: multiply-accumulates, and milliseconds where they were measured.</summary>
internal static class WorkChart
{
    private const int MostRows = 12;

    public static void Write(Html page, PruningReport report, BenchResult? times, bool slim = true)
    {
        Drawing.WriteWork(page, report.Layers, slim);
        var work = report.Layers.GroupBy(l => (l.Operator, HasWeight: l.Weight.Length > 0))
            .Select(g => new Bar(g.Key.HasWeight ? g.Key.Operator : $"{g.Key.Operator} of activations",
                g.Sum(l => l.MacsBefore), g.Sum(l => l.MacsAfter)))
            .OrderByDescending(b => b.Dense).ThenBy(b => b.Name, StringComparer.Ordinal).ToList();
        if (work.Count > 0)
        {
            page.Raw("<h3>Multiply-accumulates by operator</h3>\n");
            Bars(page, work, v => Figures.Short(v), slim);
        }
        if (times is not { Operators: { } measured, B: { } after }) return;
        page.Add($"""
            <h3>Measured here, in milliseconds by operator</h3>
            <p>One run takes {times.A:0.###} ms of processor time dense and {after:0.###} ms slim: {Figures.Percent(times.Ratio ?? 1)},
            where the plan predicted {Figures.Percent(report.PredictedTimeRatio)}.</p>

            """);
        Bars(page, [.. measured.OrderByDescending(t => t.A).ThenBy(t => t.Operator, StringComparer.Ordinal)
            .Select(t => new Bar(t.Operator, t.A, t.B))], v => FormattableString.Invariant($"{v:0.000}"), slim: true);
    }

    private sealed record Bar(string Name, double Dense, double Slim);

    private static void Bars(Html page, List<Bar> bars, Func<double, string> form, bool slim)
    {
        double most = bars.Max(b => Math.Max(b.Dense, b.Slim));
        if (bars.Count > MostRows)
        {
            var rest = bars[(MostRows - 1)..];
            bars = [.. bars.Take(MostRows - 1), new("others", rest.Sum(b => b.Dense), rest.Sum(b => b.Slim))];
        }
        page.Raw("<table class=\"work\"><thead><tr><th>operator</th><th></th><th class=\"n\">dense</th>"
            + (slim ? "<th class=\"n\">slim</th>" : "") + "</tr></thead><tbody>\n");
        foreach (var b in bars)
        {
            page.Add($"""
                <tr><td class="name">{b.Name}</td><td class="width"><div class="pair"><i class="dense" style="width:{Share(b.Dense)}%"></i>
                """);
            if (slim) page.Add($"""<i style="width:{Share(b.Slim)}%"></i>""");
            page.Add($"""</div></td><td class="n">{form(b.Dense)}</td>""");
            if (slim) page.Add($"""<td class="n">{form(b.Slim)}</td>""");
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table>\n");

        double Share(double value) => most > 0 ? 100 * value / most : 0;
    }
}
