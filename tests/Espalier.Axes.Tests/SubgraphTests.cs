using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>Bodies of Scan and Loop, and local functions.</summary>
public sealed class SubgraphTests
{
    private const int Hidden = 12, Inputs = 6;

    /// <summary>h ← tanh(W x + R h + b), with the weights outside or inside of the body.</summary>
    private static string Cell(GraphBuilder g, string x, string h, bool inside)
        => g.Node("Tanh",
            g.Add(g.Add(g.MatMul(x, inside ? g.Weight("W", Inputs, Hidden) : "W"),
                g.MatMul(h, inside ? g.Weight("R", Hidden, Hidden) : "R")), inside ? g.Weight("b", Hidden) : "b"));

    private static void Outside(GraphBuilder g)
    {
        g.Weight("W", Inputs, Hidden);
        g.Weight("R", Hidden, Hidden);
        g.Weight("b", Hidden);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_recurrence_as_a_scan(bool inside)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", 7, "batch", Inputs);
        if (!inside) Outside(g);
        var state = g.Linear(g.Node("Gather", [x, g.Longs("first", [0], [])], ("axis", 0)), "init", Inputs, Hidden);
        var body = g.Subgraph(b =>
        {
            b.Input("h", "batch", Hidden);
            b.Input("xt", "batch", Inputs);
            var next = Cell(b, "xt", "h", inside);
            b.Output(next).Output(b.Node("Identity", next));
        });
        var y = g.Nodes("Scan", 2, [state, x], ("body", body), ("num_scan_inputs", 1));
        g.Output(g.Linear(y[0], "last", Hidden, 5)).Output(g.Linear(y[1], "all", Hidden, 4));
        RuleCheck.On(g, ("batch", 3))
            .Group("W", 1, Hidden, null, ("R", 0), ("R", 1), ("b", 0), ("init.weight", 1), ("last.weight", 0), ("all.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_recurrence_as_a_loop(bool inside)
    {
        var g = new GraphBuilder();
        var x = g.Input("x", 7, "batch", Inputs);
        if (!inside) Outside(g);
        var state = g.Linear(g.Node("Gather", [x, g.Longs("first", [0], [])], ("axis", 0)), "init", Inputs, Hidden);
        var body = g.Subgraph(b =>
        {
            b.Input("i", DataType.Int64);
            b.Input("go", DataType.Bool);
            b.Input("h", "batch", Hidden);
            var next = Cell(b, b.Node("Gather", [x, "i"], ("axis", 0)), "h", inside);
            b.Output(b.Node("Identity", "go"), DataType.Bool).Output(next).Output(b.Node("Identity", next));
        });
        var y = g.Nodes("Loop", 2, [g.Longs("steps", [7], []), "", state], ("body", body));
        g.Output(g.Linear(y[0], "last", Hidden, 5)).Output(g.Linear(y[1], "all", Hidden, 4));
        RuleCheck.On(g, ("batch", 3))
            .Group("W", 1, Hidden, null, ("R", 0), ("R", 1), ("b", 0), ("init.weight", 1), ("last.weight", 0), ("all.weight", 0)).IsExact();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_body_sums_is_zero_where_its_operands_are(bool biased)
    {
        // y_t = Σ_n h_n · c_n: exact only where a removed n leaves the state or the slice zero.
        var g = new GraphBuilder();
        var x = g.Input("x", 7, "batch", Inputs);
        var c = g.MatMul(x, g.Weight("C", Inputs, Hidden));
        var b = g.MatMul(x, g.Weight("B", Inputs, Hidden));
        if (biased) (b, c) = (g.Sigmoid(b), g.Sigmoid(c));
        var start = g.Mul(g.Node("Gather", [b, g.Longs("first", [0], [])], ("axis", 0)), g.Scalar("none", 0));
        var body = g.Subgraph(s =>
        {
            s.Input("h", "batch", Hidden);
            s.Input("bt", "batch", Hidden);
            s.Input("ct", "batch", Hidden);
            var next = s.Add(s.Mul("h", s.Weight("A", Hidden)), "bt");
            s.Output(next).Output(s.Node("ReduceSum", [s.Mul(next, "ct"), s.Longs("axes", 1)], ("keepdims", 1)));
        });
        var y = g.Nodes("Scan", 2, [start, b, c], ("body", body), ("num_scan_inputs", 2));
        g.Output(g.Linear(y[1], "out", 1, 4));
        if (biased) RuleCheck.On(g, ("batch", 3)).Inexact("C", 1, Hidden, "ReduceSum");
        else RuleCheck.On(g, ("batch", 3)).Group("C", 1, Hidden, null, ("B", 1), ("A", 0)).IsExact();
    }

    [Fact]
    public void A_loop_that_lengthens_what_it_carries_leaves_it_whole_and_the_rest_free()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 1, Inputs);
        var start = g.Linear(x, "init", Inputs, Hidden);
        var body = g.Subgraph(b =>
        {
            b.Input("i", DataType.Int64);
            b.Input("go", DataType.Bool);
            b.Input("h", "batch", "length", Hidden);
            b.Output(b.Node("Identity", "go"), DataType.Bool).Output(b.Concat(1, "h", b.Linear("h", "grow", Hidden, Hidden)));
        });
        var y = g.Node("Loop", [g.Longs("steps", [3], []), "", start], ("body", body));
        g.Output(g.Linear(g.Relu(g.Linear(y, "a", Hidden, 10)), "b", 10, 4));
        // One position becomes two, then four: what was read of the body for one position is not true.
        RuleCheck.On(g, ("batch", 2)).Frozen("grow.weight", 0, "carries from step to step")
            .Frozen("init.weight", 1, "carries from step to step");
    }

    [Fact]
    public void Functions_are_read_as_their_bodies()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", Inputs);
        string Layer(string y, string name, int from, int to)
            => g.Node("local::Dense", [y, g.Weight(name + ".weight", from, to), g.Weight(name + ".bias", to)], ("slope", 0.2f));
        g.Output(Layer(Layer(Layer(x, "a", Inputs, 16), "b", 16, 14), "c", 14, 5));
        var model = g.Build().Proto.Clone();
        var dense = new FunctionProto
        {
            Domain = "local",
            Name = "Dense",
            Input = { "x", "w", "b" },
            Output = { "y" },
            Attribute = { "slope" }
        };
        dense.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        dense.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        dense.Node.Add(new NodeProto { OpType = "MatMul", Input = { "x", "w" }, Output = { "p" } });
        dense.Node.Add(new NodeProto { OpType = "AddOf", Domain = "local", Input = { "p", "b" }, Output = { "s" } });
        dense.Node.Add(new NodeProto
        {
            OpType = "LeakyRelu",
            Input = { "s" },
            Output = { "y" },
            Attribute = { new AttributeProto { Name = "alpha", RefAttrName = "slope",
                Type = AttributeProto.Types.AttributeType.Float } }
        });
        var add = new FunctionProto { Domain = "local", Name = "AddOf", Input = { "u", "v" }, Output = { "w" } };
        add.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        add.Node.Add(new NodeProto { OpType = "Add", Input = { "u", "v" }, Output = { "w" } });
        model.Functions.Add(dense);
        model.Functions.Add(add);
        RuleCheck.On(OnnxModel.Wrap(model)).Group("a.weight", 1, 16, Axis.Neurons, ("a.bias", 0), ("b.weight", 0))
            .Group("b.weight", 1, 14, Axis.Neurons, ("c.weight", 0)).IsExact();
    }

    [Fact]
    public void A_function_for_another_operator_set_says_so()
    {
        var g = new GraphBuilder();
        g.Output(g.Node("local::Same", [g.Linear(g.Input("x", "batch", Inputs), "a", Inputs, 16)]));
        var model = g.Build().Proto.Clone();
        var same = new FunctionProto { Domain = "local", Name = "Same", Input = { "x" }, Output = { "y" } };
        same.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 12 });
        same.Node.Add(new NodeProto { OpType = "Identity", Input = { "x" }, Output = { "y" } });
        model.Functions.Add(same);
        RuleCheck.On(OnnxModel.Wrap(model)).Frozen("a.weight", 1, "another operator set");
    }
}
