using System.Globalization;
using Espalier.Cli.Host;
using Spectre.Console;

namespace Espalier.Cli.Inspections;

/// <summary>An inspection as tables.</summary>
internal static class InspectionTables
{
    private const int MostReasons = 5;
    private const int MostAliases = 4;

    /// <summary>Prints the overview, the kinds, the groups, the blocks and the reasons.</summary>
    public static void Write(Terminal terminal, Inspection i)
    {
        var console = terminal.Tables();
        terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{i.File}: {i.Nodes} nodes, opset {i.Opset}, {Figures.Short(i.Cost.Parameters)} parameters, {Figures.Short(i.Cost.Macs)} "
                + $"MACs, {Figures.Bytes(i.Cost.Bytes)}"));
        terminal.Out.WriteLine($"inputs:  {string.Join(", ", i.Inputs)}");
        terminal.Out.WriteLine($"outputs: {string.Join(", ", i.Outputs)}");
        terminal.Out.WriteLine($"in exact groups: {Figures.Ratio(i.ExactParameters, i.Cost.Parameters)} of the parameters, "
            + $"{Figures.Ratio(i.ExactMacs, i.Cost.Macs)} of the MACs; in exact or inexact groups: "
            + $"{Figures.Ratio(i.PrunableParameters, i.Cost.Parameters)} and {Figures.Ratio(i.PrunableMacs, i.Cost.Macs)}");
        foreach (string unknown in i.UnknownMacs.Take(MostReasons)) terminal.Out.WriteLine($"MACs not known: {unknown}");
        if (i.UnknownMacs.Count > MostReasons)
            terminal.Out.WriteLine($"MACs not known: {i.UnknownMacs.Count - MostReasons} more (--json lists them)");
        terminal.Out.WriteLine();

        if (i.Groups.Count > 0)
        {
            // Why a group is inexact is a sentence: as the last column it wraps without pulling the figures apart.
            var inexact = i.Groups.Any(g => g.Reason is not null);
            var groups = Table("Groups that can be pruned",
                ["group", "kind", "units", "parameters", "share", "weight axes", "exact", .. inexact ? new[] { "why not" } : []]);
            foreach (var g in i.Groups.OrderBy(g => g.Kind, StringComparer.Ordinal).ThenBy(g => g.Id))
            {
                Row(groups, [g.Name, g.Kind, Text(g.Size), Figures.Short(g.Parameters), Figures.Ratio(g.Parameters, i.Cost.Parameters),
                    Text(g.Members.Count),
                    g.Exactness == "exact" ? "yes" : "no", .. inexact ? new[] { g.Reason ?? "" } : []]);
            }
            console.Write(groups);
        }
        if (i.Blocks.Count > 0)
        {
            var blocks = Table("Blocks that can be removed", "name", "kind", "nodes", "parameters", "MACs", "share of MACs");
            foreach (var b in i.Blocks)
                Row(blocks, b.Name, b.Kind, Text(b.Nodes), Figures.Short(b.Parameters), Figures.Short(b.Macs),
                    Figures.Ratio(b.Macs, i.Cost.Macs));
            console.Write(blocks);
        }
        if (i.Frozen.Count > 0)
        {
            var frozen = Table("Frozen", "group", "units", "weight axes", "reason");
            foreach (var g in i.Frozen) Row(frozen, g.Name, Text(g.Size), Text(g.Members.Count), g.Reason ?? "");
            console.Write(frozen);
        }
        Outside(console, i);
        Aliases(terminal, i);
        terminal.Out.WriteLine("'espalier why MODEL TENSOR:AXIS' explains one axis.");
    }

    /// <summary>Weights of which nothing can be removed, by reason: with those in groups they are all parameters of the file.</summary>
    private static void Outside(IAnsiConsole console, Inspection i)
    {
        var outside = i.Weights.Where(w => w.Reason is not null).GroupBy(w => (w.Standing, w.Reason))
            .Select(g => (g.Key.Reason, g.Key.Standing, Count: g.Count(), Parameters: g.Sum(w => w.Parameters)))
            .OrderBy(g => g.Standing, StringComparer.Ordinal).ThenByDescending(g => g.Parameters).ToList();
        if (outside.Count == 0) return;
        var table = Table("Weights of which nothing can be removed", "what", "weights", "parameters", "share", "reason");
        foreach (var g in outside.Take(MostReasons))
            Row(g.Standing == "frozen" ? "frozen" : "no weight of a product", g.Count, g.Parameters, g.Reason!);
        if (outside.Count > MostReasons)
        {
            var rest = outside[MostReasons..];
            Row("others", rest.Sum(g => g.Count), rest.Sum(g => g.Parameters), $"{rest.Count} more reasons (--json lists them)");
        }
        console.Write(table);

        void Row(string what, int weights, long parameters, string reason)
            => InspectionTables.Row(table, what, Text(weights), Figures.Short(parameters),
                Figures.Ratio(parameters, i.Cost.Parameters), reason);
    }

    /// <summary>Some of the names that stand for an exporter's numbers, so that one sees what they look like.</summary>
    private static void Aliases(Terminal terminal, Inspection i)
    {
        var aliases = i.Weights.Where(w => w.Alias is not null).ToList();
        if (aliases.Count == 0) return;
        terminal.Out.WriteLine("Weights whose names are numbers have others, which patterns and 'why' know too: "
            + string.Join(", ", aliases.Take(MostAliases).Select(w => $"{w.Alias} ({w.Name})"))
            + (aliases.Count > MostAliases ? FormattableString.Invariant($" and {aliases.Count - MostAliases} more (--json lists them).")
                : "."));
    }

    private static Table Table(string title, params string[] columns)
    {
        var table = new Table().Border(TableBorder.Rounded).Title(title);
        foreach (var column in columns)
        {
            var added = new TableColumn(column);
            table.AddColumn(column is "units" or "parameters" or "share" or "weights" or "weight axes" or "nodes" or "MACs"
                or "share of MACs" ? added.RightAligned().NoWrap() : added);
        }
        return table;
    }

    // Names come from the file: a bracket in one must not be taken for a style.
    private static void Row(Table table, params string[] cells) => table.AddRow([.. cells.Select(c => new Text(c))]);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
