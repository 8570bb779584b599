using System.Globalization;
using Espalier.Cli.Host;
using Espalier.Cli.Inspections;

namespace Espalier.Cli.Pages;

/// <summary>The page of a model of which nothing was removed yet: what could go, what it costs, what is frozen.</summary>
internal static class ModelPage
{
    private const int MostRows = 400;

    /// <param name="layers">Its operators, dense.</param>
    public static string Render(Inspection model, IReadOnlyList<LayerReport> layers)
        => Shell.Wrap($"{model.File} — Espalier", Html.Of(page => Body(page, model, layers)));

    private static void Body(Html page, Inspection model, IReadOnlyList<LayerReport> layers)
    {
        string inputs = string.Join(", ", model.Inputs), outputs = string.Join(", ", model.Outputs);
        var cost = model.Cost;
        page.Add($"""
            <header><p class="kicker">Espalier</p><h1>{model.File}</h1>
            <p class="about">{model.Nodes} operators · opset {model.Opset} · {inputs} → {outputs}</p></header>
            <div class="cards">

            """);
        Card(page, "Parameters", Figures.Short(cost.Parameters), model.ExactParameters, model.PrunableParameters, cost.Parameters);
        Card(page, "MACs", Figures.Short(cost.Macs), model.ExactMacs, model.PrunableMacs, cost.Macs);
        page.Add($"<div class=\"card\"><h3>File</h3><p class=\"figure\">{Figures.Bytes(model.Cost.Bytes)}</p></div>\n</div>\n");
        page.Raw("<section>\n<h2>The network</h2>\n");
        Drawing.Write(page, layers, slim: false);
        Groups(page, model);
        Blocks(page, model);
        page.Raw("</section>\n<section>\n<h2>Where the work goes</h2>\n");
        WorkChart.Write(page, new PruningReport { Layers = layers }, null, slim: false);
        page.Raw("</section>\n<section>\n<h2>What is frozen, and why</h2>\n");
        FrozenList.Write(page, model.Frozen.Select(g => new FrozenList.Entry(g.Name, g.Reason ?? "", g.Members))
            .Concat(model.Groups.Where(g => g.Reason is not null)
                .Select(g => new FrozenList.Entry(g.Name, "inexact: " + g.Reason, g.Members))));
        page.Raw("</section>\n");
    }

    private static void Card(Html page, string what, string figure, long exact, long prunable, long all)
        => page.Add($"""
            <div class="card"><h3>{what}</h3><p class="figure">{figure}</p>
            <div class="bar" aria-hidden="true"><i style="width:{(all > 0 ? 100.0 * exact / all : 0)}%"></i></div>
            <p class="small">{Figures.Ratio(exact, all)} in exact groups, {Figures.Ratio(prunable, all)} in exact or inexact ones</p></div>

            """);

    private static void Groups(Html page, Inspection model)
    {
        page.Raw("<ul class=\"kinds\">\n");
        foreach (var kind in model.Groups.GroupBy(g => g.Kind, StringComparer.Ordinal))
            page.Add($"<li><b>{LayerTable.Kind(kind.Key)}</b> {kind.Sum(g => (long)g.Size)} ")
                .Add($"in {kind.Count()} group{(kind.Count() == 1 ? "" : "s")}</li>\n");
        page.Raw("</ul>\n");
        if (model.Groups.Count == 0) return;
        page.Add($"<details><summary>Groups of coupled units that can lose some ({model.Groups.Count})</summary>\n");
        page.Table(["@group", "kind", "#units", "#parameters", "#weight axes", "exact"], model.Groups.Take(MostRows).Select(g => new[]
        {
            g.Name, LayerTable.Kind(g.Kind), Text(g.Size), Figures.Ratio(g.Parameters, model.Cost.Parameters), Text(g.Members.Count),
            g.Reason is null ? "yes" : "no: " + g.Reason,
        }));
        page.Raw("</details>\n");
    }

    private static void Blocks(Html page, Inspection model)
    {
        if (model.Blocks.Count == 0) return;
        page.Add($"<details><summary>Sublayers and blocks that can be removed ({model.Blocks.Count})</summary>\n");
        page.Table(["@name", "kind", "#operators", "#parameters", "#MACs"], model.Blocks.Take(MostRows).Select(b => new[]
        {
            b.Name, b.Kind, Text(b.Nodes), Figures.Ratio(b.Parameters, model.Cost.Parameters), Figures.Ratio(b.Macs, model.Cost.Macs),
        }));
        page.Raw("</details>\n");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
