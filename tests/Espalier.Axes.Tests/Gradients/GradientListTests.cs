using System.Text;
using Espalier.Gradients;
using Espalier.Gradients.Writing;
using Espalier.TestKit;
using Xunit.Sdk;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>The list of operators against the rules of the gradients and their reasons, and the page that is made from them.</summary>
public sealed class GradientListTests
{
    /// <summary>ONNX Runtime's, in the standard domain: no operators of ONNX.</summary>
    private static readonly (string, string)[] Unlisted = [("", "SimplifiedLayerNormalization")];

    [Fact]
    public void Every_operator_has_a_rule_or_a_reason()
    {
        var ruled = GradientRules.All.Select(r => (r.Domain, r.Operator)).ToHashSet();
        var missing = OperatorListTests.List.Value.Select(o => (o.Domain, o.Operator))
            .Where(o => !ruled.Contains(o) && !GradientReasons.All.ContainsKey(o))
            .Select(o => o.Domain.Length == 0 ? o.Operator : $"{o.Domain}::{o.Operator}");
        Assert.Equal("", string.Join(' ', missing));
    }

    [Fact]
    public void Every_rule_and_every_reason_is_one_of_an_operator_and_none_has_both()
    {
        var known = OperatorListTests.List.Value.Select(o => (o.Domain, o.Operator)).Concat(Unlisted).ToHashSet();
        var ruled = GradientRules.All.Select(r => (r.Domain, r.Operator)).ToHashSet();
        Assert.Equal([], ruled.Concat(GradientReasons.All.Keys).Where(o => !known.Contains(o)).Order());
        Assert.Equal([], ruled.Where(GradientReasons.All.ContainsKey).Order());
    }

    [Fact]
    public void What_is_said_to_have_no_kernel_has_none()
    {
        var without = GradientReasons.All.Where(r => r.Value == GradientReasons.NoKernel).Select(r => $"{r.Key.Domain}::{r.Key.Operator}");
        Assert.Equal([], OperatorCases.All.Where(c => without.Contains(c.Operator) && !c.HasNoKernel).Select(c => c.Name));
    }

    /// <summary>In a graph that runs, and from whose outputs the way goes back to every weight, so that differences judge it.</summary>
    [Fact]
    public void Every_rule_is_seen_in_a_case()
    {
        var unseen = GradientRules.All.Where(r => !Unlisted.Contains((r.Domain, r.Operator))).ToHashSet();
        foreach (var build in OperatorCases.All.Where(c => !c.HasNoKernel).Select(c => (Func<Onnx.OnnxModel>)c.Build)
            .Concat(GradientFormTests.All).Concat(GradientForms.Models))
        {
            using var model = build();
            if (!model.Proto.Graph.Node.Any(n => unseen.Any(r => (r.Domain, r.Operator) == (n.Domain, n.OpType)))) continue;
            var analysis = AxisAnalysis.Run(model);
            var backward = BackwardBuilder.Build(analysis,
                analysis.Model.Proto.Graph.Initializer.Where(t => t.DataType == 1).Select(t => t.Name));
            if (backward.Stopped.Count > 0 || backward.Gradients.Count + backward.Zero.Count == 0) continue;
            foreach (var record in analysis.State.Records)
            {
                var (domain, op) = (record.Info.Proto.Domain, record.Info.Proto.OpType);
                // Of several lines only the one that holds.
                string? line = GradientTable.Find(domain, op).FirstOrDefault(l => l.HoldsFor(record.Info.Proto, record.Opset))?.Text;
                unseen.RemoveWhere(r => (r.Domain, r.Operator) == (domain, op) && (line is null || line == r.Text));
            }
        }
        Assert.Equal([], unseen.Order());
    }

    [Fact]
    public void The_page_of_gradients_is_what_the_rules_say()
    {
        string page = Path.Combine(Assets.Root, "onnx-rewriter/GRADIENTS.md"), text = GradientPage.Write(OperatorListTests.List.Value);
        string there = File.Exists(page) ? File.ReadAllText(page).ReplaceLineEndings("\n") : "";
        if (there == text) return;
        if (Environment.GetEnvironmentVariable("VERIFY_ACCEPT") != "1")
            throw new XunitException("onnx-rewriter/GRADIENTS.md is not what the rules say; VERIFY_ACCEPT=1 writes it anew.");
        File.WriteAllText(page, text, new UTF8Encoding(false));
    }
}
