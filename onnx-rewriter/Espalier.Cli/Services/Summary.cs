using Spectre.Console;

namespace Espalier.Cli.Services;

/// <summary>A report in a few lines, for the screen.</summary>
internal static class Summary
{
    /// <summary>Prints costs before and after, what was removed of every kind, and the notes.</summary>
    public static void Write(Terminal terminal, PruningReport report)
    {
        var console = terminal.Tables();
        var costs = new Table().Border(TableBorder.Rounded).AddColumns("", "dense", "slim", "slim/dense");
        foreach (var column in costs.Columns.Skip(1)) column.RightAligned();
        costs.AddRow("parameters", Figures.Short(report.Before.Parameters), Figures.Short(report.After.Parameters), Figures.Ratio(report.After.Parameters, report.Before.Parameters));
        costs.AddRow("MACs", Figures.Short(report.Before.Macs), Figures.Short(report.After.Macs), Figures.Ratio(report.After.Macs, report.Before.Macs));
        costs.AddRow("bytes", Figures.Bytes(report.Before.Bytes), Figures.Bytes(report.After.Bytes), Figures.Ratio(report.After.Bytes, report.Before.Bytes));
        costs.AddRow("predicted time", "", "", Figures.Percent(report.PredictedTimeRatio));
        console.Write(costs);

        var kinds = report.Groups.GroupBy(g => g.Kind, StringComparer.Ordinal)
            .Select(k => (Kind: k.Key, Touched: k.Count(g => g.Kept < g.Size), Groups: k.Count(), Kept: k.Sum(g => (long)g.Kept), Size: k.Sum(g => (long)g.Size)))
            .Where(k => k.Touched > 0).ToList();
        foreach (var kind in kinds)
            terminal.Out.WriteLine(FormattableString.Invariant($"{kind.Kind}: {kind.Kept} of {kind.Size} units stay ({kind.Touched} of {kind.Groups} groups pruned)"));
        if (report.Blocks.Count > 0) terminal.Out.WriteLine($"removed: {string.Join(", ", report.Blocks)}");
        if (kinds.Count == 0 && report.Blocks.Count == 0) terminal.Out.WriteLine("Nothing was removed.");
        var reasons = report.Frozen.GroupBy(f => f.Reason, StringComparer.Ordinal).OrderByDescending(r => r.Count()).ThenBy(r => r.Key, StringComparer.Ordinal).ToList();
        foreach (var reason in reasons.Take(5))
            terminal.Out.WriteLine(FormattableString.Invariant($"frozen: {reason.Count()} weight axes: {reason.Key}"));
        if (reasons.Count > 5) terminal.Out.WriteLine(FormattableString.Invariant($"frozen: {reasons.Skip(5).Sum(r => r.Count())} more for {reasons.Count - 5} other reasons; --report lists all"));
        foreach (var note in report.Notes) terminal.Out.WriteLine($"note: {note}");
    }
}
