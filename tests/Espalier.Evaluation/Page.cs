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

    /// <summary>The page of the test, with plots, or that of the validation.</summary>
    public static void Write(string folder, Split split, RowSet results, RowSet closer, string version)
    {
        var page = new StringBuilder($"# Methods on trained networks{(split == Split.Test ? "" : ": validation")}\n\n");
        Preface(page, split, results, version);
        Goals(page, results);
        if (results.Rows.Any(r => r.Ratio < 1)) Standing.Write(page, results, closer);
        var small = SmallNetwork.Read(Path.Combine(folder, "small.tsv"));
        if (small.Count == 0) page.Paragraph(SmallNetwork.Missing);
        foreach (string network in Task.Names)
        {
            var rows = results.Rows.Where(r => r.Network == network && r.Ratio < 1).ToList();
            if (rows.Count == 0) continue;
            string measure = Task.MeasureOf(network, split);
            page.Append(CultureInfo.InvariantCulture, $"## {network}\n\n{measure}; dense {results.Dense(network):0.0000}.\n\n");
            if (split == Split.Test) page.Append(CultureInfo.InvariantCulture, $"![{network}]({network}.png)\n\n");
            MethodTable.Write(page, network, rows, small.FirstOrDefault(s => split == Split.Test && s.Network == network));
            if (split == Split.Test) Plot(Path.Combine(folder, $"{network}.png"), network, rows, results);
        }
        string name = split == Split.Test ? "README.md" : "validation.md";
        File.WriteAllText(Path.Combine(folder, name), page.ToString().TrimEnd('\n') + "\n");
    }

    private static void Preface(StringBuilder page, Split split, RowSet results, string version)
    {
        page.Paragraph("Made by `dotnet run -c Release --project tests/Espalier.Evaluation` from `results.tsv` and `closer.tsv`, not by "
            + "hand. Accuracy (higher is better) or nats per character (lower is better) of the slim network on held-out data, against "
            + "the bound on the multiply-accumulates (MACs); no training. Median over draws of the calibration data, which are also the "
            + "seeds, with the range; draws have no sample in common, and none with the held-out data. A method that neither looks at "
            + "data nor draws has one row. `espalier presets` says what each method is.");
        page.Paragraph(split == Split.Test
            ? string.Create(CultureInfo.InvariantCulture, $"These are the test data, measured once: the first {results.Most:N0} test "
                + $"images or verses, all windows of text. Decisions are taken on [the validation](validation.md) (`--split`). Those of "
                + $"before there was one were taken on parts of this test: six steps of Best, and the ridge. [Real networks](real.md) "
                + $"have a page of their own.")
            : string.Create(CultureInfo.InvariantCulture, $"These are the validation data, on which decisions are taken: {results.Most:N0} "
                + $"training images of Fashion-MNIST and as many verses that are in no other set, on which the networks were trained, and "
                + $"windows of text that they have not seen. [The test](README.md) is measured once."));
        page.Paragraph($"The product is at {version}. Rows whose last column says another version are older, those without one from before "
            + "versions were recorded: their draws overlapped, and their dashes have no reasons. `--fresh` measures them anew.");
        page.Paragraph("Channels stay multiples of 4. Methods on experts (STUN, UNCURL) remove experts, on depth (ShortGPT, SLEB, "
            + "FinerCut) blocks or sublayers, ThinK and CSKV dimensions and ranks of attention, the others channels, or heads and "
            + "neurons. In the column of MACs stands what the slim network has of them at each bound, in %: methods do not spend the "
            + "same, and plots are over what was spent. Processor time, on one thread, is that of calibrating and slimming at the first "
            + "budget; memory is the peak of a process that measures all budgets. A dash has its reason below the table. In plots the "
            + "eight methods with the best means have a colour, the others are grey; what is off the scale is below it.");
    }

    /// <summary>Whether the default method reaches what it is meant to reach at half of the cost.</summary>
    private static void Goals(StringBuilder page, RowSet results)
    {
        var measured = Task.Names.Select(n => (Network: n, Rows: results.Rows.Where(r => r.Network == n && r.Preset == Preset.Best
            && Math.Abs(r.Ratio - 0.5) < 1e-9 && !double.IsNaN(r.Score)).ToList()))
            .Where(m => m.Rows.Count > 0 && !double.IsNaN(results.Dense(m.Network))).ToList();
        if (measured.Count == 0) return;
        page.Append("## Best at 50 %\n\n| network | dense | slim | relative | goal | |\n|---|---|---|---|---|---|\n");
        foreach (var (network, rows) in measured)
        {
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

    private static void Plot(string path, string network, List<Row> rows, RowSet results)
    {
        using var plot = NewPlot();
        plot.Title($"{network}: {Task.MeasureOf(network, Split.Test)}");
        plot.XLabel("multiply-accumulates of the slim model, % of the dense model's");
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

    /// <summary>A plot with a font that comes with the program: minimal systems have none, and a plot without text says nothing.</summary>
    public static Plot NewPlot()
    {
        const string Font = "DejaVu Sans";
        Fonts.AddFontFile(Font, System.IO.Path.Combine(AppContext.BaseDirectory, "fonts", "DejaVuSans.ttf"));
        Fonts.Default = Font;
        var plot = new Plot();
        plot.Font.Set(Font);
        return plot;
    }

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0
            ? double.NaN
            : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
