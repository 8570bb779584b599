using Espalier.Generator.Diagnostics;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Tests;

/// <summary>Diagnostics of a policy as a whole: what it lacks, and names that are taken.</summary>
public partial class DiagnosticTests
{
    private const string Heads = "[Prune(Axis.Heads, \"encoder.*\")] public static partial Rule R { get; }";

    [Fact]
    public async Task Two_arguments_are_wrong_at_two_places()
    {
        var (source, spans) = Markup.Parse(Samples.PolicyOf(
            "[Prune(Axis.Heads, Keep = 0.5, RoundTo = {|ESP0004:-1|}, MinKeep = {|ESP0004:0|})] public static partial Rule R { get; }"));
        Assert.Equal(spans, (await Harness.Diagnose(source, Tiny))
            .Select(d => (d.Id, d.Location.SourceSpan.Start, d.Location.SourceSpan.Length)));
    }

    [Theory]
    [InlineData("{|ESP0017:Budget(Macs = 0.9)|}", "only weights say what goes")]
    [InlineData("{|ESP0017:Budget(Latency = 0.9)|}", "only weights say what goes")]
    [InlineData("{|ESP0017:ComponentBudget(\"a/*\", Macs = 0.5)|}", "only weights say what goes")]
    [InlineData("{|ESP0017:Budget(Macs = 0.9)|}, Preset(Preset.Magnitude)", "only weights say what goes")]
    [InlineData("{|ESP0017:Budget(Macs = 0.9)|}, Preset(Preset.Fasp)", "the statistics of Preset.Fasp come from random inputs")]
    public async Task A_budget_is_spent_without_data(string attributes, string why)
    {
        string message = $"A budget without calibration data: {why}. Add [Calibration(Samples = 256)] static IEnumerable<Inputs> Samples() "
            + "=> …; and [Guard(Agreement = 0.95)].";
        var diagnostic = await Expect(Ids.NoData, message, Samples.WholePolicyOf(Heads, $"[{attributes}]"));
        Assert.Equal(DiagnosticSeverity.Warning, diagnostic.Severity);
        Assert.InRange(message.Length, 1, 200);
    }

    [Theory]
    [InlineData("Budget(Macs = 0.9), Preset(Preset.ObspaDataFree)", "")]
    [InlineData("Budget(Macs = 0.9), InputsFrom(InputSource.Noise)", "")]
    [InlineData("Budget(Macs = 0.9)", "[Calibration] static IEnumerable<Inputs> Data() => [];")]
    public async Task A_budget_with_data_is_quiet(string attributes, string body)
        => Assert.Empty(await Harness.Diagnose(Samples.WholePolicyOf(Heads + body, $"[{attributes}]"), Tiny));

    [Fact]
    public async Task Who_is_told_to_give_data_is_not_told_twice() => await Expect(
        Ids.NeedsCalibration, "Wanda needs calibration data, and the policy has none; add a method [Calibration] static "
            + "IEnumerable<Inputs> Samples()",
        Samples.WholePolicyOf("[Prune(Axis.Heads), Score({|ESP0010:Criterion.Wanda|})] public static partial Rule R { get; }",
            "[Budget(Macs = 0.9)]"));

    [Theory]
    [InlineData("", "", "PruningPolicy(\"models/tiny.onnx\")", "it has no rule. Add a property with [Prune] or [Drop], or [LowRank]")]
    [InlineData("", "Budget(Macs = 0.5)", "PruningPolicy(\"models/tiny.onnx\")",
        "it has no rule. Add a property with [Prune] or [Drop], or [LowRank]")]
    [InlineData(Heads, "Budget(Macs = {|ESP0018:1.0|})", "",
        "its budget is the whole model, and no rule has a Keep. Lower the budget, or give the rules a Keep")]
    [InlineData(Heads, "Budget(Parameters = {|ESP0018:1|}, Bytes = 1)", "",
        "its budget is the whole model, and no rule has a Keep. Lower the budget, or give the rules a Keep")]
    public async Task A_policy_does_nothing(string body, string attributes, string at, string why)
    {
        var source = Samples.WholePolicyOf(body, attributes.Length == 0 ? "" : $"[{attributes}]");
        if (at.Length > 0) source = source.Replace(at, "{|ESP0018:" + at + "|}", StringComparison.Ordinal);
        var diagnostic = await Expect(Ids.DoesNothing,
            $"The policy removes nothing, and the program ships a copy of the dense model: {why}.", source);
        Assert.Equal(DiagnosticSeverity.Warning, diagnostic.Severity);
    }

    [Theory]
    [InlineData("[Prune(Axis.Heads, \"encoder.*\", Keep = 0.5)] public static partial Rule R { get; }", "Budget(Macs = 1)")]
    [InlineData(Heads + "[Drop(Axis.Blocks)] public static partial Rule D { get; }", "Budget(Macs = 1)")]
    [InlineData(Heads, "Budget(Macs = 1), LowRank(Rank = 1)")]
    [InlineData(Heads, "Budget(Macs = 1), Allocate(Allocation.PqIndex)")]
    [InlineData("", "LowRank(Rank = 1)")]
    [InlineData("", "Preset(Preset.ShortGpt)")]
    public async Task A_policy_that_does_something_is_quiet(string body, string attributes)
        => Assert.Empty(await Harness.Diagnose(Samples.WholePolicyOf(body, $"[{attributes}]"), Tiny));

