using Espalier.Calibration.Checks;
using Espalier.Onnx;
using Espalier.Onnx.Graphs;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;
using RandomInputs = Espalier.Calibration.Inputs.RandomInputs;

namespace Espalier.Runtime.Tests.Checks;

/// <summary>What is compared inside of two models, where a fault is said to start, and what counts as seen.</summary>
public sealed class InsideTests
{
    /// <summary>Two layers and a sign, of which the bias of one may be shifted.</summary>
    private static OnnxModel Network(float first = 0, float second = 0, bool backwards = false)
    {
        var g = new GraphBuilder(31);
        var x = g.Input("x", 8, 96);
        var h = g.Rename(g.Add(g.Relu(g.MatMul(x, g.Weight("a", 96, 96))), g.Scalar("first", first)), "h");
        string w = g.Weight("b", 96, 16), order = g.Longs("order", [.. Enumerable.Range(0, 96).Select(i => 95L - i)]);
        string there = g.MatMul(h, w);
        string back = g.MatMul(g.Node("Gather", [h, order], ("axis", 1)), g.Node("Gather", [w, order], ("axis", 0)));
        // Of one product taken in two orders nothing is left but rounding.
        g.Rename(g.Node("Sub", backwards ? [back, there] : [there, back]), "rounding");
        g.Output(g.Rename(g.Node("Sign", "rounding"), "sign"), 8, 16);
        return g.Output(g.Rename(g.Add(there, g.Scalar("second", second)), "y"), 8, 16).Build();
    }

    private static InsideResult Compare(OnnxModel masked, OnnxModel slim, OnnxModel? unmasked = null, long budget = 128 << 20)
        => InsideComparer.Compare(new InsideRequest(masked, slim, unmasked, RandomInputs.Many(masked, 2, 1)) { Budget = budget });

    [Theory]
    [InlineData(128 << 20)]
    [InlineData(1)]
    public void The_same_model_agrees_with_itself_in_one_part_and_in_many(long budget)
    {
        using var a = Network();
        var found = Compare(a, a, budget: budget);
        Assert.Equal((null, null, null), (found.Fault, found.Moved, found.Obstacle));
        // All nodes but the one that gathers a weight.
        Assert.Equal((9, 9), (found.Tensors, found.Compared));
        Assert.Empty(found.Magnifiers);
    }

    [Theory]
    [InlineData(0.5f, 0, "h")]
    [InlineData(0, 0.5f, "y")]
    [InlineData(0.5f, 0.5f, "h")]
    public void A_fault_is_named_where_it_starts(float first, float second, string tensor)
    {
        using var masked = Network();
        using var slim = Network(first, second);
        foreach (long budget in (long[])[128 << 20, 1])
        {
            var fault = Compare(masked, slim, budget: budget).Fault;
            Assert.Equal(tensor, fault?.Tensor);
            Assert.EndsWith("(Add)", fault!.Node, StringComparison.Ordinal);
            Assert.InRange(fault.Error, 1e-3, 1);
        }
    }

    [Fact]
    public void What_magnifies_rounding_is_named_and_what_does_not_depend_on_it_is_still_judged()
    {
        using var masked = Network();
        using var slim = Network(backwards: true);
        var found = Compare(masked, slim);
        Assert.Null(found.Fault);
        // The difference is where it begins, and not the sign that is taken of it.
        var magnifier = Assert.Single(found.Magnifiers);
        Assert.Equal("rounding", magnifier.Tensor);
        Assert.Contains("(Sub)", magnifier.Node, StringComparison.Ordinal);
        Assert.InRange(magnifier.Error, 1e-4, magnifier.Noise);
        using var wrong = Network(second: 0.5f, backwards: true);
        Assert.Equal("y", Compare(masked, wrong).Fault?.Tensor);
    }

