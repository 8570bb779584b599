using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Pruning.Scores;

namespace Espalier.Pruning.Tests.Scores;

/// <summary>Scores that come from a file.</summary>
public sealed class ScoreFileTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    /// <inheritdoc/>
    public void Dispose() => File.Delete(_path);

    [Fact]
    public void The_units_with_the_highest_numbers_stay()
    {
        var report = Slim("""{"other": [1], "fc1": [5, 0, 7.5, 1e-3, 2, 9, 0.5, 3]}""");
        Assert.Equal([1, 3, 4, 6], report.Groups.Single(g => g.Kept < g.Size).RemovedUnits);
    }

    [Fact]
    public void Scores_have_mean_1_as_all_scores_do()
    {
        File.WriteAllText(_path, """{"fc1": [0, 1, 2, 3, 4, 5, 6, 3]}""");
        using var dense = Planted.Mlp(1, 8);
        var analysis = AxisAnalysis.Run(dense);
        int id = analysis.Groups.Single(g => g.Exactness == Exactness.Exact).Id;
        double[] scores =
            Planted.Score(analysis, analysis.Groups[id], new() { Score = Criterion.File, ScoreFile = _path });
        Assert.Equal([0, 1.0 / 3, 2.0 / 3, 1, 4.0 / 3, 5.0 / 3, 2, 1], scores.Select(s => Math.Round(s, 15)),
            (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Theory]
    [InlineData("""{"fc2": [1, 2]}""", "has no scores for group 'fc1'. It has 'fc2'.")]
    [InlineData("{}", "has no scores for group 'fc1'. It has none at all.")]
    [InlineData("""{"fc1": [1, 2, 3]}""", "has 3 scores for group 'fc1', which has 8 units.")]
    [InlineData("""{"fc1": [1, 2, 3, 4, 5, 6, 7, 8, 9]}""", "has 9 scores for group 'fc1', which has 8 units.")]
    [InlineData("""{"fc1": [1, 2, 3, -4, 5, 6, 7, 8]}""", "has -4 for unit 3 of group 'fc1': a score is a number from 0 on.")]
    [InlineData("""{"fc1": [1, 2, 3, 4, null, 6, 7, 8]}""", "has null for unit 4 of group 'fc1'")]
    [InlineData("""{"fc1": [1, 2, 3, 4, 5, 6, 7, 1e999]}""", "has 1e999 for unit 7 of group 'fc1'")]
    [InlineData("""{"fc1": 8}""", "has no list of numbers for group 'fc1'")]
    [InlineData("""{"fc1": [1, 2, 3, 4, 5, 6, 7, 8], "fc1": [8, 7, 6, 5, 4, 3, 2, 1]}""", "cannot be read")]
    [InlineData("[1, 2]", "is not a JSON object")]
    [InlineData("fc1", "cannot be read")]
    public void A_file_that_does_not_fit_is_refused_by_name(string json, string message)
    {
        var e = Assert.Throws<EspalierException>(() => Slim(json));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.Contains(_path, e.Message, StringComparison.Ordinal);
    }

    private PruningReport Slim(string json)
    {
        File.WriteAllText(_path, json);
        using var dense = Planted.Mlp(1, 8);
        return Slimmer.Run(new PruningPlan
        { Prune = [new PruneRule { Axis = Axis.Neurons, Keep = 0.5, Score = Criterion.File, ScoreFile = _path }] },
            AxisAnalysis.Run(dense)).Report;
    }
}
