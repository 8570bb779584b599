using System.Globalization;
using System.Text;

namespace Espalier.Evaluation;

/// <summary>The default method against whichever of the others are best. Methods that are ours are no others.</summary>
internal static class Standing
{
    /// <summary>Others that are measured on all items: of many methods the best on some of the items is favoured by chance.</summary>
    private const int Others = 2;

    /// <summary>Methods of this repository: the default, and what is the default less one step.</summary>
    private static readonly Preset[] Ours = [Preset.Best, Preset.ZipLm];

    /// <summary>A method at one budget: the median of its score, higher is better, and of the standard error.</summary>
    private sealed record Place(Preset Preset, double Score, double Error);

    /// <summary>The default and, at each budget, the best of the others, each with the budgets at which it is wanted.</summary>
    public static IEnumerable<(Preset Preset, IReadOnlyList<double> Ratios)> Leaders(RowSet results, string network)
        => Ratios(results)
            .SelectMany(r => Places(results, network, r).Select(p => p.Preset).Where(p => !Ours.Contains(p)).Take(Others)
                .Prepend(Preset.Best).Select(p => (Preset: p, Ratio: r)))
            .GroupBy(l => l.Preset).OrderBy(g => g.Key).Select(g => (g.Key, (IReadOnlyList<double>)[.. g.Select(l => l.Ratio)]));

    /// <summary>The table.</summary>
    public static void Write(StringBuilder page, RowSet results, RowSet closer)
    {
        page.Append("## Best against the best of the others\n\n");
        page.Paragraph("How far Best is ahead (+) or behind (−) of the best other method at each budget, by medians, and in brackets "
            + "that difference in standard errors over the held-out items (both methods' differences from the dense network, taken as "
            + "independent). Within two of them, the items do not tell the two apart. "
            + $"{string.Join(" and ", Ours.Skip(1).Select(o => Presets.Get(o).Title))} is no other: as it is built here, it is Best less "
            + "its last step. Methods meet one bound, but spend different shares of it: see the columns of MACs. "
            + (closer.Rows.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
                $"The best of many on some items is favoured by chance: where there are more items than the tables below use, Best and "
                    + $"the {Others} leading others were measured on all of them, {closer.Most:N0} images, and these figures are marked "
                    + $"with an asterisk (`closer.tsv`).")));
        var ratios = Ratios(results);
        page.Append("| network | ").AppendJoin(" | ", ratios.Select(r => r.ToString("0 %", CultureInfo.InvariantCulture)))
            .Append(" |\n|---|").Append(string.Concat(ratios.Select(_ => "---|"))).Append('\n');
        foreach (string network in Task.Names.Where(n => results.Rows.Any(r => r.Network == n && r.Preset == Preset.Best && r.Ratio < 1)))
            page.Append(CultureInfo.InvariantCulture, $"| {network} | ")
                .AppendJoin(" | ", ratios
                    .Select(r => Cell(closer, network, r) is { } all ? all + " \\*" : Cell(results, network, r) ?? "–"))
                .Append(" |\n");
        page.Append('\n');
    }

    private static string? Cell(RowSet results, string network, double ratio)
    {
        var places = Places(results, network, ratio);
        if (places.Find(p => p.Preset == Preset.Best) is not { } best || places.Find(p => !Ours.Contains(p.Preset)) is not { } other)
            return null;
        double ahead = best.Score - other.Score, error = Math.Sqrt((best.Error * best.Error) + (other.Error * other.Error));
        return string.Create(CultureInfo.InvariantCulture,
            $"{ahead:+0.0000;−0.0000} ({(error > 0 ? Math.Abs(ahead) / error : 0):0.0}) {Presets.Get(other.Preset).Title}");
    }

    /// <summary>Methods that have a figure, the best first.</summary>
    private static List<Place> Places(RowSet results, string network, double ratio)
    {
        int sign = Task.IsNats(network) ? -1 : 1;
        return [.. results.Rows.Where(r => r.Network == network && r.Ratio == ratio && !double.IsNaN(r.Score)).GroupBy(r => r.Preset)
            .Select(g => new Place(g.Key, sign * Page.Median(g.Select(r => r.Score)), Page.Median(g.Select(r => r.Error))))
            .OrderByDescending(p => p.Score).ThenBy(p => p.Preset)];
    }

    private static double[] Ratios(RowSet results)
        => [.. results.Rows.Where(r => r.Ratio < 1).Select(r => r.Ratio).Distinct().OrderDescending()];
}
