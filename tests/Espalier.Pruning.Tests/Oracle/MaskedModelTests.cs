using System.Runtime.InteropServices;
using Espalier.Onnx;
using Espalier.Oracle;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Tests.Oracle;

/// <summary>The masked model against plain loops.</summary>
public sealed class MaskedModelTests
{
    private static IReadOnlyDictionary<string, IReadOnlyDictionary<int, int[]>> Removed(string tensor,
        params (int Axis, int[] Indices)[] axes)
        => new Dictionary<string, IReadOnlyDictionary<int, int[]>> { [tensor] = axes.ToDictionary(a => a.Axis, a => a.Indices) };

    private static T[] Bytes<T>(OnnxModel model, TensorProto tensor) where T : unmanaged
    {
        using var stream = new MemoryStream();
        model.Content(tensor).Gather(new int[]?[tensor.Dims.Count]).CopyTo(stream);
        return MemoryMarshal.Cast<byte, T>(stream.ToArray()).ToArray();
    }

    private static void Holds<T>(DataType type, T[] values) where T : unmanaged, IEquatable<T>
    {
        var g = new GraphBuilder();
        g.Initializer(GraphBuilder.Tensor("w", type, [3, 4, 5], MemoryMarshal.AsBytes<T>(values).ToArray()));
        using var dense = g.Build();
        using var masked = MaskedModel.Build(dense, Removed("w", (0, [1]), (2, [0, 3])));
        var actual = Bytes<T>(masked, masked.Proto.Graph.Initializer[0]);
        for (int i = 0; i < 60; i++)
        {
            bool gone = i / 20 == 1 || i % 5 is 0 or 3;
            Assert.Equal(gone ? default : values[i], actual[i]);
        }
        Assert.Equal(values, Bytes<T>(dense, dense.Proto.Graph.Initializer[0]));
    }

    [Fact]
    public void Zeroes_any_element_with_a_removed_index_whatever_the_type()
    {
        var random = new Random(3);
        Holds(DataType.Float, [.. Enumerable.Range(0, 60).Select(_ => random.NextSingle() + 1)]);
        Holds(DataType.Double, [.. Enumerable.Range(0, 60).Select(_ => random.NextDouble() + 1)]);
        Holds(DataType.Float16, [.. Enumerable.Range(0, 60).Select(_ => (ushort)random.Next(1, 60000))]);
        Holds(DataType.Int64, [.. Enumerable.Range(0, 60).Select(_ => random.NextInt64(1, long.MaxValue))]);
        Holds(DataType.Int8, [.. Enumerable.Range(0, 60).Select(_ => (sbyte)random.Next(1, 100))]);
    }

    [Fact]
    public void A_large_tensor_is_masked_across_the_buffers()
    {
        var g = new GraphBuilder();
        var values = Enumerable.Range(1, 40_000).Select(i => (float)i).ToArray();
        g.Floats("w", values, 200, 200);
        using var dense = g.Build();
        using var masked = MaskedModel.Build(dense, Removed("w", (1, [0, 7, 199])));
        var expected = values.Select((v, i) => i % 200 is 0 or 7 or 199 ? 0 : v);
        Assert.Equal(expected, masked.Content(masked.Proto.Graph.Initializer[0]).ToFloats());
    }

    [Fact]
    public void Typed_fields_and_constant_nodes_and_subgraphs()
    {
        var g = new GraphBuilder(storage: WeightStorage.ConstantNode);
        g.Floats("c", [1, 2, 3], 3);
        var typed = new TensorProto { Name = "t", DataType = (int)DataType.Float };
        typed.Dims.Add(3);
        typed.FloatData.AddRange([4, 5, 6]);
        g.Initializer(typed);
        var x = g.Input("x", 3);
        var flag = g.Input("flag", DataType.Bool, 1);
        var then = g.Subgraph(b => b.Output(b.Rename(b.Mul(x, b.Floats("inner", [7, 8, 9], 3)), "then_y"), 3));
        var other = g.Subgraph(b => b.Output(b.Rename(b.Add(x, "c"), "else_y"), 3));
        g.Output(g.Add(g.Node("If", flag, ("then_branch", then), ("else_branch", other)), "t"), 3);
        using var dense = g.Build();
        var removed = new Dictionary<string, IReadOnlyDictionary<int, int[]>>
        {
            ["c"] = new Dictionary<int, int[]> { [0] = [0] },
            ["t"] = new Dictionary<int, int[]> { [0] = [1] },
            ["inner"] = new Dictionary<int, int[]> { [0] = [2] },
        };
        using var masked = MaskedModel.Build(dense, removed);
        Assert.Equal([1 * 7f + 4, 1 * 8f + 0, 1 * 0f + 6], Run(masked, true));
        Assert.Equal([1 + 0f + 4, 1 + 2f + 0, 1 + 3f + 6], Run(masked, false));
    }

    private static float[] Run(OnnxModel model, bool flag)
    {
        using var x = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory<float>([1, 1, 1], [3]);
        using var f = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory<bool>([flag], [1]);
        return [.. Ort.Run(model, new Dictionary<string, Microsoft.ML.OnnxRuntime.OrtValue> { ["x"] = x, ["flag"] = f })[0].Values
            .Select(v => (float)v)];
    }

