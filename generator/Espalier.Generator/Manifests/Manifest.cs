using Espalier.Generator.Collections;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Manifests;

/// <summary>What the generator knows of one model: the parsed text of its manifest.</summary>
internal sealed record Manifest
{
    public required string Model { get; init; }
    public required string Sha256 { get; init; }
    public required long Bytes { get; init; }
    public required EquatableArray<ManifestTensor> Inputs { get; init; }
    public required EquatableArray<ManifestTensor> Outputs { get; init; }
    public required EquatableArray<ManifestGroup> Groups { get; init; }
    public required EquatableArray<ManifestBlock> Blocks { get; init; }
    public required EquatableArray<ManifestCost> Costs { get; init; }
}

/// <summary>
/// An input or output of the graph. <c>Dims</c> holds numbers, or <c>?name</c> for a dynamic one; it is <c>["*"]</c> where the
/// rank is unknown.
/// </summary>
internal sealed record ManifestTensor(string Name, string ElementType, EquatableArray<string> Dims);

/// <summary>A group of coupled units.</summary>
internal sealed record ManifestGroup
{
    public required int Id { get; init; }
    public required string Name { get; init; }
    public required Axis Kind { get; init; }
    public required int Size { get; init; }

    /// <summary><c>exact</c>, <c>inexact</c> or <c>frozen</c>.</summary>
    public required string Exactness { get; init; }

    public required int MinKeep { get; init; }

    /// <summary>The other half of a pair of KV groups and query heads; −1 without.</summary>
    public required int Partner { get; init; }

    /// <summary>Why it is inexact or frozen.</summary>
    public required string Reason { get; init; }

    /// <summary>Weight axes, as <c>tensor:axis</c>.</summary>
    public required EquatableArray<string> Members { get; init; }

    /// <summary>The weights of the members, each once.</summary>
    public required EquatableArray<ManifestWeight> Weights { get; init; }

    /// <summary>Name of the weight in a member.</summary>
    public static string TensorOf(string member) => member.Substring(0, member.LastIndexOf(':'));
}

/// <summary>A weight of the model.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Alias">A name that a person can write, where the file's is an exporter's number; else empty.</param>
internal sealed record ManifestWeight(string Name, string Alias)
{
    /// <summary>The name to show.</summary>
    public string Readable => Alias.Length > 0 ? Alias : Name;
}

/// <summary>A residual sublayer, or a block of several.</summary>
internal sealed record ManifestBlock(int Id, bool IsSublayer, string Name, EquatableArray<int> Sublayers);

/// <summary>One monomial of the cost.</summary>
internal sealed record ManifestCost(string Unit, double Coefficient, int Sublayer, EquatableArray<int> Groups);

/// <summary>An AdditionalFile that claims to be a manifest: parsed, or the line and reason why it is not one.</summary>
internal sealed record ManifestFile(string Path, string? Model, Manifest? Manifest, int ErrorLine, string Error);
