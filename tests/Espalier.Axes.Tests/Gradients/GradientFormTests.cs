using Espalier.Gradients;
using Espalier.Gradients.Writing;
using Espalier.Onnx;
using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests.Gradients;

/// <summary>Forms of operators that the cases of the axes do not have, against central differences.</summary>
public sealed class GradientFormTests
{
    private const string Ms = "com.microsoft::";
    private const int Heads = 3, Dim = 8, Width = Heads * Dim, Length = 5;

    private static readonly Dictionary<string, Action<GraphBuilder>> Cases = new(StringComparer.Ordinal)
    {
        ["Attention, unidirectional"] = g => Attention(g, [], ("unidirectional", 1)),
        ["Attention, unidirectional, its first keys masked"] = g => Attention(g, [g.Ints([0, 0, 1, 1, 1, 1, 1, 1, 1, 0], 2, Length)],
            ("unidirectional", 1)),
        ["Attention, a mask per query"] = g => Attention(g, [g.Ints([.. Enumerable.Range(0, 50).Select(k => k * 7 % 3 > 0 ? 1 : 0)], 2,
            Length, Length)]),
        ["Attention, unidirectional with past"] = g => Attention(g, ["", g.Weight("past", 2, 2, Heads, 3, Dim)], ("unidirectional", 1)),
        ["Attention, another value of the mask"] = g => Attention(g, [g.Ints([0, 1, 1, 1, 1, 1, 1, 1, 1, 0], 2, Length)],
            ("mask_filter_value", -1.5f)),
        ["Attention of a dynamic length"] = g => Attention(g, [], length: "sequence"),
        ["MultiHeadAttention, unidirectional"] = g => MultiHead(g, false, ("unidirectional", 1)),
        ["MultiHeadAttention, unidirectional with past"] = g => MultiHead(g, true, ("unidirectional", 1), ("scale", 0.2f)),
        ["MultiHeadAttention of a dynamic length"] = g => MultiHead(g, false, length: "sequence"),
        ["MultiHeadAttention, all operands one"] = g =>
        {
            string x = g.Linear(g.Input("x", 2, Length, 6), "a", 6, Width);
            g.EndRows(g.Node(Ms + "MultiHeadAttention", [x, x, x], ("num_heads", Heads)), width: Width);
        },
        ["GroupQueryAttention, turned by turns, with cache"] = g => Grouped(g, 16, ("do_rotary", 1), ("rotary_interleaved", 1)),
        ["GroupQueryAttention, a part turned, with cache"] = g => Grouped(g, 32, ("do_rotary", 1), ("scale", 0.3f)),
        ["FusedConv, LeakyRelu"] = g => Convolved(g, "LeakyRelu", 0.3f),
        ["FusedConv, HardSigmoid"] = g => Convolved(g, "HardSigmoid", 0.3f, 0.4f),
        ["FusedConv, Tanh"] = g => Convolved(g, "Tanh"),
        ["FusedGemm, LeakyRelu"] = g => g.EndRows(g.Node(Ms + "FusedGemm",
            [g.Rows(), g.Weight("w", Surroundings.Width, Surroundings.Width), g.Weight("c", Surroundings.Width)],
            ("activation", "LeakyRelu"), ("activation_alpha", 0.3f), ("alpha", 0.5f), ("beta", 2f))),
        ["FusedMatMul, scaled, of rank 4"] = g => g.EndRows(g.Node(Ms + "FusedMatMul",
            [g.Reshape(g.Tokens(), 2, 1, Length, Surroundings.Width), g.Weight("w", 3, Surroundings.Width, 4)], ("alpha", 0.3f)), width: 4),
        ["FusedMatMul, batches exchanged, of rank 4"] = g => g.EndRows(g.Node(Ms + "FusedMatMul",
            [g.Reshape(g.Linear(g.Input("x", 2, 3, 4, 6), "a", 6, 5), 2, 3, 4, 5), g.Weight("w", 2, 3, 4, 7)], ("transBatchA", 1),
            ("transA", 1), ("transBatchB", 1)), width: 7),
        ["ConvTransposeWithDynamicPads"] = g => g.Output(g.Node(Ms + "ConvTransposeWithDynamicPads",
            [g.Image(), g.Weight("c", Channels, Channels, 2, 2), g.Longs(0, 1, 1, 1), g.Weight("c.bias", Channels)],
            ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }))),
        ["CausalConvWithState, without state"] = g =>
        {
            string x = g.Transpose(g.Tokens(), 0, 2, 1);
            g.Output(g.Nodes(Ms + "CausalConvWithState", 2, [x, g.Weight("c", Surroundings.Width, 1, 3)])[0]);
        },
        ["SkipLayerNormalization of a skip that repeats"] = g => g.EndRows(g.Node(Ms + "SkipLayerNormalization",
            [g.Tokens(), g.Weight("skip", Length, Surroundings.Width), g.Positive("n", Surroundings.Width)], ("epsilon", 0.1f))),
        ["SkipSimplifiedLayerNormalization of a skip that repeats"] = g => g.EndRows(g.Node(Ms + "SkipSimplifiedLayerNormalization",
            [g.Tokens(), g.Weight("skip", 1, Length, Surroundings.Width), g.Positive("n", Surroundings.Width)], ("epsilon", 0.1f))),
        ["SkipLayerNormalization of a dynamic batch"] = g =>
        {
            string x = g.Linear(g.Input("x", "batch", "sequence", 6), "a", 6, 12), y = g.Linear("x", "c", 6, 12);
            g.EndRows(g.Node(Ms + "SkipLayerNormalization", [x, y, g.Positive("n", 12), g.Weight("m", 12), g.Weight("d", 12)]));
        },
        // So small that the default of epsilon decides.
        ["SkipLayerNormalization of small numbers"] = g => g.EndRows(g.Node(Ms + "SkipLayerNormalization",
            [Small(g, g.Tokens()), Small(g, g.Linear("x", "c", 6, 12)), g.Positive("n", 12)])),
        ["SkipSimplifiedLayerNormalization of small numbers"] = g => g.EndRows(g.Node(Ms + "SkipSimplifiedLayerNormalization",
            [Small(g, g.Tokens()), Small(g, g.Linear("x", "c", 6, 12)), g.Positive("n", 12)])),
        ["GatedRMSNorm of small numbers"] = g => g.EndRows(g.Node(Ms + "GatedRMSNorm",
            [Small(g, g.Tokens()), g.Positive("n", 4), g.Linear("x", "gate", 6, 12)])),
        ["EmbedLayerNormalization of small numbers"] = g =>
        {
            g.Input("ids", DataType.Int32, 2, Length);
            string[] operands = ["ids", "", Small(g, g.Weight("words", 9, 12)), Small(g, g.Weight("places", Length, 12)), "",
                g.Positive("n", 12), g.Weight("m", 12)];
            g.EndRows(g.Nodes(Ms + "EmbedLayerNormalization", 2, operands)[0]);
        },
        ["EmbedLayerNormalization with segments and positions"] = g =>
        {
            int[] ids = [.. Enumerable.Range(0, 10)];
            string[] operands = [g.Ints([.. ids.Select(i => i * 7 % 9)], 2, 5), g.Ints([.. ids.Select(i => i % 2)], 2, 5),
                g.Weight("words", 9, 12), g.Weight("places", 8, 12), g.Weight("segments", 2, 12), g.Positive("n", 12), g.Weight("m", 12),
                "", g.Ints([.. ids.Select(i => i * 3 % 8)], 2, 5)];
            g.EndRows(g.Nodes(Ms + "EmbedLayerNormalization", 2, operands, ("epsilon", 0.01f))[0]);
        },
        ["GatedRMSNorm"] = g => g.EndRows(g.Node(Ms + "GatedRMSNorm",
            [g.Tokens(), g.Positive("n", 4), g.Linear("x", "gate", 6, Surroundings.Width)], ("epsilon", 0.1f))),
        ["MatMulNBits with an unfinished block"] = g => g.Output(g.Node(Ms + "MatMulNBits",
            [g.Linear(g.Input("x", "batch", 6), "in", 6, 40), g.Integers("w", DataType.Uint8, [.. Enumerable.Range(0, 240).Select(
                i => i * 37 % 251L)], 10, 3, 8), g.Positive("s", 30)], ("K", 40), ("N", 10), ("bits", 4), ("block_size", 16))),
        ["UnfoldTensor, windows that overlap"] = g => g.Output(g.Node(Ms + "UnfoldTensor",
            g.Tokens(), ("dim", 2), ("size", 4), ("step", 1))),
        ["Pad to the front, and negative"] = g => g.Output(g.Node(Ms + "Pad", [g.Rows(), g.Longs(1, -2, 0, 3), g.Scalar("p", 0.5f)])),
        ["Trilu, upper"] = g => g.Output(g.Node(Ms + "Trilu", [g.Tokens(), g.Whole(1)], ("upper", 1))),
        ["Gelu, approximate"] = g => g.EndRows(g.Node("Gelu", g.Rows(), ("approximate", "tanh"))),
        ["ReduceProd of zeros"] = g => g.EndRows(g.Node("ReduceProd",
            [g.Mul(g.Reshape(g.Tokens(), 2, Length, 3, 4), g.Floats("holes", [1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1], 3, 4)), g.Longs(3)],
            ("keepdims", 0)), width: 3),
        ["Equal chooses"] = g =>
        {
            string x = g.Rows(), isSmall = g.Node("Equal", [g.Relu(x), g.Scalar("zero", 0)]);
            g.Output(g.Node("Where", [isSmall, g.Mul(x, g.Scalar("two", 2)), x]));
        },
        ["OneHot chooses"] = g =>
        {
            g.Input("ids", DataType.Int64, 2);
            string hot = g.Node("OneHot", ["ids", g.Longs(Surroundings.Width), g.Node("Constant", [], ("value_floats", new[] { 0f, 1f }))]);
            g.EndRows(g.Mul(g.Rows(), hot));
        },
        ["Scaler with an offset under a square"] = g =>
        {
            string y = g.Node("ai.onnx.ml::Scaler", g.Rows(3), ("offset", new[] { 0.5f, -1f, 2f }), ("scale", new[] { 2f, 0.5f, 1f }));
            g.Output(g.Mul(y, y));
        },
    };

    private static readonly Dictionary<string, (Action<GraphBuilder> Write, string Reason)> Refused = new(StringComparer.Ordinal)
    {
        ["LayerNormalization, whose mean is read"] = (g =>
        {
            string[] y = g.Nodes("LayerNormalization", 2, [g.Tokens(), g.Positive("n", 12), g.Weight("m", 12)]);
            g.EndRows(y[0]);
            g.Output(y[1]);
        }, "result 1"),
        ["SkipLayerNormalization, whose mean is read"] = (g =>
        {
            string[] y = g.Nodes(Ms + "SkipLayerNormalization", 2, [g.Tokens(), g.Linear("x", "c", 6, 12), g.Positive("n", 12)]);
            g.EndRows(y[0]);
            g.Output(y[1]);
        }, "result 1"),
        ["Unique of numbers"] = (g => g.Output(g.Nodes("Unique", 4, [g.Rows()])[0]), "which are equal"),
        ["RotaryEmbedding, scaled"] = (g => g.Output(g.Node(Ms + "RotaryEmbedding",
            [g.Tokens(), g.Longs("places", [0, 1, 2, 3, 4, 2, 3, 4, 5, 6], [2, 5]), g.Weight("cos", 9, 6), g.Weight("sin", 9, 6)],
            ("scale", 0.5f))), "scale"),
        ["Attention, lengths for a mask"] = (g => Attention(g, [g.Ints([3, 5], 2)]), "mask"),
        ["GroupQueryAttention in a window"] = (g => Grouped(g, 16, ("local_window_size", 2)), "window"),
        ["GroupQueryAttention, capped"] = (g => Grouped(g, 16, ("softcap", 2f)), "caps"),
        ["GroupQueryAttention of other lengths"] = (g => Grouped(g, 16, 1), "lengths"),
        ["MatMulNBits of 2 bits"] = (g => g.Output(g.Node(Ms + "MatMulNBits",
            [g.Linear(g.Input("x", 3, 6), "in", 6, 32), g.Integers("w", DataType.Uint8, [.. Enumerable.Range(0, 80)], 10, 2, 4),
                g.Positive("s", 20)], ("K", 32), ("N", 10), ("bits", 2), ("block_size", 16))), "bits"),
        ["CDist of roots"] = (g => g.Output(g.Node(Ms + "CDist", [g.Rows(), g.Weight("c", 3, 12)], ("metric", "euclidean"))), "kink"),
    };

    /// <summary>Names of what is refused.</summary>
    public static TheoryData<string> Refusals() => [.. Refused.Keys];

    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_form_without_a_gradient(string name)
    {
        var g = new GraphBuilder(seed: 7, opset: 21);
        Refused[name].Write(g);
        using var model = g.Build();
        var analysis = AxisAnalysis.Run(model);
        var backward = BackwardBuilder.Build(analysis, analysis.Parameters.Where(p => p.IsFloating).Select(p => p.Name));
        Assert.Contains(Refused[name].Reason, Assert.Single(backward.Stopped.Values.Distinct()), StringComparison.Ordinal);
        Assert.DoesNotContain("a.weight", backward.Gradients.Keys);
    }

    /// <summary>Names of the cases.</summary>
    public static TheoryData<string> Names() => [.. Cases.Keys];

    /// <summary>The models.</summary>
    internal static IEnumerable<Func<OnnxModel>> All => Cases.Keys.Select(name => (Func<OnnxModel>)(() => Build(name)));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_form(string name)
    {
        using var model = Build(name);
        var (compared, faults, backward) = GradientCheck.Run(model);
        Assert.True(backward.Stopped.Count == 0, string.Join("\n", backward.Stopped.Values.Distinct()));
        Assert.True(faults.Count == 0, string.Join("\n", faults));
        Assert.InRange(compared ?? 0, 3, int.MaxValue);
    }

    private static OnnxModel Build(string name)
    {
        var g = new GraphBuilder(seed: 7, opset: 21);
        Cases[name](g);
        return g.Build();
    }

    private static void Attention(GraphBuilder g, string[] more, params (string, object)[] attributes)
        => Attention(g, more, Length, attributes);

    private static string Small(GraphBuilder g, string x) => g.Mul(x, g.Scalar(g.Fresh("small"), 1e-3f));

    private static void Attention(GraphBuilder g, string[] more, object length, params (string, object)[] attributes)
    {
        string x = g.Linear(g.Input("x", 2, length, 6), "a", 6, 12);
        string[] operands = [x, g.Weight("qkv", 12, 3 * Width), g.Weight("qkv.bias", 3 * Width), .. more];
        string[] y = g.Nodes(Ms + "Attention", more.Length > 1 ? 2 : 1, operands, [("num_heads", Heads), .. attributes]);
        g.EndRows(y[0], width: Width);
        if (y.Length > 1) g.Output(y[1]);
    }

    private static void MultiHead(GraphBuilder g, bool past, params (string, object)[] attributes)
        => MultiHead(g, past, Length, attributes);

    private static void MultiHead(GraphBuilder g, bool past, object length, params (string, object)[] attributes)
    {
        string x = g.Input("x", 2, length, 6);
        string[] operands = [.. ((string[])["q", "k", "v"]).Select(name => g.Linear(x, name, 6, Width))];
        if (past) operands = [.. operands, "", "", "", g.Weight("past.k", 2, Heads, 4, Dim), g.Weight("past.v", 2, Heads, 4, Dim)];
        string[] y = g.Nodes(Ms + "MultiHeadAttention", past ? 3 : 1, operands, [("num_heads", Heads), .. attributes]);
        g.EndRows(y[0], width: Width);
        foreach (string present in y[1..]) g.Output(present);
    }

    private static void Grouped(GraphBuilder g, int dim, params (string, object)[] attributes) => Grouped(g, dim, 0, attributes);

    private static void Grouped(GraphBuilder g, int dim, int shorter, params (string, object)[] attributes)
    {
        const int groups = 2, heads = 4, past = 3, turned = 16;
        string x = g.Input("x", 1, Length, 6);
        string[] operands = [g.Linear(x, "q", 6, heads * dim), g.Linear(x, "k", 6, groups * dim), g.Linear(x, "v", 6, groups * dim),
            g.Weight("past.k", 1, groups, past, dim), g.Weight("past.v", 1, groups, past, dim), g.Ints([Length + past - 1 - shorter], 1),
            g.Ints([Length + past]), g.Weight("cos", 16, turned / 2), g.Weight("sin", 16, turned / 2)];
        string[] y = g.Nodes(Ms + "GroupQueryAttention", 3, operands, [("num_heads", heads), ("kv_num_heads", groups), .. attributes]);
        g.EndRows(y[0], width: heads * dim);
        g.Output(y[1]).Output(y[2]);
    }

    private static void Convolved(GraphBuilder g, string activation, params float[] parameters)
    {
        (string, object)[] more = parameters.Length > 0 ? [("activation_params", parameters)] : [];
        g.Output(g.Node(Ms + "FusedConv", [g.Image(), g.Weight("c", Channels, Channels / 2, 3, 3), g.Weight("c.bias", Channels)],
            [("kernel_shape", new[] { 3, 3 }), ("strides", new[] { 2, 2 }), ("group", 2), ("activation", activation), .. more]));
    }
}
