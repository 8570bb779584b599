using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>How near slim models are to the dense one, against what they cost of it.</summary>
internal static class AgreementChart
{
    private const double Width = 640, Height = 300, Left = 58, Right = 34, Top = 16, Bottom = 46;

    /// <param name="reports">With the names that points get; of those without a measured agreement there is none.</param>
    public static void Write(Html page, IReadOnlyList<(string Name, PruningReport Report)> reports)
    {
        var points = reports.Where(r => r.Report.Agreement is not null && r.Report.Before.Macs > 0)
            .Select(r => new Point(r.Name, (double)r.Report.After.Macs / r.Report.Before.Macs, r.Report.Agreement!,
                r.Report.Plan.Guard?.Agreement)).OrderBy(p => p.Cost).ThenBy(p => p.Name, StringComparer.Ordinal).ToList();
        if (points.Count == 0)
        {
            page.Raw("<p class=\"none\">How near the slim model is to the dense one was not measured. With calibration data "
                + "(<code>--calibrate</code>, or a <code>[Calibration]</code> method) and a guard it is, and stands here.</p>\n");
            return;
        }
        double floor = Floor(points);
        page.Add($"""
            <figure class="chart"><svg viewBox="0 0 {Width} {Height}" role="img" aria-label="Agreement with the dense model against MACs">

            """);
        Grid(page, floor);
        if (points.Count == 1 && points[0].Guard is { } guard && guard >= floor)
            page.Add($"""
                <line class="guard" x1="{Left}" x2="{Width - Right}" y1="{Y(guard, floor)}" y2="{Y(guard, floor)}"/>
                <text class="guard" x="{Left + 6}" y="{Y(guard, floor) - 5}">guard {guard:0.###}</text>

                """);
        // Figures of different measures are no curve.
        foreach (var same in points.GroupBy(p => p.Found.Metric))
        {
            string line = string.Join(' ', same.Select(p => (X(p.Cost), Y(p.Found.Value, floor))).Append((X(1), Y(1, floor)))
                .Select(at => FormattableString.Invariant($"{at.Item1:0.#},{at.Item2:0.#}")));
            page.Add($"""<polyline class="curve" points="{line}"/>""").Raw("\n");
        }
        page.Add($"""<circle class="dense" cx="{X(1)}" cy="{Y(1, floor)}" r="5"><title>The dense model</title></circle>""").Raw("\n");
        foreach (var p in points) Mark(page, p, floor, named: points.Count is > 1 and <= 12);
        page.Raw("</svg><figcaption><span class=\"key\"><i class=\"slim round\"></i>slim</span>"
            + "<span class=\"key\"><i class=\"dense round\"></i>the dense model</span>");
        page.Add($"""<span class="hint">Up: agreement with the dense model ({Measures(points)}). Right: MACs.</span>""");
        page.Raw("</figcaption></figure>\n");
    }

    private sealed record Point(string Name, double Cost, MeasuredAgreement Found, double? Guard);

    private static string Measures(List<Point> points) => string.Join("; ", points.Select(p => Agreements.How(p.Found)).Distinct());

    private static double X(double cost) => Left + (Math.Clamp(cost, 0, 1) * (Width - Left - Right));

    private static double Y(double value, double floor)
        => Top + ((1 - Math.Clamp((value - floor) / (1 - floor), 0, 1)) * (Height - Top - Bottom));

    /// <summary>The axis begins well below the lowest point, at a number that reads well.</summary>
    private static double Floor(List<Point> points)
    {
        double least = Math.Min(points.Min(p => p.Found.Value), points is [{ Guard: >= 0.5 and var guard }] ? guard : 1);
        double[] floors = [0.99, 0.98, 0.95, 0.9, 0.8, 0.5, 0];
        return floors.FirstOrDefault(f => least >= f + ((1 - f) * 0.15), 0);
    }

    private static void Grid(Html page, double floor)
    {
        for (int k = 0; k <= 5; k++)
        {
            double x = X(k / 5.0);
            page.Add($"""<line class="grid" x1="{x}" x2="{x}" y1="{Top}" y2="{Height - Bottom}"/>""");
            page.Add($"""<text class="tick mid" x="{x}" y="{Height - Bottom + 18}">{k * 20} %</text>""");
            double value = floor + ((1 - floor) * k / 5), y = Y(value, floor);
            page.Add($"""<line class="grid" x1="{Left}" x2="{Width - Right}" y1="{y}" y2="{y}"/>""");
            page.Add($"""<text class="tick end" x="{Left - 8}" y="{y + 4}">{value:0.###}</text>""");
            page.Raw("\n");
        }
        double middle = (Left + Width - Right) / 2;
        page.Add($"""<text class="axis mid" x="{middle}" y="{Height - 6}">MACs, share of the dense model’s</text>""").Raw("\n");
    }

    private static void Mark(Html page, Point p, double floor, bool named)
    {
        double x = X(p.Cost), y = Y(p.Found.Value, floor);
        string title = $"{p.Name}: {Agreements.Value(p.Found)} ({Agreements.How(p.Found)}) at {Figures.Percent(p.Cost)} of the MACs";
        page.Add($"""<circle class="slim" cx="{x}" cy="{y}" r="6"><title>{title}</title></circle>""");
        string text = named ? p.Name : Agreements.Value(p.Found);
        // Below the curve, which rises to the right.
        bool last = x > Width - 150;
        page.Add($"""<text class="point {(last ? "end" : "start")}" x="{x + (last ? -6 : 6)}" y="{y + 20}">{text}</text>""").Raw("\n");
    }
}
