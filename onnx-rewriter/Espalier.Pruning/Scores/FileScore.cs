using Espalier.Axes.Groups;
using Espalier.Pruning.Scores.Criteria;
using Espalier.Pruning.Scores.Sources;

namespace Espalier.Pruning.Scores;

/// <summary>Scores that were made elsewhere and are read from a file.</summary>
internal sealed class FileScore : UnitScore
{
    public override IReadOnlyList<Criterion> Criteria => [Criterion.File];

    public override string Obstacle(Criterion criterion) => "";

    public override double[] Compute(Group group, ScoreContext context)
    {
        string path = context.Rule.ScoreFile
            ?? throw new EspalierException($"Group '{group.Name}' is to be scored by a file, but none is named. Give ScoreFile.");
        if (!context.Files.TryGetValue(path, out var file)) context.Files[path] = file = ScoreFile.Read(path);
        return file.Of(group);
    }
}
