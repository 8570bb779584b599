namespace Espalier.Generator.Policies;

/// <summary>One policy class as plain values: what its attributes say, without positions, symbols or syntax.</summary>
internal sealed record PolicyModel(
    string Namespace,
    EquatableArray<ContainerModel> Containers,
    string Name,
    string ClassProblem,
    string Model,
    int Seed,
    EquatableArray<RuleModel> Rules,
    BudgetModel? Budget,
    string? Preset,
    string? Allocation,
    string? Schedule,
    string? DivergenceMetric,
    string? Inputs,
    GuardModel? Guard,
    EquatableArray<string> Protect,
    bool ProtectsEnds,
    EquatableArray<CalibrationModel> Calibration,
    EquatableArray<LowRankModel> LowRank)
{
    /// <summary>Namespace, containing classes and name, joined by dots: names the plan, the slim model and its report.</summary>
    public string FullName
        => string.Join(".", new[] { Namespace }.Concat(Containers.Select(c => c.Name)).Append(Name).Where(part => part.Length > 0));

    /// <summary>Whether a method gives calibration data.</summary>
    public bool IsCalibrated => Calibration.Any(c => c.Problem.Length == 0);

    /// <summary>The model's path as manifests state it.</summary>
    public string ModelKey => Normalise(Model);

    public static string Normalise(string path)
    {
        path = path.Replace('\\', '/');
        while (path.StartsWith("./", StringComparison.Ordinal)) path = path.Substring(2);
        return path;
    }
}

/// <summary>A class, struct, record or interface round a nested policy.</summary>
internal sealed record ContainerModel(string Keyword, string Name);

/// <summary>A property with <c>[Prune]</c> or <c>[Drop]</c>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Accessibility">Its accessibility, as C# writes it.</param>
/// <param name="Problem">Why it is no rule property; empty when it is one.</param>
/// <param name="HasDocumentation">Whether the user has documented it.</param>
/// <param name="Prune">What <c>[Prune]</c> says.</param>
/// <param name="Drop">What <c>[Drop]</c> says.</param>
/// <param name="Score">Criterion by name; null without <c>[Score]</c>.</param>
/// <param name="Compensate">Compensation by name; null without <c>[Compensate]</c>.</param>
/// <param name="Aggregate">Aggregate by name.</param>
/// <param name="ScoreFile">The file of scores; null without.</param>
/// <param name="ScoreMethod">The method that scores; null without.</param>
internal sealed record RuleModel(string Name, string Accessibility, string Problem, bool HasDocumentation, PruneModel? Prune,
    DropModel? Drop, string? Score, string? Compensate,
    string Aggregate, string? ScoreFile, string? ScoreMethod)
{
    /// <summary>The axis by name.</summary>
    public string Axis => Prune?.Axis ?? Drop!.Axis;
}

internal sealed record PruneModel(string Axis, string Pattern, double? Keep, int MinKeep, int RoundTo, bool AllowInexact);

internal sealed record DropModel(string Axis, string Pattern, int AtMost);

internal sealed record BudgetModel(double? Macs, double? Parameters, double? Bytes, double? Latency,
    EquatableArray<ComponentModel> Components)
{
    /// <summary>Whether it bounds anything.</summary>
    public bool IsSet => Latency is not null || Components.Count > 0 || Limits().Any();

    /// <summary>The bounds that are set and that the manifest prices, by the unit's name in the manifest.</summary>
    public IEnumerable<(string Unit, string Argument, double Fraction)> Limits()
    {
        if (Macs is { } macs) yield return ("macs", "Macs", macs);
        if (Parameters is { } parameters) yield return ("parameters", "Parameters", parameters);
        if (Bytes is { } bytes) yield return ("bytes", "Bytes", bytes);
    }
}

/// <summary>Bounds on the nodes that a pattern names.</summary>
internal sealed record ComponentModel(string Pattern, double? Macs, double? Parameters);

/// <summary>What <c>[LowRank]</c> says; <c>Rank</c> is 0 where it is not set.</summary>
internal sealed record LowRankModel(string Pattern, string Of, int Rank, double? Keep)
{
    /// <summary>Whether the rank is left to the budget.</summary>
    public bool IsOpen => Rank == 0 && Keep is null;
}

internal sealed record GuardModel(bool Equivalence, double? Agreement, string Metric);

/// <summary>A method with <c>[Calibration]</c>; <c>Problem</c> is empty when its signature is right.</summary>
internal sealed record CalibrationModel(string Method, int Samples, string? Labels, string Problem);
