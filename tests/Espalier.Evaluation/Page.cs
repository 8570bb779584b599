using System.Globalization;
using System.Text;
using ScottPlot;

namespace Espalier.Evaluation;

/// <summary>Writes the page and its plots.</summary>
internal static class Page
{
    private static readonly string[] Colours = ["#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
        "#bcbd22", "#17becf"];

    /// <summary>Methods with a colour of their own in a plot, besides the default and the floors.</summary>
    private const int Shown = 8;

    public static void Write(string folder, Results results, Results closer)
    {
        var page = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"""
            # Methods on trained networks

            Made by `dotnet run -c Release --project tests/Espalier.Evaluation -- --closer` from `results.tsv` and `closer.tsv`, not
            by hand. Accuracy (higher is better) or nats per character (lower is better) of the slim network on held-out data (the
            first {results.Most:N0} test images or verses, all windows of text), against the bound on the multiply-accumulates; no
            training. Median over draws of the calibration data, which are also the seeds, with the range; calibration and test data
            are disjoint. A method that neither looks at data nor draws has one row. `espalier presets` says what each method is.
            Channels stay multiples of 4. Methods on experts (STUN, UNCURL) remove experts, on depth (ShortGPT, SLEB, FinerCut)
            blocks or sublayers, ThinK and CSKV dimensions and ranks of attention, the others channels, or heads and neurons.
            Processor time, on one thread, is that of calibrating and slimming at the first budget; memory is the peak of a process
            that measures all budgets. A dash: the method has nothing of its kind to remove there, or cannot remove as much. In
            plots the eight methods with the best means have a colour, the others are grey; what is off the scale is below it.

            """).ReplaceLineEndings("\n"));
        page.Append('\n');
        Goals(page, results);
        Standing.Write(page, results, closer);
        foreach (string network in Task.Names)
        {
            var rows = results.Rows.Where(r => r.Network == network && r.Ratio < 1).ToList();
            if (rows.Count == 0) continue;
            Network(page, network, rows, results);
            Plot(Path.Combine(folder, $"{network}.png"), network, rows, results);
        }
        File.WriteAllText(Path.Combine(folder, "README.md"), page.ToString());
    }

    /// <summary>Whether the default method reaches what it is meant to reach at half of the cost.</summary>
    private static void Goals(StringBuilder page, Results results)
    {
        page.Append("## Best at 50 %\n\n| network | dense | slim | relative | goal | |\n|---|---|---|---|---|---|\n");
        foreach (string network in Task.Names)
        {
            var rows = results.Rows.Where(r => r.Network == network && r.Preset == Preset.Best && Math.Abs(r.Ratio - 0.5) < 1e-9
                && !double.IsNaN(r.Score)).ToList();
            if (rows.Count == 0 || double.IsNaN(results.Dense(network))) continue;
            double dense = results.Dense(network), slim = Median(rows.Select(r => r.Score)), goal = Task.Goal(network);
            bool nats = Task.IsNats(network), reached = nats ? slim <= goal * dense : slim >= goal * dense;
            string relative = (slim / dense - (nats ? 1 : 0)).ToString(nats ? "+0.0 %;-0.0 %" : "0.0 %", CultureInfo.InvariantCulture);
            string bound = nats
                ? "at most " + (goal - 1).ToString("+0 %", CultureInfo.InvariantCulture)
                : "at least " + goal.ToString("0 %", CultureInfo.InvariantCulture);
            page.Append(CultureInfo.InvariantCulture,
                $"| {network} | {dense:0.0000} | {slim:0.0000} | {relative} | {bound} | {(reached ? "reached" : "missed")} |\n");
        }
        page.Append('\n');
    }

    private static void Network(StringBuilder page, string network, List<Row> rows, Results results)
    {
        double[] ratios = [.. rows.Select(r => r.Ratio).Distinct().OrderDescending()];
        bool nats = Task.IsNats(network);
        page.Append(CultureInfo.InvariantCulture,
            $"## {network}\n\n{Task.MeasureOf(network)}; dense {results.Dense(network):0.0000}.\n\n![{network}]({network}.png)\n\n");
        var missing = Enum.GetValues<Preset>().Except(rows.Select(r => r.Preset)).ToList();
        if (missing.Count > 0)
            page.Append(CultureInfo.InvariantCulture,
                $"Not measured yet: {string.Join(", ", missing.Select(m => Presets.Get(m).Title))}.\n\n");
        page.Append("| method | ").AppendJoin(" | ", ratios.Select(r => r.ToString("0 %", CultureInfo.InvariantCulture)))
            .Append(" | seconds | MB |\n|---|").Append(string.Concat(ratios.Select(_ => "---|"))).Append("---|---|\n");
        double[] best = [.. ratios.Select(r => rows.GroupBy(x => x.Preset)
            .Select(g => Median(g.Where(x => x.Ratio == r && !double.IsNaN(x.Score)).Select(x => x.Score))).Where(double.IsFinite)
            .DefaultIfEmpty(double.NaN) is var all && nats ? all.Min() : all.Max())];
        foreach (var method in rows.GroupBy(r => r.Preset).OrderBy(g => g.Key))
        {
            var cells = ratios.Select((r, i) =>
            {
                double[] scores = [.. method.Where(x => x.Ratio == r && !double.IsNaN(x.Score)).Select(x => x.Score)];
                if (scores.Length == 0) return "–";
                double median = Median(scores);
                string figure = median.ToString("0.0000", CultureInfo.InvariantCulture);
                if (median == best[i]) figure = $"**{figure}**";
                return scores.Max() > scores.Min()
                    ? string.Create(CultureInfo.InvariantCulture, $"{figure} ({scores.Min():0.000}…{scores.Max():0.000})")
                    : figure;
            });
            double seconds = Median(method.GroupBy(r => r.Draw).Select(d => d.Max(r => r.Seconds)));
            page.Append(CultureInfo.InvariantCulture,
                $"| {Presets.Get(method.Key).Title} | {string.Join(" | ", cells)} | {seconds:0.0} | {method.Max(r => r.Megabytes):0} |\n");
        }
        page.Append('\n');
    }

    private static void Plot(string path, string network, List<Row> rows, Results results)
    {
        // Minimal systems have no fonts at all, and a plot without text would say nothing.
        Fonts.AddFontFile("DejaVu Sans", System.IO.Path.Combine(AppContext.BaseDirectory, "fonts", "DejaVuSans.ttf"));
        Fonts.Default = "DejaVu Sans";
        using var plot = new Plot();
        plot.Font.Set("DejaVu Sans");
        plot.Title($"{network}: {Task.MeasureOf(network)}");
        plot.XLabel("multiply-accumulates, % of the dense model");
        double dense = results.Dense(network);
        bool nats = Task.IsNats(network);
        var methods = rows.Where(r => !double.IsNaN(r.Score)).GroupBy(r => r.Preset)
            .Where(g => g.Key is Preset.Best or Preset.Magnitude or Preset.Random || Points(g).Count > 2)
            .OrderBy(g => g.Average(r => nats ? r.Score : -r.Score)).ThenBy(g => g.Key).ToList();
        // Two dozen lines cannot be told apart: the best ones, and the two that every method is measured by, have colours.
        var shown = methods.Where(g => g.Key is Preset.Best or Preset.Magnitude or Preset.Random)
            .Concat(methods.Where(g => g.Key is not (Preset.Best or Preset.Magnitude or Preset.Random)).Take(Shown))
            .Select(g => g.Key).ToHashSet();
        foreach (var method in methods.Where(g => !shown.Contains(g.Key))) Line(method, Colors.LightGray, null, 1);
        int next = 1;
        foreach (var method in methods.Where(g => shown.Contains(g.Key)))
        {
            bool floor = method.Key is Preset.Magnitude or Preset.Random;
            var color = method.Key == Preset.Best
                ? Color.FromHex(Colours[0])
                : floor ? Colors.Black : Color.FromHex(Colours[next++ % Colours.Length]);
            Line(method, color, Presets.Get(method.Key).Title, method.Key == Preset.Best ? 4 : 1.5f).LinePattern = method.Key
                == Preset.Random ? LinePattern.Dotted : floor ? LinePattern.Dashed : LinePattern.Solid;
        }
        plot.Axes.SetLimitsX(35, 102);
        plot.Axes.SetLimitsY(dense * (nats ? 0.98 : 0.5), dense * (nats ? 1.35 : 1.03));
        plot.Axes.Left.MinimumSize = 70;
        plot.ShowLegend(Edge.Right);
        plot.SavePng(path, 1000, 560);

        List<(double Macs, double Score)> Points(IGrouping<Preset, Row> method) => [.. method.GroupBy(r => r.Ratio)
            .Select(g => (Macs: 100 * Median(g.Select(r => r.Macs)), Score: Median(g.Select(r => r.Score))))
            .Append((Macs: 100, Score: dense)).OrderBy(p => p.Macs)];

        ScottPlot.Plottables.Scatter Line(IGrouping<Preset, Row> method, Color color, string? title, float width)
        {
            var points = Points(method);
            var line = plot.Add.Scatter(points.Select(p => p.Macs).ToArray(), points.Select(p => p.Score).ToArray());
            (line.LegendText, line.Color, line.LineWidth, line.MarkerSize) = (title ?? "", color, width, title is null ? 0 : 6);
            return line;
        }
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? double.NaN
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
