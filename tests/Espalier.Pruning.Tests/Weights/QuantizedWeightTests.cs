using Espalier.Axes;
using Espalier.Axes.Groups;
using Espalier.Onnx;
using Espalier.Pruning.Scores;
using Espalier.Pruning.Weights;
using Microsoft.ML.OnnxRuntime;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Pruning.Tests.Weights;

/// <summary>Scores and compensation see the numbers that quantised weights stand for.</summary>
public sealed class QuantizedWeightTests
{
    private const int In = 32, Out = 12;

    /// <summary>A product of x [rows, 32] with a weight <c>w</c> [32, 12], in one of the forms that quantisers write.</summary>
    private static readonly Dictionary<string, Func<GraphBuilder, string>> Forms = new()
    {
        ["QDQ"] = g => g.MatMul("x", g.Dequantized("fc", 1, false, true, In, Out)),
        ["QDQ per channel"] = g => g.MatMul("x", g.Dequantized("fc", 1, true, true, In, Out)),
        ["QDQ per input"] = g => g.MatMul("x", g.Dequantized("fc", 0, true, true, In, Out)),
        ["QDQ transposed"] = g => g.MatMul("x", g.Transpose(g.Dequantized("fc", 0, true, true, Out, In), 1, 0)),
        ["QDQ in blocks"] = g => Blocks(g, DataType.Int4, 8),
        ["QDQ in blocks without a sign"] = g => Blocks(g, DataType.Uint4, 16),
        ["float8"] = g =>
            g.MatMul("x",
                g.Node("DequantizeLinear",
                    [Codes(g), g.Scales("s", 0.25f, Out),
                        g.Initializer(GraphBuilder.Tensor("z", DataType.Float8E4M3Fn, [Out], new byte[Out]))], ("axis", 1))),
        ["MatMulNBits 4"] = g => NBits(g, 4, false),
        ["MatMulNBits 8"] = g => NBits(g, 8, false),
        ["MatMulNBits 4 with zero points"] = g => NBits(g, 4, true),
        ["MatMulNBits 8 with zero points"] = g => NBits(g, 8, true),
        ["MatMulInteger"] = g => Dynamic(g, g.Scalar("s", 1 / 64f)),
        ["MatMulInteger per channel"] = g => Dynamic(g, g.Scales("s", 1 / 64f, Out)),
        ["DynamicQuantizeMatMul"] = g =>
            g.Node("com.microsoft::DynamicQuantizeMatMul", ["x", Weight(g), g.Scales("s", 1 / 64f, Out), Points(g)]),
        ["QGemm"] = g =>
            g.Node("DequantizeLinear",
                [g.Node("com.microsoft::QGemm",
                    [Bytes(g, "x"), "unit", "zero", Weight(g), g.Scalar("s", 1 / 64f), g.Integers("z", DataType.Int8, [3]), "",
                        g.Scalar("ys", 1 / 64f), g.Integers("yz", DataType.Uint8, [128])]), "ys", "yz"]),
        ["QLinearMatMul"] = g =>
            g.Node("DequantizeLinear",
                [g.Node("QLinearMatMul",
                    [Bytes(g, "x"), "unit", "zero", Weight(g), g.Scalar("s", 1 / 64f), g.Integers("z", DataType.Int8, [3]),
                        g.Scalar("ys", 1 / 64f), g.Integers("yz", DataType.Uint8, [128])]), "ys", "yz"]),
    };

    public static TheoryData<string> FormNames => [.. Forms.Keys];

    private static string Weight(GraphBuilder g) => g.RandomIntegers("fc.weight", DataType.Int8, 60, 3, In, Out);

    private static string Points(GraphBuilder g)
        => g.Integers("z", DataType.Int8, [.. Enumerable.Range(0, Out).Select(i => (long)(i % 5))], Out);

    /// <summary>x as uint8 with a scale of 1.</summary>
    private static string Bytes(GraphBuilder g, string x)
        => g.Node("QuantizeLinear", [x, g.Scalar("unit", 1), g.Integers("zero", DataType.Uint8, [0])]);

    private static string Codes(GraphBuilder g)
        => g.Initializer(GraphBuilder.Tensor("fc.weight", DataType.Float8E4M3Fn, [In, Out],
            [.. Enumerable.Range(0, In * Out).Select(i => (byte)((i * 37 % 100) + (i % 2 * 128)))]));

