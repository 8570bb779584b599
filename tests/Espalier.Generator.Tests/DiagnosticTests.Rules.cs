using Espalier.Generator.Diagnostics;
using Espalier.Generator.Planning;
using Microsoft.CodeAnalysis;

namespace Espalier.Generator.Tests;

/// <summary>Diagnostics of single rules: their shape, their values, what decides how much stays.</summary>
public partial class DiagnosticTests
{
    [Theory]
    [InlineData("public static Rule R { get; } = null!;", "is not partial")]
    [InlineData("public static partial int R { get; }", "is not of type Rule")]
    [InlineData("public static partial Rule R { get; set; }", "has a setter")]
    public async Task TheRuleHasTheWrongShape(string property, string problem)
    {
        await Expect(Ids.RuleShape, $"Rule 'R' {problem}; a rule is a property 'static partial Rule R {{ get; }}'",
            Samples.PolicyOf($"[{{|ESP0014:Prune(Axis.Heads, Keep = 0.5)|}}] {property}"));
    }

    [Fact]
    public async Task A_rule_has_one_verb() => await Expect(
        Ids.RuleShape,
        "Rule 'R' has both [Prune] and [Drop]; a rule has one of them; a rule is a property 'static partial Rule R { get; }'",
        Samples.PolicyOf("[{|ESP0014:Prune(Axis.Heads, Keep = 0.5)|}, Drop(Axis.Blocks)] public static partial Rule R { get; }"));

    [Theory]
    [InlineData("[Prune({|ESP0015:Axis.Blocks|}, Keep = 0.5)]", "Blocks does not go with [Prune]. Sublayers and Blocks go with [Drop].")]
    [InlineData("[Drop({|ESP0015:Axis.Heads|})]", "Heads does not go with [Drop]. It removes Sublayers or Blocks; units go with [Prune].")]
    [InlineData("[Prune(Axis.Neurons, Keep = 0.5), Score({|ESP0015:Criterion.Method|})]",
        "Method does not go with [Score] without Method. Name the policy's static method that scores: Method = nameof(…).")]
    [InlineData("[Prune(Axis.Neurons, Keep = 0.5), Score(Criterion.L1, Method = {|ESP0015:\"Rank\"|})]",
        "Method does not go with Criterion.L1. Only Criterion.Method calls one.")]
    [InlineData("[Drop(Axis.Blocks), Score({|ESP0015:Criterion.L1|})]",
        "L1 does not go with [Drop]. It scores units, not blocks; use BlockSimilarity, BlockAngle, OutputDivergence or Random.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0015:Criterion.BlockAngle|})]",
        "BlockAngle does not go with [Prune]. It scores blocks, not units; use L2, Variance or Wanda.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0015:Criterion.BlockSimilarity|})]",
        "BlockSimilarity does not go with [Prune]. It scores blocks, not units; use L2, Variance or Wanda.")]
    [InlineData("[Drop(Axis.Blocks), Score({|ESP0015:Criterion.GeometricMedian|})]",
        "GeometricMedian does not go with [Drop]. It scores units, not blocks; use BlockSimilarity, BlockAngle, OutputDivergence or "
            + "Random.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0015:(Criterion)99|})]",
        "99 does not go with [Prune]. It scores blocks, not units; use L2, Variance or Wanda.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0015:Criterion.File|})]",
        "File does not go with [Score] without ScoreFile. Name the file that has the scores.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score({|ESP0015:Criterion.File|}, ScoreFile = \"\")]",
        "File does not go with [Score] without ScoreFile. Name the file that has the scores.")]
    [InlineData("[Prune(Axis.Heads, Keep = 0.5), Score(Criterion.L1, ScoreFile = {|ESP0015:\"s.json\"|})]",
        "ScoreFile does not go with Criterion.L1. Only Criterion.File reads a file.")]
    [InlineData("[Drop(Axis.Blocks), Score(Criterion.Random, ScoreFile = {|ESP0015:\"s.json\"|})]",
        "ScoreFile does not go with [Drop]. Only scores of units are read from a file.")]
    [InlineData("[Drop(Axis.Blocks), Score(Criterion.Random, Aggregate = {|ESP0015:Aggregate.Max|})]",
        "Aggregate does not go with [Drop]. A block has one score.")]
    [InlineData("[Drop(Axis.Blocks), Compensate({|ESP0015:Compensation.Bias|})]",
        "Bias does not go with [Drop]. Nothing reads a removed block, so there is nothing to make up for.")]
    public async Task A_value_does_not_fit(string attributes, string message)
        => await Expect(Ids.DoesNotFit, message, Samples.PolicyOf(attributes + " public static partial Rule R { get; }"));

