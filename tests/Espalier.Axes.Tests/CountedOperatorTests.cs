using Espalier.Axes.Operators.Code;
using Espalier.Axes.Operators.Table;
using Espalier.TestKit.Counting;

namespace Espalier.Axes.Tests;

/// <summary>The counter that reports are compared with knows every operator that a rule prices.</summary>
public sealed class CountedOperatorTests
{
    [Fact]
    public void Every_operator_that_a_rule_prices_has_a_formula_of_its_own()
    {
        var priced = OperatorTable.All.Where(r => r.Rule.Macs.Count > 0).Select(r => r.Rule.Operator)
            .Concat(CodeRules.Entries.Where(e => e.Value.Multiplies).Select(e => e.Key.Operator));
        Assert.Equal(priced.Distinct().Order(StringComparer.Ordinal), MacFormulas.Operators.Order(StringComparer.Ordinal));
    }
}
