using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.Extensions.AI;
using static VerifyXunit.Verifier;

namespace Espalier.Generator.Tests;

/// <summary>What is written for projects that reference Espalier.Extensions.DependencyInjection and Espalier.Extensions.AI.</summary>
public class ExtensionTests
{
    /// <summary>An encoder: the inputs and outputs of BERT, the rest as in the other tests.</summary>
    internal static string Encoder { get; } = Samples.Manifest
        .Replace("input\tattention.mask\tbool", "input\tattention_mask\tint64", StringComparison.Ordinal)
        .Replace("input\tpixels\tfloat32\t1\t3\t32\t32", "input\ttoken_type_ids\tint32\t?batch\t?seq", StringComparison.Ordinal)
        .Replace("output\tlogits\tfloat32\t?batch\t2", "output\tlast_hidden_state\tfloat32\t?batch\t?seq\t64", StringComparison.Ordinal)
        .Replace("output\t12\tfloat16\t*", "output\tpooled\tfloat32\t?batch\t64", StringComparison.Ordinal);

    private static string PolicyOf(string attribute) => """
        #pragma warning disable CS1591 // The policies here have no comments.
        using System.Collections.Generic;
        using Espalier;

        namespace Shop;

        [PruningPolicy("models/tiny.onnx")]
        {{attribute}}
        public static partial class SlimTiny
        {
            [Prune(Axis.Heads, Keep = 0.5)]
            public static partial Rule Heads { get; }

            [Calibration]
            static IEnumerable<Inputs> Texts() => {{data}};
        }
        """.Replace("{{attribute}}", attribute, StringComparison.Ordinal)
        .Replace("{{data}}", attribute.Length > 0 ? "Tokenize([\"a\"])" : "[]", StringComparison.Ordinal);

    private const string Attribute = "[Embeddings(\"models/vocab.txt\", MaxTokens = 128)]";

    [Fact]
    public async Task Services() => await Verify(Harness.Generate(PolicyOf(Attribute), manifest: Encoder)
        .Source("Shop.SlimTiny.Services.g.cs"), "cs");

    [Fact]
    public async Task Embeddings() => await Verify(Harness.Generate(
        PolicyOf("[Embeddings(\".\\\\models/vocab.txt\", Pooling = Pooling.None, Normalise = false, Output = \"pooled\")]"),
        manifest: Encoder).Source("Shop.SlimTiny.Embeddings.g.cs"), "cs");

