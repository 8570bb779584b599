using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>Operators that keep every axis, one graph each.</summary>
public sealed class ElementwiseTests
{
    [Theory]
    [InlineData("Relu")]
    [InlineData("Sigmoid")]
    [InlineData("Tanh")]
    [InlineData("Erf")]
    [InlineData("Exp")]
    [InlineData("Neg")]
    [InlineData("Abs")]
    [InlineData("Sin")]
    [InlineData("Cos")]
    [InlineData("Softplus")]
    [InlineData("Softsign")]
    [InlineData("LeakyRelu")]
    [InlineData("Elu")]
    [InlineData("Selu")]
    [InlineData("HardSigmoid")]
    [InlineData("HardSwish")]
    [InlineData("Identity")]
    [InlineData("Floor")]
    [InlineData("Ceil")]
    [InlineData("Round")]
    [InlineData("Sign")]
    [InlineData("Dropout")]
    [InlineData("com.microsoft::FastGelu")]
    [InlineData("com.microsoft::Gelu")]
    public void Unary(string op)
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        g.Output(g.Linear(g.Node(op, g.Linear(x, "a", 6, 10)), "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("a.bias", 0), ("b.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData("Add")]
    [InlineData("Sub")]
    [InlineData("Mul")]
    [InlineData("Max")]
    [InlineData("Min")]
    [InlineData("Sum")]
    [InlineData("Mean")]
    public void Binary_couples_both_sides(string op)
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        g.Output(g.Linear(g.Node(op, [g.Linear(x, "a", 6, 10), g.Linear(x, "b", 6, 10)]), "c", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, null, ("b.weight", 1), ("c.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData("Add")]
    [InlineData("Sub")]
    [InlineData("Mul")]
    [InlineData("Max")]
    public void Broadcast_constants(string op)
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 7, 6);
        var y = g.Node(op, [g.Linear(x, "a", 6, 10), g.Weight("v", 10)]);
        y = g.Node(op, [g.Weight("w", 1, 1, 10), y]);
        y = g.Node(op, [y, g.Weight("u", 7, 1)]);
        g.Output(g.Linear(y, "b", 10, 4), "batch", 7, 4);
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("v", 0), ("w", 2), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Division_by_an_activation_and_power()
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        var y = g.Node("Pow", [g.Linear(x, "a", 6, 10), g.Scalar("two", 2)]);
        y = g.Node("Div", [y, g.Node("Exp", g.Linear(x, "b", 6, 10))]);
        g.Output(g.Linear(g.Node("Sqrt", g.Node("Abs", y)), "c", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, null, ("b.weight", 1), ("c.weight", 0)).IsExact();
    }

    [Fact]
    public void Where_and_comparison()
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        var y = g.Linear(x, "a", 6, 10);
        var positive = g.Node("Greater", [y, g.Scalar("zero", 0)]);
        g.Output(g.Linear(g.Node("Where", [positive, y, g.Mul(y, g.Weight("slope", 10))]), "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("slope", 0), ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Clip_with_and_without_bounds()
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        var y = g.Node("Clip", [g.Linear(x, "a", 6, 10), g.Scalar("lo", -0.5f)]);
        g.Output(g.Linear(g.Node("Clip", [y, "", g.Scalar("hi", 0.5f)]), "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("b.weight", 0)).IsExact();
    }

    [Fact]
    public void Cast_to_half_and_back()
    {
        var g = new GraphBuilder(3);
        var x = g.Input("x", "batch", 6);
        var y = g.Node("Cast", g.Linear(x, "a", 6, 10), ("to", Espalier.Onnx.TensorProto.Types.DataType.Double));
        y = g.Node("Cast", y, ("to", Espalier.Onnx.TensorProto.Types.DataType.Float));
        g.Output(g.Linear(y, "b", 10, 4));
        RuleCheck.On(g).Group("a.weight", 1, 10, Axis.Neurons, ("b.weight", 0)).IsExact();
    }
}
