using System.Text.Json;
using Espalier.Axes;
using Espalier.Pruning;

namespace Espalier.Cli.Building;

/// <summary>Files of scores and labels that a policy names, relative to the project.</summary>
internal static class ScoreFiles
{
    /// <summary>The plan with their full paths: the build runs in any folder.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="project">The project file.</param>
    public static PruningPlan Rooted(PruningPlan plan, string project)
        => plan with
        {
            Calibration = plan.Calibration is { Labels: { } labels } source ? source with { Labels = Path.Combine(Path.GetDirectoryName(project) ?? "", labels) } : plan.Calibration,
            Prune = [.. plan.Prune.Select(r => r.ScoreFile is { } file ? r with { ScoreFile = Path.Combine(Path.GetDirectoryName(project) ?? "", file) } : r)],
        };

    /// <summary>The plan that was carried out, with the paths as the policy states them.</summary>
    public static PruningPlan AsStated(PruningPlan carried, PruningPlan stated)
        => carried with
        {
            Calibration = stated.Calibration,
            Prune = [.. carried.Prune.Select(r => r.ScoreFile is null || stated.Prune.First(s => s.Name == r.Name) is not { } own ? r
                : own.ScoreMethod is { } method ? r with { Score = Criterion.Method, ScoreFile = null, ScoreMethod = method } : r with { ScoreFile = own.ScoreFile })],
        };

    /// <summary>The plan with what the policy's own methods score in files, for as long as it is carried out.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="analysis">The model.</param>
    /// <param name="score">Calls the rule's method.</param>
    public static MethodScores OfMethods(PruningPlan plan, AxisAnalysis analysis, Func<PruneRule, ScoredGroup, double[]> score)
    {
        var files = new List<string>();
        var scored = plan.Prune.Select(rule =>
        {
            if (rule.ScoreMethod is null) return (Rule: rule, Scores: (string?)null);
            var groups = analysis.Groups.Where(g => g.Exactness != Exactness.Frozen && rule.Groups?.Contains(g.Name) != false).ToList();
            return (Rule: rule, Scores: JsonSerializer.Serialize(ScoredGroups.Of(analysis, groups).ToDictionary(g => g.Name, g => score(rule, g))));
        }).ToList();
        // Files only after all methods have run: one that throws leaves none behind.
        var rules = scored.Select(s =>
        {
            if (s.Scores is null) return s.Rule;
            files.Add(Path.GetTempFileName());
            File.WriteAllText(files[^1], s.Scores);
            return s.Rule with { Score = Criterion.File, ScoreFile = files[^1], ScoreMethod = null };
        }).ToList();
        return new(plan with { Prune = rules }, files);
    }

    /// <summary>A plan with files that go when it is carried out.</summary>
    internal sealed record MethodScores(PruningPlan Plan, IReadOnlyList<string> Files) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose()
        {
            foreach (string file in Files) File.Delete(file);
        }
    }

    /// <summary>Full paths of those that exist.</summary>
    public static IEnumerable<string> Of(PruningPlan plan, string project)
        => Rooted(plan, project) is var rooted ? rooted.Prune.Select(r => r.ScoreFile).Append(rooted.Calibration?.Labels).OfType<string>().Where(File.Exists).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal) : [];
}