    [Fact]
    public void Without_the_packages_there_is_the_policy_alone()
    {
        var compilation = Harness.Compilation(true, PolicyOf(""));
        foreach (var reference in compilation.References.Where(r => r.Display!.Contains("Extensions", StringComparison.Ordinal)))
            compilation = compilation.RemoveReferences(reference);
        var sources = Harness.Driver(("/shop/obj/tiny.espalier-manifest", Encoder))
            .RunGeneratorsAndUpdateCompilation(compilation, out var output, out _).GetRunResult().Results.Single().GeneratedSources;
        Assert.Equal(["Shop.SlimTiny.g.cs", "Shop.SlimTiny.Locations.g.cs"], sources.Select(s => s.HintName));
        Assert.Empty(output.GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning));
    }

    [Fact]
    public void Without_the_attribute_there_are_no_embeddings()
    {
        var sources = Harness.Generate(PolicyOf(""), manifest: Encoder);
        Assert.DoesNotContain(sources, s => s.HintName.Contains("Embeddings", StringComparison.Ordinal));
        Assert.DoesNotContain("Embeddings(", sources.Source("Shop.SlimTiny.Services.g.cs"), StringComparison.Ordinal);
    }

    /// <summary>Policies of one name, nested, internal, private: all compile, with a method where one can call it.</summary>
    [Fact]
    public void Names_and_accessibility_follow_the_policy()
    {
        const string Body = " { [Prune(Axis.Heads, Keep = 0.5)] internal static partial Rule R { get; } }";
        const string Policy = "[PruningPolicy(\"models/tiny.onnx\")] ";
        string source = $$"""
            #pragma warning disable CS1591
            using Espalier;
            {{Policy}} internal static partial class Slim{{Body}}
            namespace A { {{Policy}} public static partial class Slim{{Body}} {{Policy}} public static partial class OuterSlim{{Body}} }
            namespace A
            {
                public partial class Outer
                {
                    {{Policy}} public static partial class Slim{{Body}}
                    {{Policy}} private static partial class Secret{{Body}}
                    {{Policy}} protected internal static partial class Shared{{Body}}
                }
            }
            namespace B.@namespace
            {
                internal partial struct @class { {{Policy}} public static partial class @event{{Body}} }
                public static partial class SlimServiceCollectionExtensions { public static int Mine => 1; }
                {{Policy}} public static partial class Slim{{Body}}
            }
            """;
        var sources = Harness.Generate(source);
        Assert.Equal(
            [
                "A.Outer.Shared: internal static partial class Outer_SharedServiceCollectionExtensions",
                "A.Outer.Slim: public static partial class Outer_SlimServiceCollectionExtensions",
                "A.OuterSlim: public static partial class OuterSlimServiceCollectionExtensions",
                "A.Slim: public static partial class SlimServiceCollectionExtensions",
                "B.namespace.Slim: public static partial class SlimServiceCollectionExtensions",
                "B.namespace.class.event: internal static partial class class_eventServiceCollectionExtensions",
                "Slim: internal static partial class SlimServiceCollectionExtensions",
            ],
            sources.Where(s => s.HintName.EndsWith(".Services.g.cs", StringComparison.Ordinal))
                .Select(s => s.HintName.Replace(".Services.g.cs", ": ", StringComparison.Ordinal)
                    + s.SourceText.Lines.Select(l => l.ToString().Trim())
                        .Single(l => l.Contains("partial class", StringComparison.Ordinal)))
                .Order(StringComparer.Ordinal));
        Assert.Contains("AddOuterSlim(this", sources.Source("A.Outer.Slim.Services.g.cs"), StringComparison.Ordinal);
        Assert.Contains("global::B.@namespace.@class.@event.Plan.Policy", sources.Source("B.namespace.class.event.Services.g.cs"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_signature_without_c_sharp_types_has_no_services()
        => Assert.DoesNotContain(Harness.Generate(PolicyOf("").Replace("[Calibration]", "", StringComparison.Ordinal)
            .Replace("static IEnumerable<Inputs> Texts() => [];", "", StringComparison.Ordinal),
            manifest: Encoder.Replace("output\tpooled\tfloat32\t?batch\t64", "output\tpooled\tsequence\t*", StringComparison.Ordinal)),
            s => s.HintName.Contains("Services", StringComparison.Ordinal));

    /// <summary>Called as a program would: one session per policy, and the settings of the attribute.</summary>
    [Fact]
    public void Generated_methods_register_what_they_say()
    {
        var assembly = Harness.Load(PolicyOf(Attribute), Encoder);
        var services = new Microsoft.Extensions.DependencyInjection.ServiceCollection();
        var methods = assembly.GetType("Shop.SlimTinyServiceCollectionExtensions")!;
        methods.GetMethods(BindingFlags.Public | BindingFlags.Static)
            .Single(m => m.Name == "AddSlimTinyEmbeddings" && m.GetParameters()[1].Name == "configure").Invoke(null, [services, null]);
        var policy = assembly.GetType("Shop.SlimTiny")!;
        var session = typeof(Espalier.Runtime.ModelSession<,>).MakeGenericType(policy.GetNestedType("Inputs")!,
            policy.GetNestedType("Outputs")!);
        Assert.Equal([null, "Shop.SlimTiny"], services.Where(s => s.ServiceType == session).Select(s => s.ServiceKey).Order());
        Assert.Equal([null, "Shop.SlimTiny"], services
            .Where(s => s.ServiceType == typeof(IEmbeddingGenerator<string, Embedding<float>>))
            .Select(s => s.ServiceKey).Order());
        Assert.Equal(new Espalier.Extensions.AI.EmbeddingSettings("Shop.SlimTiny", "models/vocab.txt") { MaxTokens = 128 },
            policy.GetProperty("Embeddings")!.GetValue(null));
    }

    [Theory]
    [InlineData("(\"models/vocab.txt\", MaxTokens = 2)", "2", "MaxTokens is 2, but must be at least 3")]
    [InlineData("(\"tokenizer.json\")", "\"tokenizer.json\"",
        "tokenizer.json does not go with [Embeddings]. A tokenizer.json is not read; give the model's vocab.txt or its "
            + "SentencePiece .model.")]
    [InlineData("(\"models/vocab.txt\", Output = \"nothing\")", "\"nothing\"",
        "[Embeddings] does not go with the model 'models/tiny.onnx'. It has no output 'nothing' but 'last_hidden_state', 'pooled'.")]
    [InlineData("(\"models/vocab.txt\", Pooling = Pooling.Last, Output = \"pooled\")", "\"pooled\"",
        "[Embeddings] does not go with the model 'models/tiny.onnx'. Its output 'pooled' (float32, 2 axes) is not float32 with 3 "
        + "axes, as Pooling.Last wants it; name another one with Output, or choose another Pooling.")]
    [InlineData("(\"models/vocab.txt\", Pooling = (Pooling)9)", "(Pooling)9",
        "[Embeddings] does not go with the model 'models/tiny.onnx'. There is no Pooling 9.")]
    public async Task Mistakes_are_reported_at_the_argument(string arguments, string at, string message)
    {
        var diagnostic = Assert.Single((await Harness.Diagnose(PolicyOf("[Embeddings" + arguments + "]")
            .Replace("Tokenize([\"a\"])", "[]", StringComparison.Ordinal), ("/shop/obj/tiny.espalier-manifest", Encoder)))
            .Where(d => d.Id.StartsWith("ESP", StringComparison.Ordinal)));
        Assert.Equal(message, diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(at, diagnostic.Location.SourceTree!.ToString()
            .Substring(diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
    }

    [Theory]
    [InlineData("input\tinput_ids\tint64", "input\ttokens\tint64", "It has no input 'input_ids'")]
    [InlineData("input\ttoken_type_ids\tint32\t?batch\t?seq", "input\tpixels\tfloat32\t1\t3",
        "Its input 'pixels' (float32) is not made of a text")]
    public async Task A_model_that_is_no_encoder_is_refused(string from, string to, string says)
    {
        var diagnostic = Assert.Single((await Harness.Diagnose(PolicyOf("[Embeddings(\"models/vocab.txt\")]")
            .Replace("Tokenize([\"a\"])", "[]", StringComparison.Ordinal),
            ("/shop/obj/tiny.espalier-manifest", Encoder.Replace(from, to, StringComparison.Ordinal)))).Where(d => d.Id == "ESP0015"));
        Assert.Contains(says, diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    /// <summary>The manifest of a model of images; its input as given.</summary>
    private static string Pictures(string input) => Samples.Manifest
        .Replace("input\tinput_ids\tint64\t?batch\t?seq\n", "", StringComparison.Ordinal)
        .Replace("input\tattention.mask\tbool\t?batch\t?seq\n", "", StringComparison.Ordinal)
        .Replace("input\tpixels\tfloat32\t1\t3\t32\t32", "input\tpixels\t" + input.Replace(' ', '\t'), StringComparison.Ordinal);

    private const string Normalised = "[Images(Mean = new[] { 0.485, 0.456, 0.406 }, Deviation = new[] { 0.25 }, Width = 64)]";

    private static string PictureOf(string attribute) => PolicyOf(attribute).Replace("Tokenize([\"a\"])", "[]", StringComparison.Ordinal);

    [Fact]
    public async Task Images() => await Verify(Harness.Generate(PictureOf(Normalised), manifest: Pictures("float32 ?batch 3 ? 32"))
        .Source("Shop.SlimTiny.Images.g.cs"), "cs");

    [Theory]
    [InlineData("float32 1 3 32 48", "width: 48, height: 32, channels: 3)", "FromFile<float>")]
    [InlineData("uint8 ?batch 20 30 1", "width: 30, height: 20, channels: 1)", "IsRaw = true")]
    [InlineData("float16 ?batch ?h ?w 3", "width: 224, height: 224, channels: 3)", "FromFile<global::System.Half>")]
    public void Images_have_the_form_of_the_input(string input, string form, string also)
    {
        var source = Harness.Generate(PictureOf("[Images]"), manifest: Pictures(input)).Source("Shop.SlimTiny.Images.g.cs");
        Assert.Contains(form, source, StringComparison.Ordinal);
        Assert.Contains(also, source, StringComparison.Ordinal);
        Assert.Equal(input.EndsWith('1') || input.EndsWith("w 3", StringComparison.Ordinal),
            source.Contains("ChannelsLast = true", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[Images(Width = 0)]", "float32 1 3 8 8", "Width is 0, but must be at least 1")]
    [InlineData("[Images(Deviation = new[] { 0.0 })]", "float32 1 3 8 8", "Deviation is 0, but must be above 0")]
    [InlineData("[Images(Mean = new[] { double.NaN })]", "float32 1 3 8 8", "Mean is NaN, but must be finite")]
    [InlineData("[Images(Mean = new[] { 0.1, 0.2 })]", "float32 1 3 8 8", "Mean has 2 numbers for 3 channels; give one, or one per")]
    [InlineData("[Images(Mean = new[] { 0.1 })]", "uint8 1 3 8 8", "It takes bytes from 0 to 255, which have neither Mean nor Deviation")]
    [InlineData("[Images]", "float32 4 3 8 8", "Its input 'pixels' is not [1 or open, channels, height, width]")]
    [InlineData("[Images]", "float32 1 3 8", "Its input 'pixels' is not [1 or open, channels, height, width]")]
    public async Task Mistakes_in_images_are_reported(string attribute, string input, string says)
    {
        var diagnostic = Assert.Single((await Harness.Diagnose(PictureOf(attribute), ("/shop/obj/tiny.espalier-manifest", Pictures(input))))
            .Where(d => d.Id.StartsWith("ESP", StringComparison.Ordinal)));
        Assert.Contains(says, diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }
}
