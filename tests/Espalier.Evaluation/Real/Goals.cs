using System.Globalization;
using System.Text;

namespace Espalier.Evaluation.Real;

/// <summary>What slimming is to reach on the real networks.</summary>
internal static class Goals
{
    /// <summary>One goal: what is measured of which rows, and the bound.</summary>
    /// <param name="AtLeast">Whether the bound is a lower one.</param>
    private sealed record Goal(string What, double Bound, bool AtLeast, Func<RealRow, double> Value, Func<RealRow, bool> Of)
    {
        /// <summary>What the row is held against is the dense network's figure less the bound.</summary>
        public string? BelowDense { get; init; }
    }

    private static Goal Best(string network, double ratio, string figure, double bound) => new(
        string.Create(CultureInfo.InvariantCulture, $"{network} at {ratio:0 %} of the MACs, {figure}"), bound, true, r => r.Figure(figure),
        r => IsFull(r) && r.Key.Preset == Preset.Best && r.Key.Network == network && r.Key.Ratio == ratio);

    private static Goal[] All(IReadOnlyList<RealNetwork> networks)
    {
        double Peak(RealRow row)
            => row.Slimmed.Megabytes - (2 * new FileInfo(networks.Single(n => n.Name == row.Key.Network).Model).Length / 1e6);
        bool Closed(RealRow row) => row.Key.Preset is Preset.Fasp or Preset.Flap or Preset.Obspa;
        return
        [
            Best("minilm", 0.75, "cos A", 0.97),
            Best("minilm", 0.75, "r10 A", 0.82),
            Best("minilm", 0.75, "R@1", 0.01) with { BelowDense = "R@1" },
            Best("resnet18", 0.75, "agreement", 0.92),
            Best("minilm", 0.5, "cos A", 0.93),
            Best("minilm", 0.5, "r10 A", 0.70),
            Best("resnet18", 0.5, "agreement", 0.85),
            new("Best: passes", 8, false, r => r.Slimmed.Passes, r => IsFull(r) && r.Key.Preset == Preset.Best),
            new("FASP, FLAP, OBSPA: passes", 2.5, false, r => r.Slimmed.Passes, r => IsFull(r) && Closed(r)),
            new("every method: peak less twice the model, MB", 1000, false, Peak, IsFull),
            new("every method: time ratio on one thread over the share of the padded MACs", TimeRatios.Most, false,
                r => TimeRatios.OneThread.Select(r.Time).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max()
                    / r.Time(TimeRatios.Padded),
                r => !r.Key.IsDense),
        ];
    }

    /// <summary>Of the networks with goals, with all samples of a draw.</summary>
    private static bool IsFull(RealRow row) => row.Key.Samples >= 1000;

    /// <summary>The table; each goal by the worst of its rows, the median over draws where a method has several.</summary>
    public static void Write(StringBuilder page, IReadOnlyList<RealNetwork> networks, IReadOnlyList<RealRow> rows)
    {
        page.Append("## Goals\n\n| what | goal | measured | by | |\n|---|---|---|---|---|\n");
        foreach (var goal in All(networks))
        {
            var values = rows.Where(r => r.Slimmed.Refusal.Length == 0 && goal.Of(r) && double.IsFinite(goal.Value(r)))
                .GroupBy(r => r.Key with { Draw = 0 })
                .Select(g => (Key: g.Key, Value: Page.Median(g.Select(goal.Value)), Dense: goal.BelowDense is { } figure
                    ? rows.FirstOrDefault(r => r.Key.IsDense && r.Key.Network == g.Key.Network)?.Figure(figure) ?? double.NaN
                    : double.NaN)).ToList();
            string bound = (goal.BelowDense is null ? "" : "dense − ")
                + goal.Bound.ToString("0.##", CultureInfo.InvariantCulture);
            page.Append(CultureInfo.InvariantCulture, $"| {goal.What} | {(goal.AtLeast ? "≥" : "≤")} {bound} | ");
            if (values.Count == 0)
            {
                page.Append("– | – | not measured |\n");
                continue;
            }
            var (key, value, dense) = goal.AtLeast ? values.MinBy(v => v.Value) : values.MaxBy(v => v.Value);
            double limit = goal.BelowDense is null ? goal.Bound : dense - goal.Bound;
            string by = $"{key.Network}, {Presets.Get(key.Preset).Title}"
                + string.Create(CultureInfo.InvariantCulture, $", {key.Ratio:0 %}");
            page.Append(CultureInfo.InvariantCulture, $"{value:0.###} | {by} | {(Holds(goal, value, limit) ? "reached" : "missed")} |\n");
        }
        page.Append('\n');
    }

    private static bool Holds(Goal goal, double value, double limit) => goal.AtLeast ? value >= limit : value <= limit;
}
