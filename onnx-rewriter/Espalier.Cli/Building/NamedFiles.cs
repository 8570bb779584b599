namespace Espalier.Cli.Building;

/// <summary>Files of scores and labels that a policy names, relative to the project.</summary>
internal static class NamedFiles
{
    /// <summary>The plan with their full paths: the build runs in any folder.</summary>
    public static PruningPlan Rooted(PruningPlan plan, string project)
        => plan with
        {
            Calibration = plan.Calibration is { Labels: { } labels } source
                ? source with { Labels = Path.Combine(Path.GetDirectoryName(project) ?? "", labels) }
                : plan.Calibration,
            Prune = [.. plan.Prune.Select(r => r.ScoreFile is { } file
                ? r with { ScoreFile = Path.Combine(Path.GetDirectoryName(project) ?? "", file) }
                : r)],
        };

    /// <summary>The plan that was carried out, with the paths as the policy states them.</summary>
    public static PruningPlan AsStated(PruningPlan carried, PruningPlan stated)
        => carried with
        {
            Calibration = stated.Calibration,
            Prune = [.. carried.Prune.Select(r => r.ScoreFile is null
                ? r
                : r with { ScoreFile = stated.Prune.First(s => s.Name == r.Name).ScoreFile })],
        };

    /// <summary>Sees to it that labels are there, also where a plan that measures nothing by them would not read them.</summary>
    /// <exception cref="EspalierException">There is no such file.</exception>
    public static void Require(PruningPlan plan, string project)
    {
        if (Rooted(plan, project).Calibration?.Labels is { } labels && !File.Exists(labels))
            throw new EspalierException($"There are no labels at '{plan.Calibration!.Labels}' (looked for {labels}). Correct Labels of "
                + "[Calibration], which is relative to the project, or put the file there.");
    }

    /// <summary>Full paths of those that exist.</summary>
    public static IEnumerable<string> List(PruningPlan plan, string project)
        => Rooted(plan, project) is var rooted
            ? rooted.Prune.Select(r => r.ScoreFile).Append(rooted.Calibration?.Labels).OfType<string>().Where(File.Exists)
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            : [];
}