    [Theory]
    [InlineData("static int {|ESP0019:Plan|};", "Plan")]
    [InlineData("static int {|ESP0019:Inputs|} => 1;", "Inputs")]
    [InlineData("class {|ESP0019:Outputs|};", "Outputs")]
    [InlineData("class {|ESP0019:Open|}<T>;", "Open")]
    [InlineData("static void {|ESP0019:Plan|}() { }", "Plan")]
    [InlineData("static int {|ESP0019:Open|}() => Open(4); static int Open(int threads) => threads;", "Open")]
    [InlineData("static int {|ESP0019:OpenDense|}(int threads = 4, bool warm = false) => threads;", "OpenDense")]
    [InlineData("static void {|ESP0019:OpenDense|}(Microsoft.ML.OnnxRuntime.SessionOptions options) { }", "OpenDense")]
    [InlineData("[Prune(Axis.Neurons, Keep = 0.5)] public static partial Rule {|ESP0019:Plan|} { get; }", "Plan")]
    [InlineData("[Prune(Axis.Neurons, Keep = 0.5)] public static partial Rule {|ESP0019:Inputs|} { get; }", "Inputs")]
    public async Task The_name_of_a_generated_member_is_taken(string member, string name)
    {
        var marked = Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; } " + member);
        await Expect(Ids.NameIsTaken, $"The member has the name '{name}' of a generated member; give it another one", marked);
        AssertNoErrorInGeneratedCode(Markup.Parse(marked).Source);
    }

    [Fact]
    public async Task The_policy_has_the_name_of_a_generated_member()
    {
        var marked = Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }")
            .Replace("class Slim", "class {|ESP0019:Plan|}", StringComparison.Ordinal);
        await Expect(Ids.NameIsTaken, "The policy has the name 'Plan' of a generated member; give it another one", marked);
        AssertNoErrorInGeneratedCode(Markup.Parse(marked).Source);
    }

    [Theory]
    [InlineData("static void Open(int threads, int more = 1) { } static void Open<T>() { } static void OpenDense<T>(T options) { }")]
    [InlineData("class Plan<T>; class Inputs<T>;")]
    public async Task What_the_language_allows_beside_a_generated_member_is_quiet(string members)
    {
        var source = Samples.PolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; } " + members);
        Assert.Empty(await Harness.Diagnose(source, Tiny));
        AssertNoErrorInGeneratedCode(source);
    }

    [Theory]
    [InlineData("\"vocab.txt\"", "vocab.txt")]
    [InlineData("\"MODELS\\\\vocab.txt\"", "MODELS/vocab.txt")]
    public async Task The_tokenizer_is_not_of_the_project(string written, string path)
    {
        var (source, spans) = Markup.Parse(Samples.WholePolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }",
            $"[Embeddings({{|ESP0020:{written}|}})]"));
        var diagnostic = Assert.Single(await Harness.Diagnose(source, ("/shop/obj/tiny.espalier-manifest", ExtensionTests.Encoder)));
        Assert.Equal(Assert.Single(spans),
            (diagnostic.Id, diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.Length));
        Assert.Equal($"The project has no tokenizer '{path}'; it has 'models/vocab.txt'. Add <EspalierTokenizer Include=\"{path}\" />, or "
            + "neither the program nor a calibration method finds the file.",
            diagnostic.GetMessage(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(DiagnosticSeverity.Warning, diagnostic.Severity);
    }

    [Theory]
    [InlineData("models/vocab.txt")]
    [InlineData("./models/vocab.txt")]
    [InlineData("/data/vocab.txt")]
    [InlineData("C:/data/vocab.txt")]
    public async Task A_tokenizer_that_is_found_is_quiet(string path) => Assert.Empty(await Harness.Diagnose(
        Samples.WholePolicyOf("[Prune(Axis.Heads, Keep = 0.5)] public static partial Rule R { get; }", $"[Embeddings(\"{path}\")]"),
        ("/shop/obj/tiny.espalier-manifest", ExtensionTests.Encoder)));

    /// <summary>Other targets, or older ones, say nothing of tokenizers; these say it too where there are none.</summary>
    [Fact]
    public void What_the_targets_do_not_say_is_not_known()
    {
        Assert.Null(new ProjectFacts(true, "").Tokenizers);
        Assert.Empty(new ProjectFacts(true, "||").Tokenizers!);
        Assert.Equal(["a b.txt", "c.model"], new ProjectFacts(true, "|a b.txt|./c.model|").Tokenizers!);
    }

    /// <summary>Nothing of the compiler's own names a generated file.</summary>
    private static void AssertNoErrorInGeneratedCode(string source)
    {
        Harness.Driver().RunGeneratorsAndUpdateCompilation(Harness.Compilation(true, source), out var output, out _);
        Assert.Empty(output.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.ToString()));
    }
}
