using System.Text.RegularExpressions;
using Espalier.Cli.Host;
using Spectre.Console;

namespace Espalier.Cli.Services;

/// <summary>A report in a few lines, for the screen.</summary>
internal static partial class Summary
{
    private const int MostReasons = 5;

    /// <summary>Prints costs before and after, what was removed of every kind, and the notes.</summary>
    public static void Write(Terminal terminal, PruningReport report)
    {
        var console = terminal.Tables();
        var costs = new Table().Border(TableBorder.Rounded).AddColumns("", "dense", "slim", "slim/dense");
        foreach (var column in costs.Columns.Skip(1)) column.RightAligned();
        costs.AddRow("parameters", Figures.Short(report.Before.Parameters), Figures.Short(report.After.Parameters),
            Figures.Ratio(report.After.Parameters, report.Before.Parameters));
        costs.AddRow("MACs", Figures.Short(report.Before.Macs), Figures.Short(report.After.Macs),
            Figures.Ratio(report.After.Macs, report.Before.Macs));
        costs.AddRow("bytes", Figures.Bytes(report.Before.Bytes), Figures.Bytes(report.After.Bytes),
            Figures.Ratio(report.After.Bytes, report.Before.Bytes));
        costs.AddRow("predicted time", "", "", Figures.Percent(report.PredictedTimeRatio));
        console.Write(costs);
        if (report.Agreement is { } agreement) terminal.Out.WriteLine($"agreement with the dense model: {agreement}");
        if (report.Recovery is { } recovery) terminal.Out.WriteLine($"training: {recovery}");

        // A group of which nothing stays went with a removed block.
        var kinds = report.Groups.Where(g => g.Kept > 0).GroupBy(g => g.Kind, StringComparer.Ordinal)
            .Select(k => (Kind: k.Key, Touched: k.Count(g => g.Kept < g.Size), Groups: k.Count(), Kept: k.Sum(g => (long)g.Kept),
                Size: k.Sum(g => (long)g.Size)))
            .Where(k => k.Touched > 0).ToList();
        foreach (var kind in kinds)
            terminal.Out.WriteLine(FormattableString.Invariant(
                $"{kind.Kind}: {kind.Kept} of {kind.Size} units stay ({kind.Touched} of {kind.Groups} groups pruned)"));
        if (report.Blocks.Count > 0) terminal.Out.WriteLine($"removed: {string.Join(", ", report.Blocks)}");
        if (report.Factored.Count > 0) terminal.Out.WriteLine(Describe(report.Factored));
        if (kinds.Count == 0 && report.Blocks.Count == 0 && report.Factored.Count == 0) terminal.Out.WriteLine("Nothing was removed.");
        // The same reason at many nodes is one line.
        var reasons = report.Frozen.GroupBy(f => Quoted().Replace(f.Reason, "'…'"), StringComparer.Ordinal)
            .Select(r => (Count: r.Count(), Text: r.All(f => f.Reason == r.First().Reason) ? r.First().Reason : r.Key))
            .OrderByDescending(r => r.Count).ThenBy(r => r.Text, StringComparer.Ordinal).ToList();
        foreach (var (count, text) in reasons.Take(MostReasons))
            terminal.Out.WriteLine(FormattableString.Invariant($"frozen: {count} weight {(count == 1 ? "axis" : "axes")}: {text}"));
        if (reasons.Count > MostReasons)
            terminal.Out.WriteLine(FormattableString.Invariant($"frozen: {reasons.Skip(MostReasons).Sum(r => r.Count)} more for ")
                + FormattableString.Invariant($"{reasons.Count - MostReasons} other reasons; --report lists all"));
        foreach (var change in report.Interface) terminal.Out.WriteLine($"interface: {change}");
        foreach (var note in report.Notes) terminal.Out.WriteLine($"note: {note}");
    }

    private static string Describe(IReadOnlyList<FactoredWeight> factored)
    {
        var (least, most) = (factored.Min(f => f.Rank), factored.Max(f => f.Rank));
        string share = Figures.Ratio(factored.Sum(f => f.ParametersAfter), factored.Sum(f => f.ParametersBefore));
        string error = factored.Max(f => f.Error) is { } worst
            ? FormattableString.Invariant($", error of their outputs at most {worst:0.0%}")
            : "";
        return FormattableString.Invariant(
            $"products of two: {factored.Count} weights, ranks {least} to {most}, {share} of their parameters{error}");
    }

    [GeneratedRegex("'[^']*'")]
    private static partial Regex Quoted();
}
