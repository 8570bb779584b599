using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Policies;

/// <summary>One policy class as plain values: what its attributes say, without positions, symbols or syntax.</summary>
internal sealed record PolicyModel
{
    public required string Namespace { get; init; }
    public required EquatableArray<ContainerModel> Containers { get; init; }
    public required string Name { get; init; }

    /// <summary>Who may name it from another namespace: <c>public</c>, <c>internal</c>, or empty for nobody.</summary>
    public required string Accessibility { get; init; }

    /// <summary>Why the class is no policy; empty when it is one.</summary>
    public required string ClassProblem { get; init; }

    public required string Model { get; init; }
    public required int Seed { get; init; }

    public required bool Publish { get; init; }

    public required string? Sha256 { get; init; }
    public required EquatableArray<RuleModel> Rules { get; init; }
    public required BudgetModel? Budget { get; init; }
    public required Preset? Preset { get; init; }
    public required Allocation? Allocation { get; init; }
    public required Schedule? Schedule { get; init; }
    public required Metric? DivergenceMetric { get; init; }
    public required EquatableArray<string> DivergenceOutputs { get; init; }
    public required InputSource? Inputs { get; init; }
    public required GuardModel? Guard { get; init; }
    public required RecoverModel? Recover { get; init; }
    public required EquatableArray<string> Protect { get; init; }
    public required bool ProtectsEnds { get; init; }
    public required EquatableArray<CalibrationModel> Calibration { get; init; }
    public required EquatableArray<LowRankModel> LowRank { get; init; }
    public required EmbeddingsModel? Embeddings { get; init; }
    public required ImagesModel? Images { get; init; }

    /// <summary>Names of <see cref="GeneratedMembers"/> that the user's part has given to something else.</summary>
    public required EquatableArray<string> Colliding { get; init; }

    /// <summary>Namespace, containing classes and name, joined by dots: names the plan, the slim model and its report.</summary>
    public string FullName
        => string.Join(".", new[] { Namespace }.Concat(Containers.Select(c => c.Name)).Append(Name).Where(part => part.Length > 0));

    /// <summary>Whether a method gives calibration data.</summary>
    public bool IsCalibrated => Calibration.Any(c => c.Problem.Length == 0);

    /// <summary>What the preset stands for; null without one.</summary>
    public PruningMethod? Method => Preset is { } preset ? Presets.Find(preset) : null;

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
internal sealed record RuleModel
{
    public required string Name { get; init; }

    /// <summary>Its accessibility, as C# writes it.</summary>
    public required string Accessibility { get; init; }

    /// <summary>Why it is no rule property; empty when it is one.</summary>
    public required string Problem { get; init; }

    /// <summary>Whether the user has documented it.</summary>
    public required bool HasDocumentation { get; init; }

    public required PruneModel? Prune { get; init; }
    public required DropModel? Drop { get; init; }
    public required ScoreModel? Score { get; init; }
    public required Compensation? Compensate { get; init; }

    public Axis Axis => Prune?.Axis ?? Drop!.Axis;

    /// <summary>Whether it is a valid rule on units.</summary>
    public bool IsPrune => this is { Problem: "", Prune: not null, Drop: null } && AxisRow.Find(Axis)?.CanPrune == true;

    /// <summary>Whether it is a valid rule on depth.</summary>
    public bool IsDrop => this is { Problem: "", Drop: not null, Prune: null } && AxisRow.Find(Axis)?.CanDrop == true;
}

internal sealed record PruneModel(Axis Axis, string Pattern, double? Keep, int MinKeep, int RoundTo, bool AllowInexact);

internal sealed record DropModel(Axis Axis, string Pattern, int AtMost);

internal sealed record ScoreModel(Criterion Criterion, Aggregate Aggregate, string? File, string? Method);

internal sealed record BudgetModel(double? Macs, double? Parameters, double? Bytes, double? Latency,
    EquatableArray<ComponentModel> Components)
{
    /// <summary>Whether it bounds anything.</summary>
    public bool IsSet => Latency is not null || Components.Count > 0 || Limits().Any();

    /// <summary>Whether it asks for less than the whole model.</summary>
    public bool Bounds => Latency < 1 || Limits().Any(l => l.Fraction < 1)
        || Components.Any(c => c is { Macs: < 1 } or { Parameters: < 1 });

    /// <summary>Whether all bounds are the whole model; a number that is none is another mistake.</summary>
    public bool IsWhole => IsSet && Latency is null or 1 && Limits().All(l => l.Fraction == 1)
        && Components.All(c => c is { Macs: null or 1, Parameters: null or 1 });

    /// <summary>The bounds that are set and that the manifest prices, by the unit's name in the manifest.</summary>
    public IEnumerable<(string Unit, string Argument, double Fraction)> Limits()
    {
        if (Macs is { } macs) yield return ("macs", nameof(BudgetAttribute.Macs), macs);
        if (Parameters is { } parameters) yield return ("parameters", nameof(BudgetAttribute.Parameters), parameters);
        if (Bytes is { } bytes) yield return ("bytes", nameof(BudgetAttribute.Bytes), bytes);
    }
}

/// <summary>Bounds on the nodes that a pattern names.</summary>
internal sealed record ComponentModel(string Pattern, double? Macs, double? Parameters);

/// <summary>What <c>[LowRank]</c> says; <c>Rank</c> is 0 where it is not set.</summary>
internal sealed record LowRankModel(string Pattern, ProductKind Of, int Rank, double? Keep)
{
    /// <summary>Whether the rank is left to the budget.</summary>
    public bool IsOpen => Rank == 0 && Keep is null;
}

/// <summary>What <c>[Embeddings]</c> says.</summary>
internal sealed record EmbeddingsModel(string Tokenizer, Pooling Pooling, bool Normalise, int MaxTokens, string? Output);

/// <summary>What <c>[Images]</c> says.</summary>
internal sealed record ImagesModel(EquatableArray<double> Mean, EquatableArray<double> Deviation, int Width, int Height);

/// <summary><c>[Recover]</c>; <c>Problem</c> is what is wrong with the method that it names, empty where nothing is.</summary>
internal sealed record RecoverModel(int Steps, string? Data, int Samples, Train Weights, double Rate, string Problem);

internal sealed record GuardModel(bool Equivalence, double? Agreement, Metric? Metric);

/// <summary>A method with <c>[Calibration]</c>; <c>Problem</c> is empty when its signature is right.</summary>
internal sealed record CalibrationModel(string Method, int Samples, string? Labels, string Problem);
