using System.Collections.Immutable;
using System.Globalization;
using Espalier.Generator.Manifests;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Espalier.Generator.Vocabulary;
using Espalier.Planning;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Diagnostics;

/// <summary>
/// What is wrong in a policy class, at the argument that is to blame. In an editor the analyzer reports it, which follows every
/// keystroke and carries code fixes; in a build the generator does, because the compiler asks no analyzer where a declaration is wrong.
/// Which of both it is says a file that the build's targets add.
/// </summary>
internal static class PolicyDiagnostics
{
    /// <summary>Key of the diagnostic property that holds what a code fix puts in place of the mistake.</summary>
    public const string FixKey = "Fix";

    private const string Marker = ".espalier-report";

    /// <summary>Whether a file is the one that makes the generator report.</summary>
    public static bool IsMarker(AdditionalText file) => file.Path.EndsWith(Marker, StringComparison.OrdinalIgnoreCase);

    /// <summary>The diagnostics of a class; none where it is no policy.</summary>
    public static IEnumerable<Diagnostic> Of(INamedTypeSymbol type, IReadOnlyList<ManifestFile> manifests, ProjectFacts project,
        CancellationToken cancellation)
    {
        if (type.TypeKind != TypeKind.Class || PolicyReader.Read(type, cancellation) is not { } policy) yield break;
        foreach (var finding in Findings(policy, manifests, project))
        {
            var properties = finding.Fix.Length == 0
                ? ImmutableDictionary<string, string?>.Empty
                : ImmutableDictionary<string, string?>.Empty.Add(FixKey, finding.Fix);
            yield return Diagnostic.Create(Descriptors.ById(finding.Id), SiteLocator.Find(type, finding.Site, cancellation), properties,
                [.. finding.Arguments]);
        }
    }

    private static IEnumerable<Finding> Findings(PolicyModel policy, IReadOnlyList<ManifestFile> manifests, ProjectFacts project)
    {
        var files = manifests.Where(m => m.Model == policy.ModelKey).ToList();
        var file = files.FirstOrDefault(m => m.Manifest is not null) ?? files.FirstOrDefault();
        if (file is null) yield return Missing(policy, manifests, project);
        else if (file.Manifest is null)
            yield return new(Ids.Malformed, AttributeSite.Model, "",
                [file.Path, file.ErrorLine.ToString(CultureInfo.InvariantCulture), file.Error]);
        foreach (var finding in PolicyResolver.Resolve(policy, file?.Manifest).Findings) yield return finding;
        if (policy.Embeddings is { } embeddings && EncoderChecks.IsReadable(embeddings)
            && Unlisted(embeddings.Tokenizer, project.Tokenizers) is { } unlisted) yield return unlisted;
    }

    /// <summary>A tokenizer that no item of the project brings; one with a full path needs none.</summary>
    private static Finding? Unlisted(string tokenizer, IReadOnlyList<string>? listed)
    {
        if (listed is null || listed.Contains(tokenizer) || tokenizer.StartsWith("/", StringComparison.Ordinal) || tokenizer.Contains(':'))
            return null;
        var nearest = Nearest(tokenizer, listed);
        return new(Ids.NoTokenizer, AttributeSite.OfClass(nameof(EmbeddingsAttribute)).At("tokenizer"), nearest.FirstOrDefault() ?? "",
            [tokenizer, Known(nearest)]);
    }

    private static Finding Missing(PolicyModel policy, IReadOnlyList<ManifestFile> manifests, ProjectFacts project)
    {
        if (!project.WritesManifests)
            return new(Ids.NoModel, AttributeSite.Model, "",
                [policy.ModelKey, ", because its property EspalierEnabled is false: policies do not compile then"]);
        var nearest = Nearest(policy.ModelKey, manifests.Where(m => m.Model is not null).Select(m => m.Model!));
        return new(Ids.NoModel, AttributeSite.Model, nearest.FirstOrDefault() ?? "",
        [
            policy.ModelKey,
            $"{Known(nearest)}. A path is relative to the project; its file must be there and covered by an item such as "
                + $"<OnnxModel Include=\"{policy.ModelKey}\" />, which an editor knows after a build."
        ]);
    }

    /// <summary>The paths that are most like one that is not there. Who leaves out the folder has the file's name right.</summary>
    private static List<string> Nearest(string path, IEnumerable<string> paths)
        => [.. paths.OrderBy(p => FileOf(p) == FileOf(path) ? 0 : 1).ThenBy(p => NearestPattern.Find(path, p).Distance)
            .ThenBy(p => p, StringComparer.Ordinal).Take(3)];

    private static string Known(List<string> paths)
        => paths.Count == 0 ? "" : "; it has " + string.Join(", ", paths.Select(p => $"'{p}'"));

    private static string FileOf(string path) => path.Substring(path.LastIndexOf('/') + 1);
}
