using System.Globalization;
using System.Text;

namespace Espalier.Evaluation;

/// <summary>The default method against whichever of the others are best.</summary>
internal static class Standing
{
    /// <summary>Others that are measured on all items: of many methods the best on some of the items is favoured by chance.</summary>
    private const int Others = 2;

    /// <summary>A method at one budget: the median of its score, higher is better, and of the standard error.</summary>
    private sealed record Place(Preset Preset, double Score, double Error);

    /// <summary>The default and, at each budget, the best of the others, each with the budgets at which it is wanted.</summary>
    public static IEnumerable<(Preset Preset, IReadOnlyList<double> Ratios)> Leaders(Results results, string network)
        => Ratios(results)
            .SelectMany(r => Places(results, network, r).Where(p => p.Preset != Preset.Best).Take(Others).Select(p => p.Preset)
                .Prepend(Preset.Best).Select(p => (Preset: p, Ratio: r)))
            .GroupBy(l => l.Preset).OrderBy(g => g.Key).Select(g => (g.Key, (IReadOnlyList<double>)[.. g.Select(l => l.Ratio)]));

    /// <summary>The table.</summary>
    public static void Write(StringBuilder page, Results results, Results closer)
    {
        page.Append("## Best against the best of the others\n\nHow far Best is ahead (+) or behind (−) of the best other method at each "
            + "budget, by medians, and in brackets that difference in standard errors over the held-out items ")
            .Append("(both methods' differences from the dense network, taken as independent). Within two of them, the items do not tell "
                + "the two apart. ");
        if (closer.Rows.Count > 0)
            page.Append(CultureInfo.InvariantCulture,
                $"The best of many on some items is favoured by chance: where there are more items than the tables below use, Best and "
                    + $"the {Others} leading others were measured on all of them, {closer.Most:N0} images, and these figures are marked "
                    + $"with an asterisk (`closer.tsv`).");
        page.Append("\n\n| network | ").AppendJoin(" | ", Ratios(results).Select(r => r.ToString("0 %", CultureInfo.InvariantCulture)))
            .Append(" |\n|---|").Append(string.Concat(Ratios(results).Select(_ => "---|"))).Append('\n');
        foreach (string network in Task.Names.Where(n => results.Rows.Any(r => r.Network == n && r.Preset == Preset.Best && r.Ratio < 1)))
            page.Append(CultureInfo.InvariantCulture, $"| {network} | ")
                .AppendJoin(" | ", Ratios(results)
                    .Select(r => Cell(closer, network, r) is { } all ? all + " \\*" : Cell(results, network, r) ?? "–")).Append(" |\n");
        page.Append('\n');
    }

    private static string? Cell(Results results, string network, double ratio)
    {
        var places = Places(results, network, ratio);
        if (places.Find(p => p.Preset == Preset.Best) is not { } best || places.Find(p => p.Preset != Preset.Best) is not { } other)
            return null;
        double ahead = best.Score - other.Score, error = Math.Sqrt((best.Error * best.Error) + (other.Error * other.Error));
        return string.Create(CultureInfo.InvariantCulture,
            $"{ahead:+0.0000;−0.0000} ({(error > 0 ? Math.Abs(ahead) / error : 0):0.0}) {Presets.Get(other.Preset).Title}");
    }

    /// <summary>Methods that have a figure, the best first.</summary>
    private static List<Place> Places(Results results, string network, double ratio)
    {
        int sign = Task.IsNats(network) ? -1 : 1;
        return [.. results.Rows.Where(r => r.Network == network && r.Ratio == ratio && !double.IsNaN(r.Score)).GroupBy(r => r.Preset)
            .Select(g => new Place(g.Key, sign * Page.Median(g.Select(r => r.Score)), Page.Median(g.Select(r => r.Error))))
            .OrderByDescending(p => p.Score).ThenBy(p => p.Preset)];
    }

    private static double[] Ratios(Results results)
        => [.. results.Rows.Where(r => r.Ratio < 1).Select(r => r.Ratio).Distinct().OrderDescending()];
}
