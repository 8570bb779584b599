using ScottPlot;

namespace Fashion;

/// <summary>One model of the curve.</summary>
/// <param name="Macs">Multiply-accumulates as a fraction of the dense model's.</param>
/// <param name="Accuracy">Top-1 accuracy.</param>
internal sealed record Point(double Macs, double Accuracy);

/// <summary>Draws accuracy against multiply-accumulates.</summary>
internal static class Curve
{
    /// <summary>Writes a PNG.</summary>
    public static void Draw(string path, double dense, params (string Name, IReadOnlyList<Point> Points)[] series)
    {
        // Minimal systems have no fonts at all, and a plot without text would say nothing.
        Fonts.AddFontFile("DejaVu Sans", Path.Combine(AppContext.BaseDirectory, "fonts", "DejaVuSans.ttf"));
        Fonts.Default = "DejaVu Sans";
        using var plot = new Plot();
        plot.Font.Set("DejaVu Sans");
        plot.Title("Fashion-MNIST: accuracy against multiply-accumulates");
        plot.XLabel("multiply-accumulates, % of the dense model");
        plot.YLabel("top-1 accuracy, %");
        foreach (var (name, points) in series)
        {
            var ordered = points.Append(new Point(1, dense)).OrderBy(p => p.Macs).ToList();
            var line = plot.Add.Scatter(ordered.Select(p => 100 * p.Macs).ToArray(), ordered.Select(p => 100 * p.Accuracy).ToArray());
            line.LegendText = name;
            line.LineWidth = 2;
            line.MarkerSize = 8;
        }
        var level = plot.Add.HorizontalLine(100 * dense, 1, Colors.Gray, LinePattern.Dashed);
        level.LegendText = "dense model";
        plot.Axes.Left.MinimumSize = 70;
        plot.ShowLegend(Alignment.LowerRight);
        plot.SavePng(path, 900, 560);
    }
}
