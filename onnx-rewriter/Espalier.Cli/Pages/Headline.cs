using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>The figures that a reader wants first.</summary>
internal static class Headline
{
    /// <summary>Cards: what the slim model costs of the dense one, and how near it is to it.</summary>
    public static void Write(Html page, PruningReport report)
    {
        var (before, after) = (report.Before, report.After);
        page.Raw("<div class=\"cards\">\n");
        Card(page, "Parameters", before.Parameters, after.Parameters, v => Figures.Short(v));
        Card(page, "MACs", before.Macs, after.Macs, v => Figures.Short(v));
        Card(page, "File", before.Bytes, after.Bytes, Figures.Bytes);
        page.Add($"""
            <div class="card"><h3>Predicted time</h3><p class="figure">{Figures.Percent(report.PredictedTimeRatio)}</p>
            {Bar(report.PredictedTimeRatio)}<p class="small">of the dense model’s</p></div>

            """);
        if (report.Agreement is { } found)
            page.Add($"""
                <div class="card"><h3>Agreement</h3><p class="figure">{Agreements.Value(found)}</p>
                {Bar(found.Value)}<p class="small">{Agreements.How(found)}</p></div>

                """);
        page.Raw("</div>\n");
    }

    private static void Card(Html page, string what, long before, long after, Func<double, string> form)
        => page.Add($"""
            <div class="card"><h3>{what}</h3><p class="figure">{Figures.Ratio(after, before)}</p>
            {Bar(before > 0 ? (double)after / before : 1)}<p class="small">{form(before)} → {form(after)}</p></div>

            """);

    private static Html Bar(double share)
        => new Html().Add($"""<div class="bar" aria-hidden="true"><i style="width:{Math.Clamp(share, 0, 1) * 100}%"></i></div>""");
}