    [Fact]
    public void A_weight_that_a_node_makes_is_multiplied_by_a_mask()
    {
        var g = new GraphBuilder();
        var w = g.Node("ConstantOfShape", g.Longs("shape", 2, 3),
            ("value", GraphBuilder.Tensor("", DataType.Float, [1], BitConverter.GetBytes(2f))));
        g.Output(g.Rename(g.Node("Identity", w), "y"), 2, 3);
        using var dense = g.Build();
        using var masked = MaskedModel.Build(dense, Removed(w, (0, [1]), (1, [2])));
        var y = Ort.Run(masked, new Dictionary<string, Microsoft.ML.OnnxRuntime.OrtValue>())[0];
        Assert.Equal([2, 2, 0, 0, 0, 0], y.Values);
    }

    /// <summary>A number divided by zero, or in steps of zero, would be none: what is divided is masked, and that is enough.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("Unsqueeze")]
    [InlineData("Where")]
    public void Divisors_and_scales_keep_their_values_however_they_are_moved(string mover)
    {
        var g = new GraphBuilder(opset: 13);
        string divisor = g.Positive("divisor", 4), scale = g.Positive("scale", 4), plain = g.Positive("plain", 4);
        string Moved(string x) => mover switch
        {
            // Back again: scales have one axis.
            "Unsqueeze" => g.Squeeze(g.Unsqueeze(x, 0), 0),
            "Where" => g.Node("Where", [g.Input("choice" + x, DataType.Bool, 1), x, g.Positive("other" + x, 4)]),
            _ => x,
        };
        var y = g.Node("Div", [g.Add(g.Input("x", 3, 4), Moved(plain)), Moved(divisor)]);
        string zeros = g.Integers("zeros", DataType.Uint8, [0, 0, 0, 0], 4);
        g.Output(g.Node("QuantizeLinear", [y, Moved(scale), zeros], ("axis", 1)), DataType.Uint8);
        using var dense = g.Build();
        string[] names = [divisor, scale, plain];
        using var masked = MaskedModel.Build(dense, names.ToDictionary(n => n, n => Removed(n, (0, [1, 3]))[n]));
        foreach (string name in names)
        {
            float[] was = Bytes<float>(dense, Initializer(dense, name)), now = Bytes<float>(masked, Initializer(masked, name));
            Assert.Equal(name == plain ? [was[0], 0, was[2], 0] : was, now);
        }
    }

    private static TensorProto Initializer(OnnxModel model, string name) => model.Proto.Graph.Initializer.Single(t => t.Name == name);

    /// <summary>Integers on the left of a product have a zero point for every row, those on the right one for every column.</summary>
    [Theory]
    [InlineData("MatMulInteger", 0)]
    [InlineData("MatMulInteger", 1)]
    [InlineData("QLinearMatMul", 0)]
    [InlineData("QLinearMatMul", 1)]
    public void Masked_integers_are_the_zero_points_of_their_rows_or_columns(string op, int operand)
    {
        var g = new GraphBuilder(opset: 13);
        long[] points = operand == 0 ? [10, 20, 30] : [10, 20, 30, 40, 50];
        var values = Enumerable.Range(0, 15).Select(k => (byte)(100 + k)).ToArray();
        string x = g.Input("x", DataType.Uint8, operand == 0 ? [5, 4] : [4, 3]);
        string w = g.Initializer(GraphBuilder.Tensor("w", DataType.Uint8, [3, 5], values));
        string zero = g.Integers("points", DataType.Uint8, points, points.Length), one = g.Integers("one", DataType.Uint8, [1]);
        string scale = g.Scalar("scale", 1);
        string[] weight = [w, scale, zero], other = [x, scale, one];
        var (left, right) = operand == 0 ? (weight, other) : (other, weight);
        string[] operands = op == "MatMulInteger" ? [left[0], right[0], left[2], right[2]] : [.. left, .. right, scale, one];
        g.Output(g.Node(op, operands), op == "MatMulInteger" ? DataType.Int32 : DataType.Uint8);
        using var dense = g.Build();
        using var masked = MaskedModel.Build(dense, Removed("w", (0, [1]), (1, [0, 4])));
        var expected = values.Select((v, i) => i / 5 == 1 || i % 5 is 0 or 4 ? (byte)points[operand == 0 ? i / 5 : i % 5] : v);
        Assert.Equal(expected, Bytes<byte>(masked, Initializer(masked, "w")));
    }

    [Fact]
    public void Nothing_removed_gives_the_identical_bytes()
    {
        var g = new GraphBuilder();
        var x = g.Input("x", "batch", 4);
        g.Output(g.Linear(x, "fc", 4, 3));
        using var dense = g.Build();
        using var masked = MaskedModel.Build(dense, new Dictionary<string, IReadOnlyDictionary<int, int[]>>());
        Assert.Equal(dense.ToBytes(), masked.ToBytes());
    }

    [Fact]
    public void Names_and_indices_that_do_not_exist_are_refused()
    {
        var g = new GraphBuilder();
        g.Weight("w", 3, 4);
        using var dense = g.Build();
        Assert.Contains("'v'", Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, Removed("v", (0, [0])))).Message);
        Assert.Contains("axis 2", Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, Removed("w", (2, [0])))).Message);
        Assert.Contains("index 4", Assert.Throws<EspalierException>(() => MaskedModel.Build(dense, Removed("w", (1, [4])))).Message);
    }
}
