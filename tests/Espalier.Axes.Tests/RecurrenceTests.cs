using Espalier.Axes.Groups;
using Espalier.TestKit;

namespace Espalier.Axes.Tests;

/// <summary>LSTM, GRU and RNN: the gates of one hidden unit go together, in every weight and in the attribute.</summary>
public sealed class RecurrenceTests
{
    private static int Gates(string op) => op switch { "LSTM" => 4, "GRU" => 3, _ => 1 };

    private static (string Y, string Last) Layer(GraphBuilder g, string op, string x, string name, int inputs, int hidden, bool both,
        string initial = "")
    {
        int d = both ? 2 : 1, k = Gates(op);
        string[] operands = [x, g.Weight($"{name}.W", d, k * hidden, inputs), g.Weight($"{name}.R", d, k * hidden, hidden),
            g.Weight($"{name}.B", d, 2 * k * hidden), "", initial];
        if (op == "LSTM" && initial.Length > 0) operands = [.. operands, initial];
        var attributes = new List<(string, object)> { ("hidden_size", hidden) };
        if (both) attributes.Add(("direction", "bidirectional"));
        if (op == "GRU") attributes.Add(("linear_before_reset", 1));
        var y = g.Nodes(op, 2, operands, [.. attributes]);
        return (y[0], y[1]);
    }

    [Theory]
    [InlineData("LSTM")]
    [InlineData("GRU")]
    [InlineData("RNN")]
    public void Forward(string op)
    {
        var g = new GraphBuilder(5);
        var x = g.Input("x", "time", "batch", 4);
        var (y, _) = Layer(g, op, g.Linear(x, "in", 4, 6), "r", 6, 8, both: false);
        g.Output(g.Linear(g.Squeeze(y, 1), "out", 8, 3));
        RuleCheck.On(g)
            .Group("r.R", 2, 8, Axis.HiddenState, ("r.W", 1), ("r.R", 1), ("r.B", 1), ("out.weight", 0))
            .Group("in.weight", 1, 6, null, ("r.W", 2)).IsExact();
    }

    [Theory]
    [InlineData("LSTM", true)]
    [InlineData("GRU", true)]
    [InlineData("RNN", true)]
    [InlineData("LSTM", false)]
    public void Bidirectional(string op, bool literal)
    {
        var g = new GraphBuilder(5);
        var x = g.Input("x", "time", "batch", 4);
        var (y, _) = Layer(g, op, x, "r", 4, 8, both: true);
        g.Output(g.Linear(g.Reshape(g.Transpose(y, 0, 2, 1, 3), 0, 0, literal ? 16 : -1), "out", 16, 3));
        RuleCheck.On(g).Group("r.R", 2, 8, Axis.HiddenState, ("r.W", 1), ("r.B", 1), ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void Two_layers_with_zero_state_made_from_the_shape()
    {
        var g = new GraphBuilder(5);
        var x = g.Input("x", "time", "batch", 4);
        var batch = g.Unsqueeze(g.Node("Gather", [g.Node("Shape", x), g.Longs("one", [1], [])], ("axis", 0)), 0);
        var shape = g.Concat(0, g.Longs(1), batch, g.Longs(8));
        var zeros = g.Node("ConstantOfShape", shape);
        var (y, _) = Layer(g, "LSTM", x, "r1", 4, 8, both: false, zeros);
        var (z, last) = Layer(g, "GRU", g.Squeeze(y, 1), "r2", 8, 6, both: false);
        g.Output(g.Linear(g.Squeeze(last, 0), "out", 6, 3));
        RuleCheck.On(g)
            .Group("r1.R", 2, 8, Axis.HiddenState, ("r1.W", 1), ("r2.W", 2))
            .Group("r2.R", 2, 6, Axis.HiddenState, ("out.weight", 0)).IsExact();
    }

    [Fact]
    public void A_state_that_is_a_graph_input_freezes_the_hidden_size()
    {
        var g = new GraphBuilder(5);
        var x = g.Input("x", "time", "batch", 4);
        var (y, _) = Layer(g, "GRU", x, "r", 4, 8, both: false, g.Input("state", 1, "batch", 8));
        g.Output(g.Linear(g.Relu(g.Linear(g.Squeeze(y, 1), "mid", 8, 10)), "out", 10, 3));
        RuleCheck.On(g).Frozen("r.R", 2, "state").Group("mid.weight", 1, 10, Axis.Neurons, ("out.weight", 0)).IsExact();
    }
}
