using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>
/// Every weight of a file is in one class, with its reason. That the classes sum up to the file is checked for every case of the oracle
/// (<see cref="Figures.Check"/>).
/// </summary>
public sealed class WeightAccountTests
{
    private static AxisAnalysis Of(OnnxModel model)
    {
        var analysis = AxisAnalysis.Run(model);
        Assert.Equal(model.Proto.Graph.Initializer.Sum(t => t.Dims.Aggregate(1L, (n, d) => n * d)), analysis.Weights.Sum(w => w.Elements));
        return analysis;
    }

    private static void Stands(AxisAnalysis analysis, string tensor, WeightStanding standing, string? reason = null)
    {
        var weight = Assert.Single(analysis.Weights, w => w.Tensor == tensor);
        Assert.True(weight.Standing == standing, $"{weight}");
        if (reason is null) Assert.Null(weight.Reason);
        else Assert.Contains(reason, weight.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_are_in_groups_frozen_or_of_no_product()
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Mul(g.Input("x", "batch", 6), g.Scalar("half", 0.5f)), "a", 6, 16);
        x = g.Linear(g.Relu(x), "b", 16, 5);
        g.Weight("spare", 3, 3);
        g.Output(x);
        var analysis = Of(g.Build());
        foreach (string grouped in new[] { "a.weight", "a.bias", "b.weight" }) Stands(analysis, grouped, WeightStanding.Grouped);
        Stands(analysis, "b.bias", WeightStanding.Frozen, "interface");
        Stands(analysis, "half", WeightStanding.Unrelated, "fewer than two elements");
        Stands(analysis, "spare", WeightStanding.Unrelated, "no operator of the graph reads it");
        Assert.Equal(analysis.Groups.Where(k => k.Exactness == Exactness.Exact).Select(k => k.Id),
            analysis.Weights.Single(w => w.Tensor == "b.weight").Groups);
    }

    /// <summary>What the operator reads itself, and layers behind it, whose weights say what rank its result has.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void What_an_operator_without_a_rule_touches_names_it(int layers)
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Input("x", "batch", 6), "a", 6, 16);
        x = g.Node("test.custom::Frobnicate", [x, g.Weight("own", 4, 4)]);
        for (int k = 0; k < layers; k++) x = g.Relu(g.Linear(x, $"behind{k}", k == 0 ? 12 : 10, 10));
        g.Output(g.Linear(x, "last", 10, 3), "batch", 3);
        var analysis = Of(g.Build());
        Stands(analysis, "a.weight", WeightStanding.Frozen, "interface");
        Stands(analysis, "a.bias", WeightStanding.Frozen, "Frobnicate");
        Stands(analysis, "own", WeightStanding.Frozen, "Frobnicate");
        Stands(analysis, "behind0.weight", WeightStanding.Grouped);
        Stands(analysis, "last.weight", WeightStanding.Grouped);
        Assert.Contains(analysis.Frozen, f => f is { Tensor: "behind0.weight", Axis: 0 }
            && f.Reason.Contains("Frobnicate", StringComparison.Ordinal));
    }

    /// <summary>Weights of a function are in the file once, however often it is called.</summary>
    [Fact]
    public void The_weights_of_a_function_count_once()
    {
        var g = new GraphBuilder();
        var x = g.Linear(g.Input("x", "batch", 6), "a", 6, 16);
        g.Output(g.Linear(g.Node("local::Same", g.Node("local::Same", x)), "b", 16, 3));
        var model = g.Build().Proto.Clone();
        var same = new FunctionProto { Domain = "local", Name = "Same", Input = { "x" }, Output = { "y" } };
        same.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        var scale = GraphBuilder.Tensor("", TensorProto.Types.DataType.Float, [16], new byte[64]);
        same.Node.Add(new NodeProto
        {
            OpType = "Constant",
            Output = { "scale" },
            Attribute = { new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = scale } },
        });
        same.Node.Add(new NodeProto { OpType = "Mul", Input = { "x", "scale" }, Output = { "y" } });
        model.Functions.Add(same);
        var analysis = AxisAnalysis.Run(OnnxModel.Wrap(model));
        Stands(analysis, "scale", WeightStanding.Grouped);
        Assert.Equal((6 * 16) + 16 + 16 + (16 * 3) + 3, analysis.Weights.Sum(w => w.Elements));
    }
}
