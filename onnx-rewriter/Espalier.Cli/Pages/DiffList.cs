using System.Globalization;

namespace Espalier.Cli.Pages;

/// <summary>What changed in the graph.</summary>
internal static class DiffList
{
    private const int MostRows = 400;

    public static void Write(Html page, GraphDiff diff)
    {
        Fold(page, "tensors with another shape", diff.Tensors.Count, () => page.Table(["@tensor", "dense", "slim"],
            diff.Tensors.Take(MostRows).Select(t => new[] { t.Name, Shape(t.Before), After(t) })));
        List(page, "operators that changed", [.. diff.ChangedNodes.Select(n => $"{n.Node}: {n.What}")]);
        List(page, "operators that are gone", diff.RemovedNodes);
        List(page, "operators that are new", diff.AddedNodes);
        if (diff.Tensors.Count + diff.ChangedNodes.Count + diff.RemovedNodes.Count + diff.AddedNodes.Count == 0)
            page.Raw("<p class=\"none\">No change.</p>\n");
    }

    private static void List(Html page, string what, IReadOnlyList<string> items) => Fold(page, what, items.Count, () =>
    {
        page.Raw("<ul>\n");
        foreach (string item in items.Take(MostRows)) page.Add($"<li><code>{item}</code></li>\n");
        page.Raw("</ul>\n");
    });

    private static void Fold(Html page, string what, int count, Action rows)
    {
        if (count == 0) return;
        page.Add($"<details><summary><b class=\"count\">{count}</b> {what}</summary>\n");
        rows();
        if (count > MostRows) page.Add($"<p class=\"none\">{count - MostRows} more are in the file of the diff.</p>\n");
        page.Raw("</details>\n");
    }

    private static string After(TensorChange t)
        => t.Before is { } before && t.After is { } after && before.SequenceEqual(after) ? "other elements" : Shape(t.After);

    private static string Shape(IReadOnlyList<long>? dims)
        => dims is null ? "–" : $"[{string.Join(", ", dims.Select(d => d.ToString(CultureInfo.InvariantCulture)))}]";
}
