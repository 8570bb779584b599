using System.Globalization;
using System.Text;

namespace Espalier.Evaluation.Real;

/// <summary>Writes the page of the real networks.</summary>
internal static class RealPage
{
    public static void Write(string path, IReadOnlyList<RealNetwork> networks, RealResults results, string version)
    {
        var page = new StringBuilder("# Methods on real networks\n\n");
        page.Paragraph("Made by `dotnet run -c Release --project tests/Espalier.Evaluation -- real table` from `real.tsv`, not by hand. "
            + $"Rows of the product at {version} are measured by this code; where the last column says another version, the row is older, "
            + "and `--fresh` measures it anew.");
        page.Paragraph("No training, nothing chosen by the test data: decisions are taken on the validation data, which are the lower "
            + "tables; the upper ones are the test, measured once. Networks come from NuGet and the folder of models, data from packages "
            + "of Debian (`real data` fetches them); no sentence and no photograph is in two of calibration, validation and test; another "
            + "day's package lists have other descriptions of packages. "
            + "Figures are medians over draws of the calibration data; draws have no sample in common. In `bound` stands what was asked "
            + "for of the multiply-accumulates (MACs), in `MACs` what the slim model has, in brackets with the channels of "
            + "convolutions padded to 16, as ONNX Runtime's kernels have them.");
        page.Paragraph("`time` is processor time over that of the dense model, batch × threads, both in turns in one process. Seconds "
            + "are processor seconds of analysis, calibration and slimming on one thread; passes are the same over the dense model's time "
            + "for one pass over the samples, in the same process; MB is the peak of a process that does nothing else, samples included. "
            + "A dash has its reason below the table. Channels stay multiples of 4.");
        var test = results.Rows.Where(r => r.Split == Split.Test).ToList();
        // What was never tested is judged by what there is.
        var others = results.Rows.Where(r => r.Split == Split.Validation && !test.Exists(t => t.Key == r.Key));
        Goals.Write(page, networks, [.. test, .. others]);
        foreach (var network in networks)
        {
            var rows = results.Rows.Where(r => r.Key.Network == network.Name).ToList();
            page.Append(CultureInfo.InvariantCulture, $"## {network.Name}\n\n").Paragraph($"{network.Title}. {network.Explained}");
            if (rows.Count == 0) page.Paragraph("Not measured yet.");
            Plot(page, Path.GetDirectoryName(path)!, network, rows);
            foreach (var split in new[] { Split.Test, Split.Validation })
                if (rows.Where(r => r.Split == split).ToList() is { Count: > 0 } own) Table(page, network, split, own);
        }
        File.WriteAllText(path, page.ToString().TrimEnd('\n') + "\n");
    }

    /// <summary>The test where there is one.</summary>
    private static void Plot(StringBuilder page, string folder, RealNetwork network, List<RealRow> rows)
    {
        if (!rows.Exists(r => !r.Key.IsDense)) return;
        var split = rows.Exists(r => r.Split == Split.Test && !r.Key.IsDense) ? Split.Test : Split.Validation;
        string file = $"real-{network.Name}.png";
        RealPlot.Save(Path.Combine(folder, file), network, [.. rows.Where(r => r.Split == split)]);
        page.Append(CultureInfo.InvariantCulture, $"![{network.Figures[0]} over MACs, {split.ToString().ToLowerInvariant()}]({file})\n\n");
    }

    private static void Table(StringBuilder page, RealNetwork network, Split split, List<RealRow> rows)
    {
        string dense = rows.Find(r => r.Key.IsDense) is { } row
            ? string.Join(", ", row.Figures.Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Name} {f.Value:0.000}")))
            : "not measured";
        page.Append(CultureInfo.InvariantCulture, $"### {network.Name}, {split.ToString().ToLowerInvariant()}\n\n")
            .Paragraph($"Dense: {dense}.");
        string[] times = [.. TimeRatios.Names];
        page.Append("| method | samples | bound | MACs | ").AppendJoin(" | ", network.Figures).Append(" | time ")
            .AppendJoin(" / ", times).Append(" | s | passes | MB | version |\n|---|---|---|---|")
            .Append(string.Concat(network.Figures.Select(_ => "---|"))).Append("---|---|---|---|---|\n");
        var notes = new Prose.Footnotes();
        foreach (var cells in rows.Where(r => !r.Key.IsDense).GroupBy(r => r.Key with { Draw = 0 }).OrderByDescending(g => g.Key.Ratio)
            .ThenByDescending(g => Page.Median(g.Select(r => r.Figure(network.Figures[0])).Where(double.IsFinite)) is var m
                && double.IsNaN(m) ? double.MinValue : m).ThenBy(g => g.Key.Preset).ThenBy(g => g.Key.Samples))
            page.Append("| ").AppendJoin(" | ", Cells(network, [.. cells], times, notes)).Append(" |\n");
        page.Append('\n');
        notes.Write(page);
    }

    private static IEnumerable<string> Cells(RealNetwork network, IReadOnlyList<RealRow> rows, string[] times, Prose.Footnotes notes)
    {
        var key = rows[0].Key;
        var slimmed = rows.Select(r => r.Slimmed).ToList();
        string Median(Func<RealRow, double> of, string form)
        {
            double median = Page.Median(rows.Select(of).Where(double.IsFinite));
            return double.IsNaN(median) ? "–" : median.ToString(form, CultureInfo.InvariantCulture);
        }
        string remarks = string.Concat(slimmed.SelectMany(s => new[] { s.Notes, Remarks.ForAnyBudget(s.Refusal) })
            .Where(t => t.Length > 0).Distinct().Select(notes.Mark));
        yield return Presets.Get(key.Preset).Title + remarks;
        yield return key.Samples == 0 ? "none" : key.Samples.ToString("#,0", CultureInfo.InvariantCulture);
        yield return key.Ratio.ToString("0.00", CultureInfo.InvariantCulture);
        string padded = Median(r => r.Time(TimeRatios.Padded), "0.000");
        yield return Median(r => r.Slimmed.Macs, "0.000") + (padded == "–" ? "" : $" ({padded})");
        foreach (string figure in network.Figures) yield return Median(r => r.Figure(figure), "0.000");
        yield return string.Join(" / ", times.Select(t => Median(r => r.Time(t), "0.00")));
        yield return Median(r => r.Slimmed.Seconds, "0");
        yield return Median(r => r.Slimmed.Passes, "0.0");
        yield return Median(r => r.Slimmed.Megabytes, "#,0");
        yield return string.Join(", ", rows.Select(r => r.Version).Distinct().Order(StringComparer.Ordinal));
    }
}