    private static string Blocks(GraphBuilder g, DataType type, int block)
    {
        long centre = type == DataType.Uint4 ? 8 : 0;
        string w = g.RandomIntegers("fc.weight", type, 6, centre, In, Out), s = g.Scales("s", 1 / 16f, In / block, Out);
        string z = g.Integers("z", type, [.. Enumerable.Range(0, In / block * Out).Select(i => centre + (i % 3) - 1)], In / block, Out);
        return g.MatMul("x", g.Node("DequantizeLinear", [w, s, z], ("axis", 0), ("block_size", block)));
    }

    private static string NBits(GraphBuilder g, int bits, bool zeros)
    {
        const int block = 16, blocks = In / block;
        int bytes = block * bits / 8, packed = ((blocks * bits) + 7) / 8;
        string w = g.Integers("fc.weight", DataType.Uint8, [.. Enumerable.Range(0, Out * blocks * bytes).Select(i => (long)(i * 37 % 251))],
            Out, blocks, bytes);
        List<string> inputs = ["x", w, g.Scales("s", 1 / 64f, Out, blocks)];
        if (zeros) inputs.Add(g.Integers("z", DataType.Uint8,
            [.. Enumerable.Range(0, Out * packed)
                .Select(i => bits == 4 ? (7 + (i % 3)) | ((7 + (i % 2)) << 4) : 120L + (i % 9))], Out, packed));
        return g.Node("com.microsoft::MatMulNBits", [.. inputs], ("K", In), ("N", Out), ("bits", bits), ("block_size", block));
    }

    /// <summary>As ONNX Runtime's dynamic quantiser writes it.</summary>
    private static string Dynamic(GraphBuilder g, string scale)
    {
        var x = g.Nodes("DynamicQuantizeLinear", 3, ["x"]);
        var product = g.Node("MatMulInteger", [x[0], Weight(g), x[2], g.Integers("z", DataType.Int8, [3])]);
        return g.Mul(g.Node("Cast", product, ("to", 1)), g.Mul(x[1], scale));
    }