    public static TheoryData<Criterion> OfUnits
        => [.. Enum.GetValues<Criterion>().Except([Criterion.BlockSimilarity, Criterion.BlockAngle, Criterion.OutputDivergence])];

    [Theory]
    [MemberData(nameof(OfUnits))]
    public async Task Every_criterion_of_units_goes_with_prune(Criterion criterion)
    {
        var source = criterion switch
        {
            Criterion.File => ", ScoreFile = \"scores.json\"",
            Criterion.Method => ", Method = \"Rank\"",
            _ => "",
        };
        Assert.Empty(await Harness.Diagnose(
            Samples.PolicyOf($"[Prune(Axis.Heads, \"encoder.*\", Keep = 0.5), Score(Criterion.{criterion}{source})] "
                + "public static partial Rule R { get; } [Calibration] static IEnumerable<Inputs> Samples() => [];"), Tiny));
    }

    [Fact]
    public async Task Latency_needs_a_budget_of_time() => await Expect(
        Ids.DoesNotFit,
        "Latency does not go with a policy without [Budget(Latency = …)]. It spreads a budget of time; give one, or use Divergence.",
        Samples.PolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; } [Calibration] static IEnumerable<Inputs> Data() => [];",
            "[Allocate({|ESP0015:Allocation.Latency|}), Budget(Macs = 0.9)]"));

    [Theory]
    [InlineData("ImportanceLinear")]
    [InlineData("ImportanceSigmoid")]
    [InlineData("ImportanceSoftmax")]
    [InlineData("Search")]
    [InlineData("Latency")]
    public async Task An_allocation_needs_calibration(string allocation) => await Expect(
        Ids.NeedsCalibration,
        $"{allocation} needs calibration data, and the policy has none; add a method [Calibration] static IEnumerable<Inputs> Samples()",
        Samples.PolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }",
            $"[Allocate({{|ESP0010:Allocation.{allocation}|}}), Budget(Macs = 0.9, Latency = 0.9)]"));

    [Theory]
    [InlineData("[Allocate(Allocation.PqIndex)]")]
    [InlineData("[Allocate(Allocation.GlobalMagnitude), Budget(Macs = 0.9)]")]
    [InlineData("[Budget(Latency = 0.5)]")]
    public async Task What_decides_how_much_stays_is_enough(string attributes) => Assert.Empty(await Harness.Diagnose(
        Samples.PolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }", attributes), Tiny));

    [Theory]
    [InlineData("LowRank(Rank = {|ESP0004:-1|})", "ESP0004", "Rank is -1, but must be at least 0")]
    [InlineData("LowRank(\"*.k.*\", Keep = {|ESP0004:1|})", "ESP0004", "Keep is 1, but must be a share between 0 and 1")]
    [InlineData("LowRank(Rank = 4, Keep = {|ESP0015:0.5|})", "ESP0015",
        "Keep does not go with Rank. Each says how much stays; give one of them.")]
    [InlineData("{|ESP0016:LowRank(\"w\", Of = ProductKind.KeysAndValues)|}", "ESP0016",
        "Neither a Keep of rule '[LowRank(\"w\")]' nor a [Budget] of the policy says how much is to stay")]
    public async Task A_rank_is_wrong(string attribute, string id, string message)
        => await Expect(id, message, Samples.PolicyOf("", $"[{attribute}]"));

    [Fact]
    public async Task Ranks_do_not_share_a_budget_with_units_that_are_not_refitted() => await Expect(
        Ids.DoesNotFit,
        "[LowRank] without Rank and Keep does not go with a rule without Keep that compensates otherwise than by LeastSquares. They cannot "
            + "share a budget; give one side its numbers.",
        Samples.PolicyOf("[Prune(Axis.Neurons)] public static partial Rule R { get; }", "[Budget(Macs = 0.9)][{|ESP0015:LowRank|}]"));

    [Fact]
    public async Task Nothing_decides() => await Expect(
        Ids.NothingDecides, "Neither a Keep of rule 'R' nor a [Budget] of the policy says how much is to stay",
        Samples.PolicyOf("[{|ESP0016:Prune(Axis.Heads)|}] public static partial Rule R { get; }"));

    [Fact]
    public async Task A_pragma_suppresses() => Assert.Empty(await Harness.Diagnose(
        "#pragma warning disable ESP0016\n" + Samples.PolicyOf("[Prune(Axis.Heads)] public static partial Rule R { get; }"), Tiny));
}
