using System.Collections.Immutable;
using Espalier.Generator.Manifests;
using Espalier.Generator.Policies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Espalier.Generator.Diagnostics;

/// <summary>Reports in editors what is wrong in policy classes; silent in builds, where the generator does.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class PolicyAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics => Descriptors.All;

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (start.Options.AdditionalFiles.Any(PolicyDiagnostics.IsMarker)) return;
            if (start.Compilation.GetTypeByMetadataName(PolicyReader.PolicyAttribute) is null) return;
            var options = start.Options.AnalyzerConfigOptionsProvider;
            var project = ProjectFacts.Of(options);
            var manifests = new Lazy<IReadOnlyList<ManifestFile>>(() => [.. start.Options.AdditionalFiles
                .Where(ManifestReader.IsManifest).Select(file => ManifestReader.Read(file, options, start.CancellationToken))]);
            start.RegisterSymbolAction(symbol =>
            {
                foreach (var diagnostic in PolicyDiagnostics.Of((INamedTypeSymbol)symbol.Symbol, manifests.Value, project,
                    symbol.CancellationToken))
                    symbol.ReportDiagnostic(diagnostic);
            }, SymbolKind.NamedType);
        });
    }
}
