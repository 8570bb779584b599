using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;
using Espalier.Onnx;
using Espalier.Pruning.Edits;
using Espalier.TestKit;
using Microsoft.ML.OnnxRuntime;

namespace Espalier.Axes.Tests;

/// <summary>
/// Every rule of every operator, executed: the groups that it must leave are found, and removing their units is masking them.
/// </summary>
public sealed class OperatorsTests
{
    /// <summary>The names of all cases.</summary>
    public static TheoryData<string> Names => [.. OperatorCases.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_rule_is_exact(string name)
    {
        var @case = OperatorCases.All.Single(c => c.Name == name);
        using var model = @case.Build();
        var check = RuleCheck.On(model);
        @case.Check(check);
        if (!@case.HasNoKernel)
        {
            check.IsExact();
            return;
        }
        // Neither the dense nor the slim model runs, but both are right as far as ONNX Runtime's own shape inference goes.
        AssertNoKernel(model, @case.Operator);
        AssertNoKernel(Surgery.Apply(check.Analysis, SlimOracle.Pick(check.Analysis, 0.5, 1)).Model, @case.Operator);
    }

    [Fact]
    public void Every_rule_has_a_case()
    {
        var applied = new HashSet<(string, string)>();
        foreach (var @case in OperatorCases.All)
        {
            using var model = @case.Build();
            foreach (var record in AxisAnalysis.Run(model).State!.Records)
                if (record.Rule is { } rule) applied.Add((record.Info.Proto.Domain, rule));
        }
        var rules = OperatorTable.All.Select(r => (r.Domain, r.Rule.Text))
            .Concat(CodeRules.Entries.Select(r => (r.Key.Domain, r.Key.Operator)));
        Assert.Empty(rules.Where(r => !applied.Contains(r)).Select(r => $"{r.Item1} {r.Item2}"));
    }

    /// <summary>ONNX Runtime knows the operator and accepts the shapes, and then has nothing to run.</summary>
    internal static void AssertNoKernel(OnnxModel model, string op)
    {
        var inputs = SeededInputs.For(model, 1);
        var e = Assert.Throws<OnnxRuntimeException>(() => Ort.Run(model, inputs, strict: true));
        foreach (var value in inputs.Values) value.Dispose();
        string[] claims = ["NotImplemented", "not implemented for CPU", "are not supported", "only supports", "InsertedPrecisionFreeCast"];
        Assert.True(claims.Any(c => e.Message.Contains(c, StringComparison.Ordinal)), e.Message);
        Assert.Contains(op.Split("::")[^1], e.Message, StringComparison.OrdinalIgnoreCase);
    }
}
