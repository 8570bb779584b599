using ScottPlot;

namespace Espalier.Evaluation.Real;

/// <summary>A figure of one network over the multiply-accumulates that were spent, a line for each method with all samples.</summary>
internal static class RealPlot
{
    /// <param name="rows">Rows of the network, of one split.</param>
    public static void Save(string path, RealNetwork network, IReadOnlyList<RealRow> rows)
    {
        string figure = network.Figures[0];
        using var plot = Page.NewPlot();
        plot.Title($"{network.Name}: {figure}");
        plot.XLabel("% of the dense network's multiply-accumulates, as spent");
        double dense = rows.FirstOrDefault(r => r.Key.IsDense)?.Figure(figure) ?? 1;
        foreach (var method in rows.Where(r => !r.Key.IsDense && double.IsFinite(r.Figure(figure))).GroupBy(r => r.Key.Preset)
            .OrderBy(g => g.Key))
        {
            int samples = method.Max(r => r.Key.Samples);
            var points = method.Where(r => r.Key.Samples == samples).GroupBy(r => r.Key.Ratio)
                .Select(g => (Macs: 100 * Page.Median(g.Select(r => r.Slimmed.Macs)), Value: Page.Median(g.Select(r => r.Figure(figure)))))
                .Append((Macs: 100, Value: dense)).OrderBy(p => p.Macs).ToList();
            var line = plot.Add.Scatter(points.Select(p => p.Macs).ToArray(), points.Select(p => p.Value).ToArray());
            (line.LegendText, line.LineWidth) = (Presets.Get(method.Key).Title, method.Key == Preset.Best ? 4 : 1.5f);
        }
        plot.Axes.SetLimitsX(35, 102);
        plot.Axes.Left.MinimumSize = 70;
        plot.ShowLegend(Edge.Right);
        plot.SavePng(path, 900, 420);
    }
}
