namespace Espalier.Generator.Manifests;

/// <summary>What the generator knows of one model: the parsed text of its manifest.</summary>
internal sealed record Manifest(
    string Model,
    string Sha256,
    long Bytes,
    EquatableArray<ManifestTensor> Inputs,
    EquatableArray<ManifestTensor> Outputs,
    EquatableArray<ManifestGroup> Groups,
    EquatableArray<ManifestBlock> Blocks,
    EquatableArray<ManifestCost> Costs);

/// <summary>
/// An input or output of the graph. <c>Dims</c> holds numbers, or <c>?name</c> for a dynamic one; it is <c>["*"]</c> where the
/// rank is unknown.
/// </summary>
internal sealed record ManifestTensor(string Name, string ElementType, EquatableArray<string> Dims);

/// <summary>A group of coupled units. <c>Partner</c> is the other half of a pair of KV groups and query heads, −1 without.</summary>
internal sealed record ManifestGroup(int Id, string Name, string Kind, int Size, string Exactness, int MinKeep, int Partner, string Reason,
    EquatableArray<string> Members)
{
    /// <summary>Name of the weight in a member <c>tensor:axis</c>.</summary>
    public static string TensorOf(string member) => member.Substring(0, member.LastIndexOf(':'));
}

/// <summary>A residual sublayer, or a block of several.</summary>
internal sealed record ManifestBlock(int Id, bool IsSublayer, string Name, EquatableArray<int> Sublayers);

/// <summary>One monomial of the cost.</summary>
internal sealed record ManifestCost(string Unit, double Coefficient, int Sublayer, EquatableArray<int> Groups);

/// <summary>An AdditionalFile that claims to be a manifest: parsed, or the line and reason why it is not one.</summary>
internal sealed record ManifestFile(string Path, string? Model, Manifest? Manifest, int ErrorLine, string Error);
