using System.Globalization;
using Espalier.Generator.Planning;
using Espalier.Generator.Vocabulary;

namespace Espalier.Generator.Emission;

/// <content>The nested class <c>Plan</c>.</content>
internal sealed partial class PolicyEmitter
{
    private void Plan()
    {
        _writer.Summary($"What is done to {Policy.ModelKey}: {Costs()}.");
        _writer.Generated();
        _writer.Line("public static class Plan");
        _writer.Open();
        _writer.Summary("Full name of the policy; names its files.");
        _writer.Line($"public const string Policy = {Names.Literal(Policy.FullName)};");
        _writer.Line();
        _writer.Summary("The model that the policy is for, relative to the project.");
        _writer.Line($"public const string Model = {Names.Literal(Policy.ModelKey)};");
        _writer.Line();
        _writer.Line($"private const string Json = {Names.Literal(PlanJsonWriter.Write(_resolved))};");
        _writer.Line();
        _writer.Line("private static global::Espalier.PruningPlan? s_value;");
        _writer.Line("private static global::Espalier.PruningReport? s_report;");
        _writer.Line("private static global::Espalier.GraphDiff? s_diff;");
        _writer.Line();
        _writer.Summary("The plan as a plain value: what the build carries out.");
        _writer.Line("public static global::Espalier.PruningPlan Value => s_value ??= global::Espalier.PlanJson.Parse(Json);");
        _writer.Line();
        _writer.Summary("What slimming did, read from the report that the build wrote beside the slim model.");
        _writer.Throws("The report is missing or malformed.");
        _writer.Line(
            "public static global::Espalier.PruningReport Report => s_report ??= global::Espalier.PolicyFiles.ReadReport(Policy);");
        _writer.Line();
        _writer.Summary("The report as text: costs before and after, and every group that lost units.");
        _writer.Throws("The report is missing or malformed.");
        _writer.Line("public static string Summary => Report.ToString();");
        _writer.Line();
        _writer.Summary(
            "What changed in the graph, read from the diff that the build wrote beside the slim model; its text is fit for a snapshot.");
        _writer.Throws("The diff is missing or malformed.");
        _writer.Line("public static global::Espalier.GraphDiff Diff => s_diff ??= global::Espalier.PolicyFiles.ReadDiff(Policy);");
        _writer.Line();
        RuleMembers();
        GroupMembers();
        BlockMembers("Sublayers", "Residual sublayers of the model: regions between a residual stream and its Add.", sublayers: true);
        _writer.Line();
        BlockMembers("Blocks", "Blocks of the model: one or more sublayers each.", sublayers: false);
        _writer.Close();
        _writer.Line();
    }

    private string Costs()
    {
        var factors = Policy.LowRank.Count > 0 || Policy.Method is { LowRank: not null };
        return $"multiply-accumulates {Cost(_resolved.Macs)}, parameters {Cost(_resolved.Parameters)}, bytes {Cost(_resolved.Bytes)}"
            + (factors ? ", and less by the ranks, which are found when the model is slimmed" : "");
    }

    private static string Cost(CostRange cost)
    {
        var (least, most) = (Names.Count(cost.MinAfter), Names.Count(cost.MaxAfter));
        return $"{Names.Count(cost.Before)} → {(least == most ? least : $"{least}…{most}")}";
    }

    private void RuleMembers()
    {
        _writer.Summary("The rules of the policy.");
        _writer.Line("public static class Rules");
        _writer.Open();
        foreach (var rule in _resolved.Rules)
        {
            if (rule.Rule.Problem.Length > 0) continue;
            _writer.Summary(Describe(rule));
            var groups = string.Join(", ", rule.Groups.Select(g => $"Groups.{_groupNames[g]}"));
            var blocks = string.Join(", ",
                rule.Blocks.Select(b => $"{(_resolved.Blocks[b].IsSublayer ? "Sublayers" : "Blocks")}.{_blockNames[b]}"));
            var atMost = (rule.Rule.Drop?.AtMost ?? 0).ToString(CultureInfo.InvariantCulture);
            _writer.Line($"public static global::Espalier.Rule {Names.Escape(RuleName(rule))} {{ get; }} = "
                + $"new({Names.Literal(rule.Rule.Name)}, global::Espalier.Axis.{AxisOf(rule.Rule)}, [{groups}], [{blocks}], {atMost});");
        }
        _writer.Close();
        _writer.Line();
    }

    private void GroupMembers()
    {
        _writer.Summary("Every group of coupled units that could be pruned, with its size before → after.");
        _writer.Line("public static class Groups");
        _writer.Open();
        for (var i = 0; i < _resolved.Groups.Count; i++)
        {
            var group = _resolved.Groups[i];
            var after = group.MinAfter == group.Before ? "whole" : Names.Range(group.MinAfter, group.MaxAfter);
            var note = group.MinAfter == group.MaxAfter ? "" : "; the scores decide when the model is slimmed";
            var inexact = group.Inexact.Length == 0 ? "" : $"; inexact: {group.Inexact}";
            var kind = Words.Camel(group.Kind);
            _writer.Summary($"{group.Name}, {kind}: {group.Before.ToString(CultureInfo.InvariantCulture)} → {after}{note}{inexact}.");
            var sizes = FormattableString.Invariant($"{group.Before}, {group.MinAfter}, {group.MaxAfter}");
            _writer.Line($"public static global::Espalier.PlannedGroup {Names.Escape(_groupNames[i])} {{ get; }} = "
                + $"new({Names.Literal(group.Name)}, {Names.Literal(kind)}, {sizes}, "
                + $"[{string.Join(", ", group.Members.Select(Names.Literal))}]);");
        }
        _writer.Close();
        _writer.Line();
    }

    private void BlockMembers(string name, string summary, bool sublayers)
    {
        _writer.Summary(summary);
        _writer.Line($"public static class {name}");
        _writer.Open();
        for (var i = 0; i < _resolved.Blocks.Count; i++)
        {
            var block = _resolved.Blocks[i];
            if (block.IsSublayer != sublayers) continue;
            _writer.Summary($"{block.Name}: {Names.Count(block.Macs)} multiply-accumulates, {Names.Count(block.Parameters)} parameters.");
            _writer.Line($"public static global::Espalier.PlannedBlock {Names.Escape(_blockNames[i])} {{ get; }} = "
                + $"new({Names.Literal(block.Name)}, {(block.IsSublayer ? "true" : "false")}, {Number(block.Macs)}, "
                + $"{Number(block.Parameters)});");
        }
        _writer.Close();
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture) + "d";
}
