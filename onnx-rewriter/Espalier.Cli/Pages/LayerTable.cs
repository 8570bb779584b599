using Espalier.Cli.Host;

namespace Espalier.Cli.Pages;

/// <summary>Every operator with what went from it; heads and experts as squares.</summary>
internal static class LayerTable
{
    /// <summary>So many rows are seen at a glance; more are folded away.</summary>
    private const int MostOpen = 40;

    private const int MostSquares = 128;

    private static readonly HashSet<string> Counted = [.. new[] { Axis.Heads, Axis.KeyValueGroups, Axis.Experts }.Select(Words.Camel)];

    private static readonly Dictionary<string, string> Plurals
        = AxisRow.All.ToDictionary(row => Words.Camel(row.Axis), row => row.Plural, StringComparer.Ordinal);

    private static readonly Html On = new(), Off = new Html().Raw(" class=\"off\"");

    public static void Write(Html page, PruningReport report)
    {
        if (report.Layers.Count == 0) return;
        string open = report.Layers.Count <= MostOpen ? " open" : "";
        page.Raw($"<details class=\"layers\"{open}>\n").Add($"<summary>Operator by operator ({report.Layers.Count})</summary>\n");
        page.Raw("<div class=\"scroll\"><table><thead><tr><th>operator</th><th>units</th>");
        foreach (string column in (string[])["dense", "slim", "parameters", "MACs"]) page.Add($"""<th class="n">{column}</th>""");
        page.Raw("<th></th></tr></thead>\n");
        var groups = report.Groups.GroupBy(g => g.Name, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        var shown = new HashSet<string>(StringComparer.Ordinal);
        int most = Math.Max(1, report.Layers.Max(l => l.Units));
        foreach (var block in Blocks(report.Layers))
        {
            page.Raw(block[0].Block.Length > 0 ? "<tbody>\n" : "<tbody class=\"loose\">\n");
            if (block[0].Block.Length > 0)
                page.Add($"""<tr class="block"><th colspan="7" scope="rowgroup">{block[0].Block}{Gone(block)}</th></tr>""").Raw("\n");
            foreach (var layer in block) Row(page, layer, most, [.. layer.Groups.Where(shown.Add)
                .Select(groups.GetValueOrDefault).OfType<GroupReport>().Where(g => Counted.Contains(g.Kind))]);
            page.Raw("</tbody>\n");
        }
        page.Raw("</table></div>\n</details>\n");
    }

    private static string Gone(List<LayerReport> block) => block.TrueForAll(Drawing.IsGone) ? " — removed" : "";

    private static List<List<LayerReport>> Blocks(IReadOnlyList<LayerReport> layers)
    {
        var blocks = new List<List<LayerReport>>();
        foreach (var layer in layers)
            if (blocks.Count > 0 && blocks[^1][0].Block == layer.Block) blocks[^1].Add(layer);
            else blocks.Add([layer]);
        return blocks;
    }

    private static void Row(Html page, LayerReport layer, int most, List<GroupReport> counted)
    {
        page.Raw(Drawing.IsGone(layer) ? "<tr class=\"out\">" : "<tr>");
        page.Add($"""<td class="name"><b>{layer.Operator}</b> <span>{layer.Node}</span></td><td class="width">""");
        if (layer.Units > 0)
        {
            double wide = 100 * Math.Max(0.06, Math.Sqrt((double)layer.Units / most));
            string kind = layer.Rank is not null ? "rank" : layer.Groups.Count == 0 ? "whole" : "slim";
            double stays = 100.0 * layer.Kept / layer.Units;
            page.Add($"""<div class="units" style="width:{wide}%"><i class="{kind}" style="width:{stays}%"></i></div>""");
        }
        foreach (var group in counted) Squares(page, group);
        page.Raw("</td>");
        if (layer.Units == 0) page.Raw("<td></td><td></td><td></td>");
        else
        {
            string rank = layer.Rank is { } columns ? FormattableString.Invariant($" ×{columns}×") : "";
            page.Add($"""<td class="n">{layer.Units}</td><td class="n{Changed(layer.Units, layer.Kept)}">{layer.Kept}{rank}</td>""");
            Share(page, layer.ParametersBefore, layer.ParametersAfter);
        }
        Share(page, layer.MacsBefore, layer.MacsAfter);
        page.Add($"""<td class="of">of {Figures.Short(layer.MacsBefore)}</td></tr>""").Raw("\n");
    }

    private static void Share(Html page, long before, long after)
        => page.Add($"""<td class="n{Changed(before, after)}">{Figures.Ratio(after, before)}</td>""");

    private static string Changed(long before, long after) => before == after ? " same" : "";

    private static void Squares(Html page, GroupReport group)
    {
        if (group.Size > MostSquares) return;
        var removed = group.RemovedUnits.ToHashSet();
        string kind = Kind(group.Kind);
        page.Add($"""<div class="squares" role="img" aria-label="{kind}: {group.Kept} of {group.Size} stay">""");
        for (int k = 0; k < group.Size; k++)
            page.Add($"""<i{(removed.Contains(k) ? Off : On)} title="{kind} {k}: {(removed.Contains(k) ? "removed" : "stays")}"></i>""");
        page.Add($"<span>{kind} {group.Kept} of {group.Size}</span></div>");
    }

    /// <summary>A kind as people read it.</summary>
    /// <param name="kind">As a report has it.</param>
    public static string Kind(string kind) => Plurals.GetValueOrDefault(kind, kind);
}
