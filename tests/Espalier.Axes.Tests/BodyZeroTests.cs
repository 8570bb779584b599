using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// What is zero at removed units inside of graphs that nodes hold: what goes in, what a state carries from step to step, what comes out.
/// </summary>
public sealed class BodyZeroTests
{
    /// <summary>A scan whose state starts from zeros; every step gives the sum of squares of the first state.</summary>
    private static GraphBuilder Scan(int states, Func<GraphBuilder, string[], string, string[]> step)
    {
        var g = new GraphBuilder(29);
        var x = g.Linear(g.Input("x", 5, 2, 6), "in", 6, 8);
        var body = g.Subgraph(b =>
        {
            string[] names = [.. Enumerable.Range(0, states).Select(k => b.Input($"h{k}", 2, 8))];
            b.Input("x_t", 2, 8);
            var next = step(b, names, "x_t");
            for (int k = 0; k < states; k++) b.Output(b.Rename(next[k], $"next{k}"), 2, 8);
            b.Output(b.Rename(b.Node("ReduceSumSquare", "next0", ("axes", new[] { 1 }), ("keepdims", 1)), "y_t"), 2, 1);
        });
        string[] initial = [.. Enumerable.Range(0, states).Select(_ => g.Node("ConstantOfShape", g.Longs(2, 8)))];
        var y = g.Nodes("Scan", states + 1, [.. initial, x], ("body", body), ("num_scan_inputs", 1));
        g.Output(y[states], 5, 2, 1).Output(g.Linear(y[0], "out", 8, 3), 2, 3);
        return g;
    }

    [Fact]
    public void A_state_that_stays_zero()
        => RuleCheck.On(Scan(1, (b, h, x) => [b.Node("Tanh", b.Add(h[0], x))]))
            .Group("in.weight", 1, 8, Axis.Neurons, ("in.bias", 0), ("out.weight", 0)).IsExact();

    [Fact]
    public void A_state_that_leaves_zero_in_the_first_step()
        => RuleCheck.On(Scan(1, (b, h, x) => [b.Sigmoid(b.Add(h[0], x))])).Inexact("in.weight", 1, 8, "it sums values");

    [Fact]
    public void A_state_that_another_state_moves_from_zero_in_the_second_step()
        => RuleCheck.On(Scan(3, (b, h, x) => [b.Node("Tanh", h[1]), b.Add(h[2], x), b.Sigmoid(x)]))
            .Inexact("in.weight", 1, 8, "it sums values");

    [Theory]
    [InlineData("Tanh")]
    [InlineData("Sigmoid")]
    public void Branches_that_both_give_zeros(string other)
    {
        var g = new GraphBuilder(29);
        var x = g.Linear(g.Input("x", "batch", 6), "in", 6, 8);
        g.Input("flag", TensorProto.Types.DataType.Bool, 1);
        var then = g.Subgraph(b => b.Output(b.Rename(b.Relu(x), "then_y"), "batch", 8));
        var not = g.Subgraph(b => b.Output(b.Rename(b.Node(other, x), "else_y"), "batch", 8));
        var y = g.Node("If", "flag", ("then_branch", then), ("else_branch", not));
        g.Output(g.Node("ReduceL1", y, ("axes", new[] { 1 }), ("keepdims", 1)), "batch", 1);
        if (other == "Tanh") RuleCheck.On(g).Group("in.weight", 1, 8, null, ("in.bias", 0)).IsExact();
        else RuleCheck.On(g).Inexact("in.weight", 1, 8, "it sums values");
    }
}
