using Espalier.Axes.Sizes;
using Espalier.Axes.Terms;
using Espalier.Onnx;
using Espalier.TestKit;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

/// <summary>What the evaluator of shape chains computes of numbers is what ONNX Runtime computes of them.</summary>
public sealed class SizeOperatorTests
{
    private const int Limit = 1000;

    /// <summary>Every case: a chain of nodes over constants, and whether the evaluator may leave it unknown.</summary>
    private static readonly Dictionary<string, (Func<GraphBuilder, string> Build, bool MayBeUnknown)> Cases = new(StringComparer.Ordinal)
    {
        ["Squeeze of every axis of size 1"] = (g => g.Node("Squeeze", Counted(g, 1, 3, 1, 2)), false),
        ["Unsqueeze"] = (g => g.Unsqueeze(Counted(g, 3), 0, -1), false),
        ["Slice backwards"] = (g => Sliced(g, Counted(g, 7), 0, -1, long.MinValue + 1, -1), false),
        ["Slice backwards over two"] = (g => Sliced(g, Counted(g, 7), 0, -1, -8, -2), false),
        ["Slice forwards over two, with a rest"] = (g => Sliced(g, Counted(g, 2, 7), 1, 0, 7, 2), false),
        ["Gather from the end"] = (g => g.Node("Gather", [Counted(g, 3, 4), g.Longs("at", [-1, 0, -2], [3])], ("axis", 1)), false),
        ["Tile of a matrix"] = (g => g.Node("Tile", [Counted(g, 2, 3), g.Longs(2, 3)]), false),
        ["Split with a rest"] =
            (g => g.Node("Concat", [.. g.Nodes("Split", 2, [Counted(g, 5)], ("num_outputs", 2)).Reverse()], ("axis", 0)), false),
        ["NonZero of a matrix"] = (g => g.Node("NonZero", g.Longs("sparse", [0, 1, 2, 0, 0, 3], [2, 3])), false),
        ["ReduceSum over the first axis"] = (g => g.Node("ReduceSum", [Counted(g, 2, 3), g.Longs(0)], ("keepdims", 0)), false),
        ["ReduceProd over the first axis, kept"] = (g => g.Node("ReduceProd", [Counted(g, 2, 3), g.Longs(0)], ("keepdims", 1)), false),
        ["ReduceMin over all"] = (g => g.Node("ReduceMin", [Counted(g, 2, 3)], ("keepdims", 0)), false),
        ["Half, rounded down"] = (g => Whole(g, g.Node("Floor", Halved(g))), false),
        ["Half, rounded up"] = (g => Whole(g, g.Node("Ceil", Halved(g))), false),
        ["Half, cut off"] = (g => Whole(g, Halved(g)), false),
        ["Remainder"] = (g => g.Node("Mod", [g.Longs(-7, 7, 9), g.Longs(3, 3, 5)]), false),
        ["Remainder with the sign of the dividend"] = (g => g.Node("Mod", [g.Longs(-7, 7, 9), g.Longs(3, 3, 5)], ("fmod", 1)), true),
        ["Range with a rest"] = (g => g.Node("Range", [g.Longs("from", [1], []), g.Longs("to", [8], []), g.Longs("step", [3], [])]), false),
        ["Range downwards"] = (g => g.Node("Range", [g.Longs("from", [8], []), g.Longs("to", [1], []), g.Longs("step", [-3], [])]), false),
        ["Where"] = (g => g.Node("Where", [g.Node("Equal", [Counted(g, 4), g.Longs(0, 2, 2, 0)]), g.Longs(10), Counted(g, 4)]), false),
        ["Expand and Transpose"] = (g => g.Transpose(g.Node("Expand", [Counted(g, 3, 1), g.Longs(2, 1, 4)]), 2, 0, 1), false),
        ["Concat of matrices"] = (g => g.Concat(1, Counted(g, 2, 3), g.Longs("more", [7, 8], [2, 1])), false),
        ["Reshape with one size left open"] = (g => g.Reshape(Counted(g, 2, 6), 3, -1, 2), false),
    };

    /// <summary>Names of the cases.</summary>
    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Numbers_are_what_ONNX_Runtime_computes(string name)
    {
        var g = new GraphBuilder(opset: 18);
        string result = Cases[name].Build(g);
        g.Output(result, DataType.Int64);
        using var model = g.Build();
        var known = model.Proto.Graph.Initializer.ToDictionary(t => t.Name,
            t => ConstantSizes.OfConstant(model, t) ?? ConstantSizes.OfWhole(model, t), StringComparer.Ordinal);
        foreach (var node in model.Proto.Graph.Node)
        {
            var values = SizeOperators.Evaluate(node, [.. node.Input.Select(i => known.GetValueOrDefault(i))], Limit);
            for (int k = 0; k < node.Output.Count; k++) known[node.Output[k]] = values?[k];
        }
        var expected = Ort.Run(model, new Dictionary<string, Microsoft.ML.OnnxRuntime.OrtValue>())[0];
        if (known[result] is not { } found)
        {
            Assert.True(Cases[name].MayBeUnknown, "nothing is known of it");
            return;
        }
        Assert.Equal(expected.Shape, found.Dims.Select(d => (long)d));
        Assert.Equal(expected.Values, found.Numbers!.Select(n => (double)n));
    }

