using System.Text.Json.Serialization;

namespace Espalier.Cli.Inspections;

/// <summary>What <c>why</c> says, as plain values: the text and the JSON say the same.</summary>
/// <param name="Axes">Those that were asked for; null where the rank is unknown.</param>
internal sealed record ExplainedTensor(string Tensor, IReadOnlyList<ExplainedAxis>? Axes);

/// <summary>An axis.</summary>
/// <param name="Axis">From 0.</param>
/// <param name="Place">The axis as texts name it, with the tensor's name in the file where that is another.</param>
/// <param name="Groups">Groups whose units lie on it.</param>
internal sealed record ExplainedAxis(int Axis, string Place, string Term, IReadOnlyList<ExplainedGroup> Groups)
{
    /// <summary>Why there is no group; null where there is one, or nothing to say.</summary>
    public string? Reason { get; init; }

    /// <summary>The way to that reason.</summary>
    public IReadOnlyList<string> Chain { get; init; } = [];
}

/// <summary>A group.</summary>
/// <param name="Kind">What its units are.</param>
/// <param name="Exactness">exact, inexact or frozen.</param>
internal sealed record ExplainedGroup(string Name, string Kind, int Units, string Exactness)
{
    /// <summary>Why it is not exact.</summary>
    public string? Reason { get; init; }

    /// <summary>The way from the tensor to that reason.</summary>
    public IReadOnlyList<string> Chain { get; init; } = [];

    public int MinKeep { get; init; } = 1;

    /// <summary>KV groups and the query heads of each.</summary>
    public string? Partner { get; init; }

    [JsonIgnore]
    public string? PartnerKind { get; init; }

    /// <summary>Weight axes with their terms.</summary>
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Operators that contract it, with their weights.</summary>
    public IReadOnlyList<string> Readers { get; init; } = [];
}
