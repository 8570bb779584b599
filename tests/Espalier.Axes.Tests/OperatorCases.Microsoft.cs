using Espalier.Axes.Groups;
using Espalier.TestKit;
using static Espalier.Axes.Tests.Surroundings;
using DataType = Espalier.Onnx.TensorProto.Types.DataType;

namespace Espalier.Axes.Tests;

// com.microsoft: what ONNX Runtime's optimiser writes.
internal static partial class OperatorCases
{
    private const string Ms = "com.microsoft::";

    private static void Microsoft(List<OperatorCase> cases)
    {
        // activations with a bias
        cases.Of(Ms + "FastGelu", 17, g => g.EndRows(g.Node(Ms + "FastGelu", [g.Rows(), g.Weight("c", Width)]), zero: true), "bias")
            .Passes().Group("a.weight", 1, Width, ("c", 0));
        cases.Of(Ms + "BiasGelu", 17, g => g.EndRows(g.Node(Ms + "BiasGelu", [g.Rows(), g.Weight("c", Width)]), zero: true)).Passes()
            .Group("a.weight", 1, Width, ("c", 0));
        cases.Of(Ms + "BiasGelu", 17, g => g.EndRows(g.Node(Ms + "BiasGelu", [g.Rows(), g.Sigmoid(g.Weight("c", Width))]), zero: true),
            "of a bias that is not zero").Inexact("a.weight", 1, Width, "ReduceSum");
        cases.Of(Ms + "BiasSplitGelu", 17,
            g => g.EndRows(g.Node(Ms + "BiasSplitGelu", [g.Tokens(2 * Width), g.Weight("c", 2 * Width)]), zero: true)).Group("a.weight", 1,
            Width, ("c", 0), ("b.weight", 0)).NoKernel();
        cases.Of(Ms + "BiasAdd", 17,
            g => g.EndRows(g.Node(Ms + "BiasAdd", [g.Tokens(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("c", 0), ("d.weight", 1)).NoKernel();
        cases.Of(Ms + "GatedAdd", 17,
            g => g.EndRows(g.Node(Ms + "GatedAdd", [g.Tokens(), g.Linear("x", "c", 6, Width), g.Linear("x", "d", 6, 1)]), zero: true))
                .Passes().Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of(Ms + "BiasDropout", 17,
            g => g.EndRows(g.Node(Ms + "BiasDropout", [g.Rows(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true)).Passes()
                .Group("a.weight", 1, Width, ("c", 0), ("d.weight", 1)).NoKernel();
        cases.Of(Ms + "BitmaskBiasDropout", 17,
            g => g.EndRows(g.Node(Ms + "BitmaskBiasDropout", [g.Rows(), g.Weight("c", Width), g.Linear("x", "d", 6, Width)]), zero: true))
                .Passes().NoKernel();
        cases.Of(Ms + "BitmaskDropout", 17, g => g.EndRows(g.Node(Ms + "BitmaskDropout", g.Rows()), zero: true)).Passes().NoKernel();
        cases.Of(Ms + "BitmaskDropout", 17, g =>
        {
            var y = g.Nodes(Ms + "BitmaskDropout", 2, [g.Rows()]);
            g.EndRows(y[0]);
            g.Output(g.Rename(y[1], "bits"), DataType.Uint32);
        }, "with its mask").Frozen("a.weight", 1, "result 1 is read").NoKernel();
        cases.Of(Ms + "ComplexMul", 17,
            g => g.EndRows(g.Transpose(g.Node(Ms + "ComplexMul", [Complex(g, g.Tokens()), Complex(g, g.Linear("x", "c", 6, Width))]), 0, 1,
                3, 2), zero: true)).NoKernel();
        cases.Of(Ms + "ComplexMulConj", 17,
            g => g.EndRows(g.Transpose(g.Node(Ms + "ComplexMulConj", [Complex(g, g.Tokens()), Complex(g, g.Linear("x", "c", 6, Width))]), 0,
                1, 3, 2), zero: true)).NoKernel();
        foreach (var c in cases.TakeLast(2)) c.Passes().Group("a.weight", 1, Width, ("c.weight", 1));

        // products
        foreach (string op in (string[])["FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"])
            for (int k = 0; k < 16; k++)
            {
                var (ta, tb, ba, bb) = (k & 1, (k >> 1) & 1, (k >> 2) & 1, (k >> 3) & 1);
                if (op == "TransposeMatMul" && ba + bb > 0) continue;
                var added = cases.Of(Ms + op, 17, g =>
                {
                    // [batch, m, k] and [batch, k, n], each written in the order that the attributes undo.
                    var x = g.Linear(g.Input("x", 3, 4, 6), "a", 6, Width);
                    var w = g.Weight("w", [.. (long[])[3, Width, 5] is var d ? Order(tb, bb).Select(i => d[i]) : []]);
                    (string, object)[] attributes = op == "TransposeMatMul"
                        ? [("transA", ta), ("transB", tb)]
                        : [("transA", ta), ("transB", tb), ("transBatchA", ba), ("transBatchB", bb)];
                    if (op == "FusedMatMulActivation") attributes = [.. attributes, ("activation", "Relu")];
                    g.EndRows(g.Node(Ms + op, [g.Transpose(x, Order(ta, ba)), w], attributes), zero: true, width: 5);
                }, $"{ta}{tb}{ba}{bb}").Group("a.weight", 1, Width, ("w", Array.IndexOf(Order(tb, bb), 1))).Group("w",
                Array.IndexOf(Order(tb, bb), 2), 5, ("b.weight", 0));
                if (op == "FusedMatMulActivation") added.NoKernel();
            }
        cases.Of(Ms + "FusedMatMulActivation", 17,
            g => g.EndRows(g.Node(Ms + "FusedMatMulActivation", [g.Tokens(), g.Weight("w", Width, Width)], ("activation", "Softmax"),
                ("activation_axis", -1))), "softmax").Frozen("w", 1, "Softmax").NoKernel();
        cases.Of(Ms + "GemmFastGelu", 17,
            g => g.EndRows(g.Node(Ms + "GemmFastGelu", [g.Tokens(), g.Weight("w", Width, Width), g.Weight("c", Width)]), zero: true))
                .Group("a.weight", 1, Width, ("w", 0)).Group("w", 1, Width, ("c", 0), ("b.weight", 0)).NoKernel();
        foreach (var (activation, zero) in ((string, bool)[])[("Relu", true), ("Sigmoid", false), ("Clip", true)])
            cases.Of(Ms + "FusedConv", 17, g =>
            {
                var x = g.Image();
                (string, object)[] parameters = activation == "Clip" ? [("activation_params", new[] { -0.5f, 0.5f })] : [];
                g.End(g.Node(Ms + "FusedConv",
                    [x, g.Weight("c", Channels, Channels, 3, 3), g.Weight("c.bias", Channels), g.Conv("x", "z", 3, Channels, k: 1)],
                    [("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }), ("activation", activation), .. parameters]), zero);
            }, activation).Group("a.weight", 0, Channels, ("c", 1)).Group("c", 0, Channels, ("c.bias", 0), ("z.weight", 0),
            ("b.weight", 1));
        cases.Of(Ms + "FusedConv", 17, g =>
        {
            string[] product = [g.Image(), g.Weight("c", Channels, Channels, 1, 1), g.Weight("c.bias", Channels)];
            string summand = g.Sigmoid(g.Conv("x", "z", 3, Channels, k: 1));
            g.End(g.Node(Ms + "FusedConv", [.. product, summand], ("activation", "Relu")), zero: true);
        }, "of a summand that is not zero").Inexact("c", 0, Channels, "ReduceSum").Group("a.weight", 0, Channels, ("c", 1));
        cases.Of(Ms + "NhwcFusedConv", 17, g =>
        {
            var x = g.Transpose(g.Image(), 0, 2, 3, 1);
            var y = g.Node(Ms + "NhwcFusedConv", [x, g.Weight("c", Channels, Channels, 3, 3), g.Weight("c.bias", Channels)],
                ("kernel_shape", new[] { 3, 3 }), ("pads", new[] { 1, 1, 1, 1 }), ("activation", "Relu"));
            g.End(g.Transpose(y, 0, 3, 1, 2), zero: true);
        }).Group("a.weight", 0, Channels, ("c", 1)).Group("c", 0, Channels, ("c.bias", 0), ("b.weight", 1)).NoKernel();
        cases.Of(Ms + "ConvTransposeWithDynamicPads", 17, g =>
        {
            var y = g.Node(Ms + "ConvTransposeWithDynamicPads",
                [g.Image(), g.Weight("c", Channels, Channels, 2, 2), g.Longs(0, 0, 1, 1), g.Weight("c.bias", Channels)],
                ("kernel_shape", new[] { 2, 2 }), ("strides", new[] { 2, 2 }));
            g.End(y, zero: true);
        }).Group("a.weight", 0, Channels, ("c", 0)).Group("c", 1, Channels, ("c.bias", 0), ("b.weight", 1));
        cases.Of(Ms + "CausalConvWithState", 17, g =>
        {
            var x = g.Transpose(g.Tokens(), 0, 2, 1);
            var y = g.Nodes(Ms + "CausalConvWithState", 2,
                [x, g.Weight("c", Width, 1, 3), g.Weight("c.bias", Width), g.Weight("past", 2, Width, 2)], ("activation", "silu"));
            g.EndRows(g.Transpose(y[0], 0, 2, 1), zero: true);
            g.Output(g.Sum(y[1], 1));
        }).Passes().Group("a.weight", 1, Width, ("c", 0), ("past", 1));
        cases.Of(Ms + "CDist", 17,
            g => g.Output(g.Node(Ms + "CDist", [g.Rows(), g.Linear(g.Input("z", 3, 6), "c", 6, Width)], ("metric", "sqeuclidean"))))
                .Group("a.weight", 1, Width, ("c.weight", 1));
        cases.Of(Ms + "CDist", 17, g =>
        {
            var other = g.Linear(g.Input("z", 3, 6), "c", 6, Width);
            g.Output(g.Node(Ms + "CDist", [g.Sigmoid(g.Rows()), other], ("metric", "sqeuclidean")));
        }, "of rows that are not zero").Inexact("a.weight", 1, Width, "CDist");
        cases.Of(Ms + "MoE", 17, g =>
        {
            var x = g.Linear(g.Input("x", 5, 6), "a", 6, 8);
            string router = g.Linear(x, "router", 8, 4, bias: false), bias = g.Sigmoid(g.Weight("fc2.bias", 4, 8));
            string[] experts = [g.Weight("fc1", 4, 6, 8), g.Weight("fc1.bias", 4, 6), g.Weight("fc2", 4, 8, 6), bias];
            g.EndRows(g.Node(Ms + "MoE", [x, router, .. experts], ("k", 2)), zero: true, width: 8);
        }, "with a bias that is not zero").Inexact("a.weight", 1, 8, "ReduceSum").Group("fc1", 1, 6, ("fc1.bias", 1), ("fc2", 2));
        foreach (string activation in (string[])["relu", "gelu", "silu", "identity", "swiglu 0", "swiglu 1", "swiglu 2"])
        {
            var added = cases.Of(Ms + "MoE", 17, g =>
            {
                const int experts = 4, hidden = 6, width = 8;
                var x = g.Linear(g.Input("x", 5, 6), "a", 6, width);
                int fusion = activation is "swiglu 1" or "swiglu 2" ? 2 : 1;
                var router = g.Linear(x, "router", width, experts, bias: false);
                var operands = new List<string> { x, router, g.Weight("fc1", experts, fusion * hidden, width),
                    g.Weight("fc1.bias", experts, fusion * hidden), g.Weight("fc2", experts, width, hidden),
                    g.Weight("fc2.bias", experts, width) };
                if (activation == "swiglu 0")
                    operands.AddRange([g.Weight("fc3", experts, hidden, width), g.Weight("fc3.bias", experts, hidden)]);
                (string, object)[] attributes = [("k", 2), ("activation_type", activation.Split(' ')[0])];
                if (activation.Contains(' ', StringComparison.Ordinal))
                    attributes = [.. attributes, ("swiglu_fusion", activation[^1] - '0'), ("activation_alpha", 1.702f),
                        ("activation_beta", 1f)];
                g.EndRows(g.Node(Ms + "MoE", [.. operands], attributes), zero: true, width: 8);
            }, activation).Group("fc1", 1, 6, ("fc1.bias", 1), ("fc2", 2)).Inexact("router.weight", 1, 4, "largest");
            // The processor has only the interleaved form.
            if (activation is "swiglu 0" or "swiglu 2") added.NoKernel();
        }

        // normalisations
        cases.Of(Ms + "SkipLayerNormalization", 17, g =>
        {
            var y = g.Nodes(Ms + "SkipLayerNormalization", 4,
                [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Weight("n.bias", Width), g.Weight("d", Width)]);
            g.EndRows(g.Linear(g.Relu(g.Linear(y[0], "e", Width, 10)), "f", 10, Width));
            g.Output(g.Sum(y[3], -1));
        }).Inexact("a.weight", 1, Width, "statistic").Group("e.weight", 1, 10, ("f.weight", 0)).Group("f.weight", 1, Width,
        ("b.weight", 0));
        // Heads that lie in front of the normalised axis: the bias is added to those that went too.
        cases.Of(Ms + "SkipLayerNormalization", 17, g =>
        {
            g.Input("x", Length, 6);
            string Heads(string name) => g.Reshape(g.Linear("x", name, 6, 3 * Channels), Length, 3, Channels);
            string[] operands = [Heads("a"), Heads("c"), g.Positive("n", Channels), g.Weight("n.bias", Channels), g.Weight("d", Channels)];
            g.EndRows(g.Sum(g.Nodes(Ms + "SkipLayerNormalization", 4, operands)[3], 1), width: Channels);
        }, "with a bias over heads").Inexact("a.weight", 1, 3, "ReduceSum");
        cases.Of(Ms + "SkipSimplifiedLayerNormalization", 17, g =>
        {
            string[] operands = [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Sigmoid(g.Weight("d", Width))];
            g.EndRows(g.Node(Ms + "SkipSimplifiedLayerNormalization", operands), zero: true);
        }, "with a bias that is not zero").Inexact("a.weight", 1, Width, "SkipSimplifiedLayerNormalization");
        cases.Of(Ms + "SkipSimplifiedLayerNormalization", 17, g =>
        {
            var y = g.Nodes(Ms + "SkipSimplifiedLayerNormalization", 4,
                [g.Tokens(), g.Linear("x", "c", 6, Width), g.Positive("n", Width), g.Weight("d", Width)]);
            g.EndRows(y[0], zero: true);
            g.Output(g.Sum(y[3], -1));
        }).Passes().Group("a.weight", 1, Width, ("c.weight", 1), ("n", 0), ("d", 0));
        cases.Of(Ms + "EmbedLayerNormalization", 17, g =>
        {
            g.Input("ids", DataType.Int32, 2, Length);
            var y = g.Nodes(Ms + "EmbedLayerNormalization", 3,
                ["ids", "", g.Weight("words", 9, Width), g.Weight("places", Length, Width), "", g.Positive("n", Width),
                    g.Weight("n.bias", Width)]);
            g.EndRows(g.Linear(g.Relu(g.Linear(y[0], "a", Width, 10)), "c", 10, Width));
            g.Output(g.Sum(y[2], -1));
        }).Inexact("words", 1, Width, "statistic").Frozen("words", 0, "positions along").Group("a.weight", 1, 10, ("c.weight", 0));
        foreach (string op in (string[])["GroupNorm", "SkipGroupNorm"])
            foreach (int last in (int[])[1, 0])
                cases.Of(Ms + op, 17, g =>
                {
                    var (x, skip) = (g.Image(32), g.Conv("x", "skip", 3, 32, k: 1));
                    if (last == 1) (x, skip) = (g.Transpose(x, 0, 2, 3, 1), g.Transpose(skip, 0, 2, 3, 1));
                    string[] operands = op == "GroupNorm"
                        ? [x, g.Positive("n", 32), g.Weight("n.bias", 32)]
                        : [x, g.Positive("n", 32), g.Weight("n.bias", 32), skip];
                    var y = g.Node(Ms + op, operands, ("groups", 4), ("activation", 1), ("channels_last", last));
                    g.End(last == 1 ? g.Transpose(y, 0, 3, 1, 2) : y, zero: true, channels: 32);
                }, last == 1
                    ? "channels last"
                    : "channels first").Group("a.weight", 0, 4, ("n", 0), ("b.weight", 1)).Inexact("a.weight", 0, 8,
                        "statistic").NoKernel();
        foreach (int last in (int[])[1, 0])
            cases.Of(Ms + "SkipGroupNorm", 17, g =>
            {
                string[] images = [g.Image(32), g.Conv("x", "skip", 3, 32, k: 1)];
                if (last == 1) images = [.. images.Select(i => g.Transpose(i, 0, 2, 3, 1))];
                string[] operands = [images[0], g.Positive("n", 32), g.Sigmoid(g.Weight("n.bias", 32)), images[1]];
                var y = g.Node(Ms + "SkipGroupNorm", operands, ("groups", 4), ("activation", 0), ("channels_last", last));
                g.End(last == 1 ? g.Transpose(y, 0, 3, 1, 2) : y, zero: true, channels: 32);
            }, $"channels {(last == 1 ? "last" : "first")} with a bias that is not zero").Inexact("a.weight", 0, 4, "ReduceSum").NoKernel();
        cases.Of(Ms + "GatedRMSNorm", 17,
            g => g.EndRows(g.Node(Ms + "GatedRMSNorm", [g.Tokens(), g.Positive("n", 4), g.Linear("x", "gate", 6, Width)]), zero: true))
                .Group("a.weight", 1, 3, ("gate.weight", 1), ("b.weight", 0)).Inexact("n", 0, 4, "statistic");

        // tokens and positions
        cases.Of(Ms + "TorchEmbedding", 17, g =>
        {
            g.Input("ids", DataType.Int64, 2, Length);
            g.EndRows(g.Node(Ms + "TorchEmbedding", [g.Weight("table", 9, Width), "ids"]), zero: true);
        }).Group("table", 1, Width, ("b.weight", 0)).Frozen("table", 0, "positions along").NoKernel();
        cases.Of(Ms + "RemovePadding", 17, g =>
        {
            var y = g.Nodes(Ms + "RemovePadding", 4, [g.Tokens(), g.Ints([3, 5], 2)]);
            g.EndRows(g.Node(Ms + "RestorePadding", [y[0], y[1]]), zero: true);
        }).Passes().NoKernel();
        cases.Of(Ms + "NGramRepeatBlock", 17, g =>
        {
            g.Input("ids", DataType.Int64, 2, 6);
            g.Output(g.Node(Ms + "NGramRepeatBlock", ["ids", g.Linear(g.Relu(g.Linear(g.Input("x", 2, 6), "a", 6, Width)), "b", Width, 9)],
                ("ngram_size", 2)));
        }).Passes().Frozen("b.weight", 1, "NGramRepeatBlock");
        cases.Of(Ms + "DynamicTimeWarping", 17, g => g.Output(g.Node(Ms + "DynamicTimeWarping", g.Rows()), DataType.Int32))
            .Frozen("a.weight", 1, "DynamicTimeWarping");
        cases.Of(Ms + "DynamicTimeWarping", 17,
            g => g.Output(g.Node(Ms + "DynamicTimeWarping", g.Linear(g.Input("x", 1, 4, 6), "a", 6, Width)), DataType.Int32), "3-D")
                .Frozen("a.weight", 1, "DynamicTimeWarping");
        cases.Of(Ms + "GemmaRotaryEmbedding", 17, g =>
        {
            var x = g.Input("x", DataType.Float16, 2, Length, 6);
            string Project(string name) => g.SplitHeads(g.Node("MatMul", [x, g.Cast(g.Weight(name, 6, Width), DataType.Float16)]), 3, 4);
            var emb = g.Weight("emb", 2, Length, 4);
            var y = g.Nodes(Ms + "GemmaRotaryEmbedding", 2, [emb, Project("q"), Project("qr"), Project("k"), Project("kr")]);
            g.EndRows(g.Cast(g.MergeHeads(y[0], Width), DataType.Float), zero: true);
            g.Output(g.Linear(g.Cast(g.MergeHeads(y[1], Width), DataType.Float), "c", Width, 3));
        }).Group("q", 1, 3, ("qr", 1), ("k", 1), ("kr", 1), ("b.weight", 0)).Group("q", 1, 4, ("emb", 2)).NoKernel();
    }

    private static string Complex(GraphBuilder g, string x) => g.Transpose(g.Reshape(g.Concat(2, x, x), 0, 0, 2, Width), 0, 1, 3, 2);

    /// <summary>Order of the axes batch, row, column (0, 1, 2) in an operand that is transposed.</summary>
    private static int[] Order(int transposed, int batch) => (transposed, batch) switch
    {
        (0, 0) => [0, 1, 2],
        (1, 0) => [0, 2, 1],
        (0, 1) => [1, 0, 2],
        _ => [2, 0, 1],
    };
}
