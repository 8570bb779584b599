using Espalier.Generator.Policies;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Espalier.Generator.Diagnostics;

/// <summary>What the build's targets say of the project, besides its models.</summary>
/// <param name="WritesManifests">Whether it writes manifests at all.</param>
/// <param name="TokenizerList">Paths of its tokenizers in the output, between bars; empty where the targets say nothing of them.</param>
internal sealed record ProjectFacts(bool WritesManifests, string TokenizerList)
{
    /// <summary>The tokenizers; null where they are not known.</summary>
    public IReadOnlyList<string>? Tokenizers => TokenizerList.Length == 0
        ? null
        : [.. TokenizerList.Split('|').Select(PolicyModel.Normalise).Where(path => path.Length > 0)];

    public static ProjectFacts Of(AnalyzerConfigOptionsProvider options)
        => new(!Property(options, "EspalierEnabled").Equals("false", StringComparison.OrdinalIgnoreCase),
            Property(options, "_EspalierTokenizerList"));

    private static string Property(AnalyzerConfigOptionsProvider options, string name)
        => options.GlobalOptions.TryGetValue("build_property." + name, out var value) ? value : "";
}
