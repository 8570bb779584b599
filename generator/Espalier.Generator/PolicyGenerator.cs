using System.Collections.Immutable;
using System.Text;
using Espalier.Generator.Collections;
using Espalier.Generator.Diagnostics;
using Espalier.Generator.Emission;
using Espalier.Generator.Manifests;
using Espalier.Generator.Planning;
using Espalier.Generator.Policies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Espalier.Generator;

/// <summary>
/// Writes the other part of every pruning policy from the manifest of its model. Each step gives plain, equatable values, so an
/// edit that does not change a policy or a manifest ends at the first step; the only step that sees positions feeds an output of its own.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class PolicyGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var files = context.AdditionalTextsProvider
            .Where(ManifestReader.IsManifest)
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, cancellation) => ManifestReader.Read(pair.Left, pair.Right, cancellation))
            .WithTrackingName(TrackingNames.Manifest)
            .Collect();
        var manifests = files
            .Select(static (files, _) => files.Where(f => f.Manifest is not null).Select(f => f.Manifest!).ToEquatable())
            .WithTrackingName(TrackingNames.Manifests);

        // The only place where symbols are seen. Policy and places are read together and part at once, since places change with
        // every line above them.
        var attributed = context.SyntaxProvider
            .ForAttributeWithMetadataName(PolicyReader.PolicyAttribute, static (node, _) => node is ClassDeclarationSyntax,
                static (attributed, cancellation) => Read(attributed, cancellation))
            .Where(static policy => policy is not null)
            .Select(static (policy, _) => policy!)
            .WithTrackingName(TrackingNames.Attributed);

        Report(context, attributed, files);
        // Of a class that is no policy there is nothing to emit.
        var emitted = attributed.Where(static policy => policy.Policy.ClassProblem.Length == 0);
        var policies = emitted
            .Select(static (pair, _) => pair.Policy)
            .WithTrackingName(TrackingNames.Policy);

        var runtime = context.CompilationProvider
            .Select(static (compilation, _) => compilation.GetTypeByMetadataName("Espalier.Runtime.ModelSession`2") is not null
                && compilation.GetTypeByMetadataName("Microsoft.ML.OnnxRuntime.SessionOptions") is not null)
            .WithTrackingName(TrackingNames.Runtime);

        var emissions = policies
            .Combine(manifests)
            .Select(static (pair, _) => new Input(pair.Left, pair.Right.FirstOrDefault(m => m.Model == pair.Left.ModelKey)))
            .WithTrackingName(TrackingNames.Input)
            .Select(static (input, _) => PolicyResolver.Resolve(input.Policy, input.Manifest).Policy)
            .WithTrackingName(TrackingNames.Resolved)
            .Combine(runtime)
            .Select(static (pair, _) => new Emission(pair.Left, pair.Right))
            .WithTrackingName(TrackingNames.Emission);

        context.RegisterSourceOutput(emissions, static (output, emission) =>
            output.AddSource(emission.Resolved.Policy.FullName + ".g.cs",
                SourceText.From(PolicyEmitter.Emit(emission.Resolved, emission.Runtime), Encoding.UTF8)));
        EmitExtensions(context, emissions);
        EmitLocations(context, emitted);
    }

    /// <summary>What policies get where the project references packages besides the runtime.</summary>
    private static void EmitExtensions(IncrementalGeneratorInitializationContext context, IncrementalValuesProvider<Emission> emissions)
    {
        var extensions = context.CompilationProvider
            .Select(static (compilation, _) => Extensions.Of(compilation))
            .WithTrackingName(TrackingNames.Extensions);

        var extended = emissions
            .Combine(extensions)
            .Select(static (pair, _) => new Extended(pair.Left, pair.Right))
            .WithTrackingName(TrackingNames.Extended);

        context.RegisterSourceOutput(extended, static (output, extended) =>
        {
            var (resolved, name) = (extended.Emission.Resolved, extended.Emission.Resolved.Policy.FullName);
            if (extended.Extensions.Images && ImagesEmitter.Emit(resolved) is { } images)
                output.AddSource(name + ".Images.g.cs", SourceText.From(images, Encoding.UTF8));
            if (!extended.Emission.Runtime) return;
            if (extended.Extensions.Embeddings && EmbeddingsEmitter.Emit(resolved) is { } embeddings)
                output.AddSource(name + ".Embeddings.g.cs", SourceText.From(embeddings, Encoding.UTF8));
            if (extended.Extensions.Services && ServicesEmitter.Emit(resolved, extended.Extensions.Embeddings) is { } services)
                output.AddSource(name + ".Services.g.cs", SourceText.From(services, Encoding.UTF8));
        });
    }

    private static void EmitLocations(IncrementalGeneratorInitializationContext context,
        IncrementalValuesProvider<AttributedPolicy> emitted)
    {
        var folder = context.AnalyzerConfigOptionsProvider
            .Select(static (options, _) => options.GlobalOptions.TryGetValue("build_property.ProjectDir", out var value) ? value : "")
            .WithTrackingName(TrackingNames.ProjectFolder);

        var locations = emitted
            .Select(static (pair, _) => pair.Locations)
            .Combine(folder)
            .Select(static (pair, _) => pair.Left.RelativeTo(pair.Right))
            .WithTrackingName(TrackingNames.Locations);

        // No member of the policy depends on it, so hosts may leave it out while the user types.
        context.RegisterImplementationSourceOutput(locations, static (output, places) =>
            output.AddSource(places.Policy + ".Locations.g.cs", SourceText.From(PolicyEmitter.EmitLocations(places), Encoding.UTF8)));
    }

    /// <summary>
    /// The diagnostics, in builds only: without the marker of the targets no step after the first has a value. A build runs once, so
    /// this may ask the compilation for the class again, and locations in its own trees are what #pragma and .editorconfig apply to.
    /// </summary>
    private static void Report(IncrementalGeneratorInitializationContext context, IncrementalValuesProvider<AttributedPolicy> attributed,
        IncrementalValueProvider<ImmutableArray<ManifestFile>> files)
    {
        var reports = context.AdditionalTextsProvider
            .Where(PolicyDiagnostics.IsMarker)
            .Collect()
            .Select(static (markers, _) => markers.Length > 0)
            .WithTrackingName(TrackingNames.Reports);
        var facts = context.AnalyzerConfigOptionsProvider
            .Select(static (options, _) => ProjectFacts.Of(options))
            .WithTrackingName(TrackingNames.Project);

        var reported = attributed.Combine(reports)
            .Where(static pair => pair.Right)
            .Select(static (pair, _) => pair.Left.Place)
            .WithTrackingName(TrackingNames.Reported)
            .Combine(files).Combine(facts).Combine(context.CompilationProvider);

        context.RegisterSourceOutput(reported, static (output, input) =>
        {
            var (((place, manifests), project), compilation) = input;
            if (place.Find(compilation, output.CancellationToken) is not { } type) return;
            foreach (var diagnostic in PolicyDiagnostics.Of(type, manifests, project, output.CancellationToken))
                output.ReportDiagnostic(diagnostic);
        });
    }

    private static AttributedPolicy? Read(GeneratorAttributeSyntaxContext context, CancellationToken cancellation)
    {
        var type = (INamedTypeSymbol)context.TargetSymbol;
        return PolicyReader.Read(type, cancellation) is { } policy
            ? new(policy, PolicyLocations.Read(type, policy, cancellation), ClassPlace.Of((ClassDeclarationSyntax)context.TargetNode))
            : null;
    }

    /// <summary>A policy with the places where it is written.</summary>
    internal sealed record AttributedPolicy(PolicyModel Policy, PolicyLocations Locations, ClassPlace Place);

    /// <summary>A policy with the manifest of its model.</summary>
    internal sealed record Input(PolicyModel Policy, Manifest? Manifest);

    /// <summary>What the emitter turns into text.</summary>
    internal sealed record Emission(ResolvedPolicy Resolved, bool Runtime);

    /// <summary>The same with the packages that more is written for.</summary>
    internal sealed record Extended(Emission Emission, Extensions Extensions);

    /// <summary>Which packages the project references, known by a type that the written code calls.</summary>
    internal sealed record Extensions(bool Services, bool Embeddings, bool Images)
    {
        public static Extensions Of(Compilation compilation) => new(
            compilation.GetTypeByMetadataName("Espalier.Extensions.DependencyInjection.SlimModelServices") is not null
                && compilation.GetTypeByMetadataName("Microsoft.Extensions.DependencyInjection.IServiceCollection") is not null,
            compilation.GetTypeByMetadataName("Espalier.Extensions.AI.TextEmbeddingGenerator") is not null,
            compilation.GetTypeByMetadataName("Espalier.Extensions.Images.ImageInput") is not null);
    }
}
