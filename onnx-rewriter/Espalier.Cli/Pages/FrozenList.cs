using System.Text.RegularExpressions;

namespace Espalier.Cli.Pages;

/// <summary>What stays whole, by reason; the ways from weights to what holds them fold out.</summary>
internal static partial class FrozenList
{
    private const int MostChains = 12;

    /// <summary>One weight axis, or a group that was left whole.</summary>
    public sealed record Entry(string Name, string Reason, IReadOnlyList<string> Chain);

    public static void Write(Html page, IEnumerable<Entry> entries)
    {
        var reasons = entries.GroupBy(e => Quoted().Replace(e.Reason, "‘…’"), StringComparer.Ordinal)
            .OrderByDescending(r => r.Count()).ThenBy(r => r.Key, StringComparer.Ordinal).ToList();
        if (reasons.Count == 0) page.Raw("<p class=\"none\">Nothing: every weight axis may lose units.</p>\n");
        foreach (var reason in reasons)
        {
            var all = reason.ToList();
            string text = all.TrueForAll(e => e.Reason == all[0].Reason) ? all[0].Reason : reason.Key;
            page.Add($"""<details class="reason"><summary><b class="count">{all.Count}</b> {text}</summary>""").Raw("\n<ul>\n");
            foreach (var entry in all.Take(MostChains)) Item(page, entry, reason: entry.Reason != text);
            if (all.Count > MostChains) page.Add($"<li>and {all.Count - MostChains} more; the report lists all</li>\n");
            page.Raw("</ul></details>\n");
        }
    }

    private static void Item(Html page, Entry entry, bool reason)
    {
        page.Add($"<li><code>{entry.Name}</code>");
        if (reason) page.Add($" {entry.Reason}");
        if (entry.Chain.Count > 0)
        {
            page.Raw("<ol class=\"chain\">");
            foreach (string step in entry.Chain) page.Add($"<li>{step}</li>");
            page.Raw("</ol>");
        }
        page.Raw("</li>\n");
    }

    [GeneratedRegex("'[^']*'")]
    private static partial Regex Quoted();
}
