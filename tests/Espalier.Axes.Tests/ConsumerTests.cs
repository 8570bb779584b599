using Espalier.Axes;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Which products are found as those that a fit can work on.</summary>
public sealed class ConsumerTests
{
    [Theory]
    [InlineData("Gemm", "", true)]
    [InlineData("Gemm", "alpha", false)]
    [InlineData("Gemm", "beta", false)]
    [InlineData("com.microsoft::FusedMatMul", "", true)]
    [InlineData("com.microsoft::FusedMatMul", "alpha", false)]
    public void A_product_that_is_scaled_is_none(string op, string scaled, bool found)
    {
        var g = new GraphBuilder(3);
        var operands = new List<string> { g.Relu(g.Linear(g.Input("x", "batch", 6), "a", 6, 10)), g.Weight("w", 10, 8) };
        if (op == "Gemm") operands.Add(g.Weight("c", 8));
        (string, object)[] attributes = scaled.Length > 0 ? [(scaled, 0.5f)] : [];
        g.Output(g.Linear(g.Relu(g.Node(op, [.. operands], attributes)), "b", 8, 4));
        var check = RuleCheck.On(g).Group("a.weight", 1, 10, null, ("w", 0));
        Assert.Equal(found ? ["w", "b.weight"] : ["b.weight"], check.Analysis.Consumers.Select(c => c.Parameter));
        check.IsExact();
    }
}
