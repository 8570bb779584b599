namespace Espalier.Cli.Steps;

/// <summary>What of a plan matters for the slim model.</summary>
internal static class PlanContent
{
    /// <summary>The same text for plans that give the same model.</summary>
    public static string Of(PruningPlan plan) => PlanJson.Serialize(WithoutLocations(plan) with { Publish = true });

    /// <summary>
    /// The plan without the places in the source that it was read from: they are for errors, and a shipped report must not name
    /// the paths of the machine that built it.
    /// </summary>
    public static PruningPlan WithoutLocations(PruningPlan plan) => plan with
    {
        Location = "",
        Prune = [.. plan.Prune.Select(r => r with { Location = "" })],
        Drop = [.. plan.Drop.Select(r => r with { Location = "" })],
    };
}