    [Theory]
    [MemberData(nameof(FormNames))]
    public void The_numbers_of_a_weight_are_those_that_the_operator_multiplies_with(string form)
    {
        var g = new GraphBuilder(5, opset: 21);
        g.Input("x", In, In);
        g.Output(g.Rename(Forms[form](g), "y"), In, Out);
        using var model = g.Build();
        float[] unit = [.. Enumerable.Range(0, In * In).Select(i => i / In == i % In ? 1f : 0f)];
        using var x = OrtValue.CreateTensorValueFromMemory(unit, [In, In]);
        double[] expected = Ort.Run(model, new Dictionary<string, OrtValue> { ["x"] = x })[0].Values;
        var table = new WeightTable(AxisAnalysis.Run(model));
        float[] numbers = table.Floats("fc.weight");
        Assert.True(table.IsMeasurable("fc.weight"));
        Assert.False(table.IsMeasurable("s") || table.IsMeasurable("fc.scale"));
        bool rowsAreOutputs = form.StartsWith("MatMulNBits", StringComparison.Ordinal) || form == "QDQ transposed";
        Assert.Equal(rowsAreOutputs ? Out : In, table.Shape("fc.weight")![0]);
        Assert.Equal(In * Out, table.Shape("fc.weight")!.Aggregate(1, (a, b) => a * b));
        double largest = expected.Max(Math.Abs);
        Assert.True(largest > 0.1);
        for (int i = 0; i < In; i++)
            for (int o = 0; o < Out; o++)
                Assert.Equal(expected[(i * Out) + o], numbers[rowsAreOutputs ? (o * In) + i : (i * Out) + o], largest * 1e-5);
        // Block by block, from anywhere inside.
        var blocks = new float[numbers.Length];
        table.ReadBlocks("fc.weight", (block, first) => block.CopyTo(blocks.AsSpan((int)first)));
        Assert.Equal(numbers, blocks);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_quantised_recurrence_has_a_scale_per_gate_or_per_direction(bool perGate)
    {
        const int inputs = 5, hidden = 4, gates = 4 * hidden;
        var g = new GraphBuilder(5);
        g.Input("x", 3, "batch", inputs);
        string w = g.RandomIntegers("w", DataType.Int8, 60, 3, 1, inputs, gates),
            r = g.RandomIntegers("r", DataType.Int8, 60, 3, 1, hidden, gates);
        long[] dims = perGate ? [1, gates] : [1];
        string s = g.Scales("s", 1 / 64f, dims),
            z = g.Integers("z", DataType.Int8, [.. Enumerable.Range(0, perGate ? gates : 1).Select(i => (long)(i % 5))], dims);
        var y = g.Nodes("com.microsoft::DynamicQuantizeLSTM", 2, ["x", w, r, "", "", "", "", "", s, z, g.Scales("rs", 1 / 64f, dims), "z"],
            ("hidden_size", hidden));
        g.Output(g.Linear(g.Node("Squeeze", [y[1], g.Longs(0)]), "out", hidden, 2), "batch", 2);
        using var model = g.Build();
        var table = new WeightTable(AxisAnalysis.Run(model));
        var numbers = table.Floats("w");
        long[] codes = model.Content(model.Proto.Graph.Initializer.Single(t => t.Name == "w")).ToLongs();
        float[] scales = table.Floats("s");
        for (int i = 0; i < codes.Length; i++)
        {
            int gate = perGate ? i % gates : 0;
            Assert.Equal((codes[i] - (gate % 5)) * scales[gate], numbers[i], 1e-6);
        }
    }

    [Theory]
    [InlineData(Criterion.L1)]
    [InlineData(Criterion.L2)]
    public void Scores_of_a_quantised_network_are_those_of_the_network_that_it_stands_for(Criterion criterion)
    {
        var quantised = Mlp(true, out var weights);
        var plain = Mlp(false, out _, weights);
        Assert.Equal(Scores(plain), Scores(quantised), (a, b) => Math.Abs(a - b) < 1e-5);
        Assert.True(Scores(plain).Distinct().Count() > 10);

        double[] Scores(OnnxModel model)
        {
            var analysis = AxisAnalysis.Run(model);
            var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
            return Planted.Score(analysis, group, new() { Score = criterion });
        }
    }

    [Fact]
    public void A_weight_that_no_score_can_read_is_noted()
    {
        var g = new GraphBuilder(3);
        g.Input("x", DataType.Int16, "batch", 6);
        // Integers whose scale no operator states.
        string Layer(string x, string name, int k, int n)
            => g.Node("com.microsoft::MatMulInteger16", [x, g.RandomIntegers(name, DataType.Int16, 60, 0, k, n)]);
        g.Output(Layer(g.Node("Cast", Layer("x", "a", 6, 32), ("to", (int)DataType.Int16)), "b", 32, 4), DataType.Int32, "batch", 4);
        var analysis = AxisAnalysis.Run(g.Build());
        var group = Assert.Single(analysis.Groups, x => x.Exactness == Exactness.Exact);
        var notes = new List<string>();
        Planted.Score(analysis, group, new(), notes: notes);
        Assert.Contains(group.Name, Assert.Single(notes), StringComparison.Ordinal);
    }

    /// <summary>Neurons in pairs that are nearly the same: one makes up for the other, the bias alone does not.</summary>
    private static OnnxModel Mlp(bool quantised, out Dictionary<string, float[]> weights, Dictionary<string, float[]>? given = null)
    {
        var random = new Random(4);
        var known = new Dictionary<string, float[]>();
        var g = new GraphBuilder(4);
        string h = g.Relu(g.Add(g.MatMul(g.Input("x", "batch", 6), Weight("fc1", 6, 16)),
            g.Floats("fc1.bias", [.. Enumerable.Repeat(2f, 16)], 16)));
        g.Output(g.Rename(g.Add(g.MatMul(quantised ? g.Qdq(h, 1 / 32f, 0) : h, Weight("fc2", 16, 3)), Bias("fc2", 3)), "y"), "batch", 3);
        weights = known;
        return g.Build();

        string Weight(string name, int inputs, int outputs)
        {
            if (!quantised) return g.Floats($"{name}.weight", given![name], inputs, outputs);
            var codes = new long[inputs * outputs];
            for (int i = 0; i < codes.Length; i++)
                codes[i] = i % outputs % 2 == 1 && name == "fc1"
                    ? codes[i - 1] + random.Next(-3, 4)
                    : random.Next(-25, 26) * (1 + (name == "fc2" ? i / outputs % 3 : i % outputs / 2 % 3));
            var scales = Enumerable.Range(0, outputs).Select(Scale).ToArray();
            known[name] = [.. codes.Select((c, i) => (c - 2) * scales[i % outputs])];
            string w = g.Integers($"{name}.weight", DataType.Int8, [.. codes], inputs, outputs),
                z = g.Integers($"{name}.zero", DataType.Int8, [.. Enumerable.Repeat(2L, outputs)], outputs);
            return g.Node("DequantizeLinear", [w, g.Floats($"{name}.scale", scales, outputs), z], ("axis", 1));
        }

        // ONNX Runtime takes the product of the scales of input and weight for granted.
        string Bias(string name, int outputs) => !quantised ? g.Weight($"{name}.bias", outputs) : g.Node("DequantizeLinear",
            [g.RandomIntegers($"{name}.bias", DataType.Int32, 3000, 0, outputs),
                g.Floats($"{name}.biasScale", [.. Enumerable.Range(0, outputs).Select(o => Scale(o) / 32)], outputs)], ("axis", 0));

        float Scale(int output) => (1 + (output % 4 / 4f)) / 64;
    }

    [Fact]
    public void Readers_in_integers_are_compensated_in_integers()
    {
        using var dense = Mlp(true, out _);
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 256, 6));
        double[] errors = [.. new[] { Compensation.None, Compensation.Bias, Compensation.LeastSquares }.Select(Error)];
        Assert.True(errors[1] < 0.8 * errors[0], $"{errors[0]}, {errors[1]}");
        Assert.True(errors[2] < 0.5 * errors[1], $"{errors[1]}, {errors[2]}");