    [Fact]
    public void Masking_is_seen_inside_where_the_outputs_are_saturated()
    {
        static OnnxModel Model(float change)
        {
            var g = new GraphBuilder(3);
            var h = g.Rename(g.Add(g.MatMul(g.Input("x", 4, 8), g.Weight("w", 8, 8)), g.Scalar("change", change)), "h");
            return g.Output(g.Rename(g.Relu(g.Add(h, g.Scalar("far", -1000))), "y"), 4, 8).Build();
        }
        using var masked = Model(0);
        using var unmasked = Model(0.1f);
        var found = Compare(masked, masked, unmasked);
        Assert.Equal(("h", false), (found.Moved?.Tensor, found.OutputMoved));
        Assert.Null(Compare(masked, masked, masked).Moved);
        using var open = Network();
        using var other = Network(second: 0.2f);
        Assert.True(Compare(open, open, other).OutputMoved);
    }

    /// <summary>Kept indices, as the caller knows them; a tensor of which he does not is passed over and counted.</summary>
    [Fact]
    public void Only_kept_indices_are_compared()
    {
        static OnnxModel Model(int[] units, float change = 0)
        {
            var g = new GraphBuilder(5);
            float[] Numbers(int n) => [.. Enumerable.Range(0, n).Select(_ => (float)g.Normal())];
            float[] up = Numbers(48), down = Numbers(24);
            float[] columns = [.. Enumerable.Range(0, 8).SelectMany(i => units.Select(u => u < 0 ? 0 : up[(i * 6) + u] + change))];
            float[] rows = [.. units.SelectMany(u => Enumerable.Range(0, 4).Select(o => u < 0 ? 0 : down[(u * 4) + o]))];
            var h = g.Rename(g.MatMul(g.Input("x", 3, 8), g.Floats("up", columns, 8, units.Length)), "h");
            return g.Output(g.Rename(g.MatMul(h, g.Floats("down", rows, units.Length, 4)), "y"), 3, 4).Build();
        }
        using var masked = Model([0, -1, 2, -1, -1, 5]);
        using var slim = Model([0, 2, 5]);
        using var wrong = Model([0, 2, 5], change: 0.1f);
        var inputs = RandomInputs.Many(masked, 2, 1);
        var request = new InsideRequest(masked, slim, null, inputs)
        {
            Kept = (name, shape) => name == "h" && shape[1] == 6 ? [null, [0, 2, 5]] : null,
        };
        var found = InsideComparer.Compare(request);
        Assert.Equal((2, 2, null), (found.Tensors, found.Compared, found.Fault));
        Assert.Equal("h", InsideComparer.Compare(request with { Slim = wrong }).Fault?.Tensor);
        var blind = InsideComparer.Compare(request with { Kept = (_, _) => null });
        Assert.Equal((2, 1), (blind.Tensors, blind.Compared));
        Assert.Equal("h", InsideComparer.Compare(request with { Kept = (_, _) => [null, [0, 1, 5]] }).Fault?.Tensor);
    }

    /// <summary>Sizes differ rightly, and so does what is computed from them alone.</summary>
    [Fact]
    public void Sizes_are_not_compared()
    {
        static OnnxModel Model(int width)
        {
            var g = new GraphBuilder(5);
            var x = g.Input("x", 3, 8);
            var part = g.Slice(x, 1, 0, width);
            var size = g.Node("Cast", g.Node("Shape", part), ("to", DataType.Float));
            g.Rename(g.Node("ReduceSum", [size, g.Longs("axis", 0)], ("keepdims", 0)), "size");
            return g.Output(g.Rename(g.Relu(x), "y"), 3, 8).Build();
        }
        using var a = Model(4);
        using var b = Model(6);
        var found = Compare(a, b);
        Assert.Equal((2, 1, null), (found.Tensors, found.Compared, found.Fault));
    }

    [Fact]
    public void Nodes_in_no_order_are_walked_in_the_order_of_what_they_read()
    {
        using var model = Network();
        var nodes = model.Proto.Graph.Node.ToList();
        var turned = model.Proto.Graph.Clone();
        turned.Node.Clear();
        turned.Node.AddRange(Enumerable.Reverse(nodes));
        var place = turned.InOrder().Select((n, k) => (n.Output[0], k)).ToDictionary(n => n.Item1, n => n.k);
        Assert.Equal(nodes.Count, place.Count);
        Assert.All(turned.Node, n => Assert.All(n.Input.Where(place.ContainsKey), i => Assert.True(place[i] < place[n.Output[0]])));
        Assert.Equal(nodes.Select(n => n.Output[0]), model.Proto.Graph.InOrder().Select(n => n.Output[0]));
    }
}
