using System.Reflection;
using System.Text.RegularExpressions;
using Espalier.CodeFixes;
using Espalier.Generator.Diagnostics;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Tests;

/// <summary>Every diagnostic at its exact span, with its message.</summary>
public partial class DiagnosticTests
{
    private static readonly (string, string) Tiny = ("/shop/obj/tiny.espalier-manifest", Samples.Manifest);

    private static string Root { get; } = typeof(DiagnosticTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(a => a.Key == "Espalier.RepositoryRoot").Value!;

    [Fact]
    public async Task A_correct_policy_has_none() => Assert.Empty(await Harness.Diagnose(Samples.Policy, Tiny));

    [Fact]
    public async Task Sources_without_a_policy_have_none()
        => Assert.Empty(await Harness.Diagnose("class C;", ("/shop/obj/a.espalier-manifest", "nonsense")));

    [Theory]
    [InlineData("public static class Slim", "is not partial")]
    [InlineData("public partial class Slim", "is not static")]
    [InlineData("public class Slim", "is not static and not partial")]
    [InlineData("public static partial class Slim<T>", "is generic")]
    public async Task ThePolicyIsNotStaticPartial(string declaration, string problem) => await Expect(
        Ids.PolicyShape, $"Policy 'Slim' {problem}; a pruning policy is a static partial class that is not generic, in partial types only",
        "using Espalier; [{|ESP0001:PruningPolicy(\"models/tiny.onnx\")|}] " + declaration + " { }");

    [Fact]
    public async Task A_container_is_not_partial() => await Expect(
        Ids.PolicyShape,
        "Policy 'Slim' lies in 'Outer', which is not partial; a pruning policy is a static partial class that is not generic, in partial "
            + "types only",
        "using Espalier; class Outer { [{|ESP0001:PruningPolicy(\"models/tiny.onnx\")|}, Budget(Macs = 0.5)] static partial class "
            + "Slim { } }");

    [Fact]
    public async Task The_model_is_missing() => await Expect(
        Ids.NoModel,
        "The project has no model 'models/tinny.onnx'; it has 'models/tiny.onnx'. A path is relative to the project; its file must be "
            + "there and covered by an item such as <OnnxModel Include=\"models/tinny.onnx\" />, which an editor knows after a build.",
        "using Espalier; [PruningPolicy({|ESP0002:\"models/tinny.onnx\"|}), LowRank(Rank = 1)] static partial class Slim { }");

    [Theory]
    [InlineData("Axis.Heads, {|ESP0003:\"encodr.*\"|}",
        "The pattern 'encodr.*' matches no group of heads; the nearest names are 'encoder.0.heads', 'encoder.0.o.weight', "
            + "'encoder.0.q.weight'", "encoder.*")]
    [InlineData("Axis.Neurons, {|ESP0003:\"encoder.0.fn\"|}",
        "The pattern 'encoder.0.fn' matches no group of neurons; the nearest names are 'encoder.0.ffn', 'encoder.1.ffn', "
            + "'encoder.0.up.weight'", "encoder.0.ffn")]
    [InlineData("{|ESP0003:Axis.Experts|}",
        "Rule 'R' is on experts, and the model has none; it has groups for Axis.Channels, Axis.Neurons, Axis.Heads, "
            + "Axis.KeyValueGroups, Axis.Width", null)]
    [InlineData("{|ESP0003:Axis.Experts|}, \"encoder.*\"",
        "Rule 'R' is on experts, and the model has none; it has groups for Axis.Channels, Axis.Neurons, Axis.Heads, "
            + "Axis.KeyValueGroups, Axis.Width", null)]
    public async Task The_pattern_matches_nothing(string arguments, string message, string? fix)
    {
        var diagnostic = await Expect(Ids.NoMatch, message,
            Samples.PolicyOf($"[Prune({arguments}, Keep = 0.5)] public static partial Rule R {{ get; }}"));
        Assert.Equal(fix, diagnostic.Properties.GetValueOrDefault(PolicyDiagnostics.FixKey));
    }

    [Fact]
    public async Task The_pattern_of_blocks_matches_nothing() => await Expect(
        Ids.NoMatch,
        "The pattern 'decoder.*' matches no one of the sublayers; the nearest names are 'encoder.0.attention', 'encoder.0.mlp', "
            + "'encoder.1.attention'",
        Samples.PolicyOf("[Drop(Axis.Sublayers, {|ESP0003:\"decoder.*\"|})] public static partial Rule R { get; }"));

    [Fact]
    public async Task The_second_protected_pattern_matches_nothing() => await Expect(
        Ids.NoMatch, "The pattern 'steam*' matches no group, weight or block; the nearest names are 'stem', 'stem.bias', 'stem.weight'",
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }",
            "[Protect(\"stem*\"), Protect({|ESP0003:\"steam*\"|})]"));

    [Theory]
    [InlineData("Keep = {|ESP0004:0|}", "Keep is 0, but must be a fraction in (0, 1]")]
    [InlineData("Keep = {|ESP0004:1.5|}", "Keep is 1.5, but must be a fraction in (0, 1]")]
    [InlineData("Keep = {|ESP0004:double.NaN|}", "Keep is NaN, but must be a fraction in (0, 1]")]
    [InlineData("Keep = 0.5, MinKeep = {|ESP0004:0|}", "MinKeep is 0, but must be at least 1")]
    [InlineData("Keep = 0.5, RoundTo = {|ESP0004:-1|}", "RoundTo is -1, but must be at least 0")]
    public async Task A_number_of_prune_is_out_of_range(string arguments, string message) => await Expect(
        Ids.OutOfRange, message,
        Samples.PolicyOf($"[Prune(Axis.Heads, {arguments})] public static partial Rule R {{ get; }}"));

    [Theory]
    [InlineData("Budget(Macs = {|ESP0004:60|})", "Macs is 60, but must be a fraction in (0, 1]")]
    [InlineData("Budget(Macs = 0.9, Latency = {|ESP0004:2|})", "Latency is 2, but must be a fraction in (0, 1]")]
    [InlineData("Budget(Macs = 0.9, Parameters = {|ESP0004:-0.5|})", "Parameters is -0.5, but must be a fraction in (0, 1]")]
    public async Task A_number_of_the_budget_is_out_of_range(string attribute, string message) => await Expect(
        Ids.OutOfRange, message,
        Samples.PolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }", $"[{attribute}]"));

    [Fact]
    public async Task The_agreement_is_out_of_range() => await Expect(
        Ids.OutOfRange, "Agreement is 98, but must be a fraction in (0, 1]",
        Samples.PolicyOf("[Calibration] static IEnumerable<Inputs> Data() => [];", "[Guard(Agreement = {|ESP0004:98|})]"));

    [Fact]
    public async Task A_metric_without_an_agreement_says_nothing() => await Expect(
        Ids.DoesNotFit, "Metric does not go with [Guard] without Agreement. Say how much agreement by Cosine is enough with Agreement.",
        Samples.PolicyOf("[Calibration] static IEnumerable<Inputs> Data() => [];", "[Guard(Metric = {|ESP0015:Metric.Cosine|})]"));

    [Theory]
    [InlineData("Steps = {|ESP0004:0|}", Ids.OutOfRange, "Steps is 0, but must be at least 1")]
    [InlineData("Samples = {|ESP0004:0|}", Ids.OutOfRange, "Samples is 0, but must be at least 1")]
    [InlineData("Rate = {|ESP0015:1.5|}", Ids.DoesNotFit,
        "Rate does not go with a step size that is not between 0 and 1. Say for example Rate = 0.0003.")]
    [InlineData("Data = {|ESP0011:\"More\"|}", Ids.CalibrationShape,
        "Calibration method 'More' does not exist, or has parameters; it is a static method without parameters that returns "
            + "IEnumerable<Inputs>")]
    public async Task Training_is_stated_wrongly(string arguments, string id, string message) => await Expect(id, message,
        Samples.PolicyOf("[Calibration] static IEnumerable<Inputs> Data() => [];", $"[Recover({arguments})]"));

    [Fact]
    public async Task Training_needs_calibration_data() => await Expect(
        Ids.NeedsCalibration, "[Recover] needs calibration data, and the policy has none; add a method [Calibration] static "
            + "IEnumerable<Inputs> Samples()",
        Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }", "[{|ESP0010:Recover|}]"));

    [Fact]
    public async Task The_samples_are_out_of_range() => await Expect(
        Ids.OutOfRange, "Samples is 0, but must be at least 1",
        Samples.PolicyOf("[Calibration(Samples = {|ESP0004:0|})] static IEnumerable<Inputs> Data() => [];"));

    [Fact]
    public async Task More_blocks_than_there_are() => await Expect(
        Ids.OutOfRange, "AtMost is 3, but must be at most 2, because the rule may choose from so many sublayers",
        Samples.PolicyOf("[Drop(Axis.Sublayers, \"encoder.0.*\", AtMost = {|ESP0004:3|})] public static partial Rule R { get; }"));

    [Fact]
    public async Task No_unit_would_be_left() => await Expect(
        Ids.NothingLeft,
        "Rule 'R' leaves nothing to keep: Keep = 0.1 of the 4 units of 'encoder.0.heads' is less than one. Raise Keep, or say with "
            + "MinKeep how many stay.",
        Samples.PolicyOf("[Prune(Axis.Heads, \"encoder.*\", Keep = {|ESP0005:0.1|})] public static partial Rule R { get; }"));

    [Fact]
    public async Task No_block_would_be_left() => await Expect(
        Ids.NothingLeft, "Rule 'R' leaves nothing to keep: AtMost is 4, and the model has 4 sublayers. Drop fewer.",
        Samples.PolicyOf("[Drop(Axis.Sublayers, AtMost = {|ESP0005:4|})] public static partial Rule R { get; }"));

    [Theory]
    [InlineData("[Prune(Axis.Heads, \"encoder.*\", Keep = {|ESP0006:0.5|}, MinKeep = 4)] public static partial Rule R { get; }", "",
        "Keep = 0.5, rounded to RoundTo and at least MinKeep, leaves each of its groups whole")]
    [InlineData("[Prune(Axis.Heads, Keep = {|ESP0006:1|})] public static partial Rule R { get; }", "", "Keep is 1")]
    [InlineData("[{|ESP0006:Prune(Axis.Channels, Keep = 0.5)|}] public static partial Rule R { get; }", "[Protect(\"stem\")]",
        "everything that it matches is protected")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule All { get; } [{|ESP0006:Prune(Axis.Heads, \"enc*\", Keep = "
        + "0.5)|}] public static partial Rule R { get; }", "", "every group that it matches belongs to the earlier rule 'All'")]
    public async Task NothingIsRemoved(string body, string attributes, string why)
        => await Expect(Ids.NothingRemoved, $"Rule 'R' removes nothing: {why}", Samples.PolicyOf(body, attributes));

    [Fact]
    public async Task The_group_is_frozen() => await Expect(
        Ids.Frozen, "Rule 'R' can prune nothing, because every group that it matches is frozen; 'gate': Frobnicate 'f' is not known",
        Samples.PolicyOf("[Prune(Axis.Neurons, {|ESP0007:\"gate*\"|}, Keep = 0.5)] public static partial Rule R { get; }"));

    [Fact]
    public async Task The_group_is_inexact() => await Expect(
        Ids.Inexact,
        "Rule 'R' can prune nothing exactly; 'stream': LayerNormalization 'ln' normalises over it. Set AllowInexact = true to prune it "
            + "nevertheless.",
        Samples.PolicyOf("[Prune({|ESP0008:Axis.Width|}, Keep = 0.5)] public static partial Rule R { get; }"));

    [Fact]
    public async Task Two_rules_disagree() => await Expect(
        Ids.Disagree,
        "Rules 'A' and 'B' disagree on the coupled group 'encoder.0.ffn', which 'A' names through 'encoder.0.up.weight:1' and 'B' "
            + "through 'encoder.0.down.weight:0'; its units are removed together, so only one rule can decide",
        Samples.PolicyOf("""
            [Prune(Axis.Neurons, "*.up.weight", Keep = 0.5)] public static partial Rule A { get; }
                [Prune(Axis.Neurons, {|ESP0009:"encoder.0.down.*"|}, Keep = 0.25)] public static partial Rule B { get; }
            """));

    [Fact]
    public async Task A_catch_all_after_a_specific_rule_takes_the_rest() => Assert.Empty(await Harness.Diagnose(Samples.PolicyOf("""
        [Prune(Axis.Neurons, "encoder.0.*", Keep = 0.5)] public static partial Rule A { get; }
        [Prune(Axis.Neurons, Keep = 0.25)] public static partial Rule B { get; }
        """), Tiny));

    [Theory]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.Wanda|})] public static partial Rule R { get; }",
        "", "Wanda")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.OptimalBrain|})] public static partial Rule R { get; }",
        "", "OptimalBrain")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.Fluctuation|})] public static partial Rule R { get; }",
        "", "Fluctuation")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.ActivationShare|}, Aggregate = Aggregate.Max)] public static "
        + "partial Rule R { get; }", "", "ActivationShare")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.RouterUse|})] public static partial Rule R { get; }",
        "", "RouterUse")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.AttentionReceived|})] public static partial Rule R { get; }",
        "", "AttentionReceived")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.BetaRank|})] public static partial Rule R { get; }",
        "", "BetaRank")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.QueryKey|})] public static partial Rule R { get; }",
        "", "QueryKey")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.Retrieval|})] public static partial Rule R { get; }",
        "", "Retrieval")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Compensate({|ESP0010:Compensation.Merge|})] public static partial Rule R { get; }",
        "", "Merge")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Compensate({|ESP0010:Compensation.Bias|})] public static partial Rule R { get; }",
        "", "Bias")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Compensate({|ESP0010:Compensation.Affine|})] public static partial Rule R { get; }",
        "", "Affine")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Compensate({|ESP0010:Compensation.Rescale|})] public static partial Rule R { get; }",
        "", "Rescale")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }",
        "[Guard(Agreement = {|ESP0010:0.9|})]", "Agreement")]
    public async Task CalibrationIsMissing(string body, string attributes, string what) => await Expect(
        Ids.NeedsCalibration,
        $"{what} needs calibration data, and the policy has none; add a method [Calibration] static IEnumerable<Inputs> Samples()",
        Samples.PolicyOf(body, attributes));

    /// <summary>A component's budget is a budget; what its nodes are the tool knows alone.</summary>
    [Fact]
    public async Task Budgets_of_components()
    {
        const string rule = "[Prune(Axis.Heads)] public static partial Rule R { get; }";
        Assert.Empty(await Harness.Diagnose(Samples.PolicyOf(rule, "[ComponentBudget(\"encoder/*\", Macs = 0.5)]"), Tiny));
        await Expect(Ids.OutOfRange, "Parameters is 50, but must be a fraction in (0, 1]",
            Samples.PolicyOf(rule, "[ComponentBudget(\"a/*\", Macs = 0.5), ComponentBudget(\"b/*\", Parameters = {|ESP0004:50|})]"));
        await Expect(Ids.DoesNotFit,
            "a/* does not go with a [ComponentBudget] without Macs and Parameters. Say what the nodes of the component may cost.",
            Samples.PolicyOf(rule, "[{|ESP0015:ComponentBudget(\"a/*\")|}]"));
    }

    /// <summary>Inputs that are made up need no method; a guard measures on real ones.</summary>
    [Fact]
    public async Task Made_up_inputs_are_enough_for_statistics()
    {
        const string rule =
            "[Prune(Axis.Heads, Keep = 0.5), Score(Criterion.Wanda), Compensate(Compensation.Bias)] public static partial Rule R { get; }";
        Assert.Empty(await Harness.Diagnose(Samples.PolicyOf(rule, "[InputsFrom(InputSource.Noise)]"), Tiny));
        Assert.Empty(await Harness.Diagnose(
            Samples.PolicyOf(rule, "[InputsFrom(InputSource.OutOfDistribution), Schedule(Schedule.Sequential)]"), Tiny));
        await Expect(Ids.NeedsCalibration,
            "Wanda needs calibration data, and the policy has none; add a method [Calibration] static IEnumerable<Inputs> Samples()",
            Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0010:Criterion.Wanda|})] public static partial Rule R { get; }",
                "[InputsFrom(InputSource.Data)]"));
        await Expect(Ids.NeedsCalibration,
            "Agreement needs calibration data, and the policy has none; add a method [Calibration] static IEnumerable<Inputs> Samples()",
            Samples.PolicyOf(rule, "[InputsFrom(InputSource.Noise), Guard(Agreement = {|ESP0010:0.9|})]"));
    }

    [Theory]
    [InlineData("static IEnumerable<int> Data() => [];", "returns 'IEnumerable<int>'")]
    [InlineData("static List<Inputs> Data() => [];", "returns 'List<Inputs>'")]
    [InlineData("static IEnumerable<Inputs> Data(int n) => [];", "has parameters")]
    [InlineData("static IEnumerable<Inputs> Data<T>() => [];", "is generic")]
    [InlineData("static void Data() { }", "returns 'void'")]
    public async Task The_calibration_method_has_the_wrong_signature(string method, string problem) => await Expect(
        Ids.CalibrationShape,
        $"Calibration method 'Data' {problem}; it is a static method without parameters that returns IEnumerable<Inputs>",
        Samples.PolicyOf($"[{{|ESP0011:Calibration|}}] {method}"));

    [Fact]
    public async Task There_are_two_calibration_methods() => await Expect(
        Ids.CalibrationShape,
        "Calibration method 'Second' is the second one, after 'First'; a policy has one; it is a static method without parameters that "
            + "returns IEnumerable<Inputs>",
        Samples.PolicyOf("[Calibration] static IEnumerable<Inputs> First() => []; [{|ESP0011:Calibration|}] static IEnumerable<Inputs> "
            + "Second() => [];"));

    [Theory]
    // Dense: 12716912 MACs. One head of four left in both groups: less 2 · 3 · 524288, so 0.7526 of it; and less 4718592 with a
    // block: 0.3816.
    [InlineData("[Prune(Axis.Heads, \"encoder.*\")] public static partial Rule R { get; }", "Budget(Macs = {|ESP0012:0.5|})",
        "Macs = 0.5: the least that they reach is 0.753")]
    [InlineData("[Prune(Axis.Heads, \"encoder.*\"), Score(Criterion.L1)] public static partial Rule R { get; } [Drop(Axis.Blocks)] "
        + "public static partial Rule D { get; }", "Budget(Macs = {|ESP0012:0.3|})", "Macs = 0.3: the least that they reach is 0.382")]
    [InlineData("[Prune(Axis.Heads, \"encoder.*\", Keep = 0.5)] public static partial Rule R { get; }",
        "Budget(Macs = 0.9, Parameters = {|ESP0012:0.5|})", "Parameters = 0.5: the least that they reach is 0.861")]
    public async Task TheBudgetIsOutOfReach(string body, string budget, string message) => await Expect(
        Ids.OutOfReach,
        $"No plan under these rules meets {message}; raise the budget, lower MinKeep or RoundTo, or let rules cover more groups",
        Samples.PolicyOf(body, $"[{budget}]"));

    [Fact]
    public async Task The_figure_of_the_message_can_be_reached() => Assert.Empty(await Harness.Diagnose(
        Samples.PolicyOf("[Prune(Axis.Heads, \"encoder.*\")] public static partial Rule R { get; }", "[Budget(Macs = 0.753)]"), Tiny));

    [Theory]
    [InlineData("ShortGpt")]
    [InlineData("ThinKStatic")]
    public async Task A_preset_with_a_rule_of_its_own_reaches_what_the_tool_finds(string preset) => Assert.Empty(await Harness.Diagnose(
        Samples.PolicyOf("[Calibration] static IEnumerable<Inputs> Data() => [];",
            $"[Budget(Macs = 0.5), Preset(Preset.{preset})]"), Tiny));

    [Fact]
    public async Task A_rule_that_names_nothing_is_not_also_a_budget_out_of_reach() => await Expect(
        Ids.NoMatch, "The pattern 'gat' matches no group of neurons; the nearest names are 'gate', 'gate.weight', 'encoder.0.ffn'",
        Samples.PolicyOf("[Prune(Axis.Neurons, {|ESP0003:\"gat\"|})] public static partial Rule R { get; }", "[Budget(Macs = 0.5)]"));

    [Fact]
    public async Task The_manifest_is_malformed()
    {
        var (source, spans) =
            Markup.Parse("using Espalier; [PruningPolicy({|ESP0013:\"models/tiny.onnx\"|}), LowRank(Rank = 1)] static partial class Slim;");
        var diagnostic = Assert.Single(await Harness.Diagnose(source,
            ("/shop/obj/tiny.espalier-manifest",
                Samples.Manifest.Replace("exact\t1\t-1\t\tstem", "exakt\t1\t-1\t\tstem", StringComparison.Ordinal))));
        Assert.Equal(spans[0], (diagnostic.Id, diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
        Assert.Equal("The manifest '/shop/obj/tiny.espalier-manifest' is malformed in line 10: 'exakt' is not exact, inexact or frozen; "
            + "build the project again", diagnostic.GetMessage());
    }

    [Fact]
    public async Task A_manifest_without_a_model_is_found_by_its_metadata()
        => Assert.Equal(Ids.Malformed,
            Assert.Single(await Harness.Diagnose(
                "using Espalier; [PruningPolicy(\"models/tiny.onnx\"), LowRank(Rank = 1)] static partial class Slim { }",
                ("/shop/obj/tiny.espalier-manifest", ""))).Id);

    [Fact]
    public void Every_diagnostic_has_a_page_and_a_test()
    {
        var table = File.ReadAllText(Path.Combine(Root, "docs", "diagnostics", "README.md"));
        var releases = File.ReadAllText(Path.Combine(Root, "generator", "Espalier.Generator", "AnalyzerReleases.Unshipped.md"));
        var tests = string.Concat(Directory.GetFiles(Path.Combine(Root, "tests", "Espalier.Generator.Tests"), "DiagnosticTests*.cs")
            .Select(File.ReadAllText));
        foreach (var descriptor in Descriptors.All)
        {
            var link = new Uri(descriptor.HelpLinkUri);
            Assert.Equal((Uri.UriSchemeHttps, $"{descriptor.Id}.md"), (link.Scheme, link.Segments[^1]));
            // The address ends as the repository's own path does.
            var file = Path.Combine(Root, link.AbsolutePath[(link.AbsolutePath.IndexOf("/docs/", StringComparison.Ordinal) + 1)..]);
            var page = File.ReadAllText(file);
            Assert.StartsWith($"# {descriptor.Id}: {descriptor.Title}\n\n", page, StringComparison.Ordinal);
            Assert.Contains("\nWrong:\n\n```", page, StringComparison.Ordinal);
            Assert.Contains("\nRight:\n\n```", page, StringComparison.Ordinal);
            Assert.Equal(new PolicyCodeFixProvider().FixableDiagnosticIds.Contains(descriptor.Id),
                page.Contains("\nCode fix: ", StringComparison.Ordinal));
            Assert.Contains($"| [{descriptor.Id}]({descriptor.Id}.md) | {descriptor.Title}", table, StringComparison.Ordinal);
            Assert.Contains($"{descriptor.Id} | Espalier | {descriptor.DefaultSeverity} | {descriptor.Title}\n", releases,
                StringComparison.Ordinal);
            Assert.Contains("{|" + descriptor.Id + ":", tests, StringComparison.Ordinal);
        }
    }

    /// <summary>The pages lie in a package, where nothing else of the repository is.</summary>
    [Fact]
    public void Pages_link_to_pages_only()
    {
        var folder = Path.Combine(Root, "docs", "diagnostics");
        foreach (var file in Directory.GetFiles(folder))
            foreach (Match link in Regex.Matches(File.ReadAllText(file), @"\]\(([^)#]*)"))
                Assert.True(File.Exists(Path.Combine(folder, link.Groups[1].Value)), $"{file}: {link.Value}");
    }

    /// <summary>The marked span has exactly one diagnostic, with this message, and nothing else is reported.</summary>
    private static async Task<Diagnostic> Expect(string id, string message, string marked)
    {
        var (source, spans) = Markup.Parse(marked);
        var diagnostics = await Harness.Diagnose(source, Tiny);
        Assert.Equal(spans, diagnostics.Select(d => (d.Id, d.Location.SourceSpan.Start, d.Location.SourceSpan.Length)));
        var diagnostic = Assert.Single(diagnostics, d => d.Id == id);
        Assert.Equal(message, diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture));
        return diagnostic;
    }
}
