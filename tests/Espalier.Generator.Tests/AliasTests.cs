using Espalier.Generator.Diagnostics;
using Espalier.Generator.Manifests;
using Espalier.Generator.Planning;

namespace Espalier.Generator.Tests;

/// <summary>A weight whose name is an exporter's number has another in the manifest: policies may use both.</summary>
public class AliasTests
{
    private const string Groups = "group\t0\tstem";

    /// <summary>The sample's model as an exporter writes it that folds the transpose into <c>up</c>.</summary>
    private static readonly string Manifest = Samples.Manifest
        .Replace("encoder.0.up.weight:1", "onnx::MatMul_654:1", StringComparison.Ordinal)
        .Replace(Groups, "alias\tonnx::MatMul_654\tencoder.0.up.weight\n" + Groups, StringComparison.Ordinal);

    [Fact]
    public void The_reader_gives_weights_their_aliases()
    {
        var manifest = Read(Manifest).Manifest!;
        Assert.Equal([new("onnx::MatMul_654", "encoder.0.up.weight"), new("encoder.0.down.weight", "")], manifest.Groups[2].Weights);
        Assert.Equal(["onnx::MatMul_654:1", "encoder.0.down.weight:0"], manifest.Groups[2].Members);
    }

    [Theory]
    [InlineData("alias\tb\tencoder.0.up.weight\n", "two weights have one alias")]
    [InlineData("alias\tonnx::MatMul_654\tb\n", "'onnx::MatMul_654' has two aliases")]
    [InlineData("alias\tb\t\n", "the alias of 'b' is empty")]
    [InlineData("alias\tb\n", "'alias' has 2 fields, not 3")]
    public void A_malformed_alias_is_an_error(string line, string reason)
        => Assert.Equal(reason, Read(Manifest.Replace(Groups, line + Groups, StringComparison.Ordinal)).Error);

    [Theory]
    [InlineData("encoder.0.up.weight")]
    [InlineData("encoder.?.up.*")]
    [InlineData("onnx::MatMul_654")]
    public async Task A_rule_names_a_weight_by_either(string pattern) => Assert.Empty(await Diagnose(
        $"[Prune(Axis.Neurons, \"{pattern}\", Keep = 0.5)] public static partial Rule R {{ get; }}"));

    [Fact]
    public async Task What_matches_nothing_is_answered_with_names_that_can_be_written()
    {
        var diagnostic = Assert.Single(await Diagnose(
            "[Prune(Axis.Neurons, \"encoder.0.up.wieght\", Keep = 0.5)] public static partial Rule R { get; }"));
        Assert.Equal((Ids.NoMatch, "encoder.0.up.weight"),
            (diagnostic.Id, diagnostic.Properties.GetValueOrDefault(PolicyDiagnostics.FixKey)));
        Assert.Contains("the nearest names are 'encoder.0.up.weight'", diagnostic.GetMessage(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rules_that_disagree_are_named_through_weights_that_can_be_written()
    {
        var diagnostic = Assert.Single(await Diagnose("""
            [Prune(Axis.Neurons, "encoder.0.up.*", Keep = 0.5)] public static partial Rule A { get; }
            [Prune(Axis.Neurons, "encoder.0.down.*", Keep = 0.25)] public static partial Rule B { get; }
            """));
        Assert.Contains("which 'A' names through 'encoder.0.up.weight:1' and 'B' through 'encoder.0.down.weight:0'",
            diagnostic.GetMessage(), StringComparison.Ordinal);
    }

    private static async Task<System.Collections.Immutable.ImmutableArray<Microsoft.CodeAnalysis.Diagnostic>> Diagnose(string body)
        => await Harness.Diagnose(Samples.PolicyOf(body), ("/shop/obj/tiny.espalier-manifest", Manifest));

    private static ManifestFile Read(string text) => ManifestReader.Read("tiny.espalier-manifest", text);
}
