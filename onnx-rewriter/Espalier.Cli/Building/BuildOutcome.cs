using Espalier.Cli.Host;
using Espalier.Cli.Steps;

namespace Espalier.Cli.Building;

/// <summary>What a build says of a policy that it carried out.</summary>
internal static class BuildOutcome
{
    /// <summary>A slim model that agrees less answers otherwise more often than not.</summary>
    private const double LeastAgreement = 0.5;

    /// <summary>The one line of a policy: costs before and after, agreement, time.</summary>
    /// <param name="reused">Results of earlier builds that were used.</param>
    public static string Line(string policy, PruningReport report, TimeSpan taken, string? reused = null)
    {
        var (before, after) = (report.Before, report.After);
        double macs = before.Macs > 0 ? (double)after.Macs / before.Macs : 1;
        string agreement = report.Agreement is { } measured
            ? FormattableString.Invariant($"agreement {measured.Value:0.00} ({measured.Metric} on {measured.Inputs})")
            : "agreement not measured (the report says why)";
        return $"{policy}: {Figures.Short(before.Parameters)} → {Figures.Short(after.Parameters)} parameters, "
            + FormattableString.Invariant($"1.00 → {macs:0.00} MACs, {agreement}, {Durations.Text(taken)}")
            + (reused is null ? "" : $" (reused: {reused})");
    }

    /// <summary>Whether there may be a warning: a guard stops what is ruined.</summary>
    public static bool MayWarn(PruningPlan plan) => plan.Guard?.Agreement is null;

    /// <summary>A warning where no guard is there to stop what the measurement shows to be ruined; null otherwise.</summary>
    /// <param name="project">The file to name where the policy's place is not known.</param>
    public static BuildMessage? Warning(PruningPlan plan, PruningReport report, string project)
    {
        if (report.Agreement is not { Value: < LeastAgreement } measured || !MayWarn(plan)) return null;
        string place = plan.Location.Length > 0 ? BuildMessage.Full(plan.Location, project) : project;
        string advice = measured.On == MeasuredOn.Random
            ? "Such inputs say little about the task: give the policy a [Calibration] method to know more, or remove less."
            : "Remove less, compensate, or state what is enough by [Guard(Agreement = …)].";
        return new(place, BuildMessage.Drifted, $"{plan.Policy}: the slim model agrees with the dense one to {measured}. {advice}");
    }
}