    /// <summary>A shape that goes through real numbers, with a constant of the file among them, is still a shape.</summary>
    [Fact]
    public void A_half_that_goes_through_floating_point_is_re_derived()
    {
        var g = new GraphBuilder(3);
        string x = g.Conv(g.Input("x", 2, 3, 4, 4), "c1", 3, 8);
        string Cast(string tensor, DataType type) => g.Node("Cast", tensor, ("to", (int)type));
        string channels = g.Slice(g.Node("Shape", x), 0, 1, 2);
        string half = Cast(g.Node("Floor", g.Node("Div", [Cast(channels, DataType.Float), g.Floats("two", [2], 1)])), DataType.Int64);
        x = g.Node("Reshape", [x, g.Concat(0, g.Longs(2, 2), half, g.Longs(4, 4))]);
        x = g.Node("ReduceMax", [x], ("axes", (long[])[1]), ("keepdims", 0));
        g.Output(g.Conv(x, "c2", 4, 5), 2, 5, 4, 4);
        RuleCheck.On(g).Group("c2.weight", 1, 4).IsExact();
    }

    /// <summary>Of sizes too a half is rounded the way that the operator rounds.</summary>
    [Theory]
    [InlineData("Floor", 3)]
    [InlineData("Ceil", 4)]
    public void Half_of_a_size_is_rounded(string op, long expected)
    {
        var size = new SizeTensor([], [new SizeValue.Extent(new FactorTerm(new Factor(1, 7)))], IsReal: true);
        SizeTensor Of(string name, params SizeTensor[] operands)
            => SizeOperators.Evaluate(new NodeProto { OpType = name }, operands, Limit)![0]!;
        Assert.Equal(expected, Of(op, Of("Div", size, SizeTensor.Scalar(new SizeValue.Literal(2)))).Elements[0]!.Number);
    }

    /// <summary>
    /// Amounts of padding from matrices of the file, which are data until an operator asks for their numbers: zeros that are filled in
    /// count, and an operand that nobody knows is not one that is absent.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Constants_of_any_rank_give_numbers_where_all_of_them_are_known(bool unknown)
    {
        var g = new GraphBuilder(5, opset: 18);
        string x = g.Conv(g.Input("x", "batch", 3, 6, 6), "c1", 3, 8);
        // Along the second axis: 0 0 1 1 0 0 1 1. Along the first the numbers would be others, and as many.
        string table = g.Longs("table",
            [.. Enumerable.Range(0, 72).Select(n => n is 3 or 4 or 7 or 8 ? 1L : n is > 8 and < 18 ? 2L : 0L)], [8, 9]);
        string axis = unknown ? g.Node("Pow", [g.Longs(1), g.Longs(2)]) : g.Longs(1);
        string row = g.Node("Gather", [g.Node("Slice", [table, g.Longs(1), g.Longs(9), axis]), g.Longs("row", [0], [])], ("axis", 0));
        string count = g.Node("Gather", [g.Longs("sizes", [8, 1], [2, 1]), g.Longs("first", [0], [])], ("axis", 0));
        string zeros = g.Node("ConstantOfShape", count, ("value", GraphBuilder.Tensor("zero", DataType.Int64, [1], new byte[8])));
        x = g.Node("Pad", [x, g.Node("Add", [g.Slice(row, 0, 0, 8), zeros])]);
        g.Output(g.Conv(x, "c2", 8, 5), "batch", 5, 8, 8);
        var check = RuleCheck.On(g, ("batch", 2));
        if (unknown) check.Frozen("c1.weight", 0, "padded");
        else check.Group("c1.weight", 0, 8, null, ("c2.weight", 1)).IsExact();
    }

    private static string Counted(GraphBuilder g, params long[] dims)
        => g.Longs(g.Fresh("counted"), [.. Enumerable.Range(1, (int)dims.Aggregate((a, b) => a * b)).Select(n => (long)n)], dims);

    private static string Sliced(GraphBuilder g, string x, int axis, long start, long end, long step)
        => g.Node("Slice", [x, g.Longs(start), g.Longs(end), g.Longs(axis), g.Longs(step)]);

    private static string Halved(GraphBuilder g)
        => g.Node("Div", [g.Node("Cast", g.Longs(6, 8, 2), ("to", (int)DataType.Float)), g.Floats("two", [2], 1)]);

    private static string Whole(GraphBuilder g, string x) => g.Node("Cast", x, ("to", (int)DataType.Int64));
}
