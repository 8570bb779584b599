using Espalier.Axes;
using Espalier.Calibration.Statistics;

namespace Espalier.Pruning.Tests.Scores;

/// <summary>Scores that a policy's own method gives.</summary>
public class ScoreMethodTests
{
    private static readonly PruneRule Rule = new()
    {
        Name = "R",
        Axis = Axis.Neurons,
        Keep = 0.5,
        Score = Criterion.Method,
        ScoreMethod = "Rank"
    };

    [Fact]
    public void The_units_with_the_highest_numbers_stay()
    {
        using var dense = Planted.Mlp(1, 8);
        var report = Slimmer.Run(new PruningPlan { Prune = [Rule] }, AxisAnalysis.Run(dense), method: (rule, group) =>
        {
            Assert.Equal(("Rank", "fc1", "neurons", 8), (rule.ScoreMethod, group.Name, group.Kind, group.Units));
            Assert.Equal(["fc1.bias", "fc1.weight", "fc2.weight"], group.Weights.Select(w => w.Name).Order(StringComparer.Ordinal));
            return [5, 0, 7.5, 1e-3, 2, 9, 0.5, 3];
        }).Report;
        Assert.Equal([1, 3, 4, 6], report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
        Assert.Equal(("Rank", Criterion.Method), (report.Plan.Prune[0].ScoreMethod, report.Plan.Prune[0].Score));
    }

    [Fact]
    public void Groups_that_stay_whole_are_not_asked_for()
    {
        using var dense = Planted.Mlp(1, 8);
        var plan = new PruningPlan { Prune = [Rule with { Keep = 1 }] };
        var report = Slimmer.Run(plan, AxisAnalysis.Run(dense),
            method: (_, _) => throw new InvalidOperationException("not to be called")).Report;
        Assert.All(report.Groups, g => Assert.Equal(g.Size, g.Kept));
    }

    [Theory]
    [InlineData(7, 1.0)]
    [InlineData(8, -1.0)]
    [InlineData(8, double.NaN)]
    public void What_is_no_number_from_0_on_for_every_unit_is_refused(int count, double score)
    {
        using var dense = Planted.Mlp(1, 8);
        var e = Assert.Throws<EspalierException>(() =>
            Slimmer.Run(new PruningPlan { Prune = [Rule] }, AxisAnalysis.Run(dense),
                method: (_, _) => [.. Enumerable.Repeat(score, count)]));
        Assert.Contains($"'Rank' gave {count} scores for group 'fc1', which has 8 units", e.Message, StringComparison.Ordinal);
    }

    /// <summary>In each step the method sees zeros where units are gone; whatever it says of these, they do not come back.</summary>
    [Fact]
    public void Steps_ask_anew_with_the_weights_that_are_left()
    {
        using var dense = Planted.Mlp(1, 16);
        var analysis = AxisAnalysis.Run(dense);
        var plan = new PruningPlan { Schedule = Schedule.Iterative, Prune = [Rule with { RoundTo = 1, Compensate = Compensation.None }] };
        var samples = Planted.Samples(6, 16);
        var gone = new List<int>();
        var report = Slimmer.Run(plan, analysis, null, new ModelProbe(analysis, samples), (_, group) =>
        {
            var reader = group.Weights.Single(w => w.Name == "fc2.weight");
            int columns = reader.Shape[1];
            gone.Add(Enumerable.Range(0, group.Units).Count(u => reader.Values.Slice(u * columns, columns).Span.IndexOfAnyExcept(0) < 0));
            return [.. Enumerable.Range(0, group.Units).Select(u => gone.Count % 2 == 0 ? (double)u : group.Units - u)];
        }).Report;
        Assert.Equal([0, 2, 4, 6], gone);
        Assert.Equal([0, 1, 2, 3, 12, 13, 14, 15], report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
    }
}
