using Espalier.Cli.Host;

namespace Espalier.Cli.Inspections;

/// <summary>What <c>inspect</c> shows, as plain values: the tables and the JSON say the same.</summary>
internal sealed record Inspection
{
    public required string File { get; init; }

    /// <summary>Version of the default operator set; 0 where none is imported.</summary>
    public required long Opset { get; init; }

    /// <summary>Nodes, subgraphs included.</summary>
    public required int Nodes { get; init; }

    /// <summary>Cost at the nominal sizes.</summary>
    public required ModelCost Cost { get; init; }

    /// <summary>Parameters in at least one exact group.</summary>
    public required long ExactParameters { get; init; }

    /// <summary>Parameters in at least one group that is not frozen.</summary>
    public required long PrunableParameters { get; init; }

    /// <summary>Multiply-accumulates in at least one exact group.</summary>
    public required long ExactMacs { get; init; }

    /// <summary>Multiply-accumulates in at least one group that is not frozen.</summary>
    public required long PrunableMacs { get; init; }

    /// <summary>Name, element type and shape of every input.</summary>
    public required IReadOnlyList<string> Inputs { get; init; }

    /// <summary>The same of every output.</summary>
    public required IReadOnlyList<string> Outputs { get; init; }

    /// <summary>Groups that can be pruned.</summary>
    public required IReadOnlyList<InspectedGroup> Groups { get; init; }

    public required IReadOnlyList<InspectedBlock> Blocks { get; init; }

    /// <summary>Groups that cannot be pruned.</summary>
    public required IReadOnlyList<InspectedGroup> Frozen { get; init; }

    /// <summary>Operators whose multiply-accumulates are not known, each with the reason: the figures lack them.</summary>
    public required IReadOnlyList<string> UnknownMacs { get; init; }

    /// <summary>What became of every parameter: these sum up to the parameters of the file.</summary>
    public required IReadOnlyList<InspectedWeight> Weights { get; init; }

    public string ToJson() => JsonText.Of(this);
}

internal sealed record InspectedGroup
{
    public required int Id { get; init; }

    /// <summary>As rules and <c>--protect</c> match it.</summary>
    public required string Name { get; init; }

    public required string Kind { get; init; }
    public required int Size { get; init; }

    /// <summary>exact, inexact or frozen.</summary>
    public required string Exactness { get; init; }

    /// <summary>Why it is inexact or frozen.</summary>
    public required string? Reason { get; init; }

    public required int MinKeep { get; init; }

    /// <summary>Parameters that its units have a part in.</summary>
    public required long Parameters { get; init; }

    /// <summary>Weight axes, as <c>tensor:axis</c>.</summary>
    public required IReadOnlyList<string> Members { get; init; }
}

/// <summary>A block or sublayer, with what its removal saves.</summary>
internal sealed record InspectedBlock(int Id, string Name, string Kind, int Nodes, long Parameters, long Macs);

/// <summary>One stored tensor.</summary>
/// <param name="Name">Name in the file.</param>
/// <param name="Alias">A name that a person can write, where the file's is an exporter's number; else null.</param>
/// <param name="Parameters">Its elements.</param>
/// <param name="Standing">grouped, frozen, or unrelated: no weight of a product.</param>
/// <param name="Groups">Groups of which it holds units.</param>
/// <param name="Reason">Why nothing of it can be removed; null where something can.</param>
internal sealed record InspectedWeight(string Name, string? Alias, long Parameters, string Standing, IReadOnlyList<int> Groups,
    string? Reason);
