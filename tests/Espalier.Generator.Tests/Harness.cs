using System.Collections.Immutable;
using System.Reflection;
using Espalier.Extensions.AI;
using Espalier.Extensions.DependencyInjection;
using Espalier.Extensions.Images;
using Espalier.Generator.Diagnostics;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.ML.Tokenizers;

namespace Espalier.Generator.Tests;

/// <summary>Compiles sources in memory with the generator and the analyzer, as the compiler does.</summary>
internal static class Harness
{
    public static CSharpParseOptions ParseOptions { get; } = new(LanguageVersion.Latest, DocumentationMode.Diagnose);

    private static readonly ImmutableArray<MetadataReference> Framework = [..
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p).StartsWith("System.", StringComparison.Ordinal)
                || Path.GetFileName(p) is "netstandard.dll" or "mscorlib.dll")
            .Select(p => (MetadataReference)MetadataReference.CreateFromFile(p)),
        MetadataReference.CreateFromFile(typeof(PruningPolicyAttribute).Assembly.Location)];

    private static readonly ImmutableArray<MetadataReference> Runtime = [
        MetadataReference.CreateFromFile(typeof(Espalier.Runtime.ModelSession).Assembly.Location),
        MetadataReference.CreateFromFile(typeof(Microsoft.ML.OnnxRuntime.SessionOptions).Assembly.Location),
        .. new[] { typeof(SlimModelServices), typeof(IServiceCollection), typeof(IConfiguration) }.Select(t
            => MetadataReference.CreateFromFile(t.Assembly.Location)),
        .. new[] { typeof(TextEmbeddingGenerator), typeof(ImageInput), typeof(IEmbeddingGenerator), typeof(Tokenizer) }.Select(t
            => MetadataReference.CreateFromFile(t.Assembly.Location))];

    public static CSharpCompilation Compilation(bool runtime, params string[] sources)
        => CSharpCompilation.Create("Shop", sources.Select((s, i) => Parse(s, $"/shop/Source{i}.cs")),
            [.. Framework, .. runtime ? Runtime : []],
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable,
                warningLevel: 9999));

    public static SyntaxTree Parse(string source, string path)
        => CSharpSyntaxTree.ParseText(SourceText.From(source, System.Text.Encoding.UTF8), ParseOptions, path);

    public static GeneratorDriver Driver(params (string Path, string Text)[] additional)
        => Driver([.. additional.Select(a => new Text(a.Path, a.Text))]);

    public static GeneratorDriver Driver(params Text[] additional)
        => CSharpGeneratorDriver.Create(
            [new PolicyGenerator().AsSourceGenerator()],
            additional,
            ParseOptions,
            new Options(),
            new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    public static GeneratorDriver Driver() => Driver(("/shop/obj/tiny.espalier-manifest", Samples.Manifest));

    /// <summary>
    /// Generates, checks that the result compiles without any warning, and that a second run over the same input does nothing.
    /// </summary>
    public static ImmutableArray<GeneratedSourceResult> Generate(string source, bool runtime = true, string? manifest = null)
    {
        var compilation = Compilation(runtime, source);
        var driver = Driver(("/shop/obj/tiny.espalier-manifest", manifest ?? Samples.Manifest))
            .RunGeneratorsAndUpdateCompilation(compilation, out var output, out var generatorDiagnostics);
        Assert.Empty(generatorDiagnostics);
        Assert.Empty(output.GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => d.ToString()));
        AssertCached(driver.RunGenerators(compilation.Clone()).GetRunResult());
        return driver.GetRunResult().Results.Single().GeneratedSources;
    }

    /// <summary>Generates, compiles and loads.</summary>
    public static Assembly Load(string source, string? manifest = null)
    {
        Driver(("/shop/obj/tiny.espalier-manifest", manifest ?? Samples.Manifest))
            .RunGeneratorsAndUpdateCompilation(Compilation(true, source), out var output, out _);
        using var stream = new MemoryStream();
        var result = output.Emit(stream);
        Assert.True(result.Success, string.Join("\n", result.Diagnostics));
        return Assembly.Load(stream.ToArray());
    }

    /// <summary>The text of a generated file.</summary>
    public static string Source(this ImmutableArray<GeneratedSourceResult> sources, string hint)
        => sources.Single(s => s.HintName == hint).SourceText.ToString();

    /// <summary>All tracked steps of ours, and the outputs, come from the cache.</summary>
    public static void AssertCached(GeneratorDriverRunResult result)
    {
        var steps = Steps(result);
        Assert.NotEmpty(steps);
        Assert.All(steps,
            s => Assert.True(s.Reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"{s.Name}: {s.Reason}"));
        var outputs = result.Results.Single().TrackedOutputSteps.SelectMany(o => o.Value).SelectMany(s => s.Outputs).ToList();
        Assert.NotEmpty(outputs);
        Assert.All(outputs, o => Assert.Equal(IncrementalStepRunReason.Cached, o.Reason));
    }

    /// <summary>The values of our steps, with why each ran.</summary>
    public static List<(string Name, object Value, IncrementalStepRunReason Reason)> Steps(GeneratorDriverRunResult result)
    {
        var ours = typeof(TrackingNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetRawConstantValue()!)
            .ToHashSet(StringComparer.Ordinal);
        return [.. result.Results.Single().TrackedSteps.Where(s => ours.Contains(s.Key)).OrderBy(s => s.Key, StringComparer.Ordinal)
            .SelectMany(s => s.Value).SelectMany(s => s.Outputs.Select(o => (s.Name!, o.Value, o.Reason)))];
    }

    /// <summary>The file that the targets add in a build.</summary>
    public static (string, string) Marker { get; } = ("/packages/build.espalier-report", "");

    /// <summary>Our diagnostics for the source: those of the analyzer in an editor, after a check that a build reports the same.</summary>
    public static async Task<ImmutableArray<Diagnostic>> Diagnose(string source, params (string Path, string Text)[] additional)
    {
        Driver([.. additional, Marker]).RunGeneratorsAndUpdateCompilation(Compilation(false, source), out var output, out var reported);
        var diagnostics = await Diagnose(output, additional);
        Assert.Equal(diagnostics.Select(Text), InOrder(reported.Where(d => !d.IsSuppressed)).Select(Text));
        Assert.Empty(await Diagnose(output, [.. additional, Marker]));
        return diagnostics;

        static string Text(Diagnostic diagnostic) => $"{diagnostic} {diagnostic.Properties.GetValueOrDefault(PolicyDiagnostics.FixKey)}";
    }

    private static ImmutableArray<Diagnostic> InOrder(IEnumerable<Diagnostic> diagnostics)
        => [.. diagnostics.OrderBy(d => d.Location.SourceSpan.Start).ThenBy(d => d.Id, StringComparer.Ordinal)];

    /// <summary>Our diagnostics for a compilation.</summary>
    public static async Task<ImmutableArray<Diagnostic>> Diagnose(Compilation compilation, params (string Path, string Text)[] additional)
    {
        var failures = new List<string>();
        var options = new CompilationWithAnalyzersOptions(
            new AnalyzerOptions([.. additional.Select(a => (AdditionalText)new Text(a.Path, a.Text))], new Options()),
            onAnalyzerException: (e, _, _) => failures.Add(e.ToString()), concurrentAnalysis: false, logAnalyzerExecutionTime: false,
            reportSuppressedDiagnostics: false);
        var diagnostics = await new CompilationWithAnalyzers(compilation, [new PolicyAnalyzer()], options).GetAnalyzerDiagnosticsAsync();
        Assert.Empty(failures);
        return InOrder(diagnostics);
    }

    /// <summary>An AdditionalFile in memory.</summary>
    internal sealed class Text(string path, string text) : AdditionalText
    {
        public override string Path => path;

        public override SourceText GetText(CancellationToken cancellationToken = default)
            => SourceText.From(text, System.Text.Encoding.UTF8);
    }

    /// <summary>The options that MSBuild writes: the project's folder, its tokenizer, and the model of each manifest.</summary>
    internal sealed class Options : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values(new()
        {
            ["build_property.ProjectDir"] = "/shop/",
            ["build_property._EspalierTokenizerList"] = "|models/vocab.txt|",
        });

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => new Values([]);

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile)
            => new Values(new()
            {
                ["build_metadata.AdditionalFiles.EspalierModel"] = $"models/{Path.GetFileNameWithoutExtension(textFile.Path)}.onnx",
            });

        private sealed class Values(Dictionary<string, string> values) : AnalyzerConfigOptions
        {
            public override bool TryGetValue(string key, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out string? value)
                => values.TryGetValue(key, out value);
        }
    }
}
