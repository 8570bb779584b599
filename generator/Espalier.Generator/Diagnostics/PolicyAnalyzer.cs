using System.Collections.Immutable;
using Espalier.Generator.Manifests;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Espalier.Planning;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Espalier.Generator.Diagnostics;

/// <summary>
/// Reports what is wrong in a policy class at the attribute that caused it. The generator reports nothing, so that its outputs
/// do not depend on positions.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class PolicyAnalyzer : DiagnosticAnalyzer
{
    /// <summary>Key of the diagnostic property that holds what a code fix puts in place of the mistake.</summary>
    internal const string FixKey = "Fix";

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => Descriptors.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Compilation.GetTypeByMetadataName(PolicyReader.PolicyAttribute) is null) return;
            var manifests = new Lazy<IReadOnlyList<ManifestFile>>(() => ReadManifests(start.Options, start.CancellationToken));
            start.RegisterSymbolAction(symbol => Analyze(symbol, manifests), SymbolKind.NamedType);
        });
    }

    private static IReadOnlyList<ManifestFile> ReadManifests(AnalyzerOptions options, CancellationToken cancellation)
    {
        var files = new List<ManifestFile>();
        foreach (var file in options.AdditionalFiles)
        {
            if (!file.Path.EndsWith(ManifestReader.Extension, StringComparison.OrdinalIgnoreCase)) continue;
            var manifest = ManifestReader.Read(file.Path, file.GetText(cancellation)?.ToString() ?? "", cancellation);
            // A file that is malformed before it names its model still has the item's metadata.
            if (manifest.Model is null
                && options.AnalyzerConfigOptionsProvider.GetOptions(file)
                    .TryGetValue("build_metadata.AdditionalFiles.EspalierModel", out var model))
                manifest = manifest with { Model = PolicyModel.Normalise(model) };
            files.Add(manifest);
        }
        return files;
    }

    private static void Analyze(SymbolAnalysisContext context, Lazy<IReadOnlyList<ManifestFile>> manifests)
    {
        var type = (INamedTypeSymbol)context.Symbol;
        if (type.TypeKind != TypeKind.Class || PolicyReader.Read(type, context.CancellationToken) is not { } policy) return;
        var files = manifests.Value.Where(m => m.Model == policy.ModelKey).ToList();
        var file = files.FirstOrDefault(m => m.Manifest is not null) ?? files.FirstOrDefault();
        void Report(Finding finding)
        {
            var fix = finding.Fix.Length == 0
                ? ImmutableDictionary<string, string?>.Empty
                : ImmutableDictionary<string, string?>.Empty.Add(FixKey, finding.Fix);
            context.ReportDiagnostic(Diagnostic.Create(Descriptors.ById(finding.Id),
                SiteLocator.Find(type, finding.Site, context.CancellationToken), fix, [.. finding.Arguments]));
        }
        if (file is null) Report(Missing(policy, manifests.Value));
        else if (file.Manifest is null)
            Report(new(Ids.Malformed, AttributeSite.Policy, "",
                [file.Path, file.ErrorLine.ToString(System.Globalization.CultureInfo.InvariantCulture), file.Error]));
        foreach (var finding in PolicyResolver.Resolve(policy, file?.Manifest).Findings) Report(finding);
    }

    private static Finding Missing(PolicyModel policy, IReadOnlyList<ManifestFile> manifests)
    {
        var nearest = manifests.Where(m => m.Model is not null).Select(m => m.Model!)
            .OrderBy(m => NearestPattern.Find(policy.ModelKey, m).Distance).ThenBy(m => m, StringComparer.Ordinal).Take(3)
            .Select(m => $"'{m}'").ToList();
        var hint = nearest.Count == 0 ? "" : "; it has " + string.Join(", ", nearest);
        return new(Ids.NoModel, AttributeSite.Policy, "", [policy.ModelKey, hint]);
    }
}
