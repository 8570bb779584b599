using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Products that a fit can work on.</summary>
public sealed class ConsumerTests
{
    /// <summary>y = α·x·W + β·c: where x·W is to change by one, c has to by α/β.</summary>
    [Theory]
    [InlineData("Gemm", 1f, 1f, 1)]
    [InlineData("Gemm", 0.5f, 1f, 0.5)]
    [InlineData("Gemm", 0.5f, 0.25f, 2)]
    [InlineData("Gemm", 1f, 0f, 0)]
    [InlineData("com.microsoft::FusedMatMul", 1f, null, 1)]
    [InlineData("com.microsoft::FusedMatMul", 0.5f, null, 0.5)]
    public void A_product_that_is_scaled_says_what_its_bias_counts(string op, float alpha, float? beta, double scale)
    {
        var g = new GraphBuilder(3);
        string x = g.Relu(g.Linear(g.Input("x", "batch", 6), "a", 6, 10)), w = g.Weight("w", 10, 8), c = g.Weight("c", 8);
        string y = beta is { } b ? g.Node(op, [x, w, c], ("alpha", alpha), ("beta", b)) : g.Add(g.Node(op, [x, w], ("alpha", alpha)), c);
        g.Output(g.Linear(g.Relu(y), "b", 8, 4));
        var check = RuleCheck.On(g).Group("a.weight", 1, 10, null, ("w", 0));
        var consumer = Assert.Single(check.Analysis.Consumers, c => c.Parameter == "w");
        Assert.Equal("c", consumer.Bias);
        Assert.Equal(scale, consumer.BiasScale);
        check.IsExact();
    }
}