        double Error(Compensation method)
        {
            var notes = new List<string>();
            using var slim = Planted.Without(analysis, statistics, method, notes, 1, 5, 9);
            Assert.Empty(notes);
            var types = slim.Proto.Graph.Initializer.ToDictionary(t => t.Name, t => (DataType)t.DataType);
            Assert.Equal((DataType.Int8, DataType.Int32), (types["fc2.weight"], types["fc2.bias"]));
            return Planted.Error(dense, slim);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_convolution_in_integers_takes_the_mean_into_its_bias(bool perChannel)
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", 2, 8, 8);
        // The product of both scales of a layer is that of its bias.
        var y = g.Qdq(g.Relu(g.QdqConv(g.Qdq("x", 1 / 32f), "a", (2, 12), new(perChannel, true))), 1 / 32f, 0);
        var b = g.Node("Conv", [y, g.Dequantized("b", 0, perChannel, true, 4, 12, 3, 3), g.DequantizedBias("b", 4, perChannel)]);
        g.Output(g.Rename(b, "y"), "batch", 4, 6, 6);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var statistics = Planted.Calibrate(analysis, Planted.Rows(5, 64, 2, 8, 8));
        double none = Error(Compensation.None), bias = Error(Compensation.Bias), refit = Error(Compensation.LeastSquares);
        Assert.True(bias < 0.9 * none, $"{none}, {bias}");
        Assert.True(refit <= bias * 1.01, $"{bias}, {refit}");

        double Error(Compensation method)
        {
            using var slim = Planted.Without(analysis, statistics, method, 0, 3, 7);
            return Planted.Error(dense, slim);
        }
    }

    [Fact]
    public void A_bias_that_is_computed_is_not_replaced()
    {
        var g = new GraphBuilder(3);
        g.Input("x", "batch", 2, 8, 8);
        g.Input("shift", 4);
        var h = g.Relu(g.Node("Conv", ["x", g.Weight("a.weight", 8, 2, 3, 3), g.Weight("a.bias", 8)]));
        g.Output(g.Rename(g.Node("Conv", [h, g.Weight("b.weight", 4, 8, 3, 3), g.Relu("shift")]), "y"), "batch", 4, 4, 4);
        using var dense = g.Build();
        var analysis = AxisAnalysis.Run(dense);
        var samples = new Dictionary<string, NamedTensor>(Planted.Rows(5, 16, 2, 8, 8))
        { ["shift"] = new("shift", "float32", [4], new float[4]) };
        var statistics = Planted.Calibrate(analysis, samples);
        var notes = new List<string>();
        using var slim = Planted.Without(analysis, statistics, Compensation.Bias, notes, 0, 3);
        Assert.Contains("no bias of its own", Assert.Single(notes), StringComparison.Ordinal);
        var node = slim.Proto.Graph.Node.Last(n => n.OpType == "Conv");
        Assert.Equal("Relu", slim.Proto.Graph.Node.Single(n => n.Output[0] == node.Input[2]).OpType);
    }
}
